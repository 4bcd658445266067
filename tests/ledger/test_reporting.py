"""What reports read, from a ledger at work: the same at the same entry, for ever."""

from __future__ import annotations

import csv
import itertools
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import version
from io import StringIO
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.letters import Channel, queue_letter
from ledger.metrics import PAGE
from ledger.notices import Answer, Draft
from rights.board import UNSENT, Board
from rights.clockwork import ClockEvent, Turn, extension_grounds
from rights.datamap import DataMap
from rights.decision import Decided, Word
from rights.holds import Disclosure, Terms
from rights.letterkinds import LetterKind
from rights.mapcheck import Found, MapCheck, Severity
from rights.plan import Operation
from rights.receipt import Outcome
from rights.recipients import Register
from rights.reports import Period
from rights.request import Conclusion, Phase, Right
from rights.ropa import Controller
from starter.printing import made, printed, table_pieces
from starter.reporting import REPORTS, Sources, board_report, document_of, register_lines, register_report
from starter.reports import page_of
from starter.show import plain
from starter.tables import csv_of
from tests.conftest import Database
from tests.ledger.builders import (
    ANNA,
    AT,
    OTTO,
    a_map,
    a_receipt,
    a_step,
    close_one,
    later,
    open_one,
    opened_id,
    release,
)  # fmt: skip
from tests.ledger.conftest import Door
from tests.ledger.test_metrics import decide

YEAR = Period.read("2026")
GROUND = sorted(extension_grounds("eu-gdpr"))[0]
MAILER = {
    "recipients": {
        "mailer": {
            "name": "Mailer Ltd",
            "country": "DE",
            "basis": {"kind": "contract", "document": "DPA 3", "since": "2024-01-01"},
            "gets": ["shop"],
            "knows_by": ["email"],
            "told_by": {"email": "privacy@mailer.example"},
        }
    }
}
FORMS: Final = ("json", "csv")
_tenants = itertools.count(1)


def sources(ledger: Ledger) -> Sources:
    return Sources(ledger, a_map(), Register(), "Europe/Berlin", Controller())


def read_board(ledger: Ledger, head: int | None = None, **more: Any) -> Board:
    return board_report(sources(ledger), YEAR, head, **more)


def everything(ledger: Ledger, head: int | None = None) -> dict[str, str]:
    """All reports as they are printed."""
    return {name: document_of(make(sources(ledger), YEAR, head)) for name, make in REPORTS.items()} | {
        f"{name}.csv": csv_of(make(sources(ledger), YEAR, head)) for name, make in REPORTS.items()
    }


def piece_by_piece(ledger: Ledger) -> list[str]:
    """The register in its three forms, written as it is read."""
    of = sources(ledger)
    json, csv = ("".join(printed(made(of, "register", YEAR, None), form)) for form in FORMS)
    return [json, csv, "".join(table_pieces(*register_lines(of, YEAR), of.zone))]


def in_memory(ledger: Ledger) -> list[str]:
    """The same of the report as a whole."""
    report = register_report(sources(ledger), YEAR)
    return [
        document_of(report),
        csv_of(report),
        "".join(f"{line}\n" for line in plain(page_of(report, "Europe/Berlin"))),
    ]


