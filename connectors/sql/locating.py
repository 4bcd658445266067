"""Looking for many people at once: one transaction, and the questions about all of them sent without waiting.

The one rule: each person's answer is the one that `locate` gives; what goes wrong with one is said of that one.
"""

from collections.abc import Sequence
from itertools import groupby, islice
from typing import Final

from connectors.errors import ConnectorError
from connectors.protocol import Call, Look
from connectors.sql.asking import Asking
from connectors.sql.look import sight_of
from connectors.sql.programme import Programme
from connectors.sql.server import Mode
from connectors.sql.session import Database
from connectors.sql.steps import Steps
from rights.codes import Code

AT_ONCE: Final = 100
"""People whose answers are held before they are read: more would cost memory, and save next to nothing."""


class Locating:
    """The one database that many are looked for in."""

    def __init__(self, asking: Asking, reader: Database) -> None:
        self._asking, self._reader = asking, reader

    def locate_many(self, calls: Sequence[Call]) -> list[Look | ConnectorError]:
        """Look for each, in one transaction and so at one moment.

        Raises:
            ConnectorError: Retryable, UNREACHABLE: the database is away, for all of them.
        """
        answers: dict[int, Look | ConnectorError] = {}
        programmes: dict[int, Programme] = {}
        for number, call in enumerate(calls):
            try:
                programme = self._asking.explained(self._reader, lambda call=call: self._programme(call))  # type: ignore[misc]
            except ConnectorError as error:
                if error.code is Code.UNREACHABLE:
                    raise
                answers[number] = error
            else:
                programmes[number] = programme
        answers |= self._answers(calls, programmes)
        return [answers[number] for number in range(len(calls))]

    def _answers(
        self, calls: Sequence[Call], programmes: dict[int, Programme]
    ) -> dict[int, Look] | dict[int, Look | ConnectorError]:
        try:
            return self._asking.explained(self._reader, lambda: self._looks(calls, programmes))
        except ConnectorError as error:
            if error.code is Code.UNREACHABLE:
                raise
        alone: dict[int, Look | ConnectorError] = {}
        for number, programme in programmes.items():
            one = {number: programme}
            try:
                alone |= self._asking.explained(self._reader, lambda one=one: self._looks(calls, one))  # type: ignore[misc]
            except ConnectorError as error:
                alone[number] = error
        return alone

    def _programme(self, call: Call) -> Programme:
        programme = self._asking.programme(self._reader, call)
        if isinstance(programme, Steps):
            raise RuntimeError("many are looked for where one statement is a whole look")
        return programme

    def _looks(self, calls: Sequence[Call], programmes: dict[int, Programme]) -> dict[int, Look]:
        if not programmes:
            return {}
        looks: dict[int, Look] = {}
        waiting = iter(programmes.items())
        first = calls[next(iter(programmes))]
        with self._reader.transaction(Mode.LOOK, first.session, "{}") as session:
            while some := dict(islice(waiting, AT_ONCE)):
                first.beat()
                for made, numbers in groupby(some, key=some.__getitem__):
                    asked = list(numbers)
                    rows = session.each(made.look, [made.document(calls[number]) for number in asked])
                    for number, row in zip(asked, rows, strict=True):
                        sight = sight_of(made.scope, row)
                        looks[number] = sight.look(calls[number], sight.tally(calls[number].work))
            session.commit()
        return looks
