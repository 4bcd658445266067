"""The page of attacks is true: each line names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_duties import named_in

ROOT = Path(__file__).parent.parent
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "SECURITY.md").read_text().splitlines()
    if "<br>" in line or "::test_" in line
]
TESTS = [test for row in ROWS for test in re.findall(r"`([^`]+::[^`]+)`", row[-1])]


def test_every_attack_of_the_list_is_met_by_something_that_is_tested() -> None:
    assert len(ROWS) >= 24
    assert all(len(row) == 3 and row[1] and "::test_" in row[2] for row in ROWS)


@pytest.mark.parametrize("test", TESTS)
def test_a_test_that_is_named_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert name in named_in(path)
