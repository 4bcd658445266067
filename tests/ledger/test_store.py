"""Connections: what a lost or frozen one does to the verbs."""

import contextlib
import threading
from collections.abc import Callable

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger import chain
from ledger.ledger import Ledger, connect
from tests.conftest import Database
from tests.ledger.builders import AT, open_one, opened_id
from tests.ledger.conftest import Door


def test_connections_that_died_in_the_pool_are_not_handed_out(ledger: Ledger, door: Door) -> None:
    start = threading.Barrier(4)

    def read() -> None:
        start.wait()
        ledger.open_requests()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    request_id = opened_id(ledger)

    for verb in (lambda: ledger.request(request_id), lambda: ledger.note(request_id, "deadline", {}, at=AT)):
        ended = door(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'habeas-ledger' AND datname = current_database()"
        )
        assert ended
        verb()


def test_a_worker_frozen_inside_a_verb_does_not_stop_the_others_for_ever(
    ledger: Ledger, tables: Database, door: Door
) -> None:
    request_id = opened_id(ledger)
    assert door("SELECT 1 FROM pg_stat_activity WHERE application_name = 'habeas-ledger'")
    engine = connect(tables.url, pool_size=1)
    try:
        with engine.connect() as frozen:
            limit = frozen.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
            assert limit == "10s"
            frozen.exec_driver_sql("SET idle_in_transaction_session_timeout = '300ms'")
            frozen.commit()
            frozen.exec_driver_sql("SELECT * FROM chain_heads FOR UPDATE")
            ledger.note(request_id, "deadline", {}, at=AT)
            with pytest.raises(DBAPIError, match="idle-in-transaction"):
                frozen.exec_driver_sql("SELECT 1")
    finally:
        engine.dispose()


@pytest.mark.soak
def test_a_worker_frozen_with_many_sessions_at_the_head_holds_the_others_up_for_seconds(
    ledger: Ledger, tables: Database, door: Door
) -> None:
    request_id = opened_id(ledger)
    engine, thaw = connect(tables.url, pool_size=4), threading.Event()

    def freeze() -> None:
        with contextlib.suppress(DBAPIError), engine.begin() as connection:
            chain.append(connection, ledger.tenant, "deadline", "{}", AT, request_id=request_id)
            thaw.wait()

    sessions = [threading.Thread(target=freeze) for _ in range(4)]
    for session in sessions:
        session.start()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    try:
        while door(waiting) != [(3,)]:
            assert any(session.is_alive() for session in sessions)
        # With the limit of a transaction for each of them it would come to more than a statement may wait.
        ledger.note(request_id, "interim", {}, at=AT)
    finally:
        thaw.set()
        for session in sessions:
            session.join()
        engine.dispose()
    kept = door("SELECT kind FROM entries WHERE kind IN ('deadline', 'interim')")
    assert kept == [("interim",)], "nothing of the frozen ones is kept"


def test_a_plain_address_is_understood_and_its_options_are_kept(database: Database) -> None:
    plain = database.url.replace("postgresql+psycopg", "postgresql")
    engine = connect(f"{plain}?options=-c%20statement_timeout%3D1234%20-c%20work_mem%3D5MB&application_name=x")
    try:
        with engine.connect() as connection:
            shown = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in ("work_mem", "timezone")]
            assert shown == ["5MB", "UTC"]
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "1234ms"
    finally:
        engine.dispose()


def test_a_driver_error_does_not_show_what_was_given(ledger: Ledger, door: Door) -> None:
    door("ALTER TABLE vault ADD CHECK (name <> 'identities')")

    with pytest.raises(IntegrityError) as error:
        open_one(ledger)
    text = str(error.value)
    assert "[SQL parameters hidden" in text
    assert "berg" not in text.lower()


def test_a_verb_that_fails_leaves_nothing(ledger: Ledger, door: Door, make_ledger: Callable[..., Ledger]) -> None:
    door("ALTER TABLE entries ADD CHECK (kind <> 'opened')")

    with pytest.raises(IntegrityError):
        open_one(ledger)
    for table in ("requests", "vault", "request_subjects", "outbox", "entries"):
        assert door(f"SELECT count(*) FROM {table}") == [(0,)]