class Working:
    """Somebody who does whatever comes, as far as the ledger lets them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.ids, self.holds, self.hours, self.done = ledger, list[str](), list[str](), 0, 0

    def does(self, what: str, which: int) -> None:
        self.hours += 37
        at = later(hours=self.hours)
        one = self.ids[which % len(self.ids)] if self.ids else ""
        with suppress(LedgerRefusal):  # it may make no sense as things stand
            getattr(self, f"_{what}")(one, at)
            self.done += 1

    def _open(self, _one: str, at: Any) -> None:
        self.ids.append(open_one(self.ledger, OTTO, right=Right.ACCESS, at=at, confirmed=True).request_id)

    def _arrive(self, one: str, at: Any) -> None:
        self.ledger.arrived(one, "phone", by=None, at=at)

    def _look(self, one: str, at: Any) -> None:
        self.ledger.move(one, Phase.LOCATING, at=at)
        self.ledger.keep_receipt(a_receipt(a_step(one, Operation.LOCATE), Outcome.NEEDS_HUMAN, at=at))

    def _ask(self, one: str, at: Any) -> None:
        self.ledger.turn_clock(one, ClockEvent(turn=Turn.CLARIFICATION_ASKED, day=at.date()), at=at)

    def _hear(self, one: str, at: Any) -> None:
        self.ledger.turn_clock(one, ClockEvent(turn=Turn.CLARIFICATION_RECEIVED, day=at.date()), at=at)

    def _correct(self, one: str, at: Any) -> None:
        received = at - timedelta(days=90)
        self.ledger.turn_clock(
            one, ClockEvent(turn=Turn.RECEIPT_CORRECTED, day=received.date(), received_at=received), at=at
        )

    def _extend(self, one: str, at: Any) -> None:
        self.ledger.turn_clock(one, ClockEvent(turn=Turn.EXTENDED, day=at.date(), ground=GROUND), at=at)

    def _close(self, one: str, at: Any) -> None:
        close_one(self.ledger, one, Conclusion.ANSWERED, at=at)

    def _tell(self, one: str, at: Any) -> None:
        due = at.date() + timedelta(days=3)
        self.ledger.tell(one, [Draft("mailer", "erased", "system", due, answer=None)], at=at)

    def _answered(self, one: str, at: Any) -> None:
        self.ledger.answered(one, "mailer", Answer.CONFIRMED, on=at.date(), at=at, note=None, by="s-1")

    def _hold(self, _one: str, at: Any) -> None:
        self.holds.append(self.ledger.place_hold(ANNA, "why", at=at, by="s-1").id)

    def _let_go(self, _one: str, at: Any) -> None:
        if self.holds:
            release(self.ledger, self.holds.pop(), at=at, file_until=at)

    def _compare(self, _one: str, at: Any) -> None:
        found = Found(system="shop", severity=Severity.NOTE, code="unmapped_table", what="w", todo="t")
        self.ledger.keep_map_check(MapCheck(at=at, digest="d", systems=1, found=(found,) * (self.hours % 3)))

    def _shred(self, _one: str, at: Any) -> None:
        self.ledger.shred_due(as_of=at + timedelta(days=2000))


DEEDS = [name[1:] for name in vars(Working) if name.startswith("_") and not name.startswith("__")]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(st.tuples(st.sampled_from([*DEEDS, "open", "close"]), st.integers(0, 5)), max_size=14))
def test_a_report_at_an_entry_is_the_same_byte_for_byte_whatever_is_added_later(
    make_ledger: Callable[..., Ledger], tables: Database, deeds: list[tuple[str, int]]
) -> None:
    ledger = make_ledger(tables.url, tenant=f"t{next(_tenants)}", pool_size=2)
    who, then = Working(ledger), dict[int, dict[str, str]]()
    who.does("open", 0)
    for deed in deeds:
        who.does(*deed)
        then[ledger.journal_head().seq] = everything(ledger)
    for what in ("open", "close", "compare", "let_go", "shred"):
        who.does(what, 0)

    assert {head: everything(ledger, head) for head in then} == then
    assert ledger.verify().sound


def test_whoever_works_here_does_each_deed_when_it_makes_sense(ledger: Ledger) -> None:
    """Or the promise above would be kept by nothing having happened."""
    who = Working(ledger)
    for what in ("open", "arrive", "look", "ask", "hear", "tell", "answered", "extend", "close", "hold", "let_go",
                 "compare", "shred", "open", "correct"):  # fmt: skip
        done = who.done
        who.does(what, len(who.ids) - 1)
        assert who.done == done + 1, what
    assert set(DEEDS) == {"open", "arrive", "look", "ask", "hear", "tell", "answered", "extend", "close", "hold",
                          "let_go", "compare", "shred", "correct"}  # fmt: skip


@pytest.mark.parametrize("page", [1, 2, 7, PAGE])
def test_the_register_is_the_same_written_as_it_is_read_whatever_a_page_holds(ledger: Ledger, page: int) -> None:
    assert piece_by_piece(ledger) == in_memory(ledger), "of nobody"
    busy = Working(ledger)
    for what in ("open", "ask", "hear", "extend", "open", "arrive", "look", "close", "open", "open", "shred"):
        busy.does(what, len(busy.ids) - 1)

    lines = list(ledger.lines_at(YEAR.first, YEAR.last, None, page=page)[1])
    assert [line.request_id for line in lines] == sorted(busy.ids)
    assert lines == list(register_report(sources(ledger), YEAR).lines)
    assert piece_by_piece(ledger) == in_memory(ledger)


def test_what_came_in_on_another_day_than_it_was_entered_stands_where_it_came_in(ledger: Ledger) -> None:
    first, second, third = (opened_id(ledger, at=later(days=number)) for number in (0, 10, 20))
    left = opened_id(ledger, at=later(days=1))
    heads = []
    for request_id, received in ((third, later(days=5)), (left, later(days=-90)), (second, later(days=-2))):
        heads.append(ledger.journal_head().seq)
        day = ClockEvent(turn=Turn.RECEIPT_CORRECTED, day=received.date(), received_at=received)
        ledger.turn_clock(request_id, day, at=later(days=30))

    def those(period: str, at: int | None = None) -> list[str]:
        return [line.request_id for line in register_lines(sources(ledger), Period.read(period), at)[1]]

    assert those("2026") == [second, first, third]
    assert those("2026", heads[-1]) == [first, third, second]
    assert (those("2025"), those("2026-02"), those("2026-03")) == ([left], [second], [first, third])


def test_a_machine_too_busy_to_read_on_at_once_still_gets_its_report(
    make_ledger: Callable[..., Ledger], tables: Database
) -> None:
    """A session that lies idle is ended after ten seconds, here after 0.2; not one that only reads."""
    opened_id(make_ledger(tables.url), Phase.LOCATING)
    limit = "options=-c%20idle_in_transaction_session_timeout%3D200"
    busy = make_ledger(f"{tables.url}{'&' if '?' in tables.url else '?'}{limit}")
    event.listen(busy._engine, "after_cursor_execute", lambda *_: time.sleep(0.4))

    assert read_board(busy).waiting == len(register_report(sources(busy), YEAR).lines) == 1
    with pytest.raises(DBAPIError):
        busy.note("none", "zq", {}, at=AT)  # it writes


def test_a_head_that_is_not_there_yet_is_refused_and_an_empty_journal_can_be_reported_on(ledger: Ledger) -> None:
    empty = read_board(ledger)
    assert (empty.stamp.head, empty.stamp.as_of, empty.waiting, empty.matched) == (0, None, 0, None)
    opened_id(ledger)
    newest = ledger.journal_head().seq
    with pytest.raises(LedgerRefusal, match=f"the newest is {newest}"):
        read_board(ledger, newest + 1)


def test_what_is_overdue_says_what_it_waits_for_and_what_was_late_where_its_day_passed(ledger: Ledger) -> None:
    waits = {
        "identity": opened_id(ledger, Phase.CONFIRMING),
        "busy": opened_id(ledger, Phase.LOCATING),
        "answer": opened_id(ledger, Phase.LOCATING, right=Right.ACCESS),
        "late": opened_id(ledger, Phase.LOCATING, right=Right.ACCESS),
        "received": opened_id(ledger),
    }
    step = a_receipt(a_step(waits["busy"], Operation.LOCATE), Outcome.PENDING)
    ledger.keep_receipt(step.model_copy(update={"code": "busy"}))
    with ledger._begin() as connection:
        queue_letter(ledger, connection, waits["answer"], LetterKind.ANSWER_ACCESS, AT)
    close_one(ledger, waits["answer"], at=later(days=2))
    close_one(ledger, waits["late"], at=later(days=60))

    report = read_board(ledger)
    said = {one.request_id: (one.cause, one.system) for one in report.overdue}
    assert said == {
        waits["identity"]: ("identity", ""),
        waits["busy"]: ("busy", "shop"),
        waits["answer"]: (UNSENT, ""),
        waits["received"]: ("received", ""),
    }
    assert report.late_in == {"locating": 1}
    assert (report.paces[0].answered, report.paces[0].on_time, report.paces[0].late) == (1, 0, 5)
    table = csv_of(report)
    rows = {row["of"]: row for row in csv.DictReader(StringIO(table)) if row["part"] == "overdue"}
    assert {one: (row["what"], row["system"]) for one, row in rows.items()} == said
    (busy,) = (one for one in report.overdue if one.request_id == waits["busy"])
    names = ("right", "laws", "received", "due", "value")
    told = (busy.right, " ".join(busy.regimes), busy.received, busy.due, busy.days_over)
    assert [rows[waits["busy"]][name] for name in names] == [str(one) for one in told]


@pytest.mark.parametrize("name", REPORTS)
def test_whatever_is_not_in_the_journal_and_could_change_a_report_is_in_its_stamp(ledger: Ledger, name: str) -> None:
    of = sources(ledger)
    others = [
        of._replace(controller=Controller(name="Shop AG")),
        of._replace(controller=Controller(address=("1 High Street",))),
        of._replace(controller=Controller(dpo="dpo@shop.example")),
        of._replace(zone="Pacific/Auckland"),
        of._replace(data_map=DataMap.of({})),
        of._replace(register=Register.model_validate(MAILER)),
    ]
    stamps = [REPORTS[name](one, YEAR).stamp for one in (of, *others)]
    assert len({one.model_dump_json() for one in stamps}) == len(stamps)
    assert {one.program for one in stamps} == {version("habeas")}


def test_extensions_and_refusals_are_counted_by_their_coded_grounds(ledger: Ledger) -> None:
    extended, refused = opened_id(ledger, Phase.LOCATING), opened_id(ledger, Phase.LOCATING)
    ledger.turn_clock(extended, ClockEvent(turn=Turn.EXTENDED, day=later(days=3).date(), ground=GROUND),
                      at=later(days=3))  # fmt: skip
    decide(ledger, refused, Decided(word=Word.REFUSE, ground="gdpr_17_1_none"))
    close_one(ledger, refused, Conclusion.REFUSED, at=later(days=4))

    report = read_board(ledger)
    assert (report.extended, report.extensions) == (1, {GROUND: 1})
    assert (report.refused, report.refusals) == (1, {"gdpr_17_1_none": 1})
    lines = {one.request_id: one for one in register_report(sources(ledger), YEAR).lines}
    assert (lines[extended].extended, lines[refused].grounds) == (True, ("gdpr_17_1_none",))


def test_a_secret_hold_changes_no_word_of_a_report_but_for_counsel(ledger: Ledger) -> None:
    """The numbers of entries do grow, as they do with whatever is journaled of anybody."""
    opened_id(ledger, Phase.LOCATING)
    ledger.place_hold(OTTO, "zq", at=AT, by="s-1")
    before = read_board(ledger)
    secret = Terms(disclosure=Disclosure.COUNSEL_TEXT)
    ledger.place_hold(ANNA, "zq", at=AT, by="s-1", terms=secret)
    after, counsels = read_board(ledger), read_board(ledger, for_counsel=True)

    assert after.model_copy(update={"stamp": before.stamp}).model_dump_json() == before.model_dump_json()
    assert sum(after.holds.values()) == 1
    assert after.secret_holds is None
    assert counsels.secret_holds is not None
    assert sum(counsels.secret_holds.values()) == 1


def test_a_hold_that_may_be_told_from_a_day_is_counted_from_that_day(ledger: Ledger) -> None:
    terms = Terms(disclosure=Disclosure.AFTER, tell_from=later(days=10).date())
    ledger.place_hold(ANNA, "zq", at=AT, by="s-1", terms=terms)
    assert sum(read_board(ledger).holds.values()) == 0
    opened_id(ledger, at=later(days=40))
    assert read_board(ledger).holds["31 to 90 days"] == 1


def test_what_a_recipient_owes_is_missing_until_it_confirms_for_all(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    due = later(days=5).date()
    drafts = [
        Draft("mailer", "erased", "post", due, channel=Channel("post", "zq", "Mailer")),
        Draft("done", "erased", "system", due, answer=Answer.CONFIRMED),
        Draft("open", "erased", "system", due, answer=None),
    ]
    ledger.tell(request_id, drafts, at=AT)
    assert [one.recipient for one in read_board(ledger).proofs] == ["mailer", "open"]
    ledger.answered(request_id, "open", Answer.CONFIRMED_ALONE, on=due, at=later(days=6), note=None, by="s-1")
    ledger.answered(request_id, "mailer", Answer.CONFIRMED, on=due, at=later(days=7), note=None, by="s-1")

    (owing,) = read_board(ledger).proofs
    assert (owing.recipient, owing.missing, owing.overdue) == ("open", 1, 1)


def test_what_a_comparison_of_the_map_found_is_on_record_after_the_next_one_has_replaced_it(ledger: Ledger) -> None:
    lost = Found(system="shop", severity=Severity.WARNING, code="unmapped_personal_column", what="zq", todo="map it")
    ledger.keep_map_check(MapCheck(at=AT, digest="d1", systems=2, found=(lost, lost)))
    head = ledger.journal_head().seq
    ledger.keep_map_check(MapCheck(at=later(days=1), digest="d2", systems=2, found=()))

    then, today = read_board(ledger, head).matched, read_board(ledger).matched
    assert then is not None
    assert today is not None
    assert (then.data_map, dict(then.unmapped)) == ("d1", {"shop": {"unmapped_personal_column": 2}})
    assert (today.data_map, dict(today.unmapped)) == ("d2", {})
    assert "zq" not in document_of(read_board(ledger, head)), "a column's name may be telling"


def test_no_report_has_anything_of_a_person(ledger: Ledger, door: Door) -> None:
    opened_id(ledger, Phase.LOCATING, free_text="zqtext", reply=Channel("email", "zqreply@example.org"))
    ledger.place_hold(ANNA, "zqreason", at=AT, by="s-1")
    said = str(everything(ledger))
    assert not [word for word in ("zqtext", "zqreply", "zqreason", *(one.value for one in ANNA)) if word in said]
    assert door("SELECT count(*) FROM entries") != [(0,)]
