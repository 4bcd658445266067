"""A person takes along what they have provided: as files, and straight to another company, which has it as it was."""

import asyncio
import csv
import hashlib
import io
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bagit
import jsonschema
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import worker
from activities.jws import public_key, verified
from ledger.incidents import About
from rights.incidentlaw import Kind
from rights.request import Right
from rights.transfer import Taken
from tests.connectors.proxy import Proxy, Wire
from tests.starter.transfers import RECIPIENT, Other
from tests.stories.copies import PASSWORD, Habeas, extended, holding, prepare
from tests.stories.test_answer import OFFICE
from tests.stories.test_rulings import ARCHIVE
from tests.world import World, dump, shop_map
from workflows import visibility
from workflows.request import PortabilityRequest

WHO = "c7@shop.example"


def portable() -> str:
    """Customers and orders on contract; the note is derived, messages are held on another basis, and of addresses
    nobody says anything."""
    text = extended(shop_map()).replace(", third_party: review", "")
    contract = "    lawful_basis: Contract, GDPR Art. 6(1)(b)\n    origin: provided\n"
    for name in ("customers", "orders"):
        text = text.replace(f"  {name}:\n    key: [id]\n", f"  {name}:\n    key: [id]\n{contract}")
    text = text.replace("note: {category: free_text", "note: {category: free_text, origin: derived")
    text = text.replace("created_at: {}", "created_at: {category: account, origin: observed}")
    return text.replace(
        "  messages:\n    key: [id]\n",
        "  messages:\n    key: [id]\n    lawful_basis: Legitimate interests, GDPR Art. 6(1)(f)\n    origin: provided\n",
    )


ENDED = """  other:
    name: Other Company
    country: DE
    role: controller
    basis: {kind: contract, document: DPA 17, since: 2020-01-01, until: 2020-12-31}
    gets: [shop]
    told_by: {email: privacy@other.example}
"""
"""A recipient whose contract is over."""

EXPECTED = {
    "customers": "SELECT id, email, full_name, ssn, phone FROM customers WHERE id = 7",
    "orders": "SELECT id, customer_id, created_at FROM orders WHERE customer_id = 7 ORDER BY id",
}
"""What may go along, as the database's own client gives it."""


def rows(world: World, query: str) -> list[dict[str, Any]]:
    """Rows as JSON of the database's own making."""
    with psycopg.connect(world.shop) as door:
        found = door.execute(f"SELECT to_jsonb(t)::text FROM ({query}) t".encode()).fetchall()
        return [json.loads(text) for (text,) in found]


