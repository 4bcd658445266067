"""What compliance asks most, as filtered lists of the Temporal Web UI.

The one rule: a list's filter knows no relative dates, so each is worked out at the moment of asking; and nothing that
was typed reaches a query but a number or a word from a closed list.
"""

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from rights.codes import Code
from rights.regimes import SHIPPED
from rights.value import Value
from settings import Settings

LONGEST: Final = 366
"""Days ahead that can be asked for."""
HOLDS: Final = (Code.HOLD, Code.LEGAL_HOLD)
"""What a request waits on while something keeps its data."""


class Question(StrEnum):
    """What is asked; also the last part of the address."""

    DUE = "due"
    OVERDUE = "overdue"
    WAITING = "waiting"
    HELD = "held"
    REGIME = "regime"


ABOUT: Final = {
    Question.DUE: "the date worked towards comes within so many days, or is past",
    Question.OVERDUE: "past the date by law",
    Question.WAITING: "waiting on a person, or on one thing",
    Question.HELD: "stopped by a hold",
    Question.REGIME: "under one law",
}


class ListError(ValueError):
    """A list cannot be made as asked; the text says what to write instead."""


class Lists(Value):
    """The lists of one tenant in one namespace."""

    ui: str
    """The Web UI's address."""
    namespace: str
    tenant: str
    zone: str
    """Whose days are counted."""

    def link(self, query: str) -> str:
        """The address of the list that a query makes."""
        path = f"/namespaces/{quote(self.namespace, safe='')}/workflows"
        return f"{self.ui.rstrip('/')}{path}?{urlencode({'query': query}, quote_via=quote)}"

    def due(self, days: int, now: datetime) -> str:
        """Open requests to be answered by the end of the day so many days ahead.

        Raises:
            ListError: no such number of days.
        """
        if not 0 <= days <= LONGEST:
            raise ListError(f"days is a number from 0 to {LONGEST}")
        tz = ZoneInfo(self.zone)
        day = now.astimezone(tz).date() + timedelta(days=days + 1)
        return self._open(f'HabeasDueAt < "{_instant(datetime.combine(day, time(0), tz))}"')

    def overdue(self, now: datetime) -> str:
        """Open requests past their date by law; also true of the list while no worker moves a bucket."""
        return self._open(f'HabeasLegalDueAt < "{_instant(now)}"')

    def waiting(self, on: str = "") -> str:
        """Open requests that wait on a person, or on the one thing that a code names.

        Raises:
            ListError: no such code.
        """
        if not on:
            return self._open("HabeasWaitingOn IS NOT NULL")
        if on not in set(Code):
            raise ListError("on is a code that docs/running.md lists, such as identity, approval or hold")
        return self._open(f'HabeasWaitingOn = "{Code(on)}"')

    def held(self) -> str:
        """Open requests that a hold has stopped."""
        return self._open(f"HabeasWaitingOn IN ({', '.join(f'{chr(34)}{code}{chr(34)}' for code in HOLDS)})")

    def regime(self, name: str) -> str:
        """Open requests under one law.

        Raises:
            ListError: no such law.
        """
        if name not in SHIPPED:
            raise ListError("there is no law of that name here: habeas deadline --list shows all")
        return self._open(f'HabeasRegime = "{name}"')

    def _open(self, and_: str) -> str:
        return f'ExecutionStatus = "Running" AND HabeasTenant = "{self.tenant}" AND {and_}'


def lists_of(settings: Settings) -> Lists | None:
    """The lists of a deployment; None where it does not say where the Web UI is."""
    if settings.temporal_ui is None:
        return None
    return Lists(
        ui=settings.temporal_ui, namespace=settings.temporal_namespace, tenant=settings.tenant, zone=settings.zone
    )


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
