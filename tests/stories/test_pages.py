"""The pages of docs/ are followed: what they tell somebody to type is typed, in a shell, in a deployment at work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from rights.reckoning import local_day
from starter.local import command
from tests.stories.copies import OTHER, prepare
from tests.stories.test_deciding import APPROVERS
from tests.stories.test_restriction import Till, setup_denial
from tests.world import World, shop_map

DOCS = Path(__file__).parents[2] / "docs"
PERSON = "c7@shop.example"
ZONE = "Europe/Berlin"
ELSEWHERE = {
    "habeas promote": "tests/deploy/test_topology.py has new workers serve",
    "request open portability --identities person.txt": "test_portability has another controller",
    "transfer receipt": "test_portability has another controller",
    "habeas receive": "test_portability starts it",
    "request pass-on": "test_recipients passes one on",
    "decision propose REQUEST fee": "test_deciding has a fee asked for and paid",
    "decision paid": "test_deciding has a fee asked for and paid",
    "decision unpaid": "test_deciding has a fee asked for and paid",
    "restriction use": "test_restriction_use asks for a use, approves and takes it",
}
"""What is left to other stories, and which."""

FILES = {
    "person.txt": f"email={PERSON}\n",
    "child.txt": "email=c9@shop.example\n",
    "expired.csv": "id,mail\n1,long-gone@shop.example\n",
    "name.txt": OTHER,
    "addresses.txt": f"{PERSON}\nnobody@shop.example\n",
    **{
        f"{name}.txt": "This is why."
        for name in ("reasons", "why", "o", "s", "dissent", "what", "steps", "notice", "letter")
    },
}
REGISTER = """
recipients:
  partner:
    name: Partner Logistics SA
    country: FR
    role: controller
    basis: {kind: contract, document: DPA 18, since: 2024-01-01}
    gets: [shop.customers]
    knows_by: [email]
    told_by: {email: privacy@partner.example}
  mailer:
    name: Mailer Ltd
    country: IE
    role: processor
    basis: {kind: contract, document: DPA 3, since: 2024-01-01, until: 2099-12-31}
    gets: [shop.customers]
    knows_by: [email]
    told_by: {email: privacy@mailer.example}
"""


def lines(page: str) -> Iterator[str]:
    """The commands of a page's blocks, as they stand."""
    text = (DOCS / page).read_text()
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
        if language in {"", "sh", "text", "console"}:
            for line in block.replace("\\\n", " ").splitlines():
                typed = line.strip().removeprefix("$ ").split("  #")[0]
                if re.match(r"(.*\| )?habeas ", typed) and not any(word in typed for word in ELSEWHERE):
                    yield typed


