"""`habeas minor`, as a person types it."""

from __future__ import annotations

from datetime import timedelta

from rights.minors import Source
from starter.desk import desk, now, rules
from starter.minors import report as receive
from tests.starter.conftest import PERSON, Deployment

PARENT = "parent.quill@example.org"


def report(deployment: Deployment, *more: str, source: str = "parent") -> tuple[int, str, str]:
    words = ("minor", "report", "--identities", "-", "--source", source, "--by", "support desk", "--json", *more)
    answer = deployment(*words, given=f"email={PERSON}")
    return answer.code, answer.out, answer.err


def test_a_report_given_again_is_the_same_and_nothing_of_it_is_in_clear(deployment: Deployment) -> None:
    first = report(deployment, "--parent-email", PARENT, "--idempotency-key", "ticket 7")
    assert first[0] == 0, first[2]
    again = report(deployment, "--parent-email", PARENT, "--idempotency-key", "ticket 7")
    assert again[1].replace('"new": false', '"new": true') == first[1]

    rows = deployment.rows('SELECT "right", confirmed_at IS NOT NULL FROM requests ORDER BY "right" DESC')
    assert rows == [("restriction", True), ("erasure", False)], "put out of use without proof, and erased not yet"
    kept = deployment.everything()
    assert PERSON not in kept
    assert PARENT not in kept
    assert "support desk" not in kept


def test_a_report_given_again_on_another_day_is_the_same(deployment: Deployment) -> None:
    with desk() as at:
        made = [
            receive(
                at.ledger,
                at.data_map,
                rules(at.settings),
                [("email", PERSON)],
                source=Source.SYSTEM,
                by="age gate",
                at=now() - timedelta(days=days),
                key="a child",
            )
            for days in (2, 0)
        ]
    assert made[1] == made[0].model_copy(update={"new": False})
    assert deployment.rows("SELECT count(*) FROM requests") == [(2,)]


def test_a_slip_in_a_report_starts_nothing(deployment: Deployment) -> None:
    for more, source in ((("--parent-email", "nobody"), "parent"), ((), "neighbour")):
        code, _, said = report(deployment, *more, source=source)
        assert code in {1, 2}
        assert "nobody" not in said
    assert deployment.rows("SELECT count(*) FROM requests") == [(0,)]
