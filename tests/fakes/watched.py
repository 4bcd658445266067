"""The vendors' fake with a witness: what our connectors ask of it, and it answers, is as the vendors' documents say.

The one rule: nobody has to think of it. The fixture `vendors` (tests/conftest.py) judges after each test that has it,
and a test that clears the record, or begins a new world, takes nothing from the witness.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from starter.stack import Vendors
from tests.fakes.contract import BEYOND, DOCUMENTED, Findings, check

OURS: Final = "habeas"
"""As connectors/http calls itself; other requests are a test's own, by its back door."""
OTHER_PAGES: Final = {
    "amplitude": {"user.search"},  # the Dashboard REST API
    "google": {"token"},  # OAuth 2, RFC 7523
    "stripe": {"customers.list", "customers.search", "customers.get"},  # the core API
}
"""Operations that we use and no document of ours has."""


class Watched(Vendors):
    """`Vendors`, and what its traffic comes to."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = dict.fromkeys(DOCUMENTED, 0)
        self._found: dict[str, Findings] = defaultdict(Findings)

    def reset(self, people: int = 0) -> None:
        self._look()
        super().reset(people)

    def clear_traffic(self) -> None:
        self._look()
        super().clear_traffic()

    def judged(self) -> dict[str, Findings]:
        """What came of our traffic since this was last asked, by vendor."""
        self._look()
        found, self._found = self._found, defaultdict(Findings)
        return found

    def _look(self) -> None:
        for vendor in DOCUMENTED:
            traffic: list[dict[str, Any]] = self.control("GET", f"traffic?vendor={vendor}&since={self._seen[vendor]}")
            if not traffic:
                continue
            self._seen[vendor] = traffic[-1]["number"]
            mine = [one for one in traffic if one["headers"].get("user-agent") == OURS]
            found, known = check(vendor, mine, ours=True), self._found[vendor]
            known.checked |= found.checked
            known.undocumented |= found.undocumented
            known.faults += found.faults


def differences(judged: dict[str, Findings]) -> list[str]:
    """Where traffic was not as a document says, or was of a kind that no document has and nobody has named."""
    wrong = []
    for vendor, found in judged.items():
        other = {n for n in found.undocumented if n.partition(" ")[0] in OTHER_PAGES[vendor]} | BEYOND[vendor]
        wrong += [f"{vendor}: {text}" for text in (*found.faults, *sorted(found.undocumented - other))]
    return wrong