def has_what_was_provided(world: World, files: dict[str, bytes]) -> None:
    """The tables are those two, and say what the database says; each row fits the schema that came with it."""
    tables = {p for p in files if p.endswith(".jsonl")}
    assert tables == {f"data/shop/{name}.jsonl" for name in EXPECTED}
    for name, query in EXPECTED.items():
        lines = [json.loads(line) for line in files[f"data/shop/{name}.jsonl"].splitlines()]
        assert sorted(lines, key=lambda row: row["id"]) == rows(world, query), name
        schema = json.loads(files[f"data/shop/{name}.schema.json"])
        jsonschema.Draft202012Validator.check_schema(schema)
        for line in lines:
            jsonschema.validate(line, schema)
        table = list(csv.DictReader(io.StringIO(files[f"data/shop/{name}.csv"].decode())))
        assert [int(row["id"]) for row in table] == [row["id"] for row in lines]
        columns = json.loads(files[f"data/shop/{name}.csv-metadata.json"])["tableSchema"]["columns"]
        assert [column["titles"] for column in columns] == list(table[0])
        context = json.loads(files[f"data/shop/{name}.context.jsonld"])["@context"]
        assert set(lines[0]) <= set(context)
    package = json.loads(files["data/datapackage.json"])
    for resource in package["resources"]:
        body = files[f"data/{resource['path']}"]
        assert resource["hash"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert not list(holding(files, PASSWORD))


def test_as_files_with_schemas_and_nothing_is_erased(world: World) -> None:
    prepare(world, portable())
    before = dump(world.shop)
    habeas = Habeas(world)
    world.start_worker()
    request = habeas.open("portability")
    world.wait_closed(request)

    files = habeas.parcel(request)

    assert world.conclusion(request) == "answered"
    has_what_was_provided(world, files)
    assert dump(world.shop) == before, "no erasure is implied"
    bag = world.home / "bag"
    for path, body in files.items():
        (bag / path).parent.mkdir(parents=True, exist_ok=True)
        (bag / path).write_bytes(body)
    bagit.Bag(str(bag)).validate()

    # What stays is named, with the reason.
    index = files["data/index.html"].decode()
    assert "note: we have worked it out ourselves" in index
    assert "shop: addresses, street: it is held neither on consent nor for a contract" in index
    assert "shop: messages, body: it is held neither on consent nor for a contract" in index
    assert "login_hash: a password or another credential" in index
    graph = {node["@id"]: node for node in json.loads(files["data/ro-crate-metadata.json"])["@graph"]}
    assert graph["./"]["dpv:hasRight"] == {"@id": "eu-gdpr:A20"}
    assert graph["#shop-orders"]["dpv:hasLegalBasis"] == {"@id": "eu-gdpr:A6-1-b"}
    assert graph["#shop-orders-created_at"]["@type"] == ["dpv:PersonalData", "dpv:ObservedPersonalData"]
    parts = {part["@id"] for part in graph["./"]["hasPart"]}
    assert parts == {p.removeprefix("data/") for p in files if p.startswith("data/")} - {"ro-crate-metadata.json"}


@pytest.mark.soak
def test_nobody_is_asked_to_look_into_a_cabinet_for_what_never_goes_along(world: World) -> None:
    prepare(world, portable())
    world.write_maps({"shop": portable(), "archive": ARCHIVE})
    habeas = Habeas(world)
    world.start_worker()
    request, nobody = habeas.open("portability"), habeas.open("portability", email="nobody@shop.example")
    for one in (request, nobody):
        world.wait_closed(one)

    assert not world.query("SELECT code FROM tasks"), "no person had anything to do"
    assert (world.conclusion(request), world.conclusion(nobody)) == ("answered", "nothing_held")
    index = habeas.parcel(request)["data/index.html"].decode()
    assert "archive: letters, email: it is not processed by automated means; it does not go along" in index
    assert "Not everything is in this copy" not in index
    world.environment["HABEAS_LETTERS"] = json.dumps(OFFICE)
    letter = habeas("request", "answer", request, "--letter", "--language", "en")
    assert "archive" not in letter, "no word of what was not asked for"
    negative = habeas("request", "answer", nobody, "--letter", "--language", "en")
    assert "we have not looked into what is kept by hand" in " ".join(negative.split()), "and no more than is so"


@pytest.fixture
def other(world: World) -> Iterator[Other]:
    """Another company's endpoint, which knows our key."""
    with Other(world.home / "other", Ed25519PrivateKey.generate()) as other:
        yield other


def details(world: World, destination: str = "other") -> str:
    path = world.home / "details.yaml"
    path.write_text(f"destination: {destination}\nreference: account 4711\n")
    return str(path)


def sending(world: World, other: Other, **trust: str) -> Habeas:
    """Our deployment, with the other company among its receivers."""
    prepare(world, portable())
    path = world.home / "receivers.yaml"
    path.write_text(other.receivers(**trust))
    world.environment["HABEAS_RECEIVERS"] = str(path)
    return Habeas(world)


def arrived(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder / "files")): p.read_bytes() for p in (folder / "files").rglob("*") if p.is_file()}


