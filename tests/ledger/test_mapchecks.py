"""The ledger keeps the last comparison of the map, and hands over the one before it."""

from datetime import timedelta

from ledger.ledger import Ledger
from rights.mapcheck import Found, MapCheck, Severity
from tests.ledger.builders import AT

LOST = Found(system="shop", severity=Severity.ERROR, code="missing_column", what="there is no column a.b", todo="mend")
SLOW = Found(system="shop", severity=Severity.WARNING, code="no_index", what="a.c has no index", todo="make one")


def check(minutes: int, *found: Found) -> MapCheck:
    return MapCheck(at=AT + timedelta(minutes=minutes), digest="d" * 64, systems=2, found=found)


def test_there_is_none_before_the_first(ledger: Ledger) -> None:
    assert ledger.map_check() is None
    assert ledger.keep_map_check(check(0, LOST)) is None


def test_the_newest_stays_and_is_told_from_the_one_before(ledger: Ledger) -> None:
    ledger.keep_map_check(check(0, LOST))

    before = ledger.keep_map_check(check(5, LOST, SLOW))

    assert before == check(0, LOST)
    assert ledger.map_check() == check(5, LOST, SLOW)
    assert check(5, LOST, SLOW).new_since(before) == (SLOW,)
    assert check(5, LOST, SLOW).numbers == {"error": 1, "warning": 1, "note": 0}


def test_one_that_comes_late_replaces_nothing(ledger: Ledger) -> None:
    ledger.keep_map_check(check(5, SLOW))

    ledger.keep_map_check(check(0, LOST))

    assert ledger.map_check() == check(5, SLOW)
