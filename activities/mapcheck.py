"""The data map compared with its systems, all of them, as `habeas map check --live` does for somebody who asks.

The one rule: a system that cannot be asked is a finding; the others are compared all the same.
"""

from collections.abc import Iterator
from typing import Final

import structlog
from temporalio import activity

from activities.tools import Tools
from activities.upkeep import Round
from connectors.finding import found_in
from connectors.traits import Checks
from rights.advice import advice
from rights.mapcheck import Found, MapCheck, Severity
from rights.value import Value

LOGGED: Final = 50
"""New findings that the log names one by one; a map that was forgotten for a year has thousands."""

log = structlog.get_logger()


class Checked(Value):
    """What came of a comparison, in numbers."""

    errors: int
    warnings: int
    notes: int
    new: int


class MapCheckActivities:
    """The work of the `map-check` workflow."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="check-map", no_thread_cancel_exception=True)
    def check(self, round: Round) -> Checked:
        """Compare this worker's map with every system, keep what was found, and log what is new in it."""
        tools = self._tools
        check = MapCheck(
            at=round.as_of,
            digest=tools.data_map.digest,
            systems=len(tools.data_map.systems),
            found=tuple(self._found()),
        )
        new = check.new_since(tools.ledger.keep_map_check(check))
        numbers = check.numbers
        log.info("map_checked", systems=check.systems, **numbers, new=len(new))
        for one in new[:LOGGED]:
            log.warning("map_finding", system=one.system, severity=str(one.severity), code=one.code)
        return Checked(errors=numbers["error"], warnings=numbers["warning"], notes=numbers["note"], new=len(new))

    def _found(self) -> Iterator[Found]:
        for said in advice(self._tools.data_map):
            yield Found(system=said.system, severity=Severity.WARNING, code=said.code, what=said.what, todo=said.todo)
        for name, connector in self._tools.connectors.items():
            activity.heartbeat()
            if isinstance(connector, Checks):
                yield from _asked(name, connector)


def _asked(name: str, connector: Checks) -> tuple[Found, ...]:
    try:
        return found_in(name, connector)
    except Exception as error:  # noqa: BLE001 - the other systems are compared all the same; its text may quote data
        log.error("map_check_unforeseen", system=name, error=type(error).__qualname__)
        what = f"it could not be compared: {type(error).__qualname__}, which nobody foresaw"
        todo = "see the log of the worker, and report it"
        return (Found(system=name, severity=Severity.ERROR, code="unforeseen", what=what, todo=todo),)
