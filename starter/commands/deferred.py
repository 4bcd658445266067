"""`habeas hold deferred`, and what systems hold by themselves: what stays for a time, and who keeps it.

The one rule: names of the map, numbers and days; nothing of a person, and nothing of why a hold is.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starter.commands.options import Json

if TYPE_CHECKING:
    from ledger.ledger import Ledger
    from rights.deferred import SystemHold
    from starter.show import Page


def deferred(as_json: Json = False) -> None:
    """List what answered erasures have left, and come back to by themselves or are asked about.

    Example: habeas hold deferred
    """
    from rights.deferred import held_by_systems
    from starter.desk import desk
    from starter.show import Cell, Page, answer, day, minute

    with desk() as at:
        found = at.ledger.deferrals()
        theirs = {one.request_id: held_by_systems(at.ledger.receipts(one.request_id)) for one in found}
        page = Page()
        for one in found:
            until = f", not before {minute(one.not_before, at.zone)}" if one.not_before else ""
            why = ", a hold is in force" if one.held else ""
            asks = f", asked about on {day(one.ask_at, at.zone)} (habeas rest)" if one.ask_at else ""
            page.line(Cell(f"request {one.request_id}: {', '.join(one.systems)}{until}{why}{asks}", "warn"))
            for held in theirs[one.request_id]:
                page.line(f"{held.system} itself: {held.ground}, until {held.until or 'nobody knows'}", indent=2)
        if not found:
            page.line(Cell("nothing is left that is come back to", "good"))
        body = [
            one.model_dump(mode="json")
            | {"of_systems": [held.model_dump(mode="json") for held in theirs[one.request_id]]}
            for one in found
        ]
        answer({"deferred": body}, page, as_json=as_json)


def held_by_systems_of(ledger: "Ledger") -> "dict[str, tuple[SystemHold, ...]]":
    """What systems hold by themselves, by the request that met it: of those that wait for it, open or answered."""
    from rights.codes import Code
    from rights.deferred import held_by_systems

    waiting = [task.request_id for task in ledger.tasks() if task.code == Code.LEGAL_HOLD]
    asked = dict.fromkeys((*waiting, *(one.request_id for one in ledger.deferrals())))
    found = {request: held_by_systems(ledger.receipts(request)) for request in asked}
    return {request: held for request, held in found.items() if held}


def listed(theirs: "Mapping[str, tuple[SystemHold, ...]]") -> list[dict[str, Any]]:
    """The same as JSON."""
    return [{"request_id": request, **one.model_dump(mode="json")} for request, held in theirs.items() for one in held]


def add_system_holds(page: "Page", theirs: "Mapping[str, tuple[SystemHold, ...]]") -> None:
    """The same on a page, below our own holds."""
    from starter.show import Cell

    if theirs:
        page.grid(
            ("system holds", "ground", "records", "until", "request"),
            (
                (
                    Cell(f"{one.system}.{one.collection}", "strong"),
                    one.ground,
                    str(one.rows),
                    str(one.until or "nobody knows"),
                    request,
                )
                for request, held in theirs.items()
                for one in held
            ),
        )