@pytest.mark.soak
def test_straight_to_another_company_which_has_it_as_it_was(world: World, other: Other) -> None:
    habeas = sending(world, other)
    before = dump(world.shop)
    other.kill()
    world.start_worker()
    request = habeas.open("portability", "--details", details(world))
    world.wait(lambda: world.query("SELECT 1 FROM entries WHERE kind = 'parcel'"), 60, "the parcel")
    other.start()
    world.wait_closed(request)

    (folder,) = other.taken
    files = arrived(folder)
    has_what_was_provided(world, files)
    assert files == habeas.parcel(request)
    assert dump(world.shop) == before
    manifest = json.loads(
        verified(public_key(other.sender), "habeas-transfer/1", (folder / "manifest.jws").read_bytes())
    )
    assert manifest["reference"] == "account 4711"
    assert request not in manifest["id"]
    assert datetime.fromisoformat(manifest["expires_at"]) > datetime.now(UTC)

    shown = habeas.json("transfer", "receipt", request)
    taken = Taken.model_validate_json(verified(public_key(other.key), "habeas-receipt/1", shown["receipt"].encode()))
    assert (taken.recipient, taken.rows) == (RECIPIENT, 1 + 4)
    ((body,),) = world.query("SELECT body FROM entries WHERE request_id = %s AND kind = 'transmitted'", request)
    assert json.loads(body)["receipt_sha256"] == hashlib.sha256(shown["receipt"].encode()).hexdigest()
    for text in (world.log, (other.home / "log").read_text(), str(world.query("SELECT * FROM entries"))):
        assert WHO not in text
        assert "4711" not in text


@pytest.mark.soak
def test_a_worker_killed_behind_the_transfer_sends_it_again_and_it_is_taken_in_once(world: World, other: Other) -> None:
    habeas = sending(world, other, ca="", pin=other.pin)
    first = world.start_worker("after:transmit")
    request = habeas.open("portability", "--details", details(world))
    world.wait(lambda: first.poll() is not None, 90, "the worker to die")
    assert len(other.taken) == 1
    world.start_worker()
    world.wait_closed(request)

    assert len(other.taken) == 1
    assert len(world.query("SELECT 1 FROM entries WHERE request_id = %s AND kind = 'transmitted'", request)) == 1


class Cutting(Proxy):
    """A wire to the other company that breaks in the middle of its first long upload."""

    def __init__(self, port: int, after: int) -> None:
        self.left = after
        self.cuts = 0
        super().__init__(port)

    def wire(self, client: socket.socket, server: socket.socket) -> Wire:
        return _Breaking(self, client, server)


class _Breaking(Wire):
    def to_server(self) -> None:
        proxy = self._proxy
        assert isinstance(proxy, Cutting)
        with self._client, suppress(OSError):
            while data := self._client.recv(16384):
                proxy.left -= len(data)
                if proxy.left < 0 and not proxy.cuts:
                    proxy.cuts += 1
                    proxy.hang_up()
                    return
                self._server.sendall(data)
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)


@pytest.mark.soak
def test_an_upload_whose_connection_is_killed_is_sent_again_whole_and_taken_in_once(world: World, other: Other) -> None:
    with Cutting(other.port, 150_000) as line:
        habeas = sending(world, other)
        with psycopg.connect(world.shop, autocommit=True) as door:
            # No compression makes this small: the cut is in the middle of the archive.
            long = "SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 20000)"
            door.execute(f"UPDATE customers SET full_name = ({long}) WHERE id = 7".encode())
        path = world.home / "receivers.yaml"
        path.write_text(path.read_text().replace(f":{other.port}/", f":{line.port}/"))
        world.start_worker()
        request = habeas.open("portability", "--details", details(world))
        world.wait_closed(request)

        assert line.cuts == 1, "it was cut"
        assert line.left < -150_000, "and all of it was sent again"
    (folder,) = other.taken
    assert arrived(folder) == habeas.parcel(request)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name], "nothing is left of the first try"
    assert len(world.query("SELECT 1 FROM entries WHERE request_id = %s AND kind = 'transmitted'", request)) == 1
    assert world.conclusion(request) == "answered"


async def waits_on(world: World, request: str) -> str:
    """What the run of a request waits on."""
    client = await worker.connect(world.settings, world.ledger)
    run = client.get_workflow_handle(visibility.workflow_id(Right.PORTABILITY, world.ledger.tenant, request))
    return (await run.query(PortabilityRequest.standing)).waiting_on


class Hearing(Proxy):
    """A wire to the other company on which something happens as soon as anything is sent, before it arrives."""

    def __init__(self, port: int, happens: Callable[[], object]) -> None:
        self.happens: Callable[[], object] | None = happens
        super().__init__(port)

    def wire(self, client: socket.socket, server: socket.socket) -> Wire:
        if self.happens:
            self.happens()
            self.happens = None
        return super().wire(client, server)


