"""Evidence of a closed request: the same whenever it is asked for, and any way to change it has its own word."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.checkpoints import Checkpoints, new_signing_key, read_checkpoints
from ledger.envelope import Envelope, enclose, read_envelope
from ledger.errors import ChainError, LedgerRefusal
from ledger.genuine import Finding, Word, compare, compare_ledger, examine, request_in
from ledger.keys import FileKeys
from ledger.ledger import Ledger, connect
from ledger.signing import Keyring, key_id, pem_of, read_public_keys
from rights.codes import Code
from rights.decision import Decided, Needs
from rights.decision import Word as Said
from rights.erasing import NONE_STATED
from rights.journal import REPLAYED
from rights.plan import Operation
from rights.receipt import Books, Certainty, Count, Kept, Outcome, Receipt, Tally
from rights.request import Conclusion, Phase, Right
from starter.evidence import check
from starter.stack import Postgres
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, BACKUPS, OTTO, a_map, a_step, close_one, later, opened_id

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def separate() -> ModuleType:
    """The verifier of docs/, which knows nothing of the engine."""
    spec = importlib.util.spec_from_file_location("verify_evidence", ROOT / "docs" / "verify_evidence.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def agree(separate: ModuleType) -> Callable[..., str]:
    """The word that engine and separate verifier both have for a file; they must have the same."""

    def word(data: bytes, keys: Mapping[str, Ed25519PublicKey], request: str | None = None) -> str:
        try:
            separate.check(data, dict(keys), request)
            theirs = "genuine"
        except separate.Wrong as wrong:
            theirs = str(wrong)
        ours = str(examine(data, keys, expected=request).word)
        assert ours == theirs
        return ours

    return word


def erased(request_id: str, ledger: Ledger) -> None:
    """An erasure in three systems: looked at again with rows that stay, attested, and accepted by a vendor."""
    kept = (Kept(ground="tax law", until=later(days=900).date(), rows=2),)
    orders, leads = (Tally(counts=(Count(collection=name, found=n),)) for name, n in (("orders", 5), ("leads", 1)))
    steps: list[tuple[Operation, str, Outcome, Certainty | None, Tally]] = [
        (Operation.LOCATE, "shop", Outcome.DONE, Certainty.COMPLETED, orders),
        (Operation.LOCATE, "paper", Outcome.DONE, Certainty.ATTESTED, Tally()),
        (Operation.LOCATE, "crm", Outcome.DONE, Certainty.COMPLETED, leads),
        (
            Operation.ERASE, "shop", Outcome.RETAINED, Certainty.COMPLETED,
            Tally(counts=(Count(collection="orders", found=5, erased=3, kept=kept),)),
        ),
        (Operation.ERASE, "paper", Outcome.DONE, Certainty.ATTESTED, Tally()),
        (Operation.ERASE, "crm", Outcome.PENDING, Certainty.ACCEPTED, Tally()),
        (
            Operation.VERIFY, "shop", Outcome.RETAINED, Certainty.VERIFIED,
            Tally(counts=(Count(collection="orders", found=2, kept=kept),)),
        ),
    ]  # fmt: skip
    for operation, system, outcome, certainty, tally in steps:
        step = a_step(request_id, operation, system=system)
        ledger.keep_receipt(Receipt(step=step, outcome=outcome, certainty=certainty, tally=tally, at=AT))


@pytest.fixture
def closed(ledger: Ledger) -> str:
    """An erasure that is closed in part, among the entries of others."""
    others = [opened_id(ledger, identities=OTTO, right=Right.ACCESS, at=later(seconds=n)) for n in range(3)]
    one = opened_id(ledger)
    ledger.confirm_identity(one, at=AT)
    ledger.pin_map(one, a_map(), at=AT)
    ledger.move(one, Phase.LOCATING, at=AT)
    erased(one, ledger)
    ledger.note(others[0], "deadline", {"risk": "due_14d"}, at=AT)
    ledger.close(
        one,
        Conclusion.IN_PART,
        books={"shop": [Books(collection="orders", before=5, kept=2, after=2)], "paper": [], "crm": []},
        at=later(days=3),
        working_until=later(days=30),
        file_until=later(days=1000),
        parcel_until=later(days=30),
        disputed_until=later(days=180),
    )
    ledger.note(others[1], "deadline", {"risk": "due_7d"}, at=AT)
    return one


def told(data: bytes) -> Any:
    """The predicate, read by hand."""
    return json.loads(base64.b64decode(json.loads(data)["payload"]))["predicate"]


def test_it_is_the_same_whenever_it_is_asked_for(ledger: Ledger, closed: str) -> None:
    first = ledger.signed_statement(closed)
    for _ in range(3):
        opened_id(ledger, identities=OTTO)
    ledger.checkpoint(at=later(days=9))

    assert ledger.signed_statement(closed) == first


def test_it_says_how_sure_each_system_is_and_never_merges_that(ledger: Ledger, closed: str) -> None:
    said = told(ledger.signed_statement(closed))

    assert said["certainty"] == {"accepted": ["crm"], "completed": [], "verified": ["shop"], "attested": ["paper"]}
    shop = next(one for one in said["systems"] if one["system"] == "shop")
    assert [(b["before"], b["arrived"], b["after"], b["kept"], b["erased"], b["closed"]) for b in shop["books"]] == [
        (5, 0, 2, 2, 3, True)
    ]
    assert shop["kept"] == [{"collection": "orders", "ground": "tax law", "until": "2028-08-18", "rows": 2}]
    assert said["request"]["conclusion"] == "in_part"
    assert said["data_map"] == a_map().digest
    (dates,) = said["dates"]
    assert dates["ruleset"] in said["rulesets"]
    assert dates["rule"]["term"] == "1 month"
    assert {step["about"] for step in dates["arithmetic"]} >= {"legal due", "internal due"}
    assert dates["arithmetic_agrees"]
    assert dates["closed_by_legal_due"]


def test_a_look_before_the_last_act_vouches_for_nothing(ledger: Ledger) -> None:
    one = opened_id(ledger, Phase.LOCATING)
    erased(one, ledger)
    again = a_step(one, round=1)
    tally = Tally(counts=(Count(collection="orders", found=1, erased=1),))
    ledger.keep_receipt(
        Receipt(step=again, outcome=Outcome.DONE, certainty=Certainty.COMPLETED, tally=tally, at=later(hours=1))
    )
    close_one(ledger, one)

    assert told(ledger.signed_statement(one))["certainty"]["verified"] == []
    assert told(ledger.signed_statement(one))["certainty"]["completed"] == ["shop"]


def test_a_pseudonym_that_only_the_books_know_of_is_not_said_to_be_done(ledger: Ledger) -> None:
    """A call was cut behind its fence: the attempt after it found nothing left to change, and so did the look."""
    one = opened_id(ledger, Phase.LOCATING)
    found = Tally(counts=(Count(collection="orders", found=5),))
    steps = [
        (Operation.LOCATE, Certainty.COMPLETED, found),
        (Operation.ERASE, Certainty.COMPLETED, Tally()),
        (Operation.VERIFY, Certainty.VERIFIED, Tally()),
    ]
    for operation, certainty, tally in steps:
        step = a_step(one, operation)
        ledger.keep_receipt(Receipt(step=step, outcome=Outcome.DONE, certainty=certainty, tally=tally, at=AT))
    book = Books(collection="orders", before=5, after=0, pseudonymised=5, derived=True)
    ledger.close(
        one,
        Conclusion.IN_PART,
        books={"shop": [book]},
        at=later(days=3),
        working_until=later(days=30),
        file_until=later(days=1000),
        parcel_until=later(days=30),
        disputed_until=later(days=180),
    )

    (shop,) = told(ledger.signed_statement(one))["systems"]
    assert (shop["outcome"], shop["books"][0]["erased"]) == ("retained", 0)


@pytest.mark.parametrize(("assurance", "by"), [("attested", "door"), (REPLAYED, "earlier_request")])
def test_it_says_on_whose_word_it_was_known_who_asks(ledger: Ledger, assurance: str, by: str) -> None:
    one = opened_id(ledger, confirmed=True, assurance=assurance)
    close_one(ledger, one)

    said = told(ledger.signed_statement(one))["identity"]
    assert (said["confirmed"], said["by"]) == (True, by)


@pytest.mark.parametrize(
    ("said", "basis"),
    [
        (NONE_STATED, {"by": "asked_and_not_contested", "grounds": []}),
        (
            "consent_withdrawn",
            {
                "by": "person",
                "grounds": [{"code": "gdpr_17_1_b", "word": "consent_withdrawn", "provision": "GDPR Art. 17(1)(b)"}],
            },
        ),
        ("replayed", {"by": "earlier_request", "grounds": []}),
        ("deferred", {"by": "earlier_request", "grounds": []}),
    ],
)
def test_ERA_01_it_says_on_which_ground_it_was_erased_and_who_has_stated_it(
    ledger: Ledger, said: str, basis: dict[str, Any]
) -> None:
    """GDPR Art. 17(1), 5(2): none of (a) to (f) stands there that nobody has stated."""
    one = opened_id(ledger, ground=said, confirmed=True)
    erased(one, ledger)
    close_one(ledger, one)

    assert told(ledger.signed_statement(one))["basis"] == basis


def test_ERA_01_the_controllers_own_decision_is_what_it_was_erased_on(ledger: Ledger) -> None:
    one = opened_id(ledger, Phase.LOCATING, ground="unlawful", confirmed=True)
    granted = Decided(word=Said.GRANT, ground="gdpr_17_1_a")
    ledger.propose(one, granted, Needs(approvers=(), consult=False), {}, by="s-1", consult_until=AT, at=AT)
    erased(one, ledger)
    close_one(ledger, one)

    basis = told(ledger.signed_statement(one))["basis"]
    assert basis == {"by": "decision", "grounds": [{"code": "gdpr_17_1_a", "provision": "GDPR Art. 17(1)(a)"}]}


def test_what_was_taken_back_before_anything_was_erased_has_no_ground(ledger: Ledger) -> None:
    one = opened_id(ledger, ground="unlawful", confirmed=True)
    close_one(ledger, one, Conclusion.WITHDRAWN)

    assert told(ledger.signed_statement(one))["basis"] is None


def test_nothing_is_added_to_what_was_signed_of_older_requests(ledger: Ledger, closed: str) -> None:
    assert "basis" not in told(ledger.signed_statement(closed))


def test_there_is_no_personal_data_in_it(ledger: Ledger, closed: str) -> None:
    data = ledger.statement(closed)

    for identity in ANNA:
        assert identity.value.lower().encode() not in data.lower()


def test_an_open_request_has_none(ledger: Ledger) -> None:
    with pytest.raises(LedgerRefusal, match="is open"):
        ledger.statement(opened_id(ledger))
    with pytest.raises(LedgerRefusal, match="no request of this id"):
        ledger.statement("01kap2v7q4m8w3x9yd5tgh6jzr")


def test_a_genuine_file_is_genuine_by_the_public_key_alone(
    ledger: Ledger, closed: str, agree: Callable[..., str]
) -> None:
    data = ledger.signed_statement(closed)
    keys = read_public_keys("".join(map(pem_of, ledger.keys.public.values())).encode())

    assert agree(data, keys) == "genuine"
    assert agree(data, keys, closed) == "genuine"


# Changing it.


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(chosen=st.data())
def test_no_byte_can_be_changed(ledger: Ledger, closed: str, agree: Callable[..., str], chosen: st.DataObject) -> None:
    data = kept_file(ledger, closed)
    at = chosen.draw(st.integers(0, len(data) - 1))
    byte = chosen.draw(st.integers(0, 255).filter(lambda one: one != data[at]))

    changed = data[:at] + bytes([byte]) + data[at + 1 :]

    assert agree(changed, ledger.keys.public) in {"unreadable", "unknown_key", "altered"}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(chosen=st.data())
def test_nothing_can_be_added_or_cut(
    ledger: Ledger, closed: str, agree: Callable[..., str], chosen: st.DataObject
) -> None:
    data = kept_file(ledger, closed)
    at = chosen.draw(st.integers(0, len(data)))
    changed = chosen.draw(
        st.one_of(
            st.just(data[:at]),
            st.binary(min_size=1, max_size=3).map(lambda more: data[:at] + more + data[at:]),
        ).filter(lambda one: one != data)
    )

    assert agree(changed, ledger.keys.public) in {"unreadable", "unknown_key", "altered"}


_FILES: dict[str, bytes] = {}


def kept_file(ledger: Ledger, closed: str) -> bytes:
    """The file, made once for all examples."""
    if closed not in _FILES:
        _FILES[closed] = ledger.signed_statement(closed)
    return _FILES[closed]


def test_every_single_byte_counts(ledger: Ledger, closed: str, separate: ModuleType) -> None:
    data, keys = ledger.signed_statement(closed), ledger.keys.public
    payload = range(data.index(b'"payload":"') + 11, data.index(b'","signatures"') - 4)
    seen = set()
    for n, byte in enumerate(data):
        # Spaces, and letters that differ in bits which base64 does not use, are where a lax reader sees no change.
        for other in {byte ^ 1} if n in payload else {byte ^ 1, *b' \n\t"=AEIMQUYcgkosw048BR'} - {byte}:
            changed = data[:n] + bytes([other]) + data[n + 1 :]
            seen.add(examine(changed, keys).word)
            if n not in payload:
                with pytest.raises(separate.Wrong):
                    separate.check(changed, dict(keys))

    assert seen == {Word.UNREADABLE, Word.UNKNOWN_KEY, Word.ALTERED}


def test_a_file_of_another_key_is_of_an_unknown_key(ledger: Ledger, closed: str, agree: Callable[..., str]) -> None:
    stranger = Keyring.open(new_signing_key())

    assert agree(enclose(ledger.statement(closed), stranger), ledger.keys.public) == "unknown_key"


def test_a_forger_who_names_our_key_is_found_out(ledger: Ledger, closed: str, agree: Callable[..., str]) -> None:
    stranger = read_envelope(enclose(ledger.statement(closed), Keyring.open(new_signing_key())))
    forged = stranger._replace(key_id=ledger.keys.current)

    assert agree(forged.written(), ledger.keys.public) == "altered"


def test_a_swapped_file_is_genuine_and_of_another_request(
    ledger: Ledger, closed: str, agree: Callable[..., str]
) -> None:
    other = opened_id(ledger, identities=OTTO)
    close_one(ledger, other)
    data = ledger.signed_statement(other)

    assert agree(data, ledger.keys.public, closed) == "other_request"
    assert request_in(f"{closed}.evidence.json") == closed
    assert request_in("evidence.json") is None


def test_the_payload_of_one_file_does_not_go_under_the_signature_of_another(
    ledger: Ledger, closed: str, agree: Callable[..., str]
) -> None:
    other = opened_id(ledger, identities=OTTO)
    close_one(ledger, other)
    one, two = (read_envelope(ledger.signed_statement(of)) for of in (closed, other))

    assert agree(one._replace(payload=two.payload).written(), ledger.keys.public) == "altered"


_INSIDE: list[tuple[str, Callable[[Any], None]]] = [
    ("contradictory", lambda s: s["predicate"]["request"].update(conclusion="answered")),
    ("contradictory", lambda s: s["predicate"]["request"].update(closed_at="2026-03-02T09:30:00.123456Z")),
    ("contradictory", lambda s: s["predicate"]["request"].update(id="01kap2v7q4m8w3x9yd5tgh6jzr")),
    ("contradictory", lambda s: s["predicate"]["systems"][-1]["books"][0].update(kept=0, after=0, erased=5)),
    ("contradictory", lambda s: s["predicate"]["systems"][-1]["books"][0].update(erased=5)),
    ("contradictory", lambda s: s["predicate"]["systems"][-1].update(books=[])),
    ("contradictory", lambda s: s["predicate"]["journal"]["closed"].update(previous="00" * 32)),
    ("contradictory", lambda s: s["subject"][0]["digest"].update(sha256="00" * 32)),
    ("not_in_tree", lambda s: s["predicate"]["journal"]["tree"].update(root="00" * 32)),
    ("not_in_tree", lambda s: s["predicate"]["journal"]["tree"].update(size=10**6)),
    ("not_in_tree", lambda s: s["predicate"]["journal"].update(path=[])),
    ("bad_timestamp", lambda s: s["predicate"].update(timestamp={"note": "habeas/main\n1\nx\n", "response": ""})),
    ("not_evidence", lambda s: s.update(predicateType="urn:habeas:evidence:2")),
    ("not_evidence", lambda s: s.update(predicate={})),
]
"""What an insider with the signing key could write, and what is found of it."""


def test_what_was_signed_and_cannot_be_so_is_told(ledger: Ledger, closed: str, agree: Callable[..., str]) -> None:
    for word, change in _INSIDE:
        said = orjson.loads(ledger.statement(closed))
        change(said)
        data = enclose(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), ledger.keys)

        assert agree(data, ledger.keys.public) == word


def test_what_else_the_key_has_signed_is_no_evidence(ledger: Ledger, closed: str, agree: Callable[..., str]) -> None:
    unsigned = Envelope("text/plain", b"{}", ledger.keys.current, b"")
    data = unsigned._replace(signature=ledger.keys.sign(unsigned.signed)).written()

    assert agree(data, ledger.keys.public) == "not_evidence"


# Keys.


def test_after_a_rotation_old_files_and_checkpoints_are_good_by_the_old_public_key(
    ledger: Ledger, closed: str, tables: Database, keys: FileKeys, tmp_path: Path, agree: Callable[..., str]
) -> None:
    ledger.checkpoint(at=AT)
    old, before = ledger.signed_statement(closed), ledger.keys
    rotated = Checkpoints.open(tmp_path / "checkpoints.jsonl", new_signing_key(), before.public.values())
    renewed = Ledger(connect(tables.url), "main", keys, backup_max_age=BACKUPS, checkpoints=rotated)
    try:
        renewed.checkpoint(at=later(days=1))
        new = renewed.signed_statement(closed)

        assert read_envelope(new).payload == read_envelope(old).payload
        assert [read_envelope(one).key_id for one in (old, new)] == [before.current, rotated.keys.current]
        assert agree(old, before.public) == "genuine"
        assert agree(old, rotated.keys.public) == "genuine"
        assert agree(new, before.public) == "unknown_key"
        assert renewed.verify().sound
    finally:
        renewed.close_connections()


def test_a_key_has_the_id_that_openssl_gives_it(ledger: Ledger, tmp_path: Path) -> None:
    (key,) = ledger.keys.public.values()
    (tmp_path / "key.pem").write_text(pem_of(key))
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", tmp_path / "key.pem", "-outform", "DER"], check=True, capture_output=True
    ).stdout

    assert hashlib.sha256(der).hexdigest() == key_id(key)


# The ledger behind it.


def against_checkpoints(
    found: Finding, path: Path, keys: Mapping[str, Ed25519PublicKey], separate: ModuleType, data: bytes
) -> str:
    ours = compare(found, [one for _, one in read_checkpoints(path, "main", keys.values()) if one]).word
    try:
        separate.check(data, dict(keys), None, path.read_bytes().splitlines())
        theirs = "genuine"
    except separate.Wrong as wrong:
        theirs = str(wrong)
    assert theirs == str(ours)
    return theirs


def test_a_ledger_that_was_rolled_back_or_written_anew_is_told_from_a_changed_file(
    postgres: Postgres, ledger: Ledger, tables: Database, keys: FileKeys, tmp_path: Path, separate: ModuleType
) -> None:
    one = opened_id(ledger)
    ledger.close_connections()
    postgres.create_database(f"{tables.name}_backup", template=tables.name)
    try:
        ledger.move(one, Phase.LOCATING, at=AT)
        close_one(ledger, one)
        data = ledger.signed_statement(one)
        found = examine(data, ledger.keys.public)
        path = tmp_path / "checkpoints.jsonl"
        assert compare_ledger(found, ledger.tree_at(3)).word is Word.GENUINE
        assert against_checkpoints(found, path, ledger.keys.public, separate, data) == "genuine"

        elsewhere = Checkpoints(tmp_path / "after.jsonl", ledger.keys)
        restored = Ledger(
            connect(postgres.dsn(f"{tables.name}_backup")), "main", keys, backup_max_age=BACKUPS, checkpoints=elsewhere
        )
        try:
            restored.checkpoint(at=later(days=1))
            assert found.tree
            assert compare_ledger(found, restored.tree_at(found.tree.size)).word is Word.ROLLED_BACK
            after = tmp_path / "after.jsonl"
            assert against_checkpoints(found, after, ledger.keys.public, separate, data) == "rolled_back"

            close_one(restored, one, at=later(days=2))
            opened_id(restored, identities=OTTO)
            assert compare_ledger(found, restored.tree_at(found.tree.size)).word is Word.REWRITTEN
            restored.checkpoint(at=later(days=3))
            assert against_checkpoints(found, after, ledger.keys.public, separate, data) == "rewritten"
        finally:
            restored.close_connections()
    finally:
        ledger.close_connections()
        postgres.drop_database(f"{tables.name}_backup")


def test_a_file_from_before_a_request_was_opened_again_is_superseded(ledger: Ledger, tmp_path: Path) -> None:
    one = opened_id(ledger)
    close_one(ledger, one)
    file = tmp_path / f"{one}.evidence.json"
    file.write_bytes(ledger.signed_statement(one))

    def word() -> Word:
        return check(file, ledger.keys.public, ledger=ledger)[0].word

    assert word() is Word.GENUINE
    ledger.reopen(one, {"shop": Code.RETURNED}, at=later(days=8))
    assert word() is Word.SUPERSEDED

    close_one(ledger, one, at=later(days=9))
    assert word() is Word.SUPERSEDED
    file.write_bytes(ledger.signed_statement(one))
    assert word() is Word.GENUINE


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET body = replace(body, 'in_part', 'answered') WHERE kind = 'closed'",
        "UPDATE entries SET at = at - interval '1 day' WHERE kind = 'closed'",
        "DELETE FROM entries WHERE seq = 2",
        "UPDATE entries SET seq = seq + 100 WHERE seq = 3",
    ],
)
def test_nothing_is_signed_from_a_journal_that_was_changed(
    ledger: Ledger, closed: str, tables: Database, damage: str
) -> None:
    with psycopg.connect(tables.conninfo, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(damage)

    with pytest.raises(ChainError):
        ledger.signed_statement(closed)


def test_the_entries_of_a_record_lead_to_its_head(ledger: Ledger, closed: str, separate: ModuleType) -> None:
    record = ledger.record(closed)
    tree = {"size": record.head.size, "root": record.head.root}

    assert [one.kind for one in record.entries][-1] == "closed"
    for one in record.entries:
        digest = separate.hash_of("main", one.model_dump())
        separate.check_inclusion(digest, one.seq - 1, tree, one.path)
    assert ledger.record(closed, head=record.head.size) == record
    with pytest.raises(LedgerRefusal, match="name a head of 1 to"):
        ledger.record(closed, head=10_000)
