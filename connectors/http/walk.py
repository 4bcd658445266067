"""The steps of a vendor file taken, one after another, and the entries that they find.

The one rule: nothing is left out. A list longer than the file expects, or an answer without the list that the file
names, stops the walk and asks a person.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from connectors.errors import NeedsHuman
from connectors.http.exchange import Exchange
from connectors.http.steps import Call, Each, Step, UntilEmpty
from connectors.http.template import MissingError, Scope, typed
from connectors.protocol import Call as StepCall
from rights.codes import Code

Saved = dict[str, Any]


def walk(
    exchange: Exchange, call: StepCall, steps: Sequence[Step], scope: Scope, saved: Saved, where: str
) -> Iterator[Any]:
    """Take the steps, and give the entries found, page by page. `saved` takes what they save.

    Raises:
        Retryable, NeedsHuman: of the step that stopped it.
    """
    for number, step in enumerate(steps):
        place = f"{where}[{number}]"
        here = {**scope, "saved": saved}
        if isinstance(step, Call):
            yield from _called(exchange, call, step, here, saved, place)
        elif isinstance(step, Each):
            yield from _each(exchange, call, step, here, saved, place)
        elif isinstance(step, UntilEmpty):
            yield from _until_empty(exchange, call, step, here, saved, place)


def _called(exchange: Exchange, call: StepCall, step: Call, scope: Scope, saved: Saved, where: str) -> Iterator[Any]:
    fresh: Saved = {}
    for answer in exchange.pages(call, step, scope, where):
        if answer.absent:
            continue
        for name, value in exchange.saved(step, answer, scope, where).items():
            # The lists of a long answer's pages are one list.
            joined = isinstance(value, list) and isinstance(fresh.get(name), list)
            fresh[name] = fresh[name] + value if joined else value
        if step.rows is not None:
            entries = exchange.found(step.rows, answer.body, scope, f"{where}.rows")
            if not isinstance(entries, list):
                _misfit(f"{where}.rows")
            yield from entries
    saved.update(fresh)


def _each(exchange: Exchange, call: StepCall, step: Each, scope: Scope, saved: Saved, where: str) -> Iterator[Any]:
    for item in _list(step, scope, where):
        place = item if isinstance(item, Mapping) else {"value": item}
        yield from walk(exchange, call, step.steps, {**scope, step.as_: place}, saved, f"{where}.steps")


def _list(step: Each, scope: Scope, where: str) -> list[Any]:
    try:
        items = typed(step.each, scope)
    except MissingError:
        items = None
    if not isinstance(items, list):
        _misfit(f"{where}.each")
    if len(items) > step.most:
        raise NeedsHuman(Code.TOO_LARGE, f"{where}.most")
    return items


def _until_empty(
    exchange: Exchange, call: StepCall, step: UntilEmpty, scope: Scope, saved: Saved, where: str
) -> Iterator[Any]:
    for _ in range(step.most):
        saved.pop(step.until_empty, None)
        for number, inner in enumerate(step.steps):
            yield from walk(exchange, call, [inner], scope, saved, f"{where}.steps[{number}]")
            if saved.get(step.until_empty) == []:
                return
        if step.until_empty not in saved:
            _misfit(f"{where}.until_empty")
    raise NeedsHuman(Code.TOO_LARGE, f"{where}.most")


def _misfit(where: str) -> NoReturn:
    raise NeedsHuman(Code.SHAPE, where)