@pytest.mark.soak
def test_a_transfer_under_way_is_broken_off_for_an_incident_and_made_once_that_is_lifted(
    world: World, other: Other
) -> None:
    law: dict[str, Any] = {"regime": "eu-gdpr", "zone": "Europe/Berlin", "by": "s-17", "note": None}

    def found() -> None:
        now = world.now()
        world.ledger.open_incident(Kind.WRONG_RECIPIENT, About(parcels=(request,)), aware_at=now, at=now, **law)

    with Hearing(other.port, found) as line:
        habeas = sending(world, other)
        path = world.home / "receivers.yaml"
        path.write_text(path.read_text().replace(f":{other.port}/", f":{line.port}/"))
        request = habeas.open("portability", "--details", details(world))
        world.start_worker()
        world.wait(lambda: world.ledger.incidents(), 90, "the incident")
        world.wait(lambda: asyncio.run(waits_on(world, request)) == "incident", 60, "the run that stands still")
        ended = "SELECT 1 FROM entries WHERE kind = 'transmitted'"
        assert (other.taken, world.query(ended)) == ([], [])

        (incident,) = world.ledger.incidents()
        world.ledger.lift_incident(incident.id, by="s-17", note=None, at=world.now())
        world.wait_closed(request)
    assert len(other.taken) == len(world.query(ended)) == 1
    assert world.conclusion(request) == "answered"


@pytest.mark.soak
def test_no_older_parcel_is_sent_where_a_later_one_was_given_up(world: World, other: Other) -> None:
    habeas = sending(world, other)
    known = (path := world.home / "receivers.yaml").read_text()
    path.write_text(known.replace("  other:\n", "  another:\n"))
    world.start_worker()
    request = habeas.open("portability", "--details", details(world))
    task = world.wait_task(request, "no_receiver")
    # By now it is packed once. The receiver is named, the map is another one, and packing it anew fails.
    path.write_text(known)
    world.write_maps({"shop": portable().replace("full_name: {", "full_name: {origin: derived, ")})
    world.workers[-1].kill()
    (world.home / "broken-package").touch()
    world.start_worker()
    habeas("request", "rule", request, "retry", "--task", task)
    habeas("request", "rule", request, "give_up", "--task", world.wait_task(request, "internal"))
    world.wait_closed(request)

    assert not other.taken, "what was packed on the old map has a field that does not go along any more"
    assert world.conclusion(request) == "in_part"


@pytest.mark.soak
@pytest.mark.parametrize("what", ["nobody", "pin", "key", "register"])
def test_nothing_goes_to_whom_nobody_has_named(world: World, other: Other, what: str) -> None:
    habeas = sending(world, other, **({"ca": "", "pin": "0" * 64} if what == "pin" else {}))
    if what == "key":
        path = world.home / "receivers.yaml"
        path.write_text(path.read_text().replace(public_key(other.key), public_key(Ed25519PrivateKey.generate())))
    if what == "register":
        (world.home / "recipients.yaml").write_text("recipients:\n" + ENDED)
        world.environment["HABEAS_RECIPIENTS"] = str(world.home / "recipients.yaml")
        path = world.home / "receivers.yaml"
        path.write_text(path.read_text() + "    recipient: other\n")
    world.start_worker()
    request = habeas.open("portability", "--details", details(world, "nobody" if what == "nobody" else "other"))
    code = {"nobody": "no_receiver", "pin": "address", "key": "transfer_refused", "register": "egress"}[what]
    task = world.wait_task(request, code)
    assert bool(other.taken) == (what == "key"), "only a receipt that is not theirs comes after the data"
    assert world.phase(request) != "closed"

    habeas("request", "rule", request, "give_up", "--task", task)
    world.wait_closed(request)

    assert world.conclusion(request) == "in_part"
    assert habeas.parcel(request), "the person gets it"
    assert "nothing of this request was sent" in habeas("transfer", "receipt", request, code=4)