@dataclass
class Reader:
    """Somebody who types what a page says, with what was printed in place of its capitals."""

    world: World
    names: dict[str, str] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)

    def type(self, line: str) -> None:
        """Type a line until it succeeds: a request takes its time, and a page does not say how long."""
        for name, value in self.names.items():
            line = re.sub(rf"\b{name}\b", value, line)
        line = line.replace("name@example.org", PERSON)
        line = re.sub(r"--on \d{4}-\d\d-\d\d", f"--on {local_day(datetime.now(UTC), ZONE)}", line)
        environment = {**os.environ, **self.world.environment}
        environment["PATH"] = f"{Path(command()[0]).parent}:{os.environ['PATH']}"
        until = time.monotonic() + 120
        wanted = 1 if " map diff " in f" {line}" else 0
        while True:
            done = subprocess.run(
                ["bash", "-c", line], cwd=self.world.home, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode == wanted or time.monotonic() > until:
                break
            time.sleep(0.5)
        assert done.returncode == wanted, f"{line}\n{done.stdout}{done.stderr}"
        self.typed.append(line)
        for name, form in (
            ("REQUEST", r"request (\w{26}) received"),
            ("REPORT", r"report (\w{26}) received"),
            ("REDACTION", r"habeas review restore \w+ (\w{26})"),
            ("DECISION", r"decision (\w{26})"),
            ("INCIDENT", r"Incident (\w{26})"),
        ):
            if found := re.search(form, done.stdout):
                self.names[name] = found[1]


def access(reader: Reader) -> None:
    prepare(reader.world)
    with psycopg.connect(reader.world.shop, autocommit=True) as door:
        door.execute("INSERT INTO messages VALUES (900, 7, 'one two three four five six seven eight nine')")
        door.execute("CREATE TABLE expired AS SELECT 1 AS id, 'long-gone@shop.example' AS mail")
    reader.world.environment["CAMPAIGN_URL"] = reader.world.shop


def deadlines(reader: Reader) -> None:
    reader.names["REQUEST"] = reader.world.open("access", [("email", PERSON)], confirmed=False)


def decisions(reader: Reader) -> None:
    reader.world.environment["HABEAS_APPROVERS"] = json.dumps(APPROVERS)
    text = shop_map("approve", retention=True).replace(
        "body: {category: free_text}", "body: {category: correspondence, strategy: 'null'}"
    )
    reader.world.write_maps({"shop": text})
    reader.names["REQUEST"] = reader.world.open("erasure", [("email", PERSON)])


def letters(reader: Reader) -> None:
    reader.world.set_up_mail(host="127.0.0.1", port=9, plaintext=True)
    del reader.world.environment["HABEAS_MAIL"]
    reader.names["REQUEST"] = reader.world.open("access", [("email", "nobody@shop.example")])


def objection(reader: Reader) -> None:
    reader.world.open("access", [("email", PERSON)])


def closed(reader: Reader) -> None:
    reader.names["REQUEST"] = reader.world.open("access", [("email", PERSON)])


def incidents(reader: Reader) -> None:
    reader.world.environment["HABEAS_APPROVERS"] = json.dumps({"dpo": {"holder": "s-9"}})
    closed(reader)


def recipients(reader: Reader) -> None:
    reader.world.set_up_mail(host="127.0.0.1", port=9, plaintext=True)
    (reader.world.home / "recipients.yaml").write_text(REGISTER)
    messages = "  messages:\n    key: [id]\n"
    reader.world.write_maps({"shop": shop_map().replace(messages, f"{messages}    published: true\n")})
    reader.world.environment["HABEAS_RECIPIENTS"] = str(reader.world.home / "recipients.yaml")
    reader.names["REQUEST"] = reader.world.open("erasure", [("email", PERSON)])


def discovery(reader: Reader) -> None:
    home, environment = reader.world.home, reader.world.environment
    shutil.copytree(home / "maps", home / "maps-in-use")
    environment["SHOP_DB_URL"] = environment["TEST_SHOP"].replace("+psycopg", "")


def rectification(reader: Reader) -> None:
    orders = "  orders:\n    key: [id]\n"
    reader.world.write_maps({"shop": shop_map().replace(orders, f"{orders}    worked_out_from: [customers]\n")})
    (reader.world.home / "details.yaml").write_text(
        "corrections:\n"
        "  - {system: shop, collection: customers, values: {full_name: Anna Quartz, phone: null}}\n"
        "  - {system: shop, collection: addresses, values: {street: Quarry Lane 1}}\n"
    )


def restriction(reader: Reader) -> None:
    for name in ("details", "restriction"):
        (reader.world.home / f"{name}.yaml").write_text("ground: claims\n")
    reader.world.write_maps({"shop": shop_map(extra="options: {restrict: row_security}")})
    setup_denial(reader.world, Till(reader.world))


def nothing(reader: Reader) -> None:
    """The page begins by itself."""


def runbook(reader: Reader) -> None:
    (reader.world.home / "parcels").mkdir(mode=0o700)
    reader.names["REQUEST"] = reader.world.open("access", [("email", PERSON)])


PAGES: dict[str, Callable[[Reader], None]] = {
    "access.md": access,
    "data-map.md": nothing,
    "deadlines.md": deadlines,
    "decisions.md": decisions,
    "incidents.md": incidents,
    "letters.md": letters,
    "objection.md": objection,
    "parcel.md": closed,
    "portability.md": nothing,
    "recipients.md": recipients,
    "rectification.md": rectification,
    "restriction.md": restriction,
    "rights.md": restriction,
    "discovery.md": discovery,
    "../deploy/runbook.md": runbook,
}


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed(page: str, world: World) -> None:
    reader = Reader(world)
    for name, text in FILES.items():
        (world.home / name).write_text(text)
    PAGES[page](reader)
    world.start_worker()

    for line in lines(page):
        if page == "decisions.md" and " in_part " in line:
            # The request that the lines above refuse is over by then.
            reader.names["REQUEST"] = world.open("erasure", [("email", "c8@shop.example")])
        reader.type(line)

    assert reader.typed
