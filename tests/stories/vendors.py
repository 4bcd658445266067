"""Vendors of the fake as systems of a story, and what their state and record say of it.

The rule kept: what is asserted is the vendors' own state and record, or the ledger's.
"""

import asyncio
from contextlib import suppress

from temporalio.service import RPCError

import worker
from rights.receipt import Certainty
from starter.stack import Vendors
from tests.world import World

ALLOWED = 'base_url: "{base}/{vendor}", private: ["127.0.0.1"], environment: test, timeout: 5s, grace: 3s'
MAILCHIMP = """
system: newsletter
owner: marketing
connector: http
backups: none
mode: auto
max_people_per_hour: 1000
connection: {{key: "env:TEST_MAILCHIMP"}}
options: {{vendor: mailchimp, dc: us1, {allowed}}}
collections:
  members:
    key: [list_id, id]
    fields:
      list_id: {{}}
      id: {{}}
      email: {{category: contact, identity: email}}
      first_name: {{category: name}}
      status: {{}}
"""
AMPLITUDE = """
system: analytics
owner: product
connector: http
backups: none
mode: auto
max_people_per_hour: 1000
connection: {{key: "env:TEST_AMPLITUDE_KEY", secret: "env:TEST_AMPLITUDE_SECRET"}}
options: {{vendor: {file}, {allowed}}}
collections:
  users:
    key: [amplitude_id]
    fields:
      amplitude_id: {{}}
      user_id: {{identity: customer_id}}
"""
GOOGLE = """
system: website
owner: marketing
connector: http
backups: none
mode: auto
max_people_per_hour: 1000
connection: {{service_account: "env:TEST_GOOGLE"}}
options: {{vendor: google_analytics, property: "412345678", {allowed}}}
collections:
  users:
    key: [submission]
    fields:
      submission: {{}}
      user_id: {{category: reference, identity: customer_id}}
"""


def newsletter(vendors: Vendors) -> str:
    """The map of Mailchimp."""
    return MAILCHIMP.format(allowed=ALLOWED.format(base=vendors.base, vendor="mailchimp"))


def analytics(vendors: Vendors, file: str = "amplitude") -> str:
    """The map of Amplitude, by its own file or by another."""
    return AMPLITUDE.format(allowed=ALLOWED.format(base=vendors.base, vendor="amplitude"), file=file)


def website(vendors: Vendors) -> str:
    """The map of Google Analytics."""
    return GOOGLE.format(allowed=ALLOWED.format(base=vendors.base, vendor="google"))


def wake(world: World, *requests: str) -> None:
    """What a sweep's answer does: the requests ask again before their timers end."""

    async def signal() -> None:
        client = await worker.connect(world.settings, world.ledger)
        for request in requests:
            run = client.get_workflow_handle(f"erasure/{world.ledger.tenant}/{request}")
            # A run that is still at it has no timer yet that could be ended: it asks when that has run.
            for _ in range(300):
                found = (await run.describe()).raw_description
                if not found.pending_activities and not found.HasField("pending_workflow_task"):
                    break
                await asyncio.sleep(0.1)
            with suppress(RPCError):  # it has closed, since it asked by itself
                await run.signal("refresh")

    asyncio.run(signal())


def accepted(world: World, request: str, system: str = "analytics") -> bool:
    """The vendor has taken the work on."""
    said = [r for r in world.ledger.receipts(request) if r.step.system == system]
    return any(r.certainty is Certainty.ACCEPTED for r in said)


def members(vendors: Vendors) -> set[str]:
    """Addresses that the newsletter still has."""
    state = vendors.dump("mailchimp")["members"]
    return {member["email_address"] for of in state.values() for member in of.values()}
