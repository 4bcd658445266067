"""The page of duties is true: each duty once, each test there, and nothing claimed without one."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "duties.md").read_text()
OF_EACH = {
    "COM": 13, "ACC": 15, "KNO": 5, "REC": 6, "ERA": 15, "RES": 7, "POR": 6, "OBJ": 4, "OPT": 5, "ADM": 3, "CHI": 6,
    "PRO": 4, "TRF": 4, "MET": 5, "SUP": 3, "HLD": 6,
}  # fmt: skip
DUTIES = [f"{topic}-{number:02}" for topic, count in OF_EACH.items() for number in range(1, count + 1)]
NOTHING = "—"
NOT_BUILT = "not built yet"
THE_OPERATORS = "the operator's own task, since "


class Row(NamedTuple):
    """A duty of the page."""

    duty: str
    does: str
    shown_by: str
    missing: str

    @property
    def name(self) -> str:
        return self.duty.partition(",")[0]

    @property
    def tests(self) -> list[str]:
        return re.findall(r"`([^`]*)`", self.shown_by)


ROWS = [
    Row(*(cell.strip() for cell in line.strip("|").split(" | ")))
    for line in PAGE.splitlines()
    if re.match(r"\| [A-Z]{3}-\d\d", line)
]


@cache
def named_in(path: str) -> set[str]:
    """The tests of a file."""
    tree = ast.parse((ROOT / path).read_text())
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_duty_stands_on_the_page_once() -> None:
    assert re.findall(r"\b[A-Z]{3}-\d\d\b", PAGE) == [row.name for row in ROWS]
    assert sorted(row.name for row in ROWS) == sorted(DUTIES)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_what_is_claimed_is_shown_by_tests_that_exist(row: Row) -> None:
    for name in row.tests:
        path, _, test = name.partition("::")
        assert test.startswith("test_"), name
        assert test in named_in(path), name
    said = row.missing.startswith((NOT_BUILT, THE_OPERATORS))
    if row.tests:
        assert row.does != NOTHING
        assert said or row.missing == NOTHING
        assert re.sub(r"`[^`]*`", "", row.shown_by).replace("<br>", "") == "", "nothing but tests"
    else:
        assert (row.does, row.shown_by) == (NOTHING, NOTHING), "nothing is claimed without a test"
        assert said


def test_a_test_that_says_which_duty_it_shows_is_named_there() -> None:
    """But for one whose duty is not carried out: CHI-05 is said of a rule of identity alone."""
    shown = set(chain.from_iterable(row.tests for row in ROWS))
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        path = str(file.relative_to(ROOT))
        for test in named_in(path):
            found = re.match(r"test_([a-z]{3})_?(\d\d)_", test, re.IGNORECASE)
            duty = f"{found[1].upper()}-{found[2]}" if found else ""
            if duty in DUTIES and duty != "CHI-05":
                assert f"{path}::{test}" in shown


def test_the_numbers_of_the_page_are_those_of_its_rows() -> None:
    whole = sum(bool(row.tests) and row.missing == NOTHING for row in ROWS)
    part = sum(bool(row.tests) and row.missing != NOTHING for row in ROWS)
    operators = sum(not row.tests and row.missing.startswith(THE_OPERATORS) for row in ROWS)
    unbuilt = len(ROWS) - whole - part - operators

    said = (
        f"Of {len(ROWS)} duties {whole} are carried out, {part} in part; {unbuilt} are not built yet, and {operators}"
    )
    assert f"{said} are the operator's own task." in PAGE
