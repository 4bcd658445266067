"""The suite itself: it catches every bad connector by the promise it breaks, and no promise is idle."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from connectors.conformance import Conformance
from tests.connectors import bad

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "connectors.md"
PROMISES = frozenset(name for name in dir(Conformance) if name.startswith("test_"))
SLIPS = ("AttributeError", "KeyError", "NameError", "TypeError", "ImportError", "NotImplementedError")
"""A bad connector that fails in one of these ways is not the bad connector that was meant."""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[str]]:
    """For each bad connector and promise, why it failed; nothing if it passed. One entry per case of a promise."""
    report = tmp_path_factory.mktemp("bad") / "report.xml"
    command = [sys.executable, "-m", "pytest", "tests/connectors/bad.py", f"--junitxml={report}", "-q"]
    subprocess.run(
        [*command, "-o", "python_files=bad.py", "-p", "no:cacheprovider", "--noconftest"],
        cwd=ROOT,
        check=False,
        capture_output=True,
    )
    found: dict[tuple[str, str], list[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - our own file
        kind = case.attrib["classname"].rpartition(".Test")[2]
        reasons = found.setdefault((kind, case.attrib["name"].partition("[")[0]), [])
        reasons += [failure.attrib["message"] for failure in case.iter("failure")]
    return found


@pytest.mark.parametrize(
    ("kind", "promise"), [(kind, promise) for kind, promises in bad.BROKEN.items() for promise in promises]
)
def test_a_bad_connector_is_caught(kind: str, promise: str, verdicts: dict[tuple[str, str], list[str]]) -> None:
    reasons = verdicts[kind, promise]

    assert reasons, "the suite let it pass"
    assert not any(reason.startswith(SLIPS) for reason in reasons)


def test_every_promise_is_broken_by_some_bad_connector() -> None:
    broken = {promise for promises in bad.BROKEN.values() for promise in promises}

    assert broken == PROMISES


def test_every_promise_is_documented() -> None:
    page = PAGE.read_text()

    assert {promise for promise in PROMISES if f"`{promise}`" not in page} == set()
