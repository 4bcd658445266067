"""What the engine owes itself: lost runs found again, keys destroyed on their day, the chain's head signed.

The one rule: what upkeep does is due by the ledger's dates, never by what a process remembers.
"""

from contextlib import suppress
from datetime import datetime

import structlog
from temporalio import activity

from activities.parcels import discard
from activities.stamping import StampError, stamp_journal
from activities.tools import Tools
from ledger.errors import LedgerRefusal
from rights.value import Value


class Round(Value):
    """The time of one round of upkeep, by the workflow."""

    as_of: datetime


class Kept(Value):
    """What a round did, in numbers."""

    shredded: int
    keys_destroyed: int
    parcels_deleted: int


class UpkeepActivities:
    """The rounds of the `upkeep` workflow."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="reconcile", no_thread_cancel_exception=True)
    def reconcile(self, round: Round) -> None:
        """Ask the dispatcher to compare the open requests of the ledger with the living runs, and people to review the
        restrictions and the holds whose day has come; have looked at what is looked at again; and see that data of a
        child is out of use, ruled on and gone in time.

        The comparison itself needs a Temporal client, which belongs to the doors (starter/dispatch.py).
        """
        self._tools.ledger.announce("reconcile", at=round.as_of)
        self._tools.ledger.ask_for_reviews(at=round.as_of)
        self._tools.ledger.call_relooks(at=round.as_of)
        self._tools.ledger.call_deferrals(at=round.as_of)
        self._tools.ledger.ask_about_holds(at=round.as_of)
        self._tools.ledger.ask_for_looks(at=round.as_of)
        self._mind_minors(round.as_of)

    def _mind_minors(self, at: datetime) -> None:
        tools = self._tools
        late = tools.ledger.mind_reports(
            at=at, sms=tools.sms, mail=tools.mail is not None, directory=tools.data_map.directory is not None
        )
        for one in late:
            structlog.get_logger().error("minor_late", request_id=one.request_id, code=str(one.code), in_vain=one.level)

    @activity.defn(name="destroy", no_thread_cancel_exception=True)
    def destroy(self, round: Round) -> Kept:
        """Destroy what is due, forget what Temporal was told long ago, bring tokens under the newest key, and look for
        past erasures in systems that are new to the map."""
        ledger, store = self._tools.ledger, self._tools.store
        shredded = ledger.shred_due(round.as_of)
        parcels = 0
        for shred in shredded:
            if shred.purpose == "parcel":
                discard(store, shred.case_id, self._tools.data_map.systems, parcel=True)
                parcels += 1
        destroyed = ledger.retire_keks(round.as_of)
        ledger.purge_sent()
        ledger.renew_tokens(at=round.as_of)
        systems = self._tools.data_map.systems
        for system in ledger.new_systems(systems):
            # Whoever was erased may be in it. Refused where somebody has begun it by hand.
            with suppress(LedgerRefusal):
                ledger.begin_replay(system, None, dry=False, by="upkeep", at=round.as_of)
        ledger.know_systems(systems, at=round.as_of)
        if shredded:
            structlog.get_logger().info("destroyed", keys=len(shredded), month_keys=len(destroyed))
        return Kept(shredded=len(shredded), keys_destroyed=len(destroyed), parcels_deleted=parcels)

    @activity.defn(name="sign", no_thread_cancel_exception=True)
    def sign(self, round: Round) -> None:
        """Sign the head of the chain and place it outside the ledger, and have it timestamped.

        A time-stamping authority that does not answer keeps nothing from being signed; the next round asks it again.
        """
        self._tools.ledger.checkpoint(at=round.as_of)
        try:
            stamp_journal(self._tools.ledger, self._tools.authority, round.as_of)
        except StampError:
            structlog.get_logger().warning("not_timestamped")
