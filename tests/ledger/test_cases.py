"""The end of keys: shredded on their day, and unreadable in backups too."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.errors import KeyGoneError, LedgerRefusal, VaultError
from ledger.keys import EnvKeys, FileKeys
from ledger.ledger import Ledger
from starter.stack import Postgres
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, BACKUPS, OTTO, close_one, later, open_one, opened_id, release
from tests.ledger.conftest import Door


@pytest.fixture
def restore(postgres: Postgres, tables: Database) -> Iterator[Callable[[], str]]:
    """Backs the ledger up when asked for; the returned name is that of the restored database."""
    made: list[str] = []

    def back_up() -> str:
        made.append(f"{tables.name}_restored_{len(made)}")
        postgres.create_database(made[-1], template=tables.name)
        return postgres.dsn(made[-1])

    yield back_up
    for name in made:
        postgres.drop_database(name)


def key_files(tmp_path: Path) -> set[str]:
    """The key-encryption keys that are there."""
    return {path.stem for path in (tmp_path / "keys").iterdir()}


def test_keys_are_shredded_on_their_day_and_not_before(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger, free_text="please")
    ledger.case_key(request_id, "parcel", create=True)
    close_one(ledger, request_id)

    assert ledger.shred_due(later(days=13)) == []
    assert [(one.case_id, one.purpose) for one in ledger.shred_due(later(days=14))] == [(request_id, "parcel")]
    assert ledger.identities(request_id) == ANNA
    assert [one.purpose for one in ledger.shred_due(later(days=30))] == ["working"]
    assert ledger.shred_due(later(days=31)) == []

    with pytest.raises(LedgerRefusal, match="no longer"):
        ledger.identities(request_id)
    with pytest.raises(LedgerRefusal, match="was shredded"):
        ledger.seal(request_id, "working", "identities", b"", at=AT)
    with pytest.raises(LedgerRefusal, match="was shredded"):
        ledger.case_key(request_id, "parcel", create=True)
    assert ledger.unseal(request_id, "file", "request") is not None
    assert door("SELECT purpose FROM vault") == [("file",)]
    assert door("SELECT count(*) FROM request_subjects") == [(0,)]
    assert door("SELECT purpose, wrapped, kek FROM case_keys WHERE shredded_at IS NOT NULL ORDER BY 1") == [
        ("parcel", None, None),
        ("working", None, None),
    ]


def test_an_open_request_keeps_what_it_needs(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    ledger.case_key(request_id, "pseudonym", create=True)

    assert ledger.shred_due(later(days=10_000)) == []
    for purpose in ("working", "history", "file"):
        with pytest.raises(LedgerRefusal, match="is open"):
            ledger.shred(request_id, [purpose], as_of=AT)
    assert [one.purpose for one in ledger.shred(request_id, ["pseudonym"], as_of=AT)] == ["pseudonym"]
    assert ledger.shred(request_id, ["pseudonym"], as_of=AT) == []
    assert ledger.case_key(request_id, "pseudonym") is None


def test_where_there_is_nothing_to_shred_no_hold_is_said_to_cover_it(ledger: Ledger) -> None:
    ledger.place_hold(ANNA, "a court case", at=AT)

    assert ledger.shred("01kap2v7q4m8w3x9yd5tgh6jzr", ["file"], as_of=AT) == []


def test_a_history_waits_until_somebody_knows_that_the_run_is_over(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    close_one(ledger, request_id, working_days=1)

    assert ledger.histories_due(AT) == []
    assert [one.purpose for one in ledger.shred_due(later(days=2))] == ["working"]
    assert ledger.histories_due(later(days=2)) == [request_id]
    assert ledger.history_key(request_id) is not None

    ledger.shred(request_id, ["history"], as_of=later(days=2))

    assert ledger.history_key(request_id) is None
    assert ledger.histories_due(later(days=2)) == []


def test_standing_tells_when_each_key_goes_and_when_it_is_out_of_backups(ledger: Ledger) -> None:
    request_id, other = opened_id(ledger), opened_id(ledger)
    close_one(ledger, request_id)
    ledger.shred_due(later(days=40))

    def keys() -> dict[str, object]:
        return {key.purpose: key.out_of_backups_at for key in ledger.standing(request_id).keys}

    assert keys() == {"working": later(days=40) + BACKUPS, "history": None, "file": None}
    close_one(ledger, other)
    ledger.shred_due(later(days=40))
    for one in (request_id, other):
        ledger.shred(one, ["history"], as_of=later(days=41))
    ledger.retire_keks(later(days=42))
    # The key above was destroyed before the backups ran out.
    assert keys() == {"working": later(days=42), "history": later(days=42), "file": None}
    assert ledger.verify().sound


def test_a_backup_from_before_the_shred_does_not_open_the_identity(
    ledger: Ledger, make_ledger: Callable[..., Ledger], restore: Callable[[], str], tmp_path: Path
) -> None:
    request_id = opened_id(ledger, free_text="please")
    close_one(ledger, request_id)
    ledger.close_connections()  # PostgreSQL copies a database only while nobody is in it
    backup = restore()
    assert make_ledger(backup).identities(request_id) == ANNA  # it is a good backup

    ledger.shred_due(later(days=31))
    ledger.shred(request_id, ["history"], as_of=later(days=31))
    destroyed = ledger.retire_keks(later(days=31))

    assert [(one.id, one.destroyed, one.final_at) for one in destroyed] == [("main-2026-03", True, later(days=31))]
    restored = make_ledger(backup)
    for read in (restored.identities, restored.history_key):
        with pytest.raises(KeyGoneError, match="no key main-2026-03"):
            read(request_id)
    # The file, which is to be kept for years, lies under a key of its own.
    assert restored.unseal(request_id, "file", "request") is not None
    assert key_files(tmp_path) == {"main-index", "main-2026-03-file"}


def test_a_restored_ledger_goes_on_with_new_requests(
    ledger: Ledger, make_ledger: Callable[..., Ledger], restore: Callable[[], str]
) -> None:
    request_id = opened_id(ledger)
    close_one(ledger, request_id)
    ledger.close_connections()
    restored = make_ledger(restore())
    ledger.shred_due(later(days=31))
    ledger.shred(request_id, ["history"], as_of=later(days=31))
    ledger.retire_keks(later(days=31))

    fresh = open_one(restored, OTTO)

    assert restored.identities(fresh.request_id) == OTTO
    with pytest.raises(VaultError):
        restored.identities(request_id)


def test_a_key_stays_while_anything_lies_under_it(ledger: Ledger, tmp_path: Path) -> None:
    gone, stays = opened_id(ledger), opened_id(ledger)
    close_one(ledger, gone)
    ledger.shred_due(later(days=31))
    ledger.shred(gone, ["history"], as_of=later(days=31))

    assert ledger.retire_keks(later(days=31)) == []
    assert ledger.identities(stays) == ANNA
    assert key_files(tmp_path) == {"main-index", "main-2026-03", "main-2026-03-file"}


def test_every_month_has_a_key_of_its_own(ledger: Ledger, tmp_path: Path) -> None:
    march, april = opened_id(ledger), opened_id(ledger, at=later(days=40))
    close_one(ledger, march)
    ledger.shred_due(later(days=31))
    ledger.shred(march, ["history"], as_of=later(days=31))

    assert [one.id for one in ledger.retire_keks(later(days=31))] == ["main-2026-03"]
    assert ledger.identities(april) == ANNA
    assert key_files(tmp_path) == {"main-index", "main-2026-03-file", "main-2026-04", "main-2026-04-file"}


def test_a_month_whose_key_is_gone_gets_another(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database, tmp_path: Path
) -> None:
    second = make_ledger(tables.url)
    opened_id(second)  # it knows this month's key from now on
    for one in ledger.open_requests():
        close_one(ledger, one.id, working_days=0)
        ledger.shred_due(AT)
        ledger.shred(one.id, ["history"], as_of=AT)
    assert [one.id for one in ledger.retire_keks(AT)] == ["main-2026-03"]

    for other in (second, ledger):
        assert other.identities(opened_id(other, identities=OTTO)) == OTTO
    assert key_files(tmp_path) == {"main-index", "main-2026-03-file", "main-2026-03-2"}


def test_a_key_left_over_by_a_crash_is_destroyed_by_the_next_round(ledger: Ledger, door: Door, tmp_path: Path) -> None:
    request_id = opened_id(ledger)
    close_one(ledger, request_id, working_days=0)
    ledger.shred_due(AT)
    ledger.shred(request_id, ["history"], as_of=AT)
    ledger.retire_keks(AT)
    # As it is when a worker is killed between the commit and the destruction.
    FileKeys(tmp_path / "keys").create("main-2026-03")
    door("UPDATE retired_keks SET destroyed_at = NULL, final_at = NULL")

    assert [one.id for one in ledger.retire_keks(later(hours=1))] == ["main-2026-03"]
    assert "main-2026-03" not in key_files(tmp_path)
    assert ledger.retire_keks(later(hours=2)) == []


def test_a_provider_that_cannot_destroy_is_said_to(make_ledger: Callable[..., Ledger], tables: Database) -> None:
    ledger = make_ledger(tables.url, keys=EnvKeys("a root secret of more than 32 characters"))
    request_id = opened_id(ledger)
    assert ledger.identities(request_id) == ANNA
    close_one(ledger, request_id, working_days=0)
    ledger.shred_due(AT)
    ledger.shred(request_id, ["history"], as_of=AT)

    (retired,) = ledger.retire_keks(AT)

    assert (retired.id, retired.destroyed, retired.final_at) == ("main-2026-03", False, None)
    assert {key.out_of_backups_at for key in ledger.standing(request_id).keys if key.shredded_at} == {AT + BACKUPS}


def test_no_request_ever_lies_under_a_key_that_was_destroyed(
    make_ledger: Callable[..., Ledger], ledger: Ledger, tables: Database, door: Door
) -> None:
    """Requests are opened, closed and shredded while another process keeps retiring keys."""
    over = threading.Event()
    retired: list[str] = []

    def retire() -> None:
        keeper = make_ledger(tables.url)
        while not over.is_set():
            retired.extend(one.id for one in keeper.retire_keks(AT))

    with ThreadPoolExecutor(1) as pool:
        keeper = pool.submit(retire)
        try:
            for _ in range(60):
                request_id = opened_id(ledger)
                assert ledger.identities(request_id) == ANNA
                close_one(ledger, request_id, working_days=0)
                ledger.shred(request_id, ["working", "history", "file"], as_of=AT)
            kept = opened_id(ledger)
        finally:
            over.set()
        keeper.result()

    assert len(retired) > 3
    assert ledger.identities(kept) == ANNA
    living = {kek for (kek,) in door("SELECT kek FROM case_keys WHERE wrapped IS NOT NULL")}
    assert not living & set(retired)


def test_the_reason_for_a_hold_is_sealed_until_its_day(ledger: Ledger, door: Door) -> None:
    hold = ledger.place_hold(ANNA, "a court case", at=AT)

    assert ledger.unseal(hold.id, "file", "reason") is not None
    assert ledger.shred_due(later(days=10_000)) == []
    release(ledger, hold.id, at=AT, file_until=later(days=3))
    assert [one.case_id for one in ledger.shred_due(later(days=3))] == [hold.id]
    assert ledger.unseal(hold.id, "file", "reason") is None
    assert door("SELECT count(*) FROM hold_subjects") == [(0,)]


def test_what_was_written_over_stands_first_whatever_is_kept_later(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database
) -> None:
    request_id = opened_id(ledger)
    another = make_ledger(tables.url)

    # The second worker's clock is behind.
    ledger.keep_old(request_id, "shop", b"first", at=AT)
    another.keep_old(request_id, "shop", b"second", at=later(days=-1))
    ledger.keep_old(request_id, "shop2", b"of another system", at=AT)

    assert ledger.kept_old(request_id, "shop") == [b"first", b"second"]


def test_what_was_written_over_is_kept_while_it_may_be_disputed_and_no_longer(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    ledger.keep_old(request_id, "shop", b"Anna Qwartz", at=AT)
    with pytest.raises(LedgerRefusal, match="is open"):
        ledger.shred(request_id, ["disputed"], as_of=AT)
    close_one(ledger, request_id)

    ledger.shred_due(later(days=179))

    assert ledger.kept_old(request_id, "shop") == [b"Anna Qwartz"], "the identities are gone, what is disputed is not"
    assert door("SELECT count(*) FROM vault WHERE purpose = 'disputed' AND position('Qwartz' IN sealed::text) > 0") == [
        (0,)
    ]
    # It lies under the file's key: else it would keep the identities of its month readable in old backups.
    assert door("SELECT DISTINCT right(kek, 5) = '-file' FROM case_keys WHERE purpose = 'disputed'") == [(True,)]
    assert [one.purpose for one in ledger.shred_due(later(days=180))] == ["disputed"]
    assert ledger.kept_old(request_id, "shop") == []
    with pytest.raises(LedgerRefusal, match="was shredded"):
        ledger.keep_old(request_id, "shop", b"again", at=AT)
