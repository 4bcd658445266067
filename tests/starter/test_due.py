"""`habeas due`: what is overdue is told while no worker runs and no Temporal answers, which is so in all of these."""

from __future__ import annotations

import http.client
import os
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from ledger.ledger import Ledger
from ledger.letters import queue_letter
from rights.clockwork import ClockEvent, Turn
from rights.letterkinds import LetterKind
from rights.request import Conclusion, Phase, Right
from starter.desk import load_settings, open_ledger
from starter.due import Numbers
from starter.endpoint import serving
from starter.gauges import exposition
from tests.ledger.builders import close_one, open_one
from tests.starter.conftest import PERSON, Deployment, one_sentence

NOW = datetime.now(UTC)


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture
def ledger(deployment: Deployment) -> Iterator[Ledger]:
    opened = open_ledger(load_settings())
    yield opened
    opened.close_connections()


def opened(ledger: Ledger, days: int) -> str:
    """A request that came in so many days ago; the law gives a month."""
    made = open_one(ledger, at=ago(days), right=Right.ACCESS, confirmed=True).request_id
    ledger.move(made, Phase.LOCATING, at=ago(days))
    return made


def test_nothing_due_is_all_well(deployment: Deployment, ledger: Ledger) -> None:
    opened(ledger, 1)
    done = deployment("due", "check", "--json")
    assert (done.code, done.json["overdue"], done.json["due"], done.json["requests"]) == (0, 0, 0, [])
    assert (deployment("due", "check", "--nagios").code, done.err) == (0, "")


def test_what_is_overdue_is_told_with_every_worker_and_temporal_stopped(deployment: Deployment, ledger: Ledger) -> None:
    late, soon = opened(ledger, 60), opened(ledger, 27)
    opened(ledger, 1)
    done = deployment("due", "check", "--days", "7", "--json")

    assert (done.code, done.json["overdue"], done.json["due"]) == (1, 1, 1)
    first, second = done.json["requests"]
    assert (first["id"], first["risk"], first["unsent"], second["id"]) == (late, "overdue", False, soon)
    told = deployment.rows("SELECT id FROM requests WHERE legal_due < now() + interval '7 days' ORDER BY legal_due")
    assert [(one["id"],) for one in done.json["requests"]] == told
    assert done.json["backlog"] == deployment.rows("SELECT count(*) FROM outbox WHERE sent_at IS NULL")[0][0] > 0
    page = deployment("due", "check", "--days", "7")
    assert (page.code, late in page.out, PERSON in page.out + done.out) == (1, True, False)


def test_an_answer_whose_letter_was_not_sent_is_owed_still(deployment: Deployment, ledger: Ledger) -> None:
    unsent, answered, withdrawn = (opened(ledger, 60) for _ in range(3))
    for request, kind, end in (
        (unsent, LetterKind.ANSWER_ACCESS, Conclusion.ANSWERED),
        (withdrawn, LetterKind.WITHDRAWN, Conclusion.WITHDRAWN),
    ):
        with ledger._begin() as connection:
            queue_letter(ledger, connection, request, kind, ago(50))
        close_one(ledger, request, end, at=ago(50))
    close_one(ledger, answered, at=ago(50))

    done = deployment("due", "check", "--json")
    assert [(one["id"], one["unsent"], one["phase"]) for one in done.json["requests"]] == [(unsent, True, "closed")]
    assert b"habeas_overdue_requests 1.0\n" in exposition(ledger)
    ((task,),) = deployment.rows("SELECT id FROM tasks WHERE request_id = %s AND code = 'post_out'", [unsent])
    ledger.rule(unsent, task, "done", at=NOW, on=NOW.date())
    assert deployment("due", "check").code == 0
    assert b"habeas_overdue_requests 0.0\n" in exposition(ledger)


def test_nobody_is_late_while_their_clock_stands_still(deployment: Deployment, ledger: Ledger) -> None:
    still = opened(ledger, 60)
    asked = ago(59)
    ledger.turn_clock(still, ClockEvent(turn=Turn.CLARIFICATION_ASKED, day=asked.date()), at=asked)
    done = deployment("due", "check", "--json")
    ((stands,),) = deployment.rows("SELECT clocks -> 0 ->> 'still_since' IS NOT NULL FROM requests")
    assert (stands, done.code, done.json["overdue"]) == (True, 0, 0)


def test_a_monitor_gets_its_line_and_its_codes(deployment: Deployment, ledger: Ledger) -> None:
    opened(ledger, 27)
    warned = deployment("due", "check", "--days", "7", "--nagios")
    opened(ledger, 60)
    critical = deployment("due", "check", "--days", "7", "--nagios")
    assert (warned.code, critical.code) == (1, 2)
    assert re.fullmatch(
        r"DEADLINES CRITICAL - 1 overdue, 1 due within 7 days \| overdue=1;;0;0 due=1;0;;0 backlog=\d+;;;0\n",
        critical.out,
    )
    (deployment.home / "ledger-url").write_text("postgresql://a:canary@127.0.0.1:1/none")
    away = deployment("due", "check", "--nagios")
    assert (away.code, away.err, "canary" in away.out) == (3, "", False)
    assert away.out.startswith("DEADLINES UNKNOWN - the ledger")
    plain = deployment("due", "check")
    assert (plain.code, plain.out, one_sentence(plain.err)) == (3, "", True)


def test_numbers_for_prometheus_are_in_a_file_that_is_whole_at_every_moment(
    deployment: Deployment, ledger: Ledger
) -> None:
    opened(ledger, 60)
    place = deployment.home / "collector"
    place.mkdir()
    file = place / "habeas.prom"
    file.write_text("half of an old")
    assert deployment("due", "check", "--metrics-file", str(file)).code == 1
    assert "habeas_overdue_requests 1.0\n" in file.read_text()
    assert os.listdir(place) == ["habeas.prom"]
    assert file.stat().st_mode & 0o777 == 0o644
    nowhere = deployment("due", "check", "--metrics-file", str(place / "none" / "habeas.prom"))
    assert (nowhere.code, one_sentence(nowhere.err)) == (2, True)


def test_numbers_are_served_and_a_ledger_that_is_away_is_no_number(deployment: Deployment, ledger: Ledger) -> None:
    opened(ledger, 60)

    def asked(port: int, path: str, method: str = "GET") -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    with serving(Numbers, ledger, "127.0.0.1", 0) as port:
        status, text = asked(port, "/metrics")
        assert (status, "habeas_overdue_requests 1.0\n" in text) == (200, True)
        assert PERSON not in text
        assert asked(port, "/metrics", "HEAD") == (200, "")
        assert asked(port, "/livez")[0] == 200
        assert asked(port, "/canary") == (404, "here are /metrics and /livez\n")
        assert asked(port, "/metrics", "POST")[0] == 501
        deployment.rows("ALTER TABLE requests RENAME TO elsewhere")
        assert asked(port, "/metrics") == (503, "the ledger does not answer\n")
