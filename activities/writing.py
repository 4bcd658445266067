"""What a letter says, at the moment it is sent.

The one rule: a letter is written from what the ledger holds and from nothing a workflow remembers.
"""

from collections.abc import Callable
from datetime import datetime

from activities.mails import Written
from activities.tools import Tools
from ledger.letters import Letter

Write = Callable[[Letter, datetime], Written | None]
"""The letter; None where it cannot be written, because something it must say is missing."""


class Writer:
    """Writes the letters of one worker."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def write(self, letter: Letter, as_of: datetime) -> Written | None:
        """The letter; None where it cannot be written, because something it must say is missing."""
        raise NotImplementedError
