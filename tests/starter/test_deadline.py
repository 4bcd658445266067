"""`habeas deadline` says when an answer is due, and how it came to that."""

import json

import pytest
from typer.testing import CliRunner

from starter.cli import app
from starter.exits import Exit

RUN = CliRunner()


def said(*arguments: str) -> dict[str, object]:
    done = RUN.invoke(app, ["deadline", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_it_prints_every_date_and_null_where_the_law_has_none() -> None:
    dates = said("eu-gdpr", "--received", "2025-03-05")
    assert {name: dates[name] for name in ("receipt_day", "legal_due", "internal_due", "legal_due_unrolled")} == {
        "receipt_day": "2025-03-05",
        "legal_due": "2025-04-07",
        "internal_due": "2025-04-04",
        "legal_due_unrolled": "2025-04-05",
    }
    assert (dates["acknowledge_by"], dates["appeal_due"], dates["appeal_max_due"]) == (None, None, None)
    assert dates["due"] == "2025-04-07"


def test_an_instant_falls_on_the_day_of_the_zone() -> None:
    given = ("eu-gdpr", "--received", "2026-03-31T23:30:00Z", "--holiday", "2026-05-01")
    assert said(*given, "--tz", "Europe/Berlin")["legal_due"] == "2026-05-04"
    assert said(*given)["legal_due"] == "2026-04-30"


def test_a_calendar_counts_only_when_it_is_named() -> None:
    given = ("eu-gdpr", "--received", "2026-11-25")
    assert said(*given)["legal_due"] == "2026-12-25"
    assert said(*given, "--calendar", "DE-BY")["legal_due"] == "2026-12-28"


def test_an_extension_that_was_sent_is_what_is_due() -> None:
    assert said("eu-gdpr", "--received", "2025-11-30", "--extended")["due"] == "2026-03-02"


def test_the_arithmetic_is_shown() -> None:
    done = RUN.invoke(app, ["deadline", "uk-gdpr", "--received", "2026-09-03", "--explain"])
    assert "1 month after 2026-09-03" in done.stdout


def test_all_laws_are_listed() -> None:
    laws = said("--list")["regimes"]
    assert isinstance(laws, list)
    assert len(laws) == 45


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "name a law and the day of receipt"),
        (("martian", "--received", "2026-01-01"), "no law of that name"),
        (("eu-gdpr", "--received", "yesterday"), "write a date or an instant"),
        (("eu-gdpr", "--received", "2026-01-01T10:00:00"), "needs its offset"),
        (("eu-gdpr", "--received", "2026-01-01", "--calendar", "XX"), "--calendar"),
        (("eu-gdpr", "--received", "2026-01-01", "--tz", "Mars/Olympus"), "--tz"),
        (("eu-gdpr", "--received", "2026-01-05", "--identity-asked", "2026-01-01"), "before the request"),
        (("eu-gdpr", "--received", "2026-01-05", "--identity-received", "2026-01-09"), "--identity-asked"),
    ],
)
def test_bad_input_gets_one_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = RUN.invoke(app, ["deadline", *arguments])
    assert done.exit_code == Exit.USAGE
    assert sentence in done.stderr
