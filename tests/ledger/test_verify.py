"""The journal proves itself: whatever was changed behind its back is named."""

import fcntl
import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.chain import content, link
from ledger.checkpoints import Checkpoint, Checkpoints, new_signing_key
from ledger.errors import ChainError
from ledger.ledger import Ledger
from ledger.verify import Wrong
from rights.request import Phase
from tests.conftest import Database
from tests.ledger.builders import AT, a_map, close_one, later, opened_id
from tests.ledger.conftest import Door


@contextmanager
def tampering(tables: Database) -> Iterator[psycopg.Connection[Any]]:
    """What somebody with the rights of the tables' owner can do: switch the trigger off, and write."""
    with psycopg.connect(tables.conninfo, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


def found(ledger: Ledger) -> list[tuple[Wrong, int | None]]:
    """What is wrong, and where."""
    return [(finding.what, finding.seq) for finding in ledger.verify().findings]


@pytest.fixture
def request_id(ledger: Ledger) -> str:
    """A request with some life behind it: entries 1 to 9."""
    one = opened_id(ledger)
    ledger.confirm_identity(one, at=AT)
    ledger.pin_map(one, a_map(), at=AT)
    for phase in (Phase.LOCATING, Phase.APPROVING):
        ledger.move(one, phase, at=AT)
    ledger.approve(one, at=AT)
    ledger.move(one, Phase.FULFILLING, at=AT)
    ledger.note(one, "deadline", {"risk": "due_14d"}, at=later(days=16))
    ledger.note(one, "deadline", {"risk": "due_7d"}, at=later(days=23))
    return one


def test_a_journal_nobody_touched_is_sound(ledger: Ledger, request_id: str) -> None:
    ledger.checkpoint(at=AT)
    ledger.withdraw(request_id, at=AT)
    close_one(ledger, request_id)

    verdict = ledger.verify()

    assert verdict.sound
    assert (verdict.entries, verdict.checkpoints) == (11, 2)


def test_an_empty_journal_is_sound(ledger: Ledger) -> None:
    assert ledger.checkpoint(at=AT) is None
    assert ledger.verify().sound


def test_a_journal_is_sound_from_its_first_entry_on_while_many_write(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database, door: Door
) -> None:
    start = threading.Barrier(6)

    def write(number: int) -> None:
        start.wait()
        for _ in range(15):
            request_id = opened_id(ledger)
            ledger.move(request_id, Phase.LOCATING, at=AT)
            if number == 0:
                ledger.checkpoint(at=AT)

    reader = make_ledger(tables.url)
    with ThreadPoolExecutor(5) as pool:
        writers = [pool.submit(write, number) for number in range(5)]
        start.wait()
        while not all(writer.done() for writer in writers):
            assert reader.verify().sound
        for writer in writers:
            writer.result()

    verdict = reader.verify()
    assert (verdict.sound, verdict.entries, verdict.checkpoints) == (True, 150, 15)
    assert door("SELECT seq FROM chain_heads") == [(150,)]


def test_the_journal_refuses_to_be_changed(ledger: Ledger, request_id: str, door: Door) -> None:
    for statement in (
        "UPDATE entries SET body = '{}' WHERE seq = 3",
        "DELETE FROM entries WHERE seq = 3",
        "TRUNCATE entries",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            door(statement)


@pytest.mark.parametrize(
    "column",
    [
        "body = '{}'",
        "kind = 'look'",
        "at = at + interval '1 us'",
        "key = 'x'",
        "request_id = NULL",
        "hash = sha256('')",
    ],
)
def test_an_edited_entry_is_named(ledger: Ledger, request_id: str, tables: Database, column: str) -> None:
    with tampering(tables) as connection:
        connection.execute(f"UPDATE entries SET {column} WHERE seq = 8".encode())

    assert found(ledger) == [(Wrong.EDITED, 8)]


def test_an_edited_entry_with_its_hash_mended_is_named(ledger: Ledger, request_id: str, tables: Database) -> None:
    for seq in (8, 9):
        with tampering(tables) as connection:
            _mend(connection, seq, '{"risk":"on_track"}', onwards=False)

        assert (Wrong.EDITED, seq) in found(ledger)


def test_a_removed_entry_is_named(ledger: Ledger, request_id: str, tables: Database) -> None:
    with tampering(tables) as connection:
        connection.execute("DELETE FROM entries WHERE seq IN (3, 8)")

    verdict = ledger.verify()
    assert [(one.what, one.seq) for one in verdict.findings if one.seq] == [(Wrong.REMOVED, 3), (Wrong.REMOVED, 8)]
    assert verdict.findings[0].text == "entry 3 is missing"


def test_the_first_entries_are_missed_too(ledger: Ledger, request_id: str, tables: Database) -> None:
    with tampering(tables) as connection:
        connection.execute("DELETE FROM entries WHERE seq <= 2")

    assert ledger.verify().findings[0].text == "entries 1 to 2 are missing"


def test_entries_that_changed_places_are_named(ledger: Ledger, request_id: str, tables: Database) -> None:
    with tampering(tables) as connection:
        connection.execute("UPDATE entries SET seq = 100 WHERE seq = 8")
        connection.execute("UPDATE entries SET seq = 8 WHERE seq = 9")
        connection.execute("UPDATE entries SET seq = 9 WHERE seq = 100")

    assert found(ledger) == [(Wrong.REORDERED, 8), (Wrong.REORDERED, 9)]
    assert ledger.verify().findings[0].text == "the entry at 8 was written as number 9"


def test_a_cut_tail_is_named_by_the_head(ledger: Ledger, request_id: str, tables: Database) -> None:
    with tampering(tables) as connection:
        connection.execute("DELETE FROM entries WHERE seq >= 8")

    assert found(ledger) == [(Wrong.CUT, 8)]
    assert ledger.verify().findings[0].text == "entries 8 to 9 are missing at the end"


def test_a_cut_tail_with_its_head_mended_is_named_by_the_checkpoint_outside(
    ledger: Ledger, request_id: str, tables: Database
) -> None:
    ledger.checkpoint(at=AT)
    with tampering(tables) as connection:
        connection.execute("DELETE FROM entries WHERE seq >= 8")
        connection.execute(
            "UPDATE chain_heads SET (seq, hash, previous) = (SELECT seq, hash, previous FROM entries WHERE seq = 7)"
        )

    assert found(ledger) == [(Wrong.CUT, 8)]


def test_a_chain_rewritten_whole_is_named_by_the_checkpoint_outside(
    ledger: Ledger, request_id: str, tables: Database
) -> None:
    ledger.note(request_id, "deadline", {"risk": "overdue"}, at=AT)
    ledger.checkpoint(at=AT)
    with tampering(tables) as connection:
        _mend(connection, 8, '{"risk":"on_track"}', onwards=True)

    assert found(ledger) == [(Wrong.REWRITTEN, 10)]
    assert ledger.verify().findings[0].text.endswith("signed on 2026-03-02 09:30")


def test_a_tail_cut_and_grown_again_is_named_by_the_checkpoint_outside(
    ledger: Ledger, request_id: str, tables: Database
) -> None:
    ledger.checkpoint(at=AT)
    with tampering(tables) as connection:
        connection.execute("DELETE FROM entries WHERE seq >= 8")
        connection.execute(
            "UPDATE chain_heads SET (seq, hash, previous) = (SELECT seq, hash, previous FROM entries WHERE seq = 7)"
        )
    for _ in range(5):
        ledger.note(request_id, "deadline", {}, at=AT)

    assert found(ledger) == [(Wrong.REWRITTEN, 9)]


@pytest.mark.parametrize(
    "change",
    [
        "phase = 'verifying'",
        "\"right\" = 'access'",
        "received_at = received_at - interval '1 day'",
        "legal_due = legal_due + interval '30 days'",
        "approved_at = NULL",
        "confirmed_at = confirmed_at + interval '1 us'",
        "withdrawn_at = now()",
        "map_digest = NULL",
    ],
)
def test_an_edited_request_is_named(ledger: Ledger, request_id: str, door: Door, change: str) -> None:
    door(f"UPDATE requests SET {change}")

    (finding,) = ledger.verify().findings
    assert (finding.what, finding.request_id) == (Wrong.REQUEST, request_id)
    column = change.split(" ")[0].strip('"')
    assert finding.text == f"request {request_id}: the journal says otherwise of {column}"


def test_a_forged_and_a_removed_request_are_named(ledger: Ledger, request_id: str, tables: Database) -> None:
    with tampering(tables) as connection:
        connection.execute("UPDATE requests SET id = 'forged'")

    assert [finding.text for finding in ledger.verify().findings] == [
        f"the row of request {request_id} is missing",
        "the journal knows nothing of request forged",
    ]


def test_a_lost_head_stops_the_journal_instead_of_starting_it_anew(
    ledger: Ledger, request_id: str, tables: Database
) -> None:
    with tampering(tables) as connection:
        connection.execute("DELETE FROM chain_heads")

    assert found(ledger) == [(Wrong.EDITED, 9)]
    with pytest.raises(ChainError, match="no head"):
        ledger.note(request_id, "deadline", {}, at=AT)


def test_a_damaged_or_foreign_checkpoint_is_named_and_the_next_one_still_counts(
    ledger: Ledger, request_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoints.jsonl"
    assert ledger.checkpoint(at=AT)
    stranger = Checkpoints.open(path, new_signing_key())
    stranger.add(Checkpoint(tenant="main", seq=9, hash="00" * 32, at=AT))
    with path.open("ab") as file:
        file.write(b'{"tenant":"main","se')  # cut short by a crash
    assert ledger.checkpoint(at=AT)

    verdict = ledger.verify()

    assert verdict.checkpoints == 2
    assert [(one.what, one.seq) for one in verdict.findings] == [(Wrong.CHECKPOINT, 2), (Wrong.CHECKPOINT, 3)]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_writer_waits_until_another_has_written_its_line(checkpoints: Checkpoints, tmp_path: Path) -> None:
    """Over a network a line may be there in part for a while: it is not taken for one that a crash has cut short."""
    path = tmp_path / "checkpoints.jsonl"
    checkpoints.add(Checkpoint(tenant="main", seq=1, hash="00" * 32, at=AT))
    line = path.read_bytes()
    with path.open("ab", buffering=0) as other, ThreadPoolExecutor() as pool:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(line[:40])
        added = pool.submit(checkpoints.add, Checkpoint(tenant="main", seq=2, hash="11" * 32, at=AT))
        with pytest.raises(TimeoutError):
            added.result(timeout=0.5)
        other.write(line[40:])
        fcntl.flock(other, fcntl.LOCK_UN)
        added.result(timeout=10)

    assert [one.seq if one else None for _, one in checkpoints.read("main")] == [1, 1, 2]


def test_two_processes_write_at_once_and_no_line_is_lost_or_torn(tmp_path: Path) -> None:
    path, pem = tmp_path / "checkpoints.jsonl", new_signing_key()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(_write, [path, path], [pem, pem], ["one", "two"]))

    for tenant in ("one", "two"):
        found = [one.seq if one else None for _, one in Checkpoints.open(path, pem).read(tenant)]
        assert found == list(range(50))


def _write(path: Path, pem: str, tenant: str) -> None:
    checkpoints = Checkpoints.open(path, pem)
    for number in range(50):
        checkpoints.add(Checkpoint(tenant=tenant, seq=number, hash="00" * 32, at=AT))


def test_a_checkpoint_whose_number_was_changed_does_not_count(ledger: Ledger, request_id: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.jsonl"
    ledger.checkpoint(at=AT)
    path.write_bytes(path.read_bytes().replace(b'"seq":9', b'"seq":3'))

    assert found(ledger) == [(Wrong.CHECKPOINT, 1)]


def test_a_key_that_is_none_is_explained(tmp_path: Path) -> None:
    for text in ("", "secret", new_signing_key()[:80]):
        with pytest.raises(ValueError, match="openssl genpkey"):
            Checkpoints.open(tmp_path / "c", text)


def test_an_entry_without_a_time_zone_is_refused(ledger: Ledger, request_id: str) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        ledger.note(request_id, "deadline", {}, at=AT.replace(tzinfo=None))


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
_bodies = st.dictionaries(_texts, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _texts, max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(_bodies, min_size=1, max_size=4))
def test_whatever_is_journaled_is_read_back_and_stays_sound(ledger: Ledger, bodies: list[dict[str, object]]) -> None:
    request_id = opened_id(ledger)

    for body in bodies:
        ledger.note(request_id, "deadline", body, at=AT)

    assert [event.body for event in ledger.standing(request_id).events[1:]] == bodies
    assert ledger.verify().sound


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(1, 2**62),
    st.tuples(_texts, st.none() | _texts, _texts, st.none() | _texts, st.datetimes(), _texts),
)
def test_the_hash_is_what_the_page_says(
    previous: bytes, seq: int, said: tuple[str, str | None, str, str | None, Any, str]
) -> None:
    tenant, request_id, kind, key, moment, body = said
    at = moment.replace(tzinfo=AT.tzinfo)
    words = [tenant, request_id, kind, key, at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00").rjust(32, "0"), body]
    digest = hashlib.sha256(orjson.dumps(words)).digest()

    expected = hashlib.sha256(previous + seq.to_bytes(8, "big") + digest).digest()
    assert link(previous, seq, content(tenant, request_id, kind, key, at, body)) == expected


def _mend(connection: psycopg.Connection[Any], seq: int, body: str, *, onwards: bool) -> None:
    """Change an entry and compute its hash anew; `onwards`: those of all that follow too, and the head."""
    rows = connection.execute(
        "SELECT seq, tenant, request_id, kind, key, at, body, previous FROM entries WHERE seq >= %s ORDER BY seq", [seq]
    ).fetchall()
    previous = rows[0][-1]
    for number, tenant, request_id, kind, key, at, old, _ in rows:
        text = body if number == seq else old
        made = link(previous, number, content(tenant, request_id, kind, key, at, text))
        connection.execute(
            "UPDATE entries SET body = %s, previous = %s, hash = %s WHERE seq = %s", [text, previous, made, number]
        )
        if not onwards:
            return
        previous = made
    connection.execute("UPDATE chain_heads SET hash = %s", [previous])
