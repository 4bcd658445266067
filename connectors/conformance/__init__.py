"""The promises of a connector, as tests to inherit.

    class TestOurs(Conformance):
        @pytest.fixture
        def bench(self) -> Bench:
            return OurBench()

is the whole test file of a connector, beside its `Bench`. The one rule: a promise is judged through the bench's back
door into the system, never by what the connector says of itself.

What a connector has no method for is skipped, and so is what a bench cannot stage; the reason is in the report.
"""

# ruff: noqa: E402 - the modules are registered before they are imported, so that a failing promise shows what it compared
import pytest

for _module in (
    "erasing", "exporting", "keeping", "linking", "locating", "reaching", "rectifying", "restricting", "speaking",
    "suite", "suppressing", "verifying",
):  # fmt: skip
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from connectors.conformance.bench import (
    AS_OF,
    ENVIRONMENT,
    Arrives,
    Bench,
    Clocks,
    Contains,
    Cuts,
    Dates,
    Denies,
    Dump,
    Newcomer,
    Orphans,
    Overwrites,
    Person,
    Refuses,
    Replaces,
    Reverts,
    Shares,
    needs,
)
from connectors.conformance.erasing import Erasing
from connectors.conformance.exporting import Exporting
from connectors.conformance.gate import Crash, Gate, Passage, Stop
from connectors.conformance.keeping import Keeping
from connectors.conformance.linking import Linking
from connectors.conformance.locating import Locating
from connectors.conformance.reaching import Reaching
from connectors.conformance.rectifying import Rectifying
from connectors.conformance.restricting import Restricting
from connectors.conformance.speaking import Speaking
from connectors.conformance.suite import Trial
from connectors.conformance.suppressing import Suppressing
from connectors.conformance.verifying import Verifying


class Conformance(
    Locating, Linking, Reaching, Exporting, Erasing, Keeping, Verifying, Restricting, Rectifying, Suppressing, Speaking
):
    """Everything a connector promises. Override the fixture `bench`.

    To differ from a promise, override its test and write down why.
    """


__all__ = [
    "AS_OF",
    "ENVIRONMENT",
    "Arrives",
    "Bench",
    "Clocks",
    "Conformance",
    "Contains",
    "Crash",
    "Cuts",
    "Dates",
    "Denies",
    "Dump",
    "Gate",
    "Newcomer",
    "Orphans",
    "Overwrites",
    "Passage",
    "Person",
    "Refuses",
    "Replaces",
    "Reverts",
    "Shares",
    "Stop",
    "Trial",
    "needs",
]
