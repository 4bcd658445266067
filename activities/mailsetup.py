"""The deployment's mail: where letters are handed in, and where reports come back.

The one rule: without it nothing is sent, and what would have been is a person's task.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from activities.reports import Mailbox
from activities.smtp import MailServer

LIFE: Final = timedelta(days=14)
"""How long after it was sent a letter may still come back; servers give up after five days, few after more."""


@dataclass(frozen=True)
class Mail:
    """What the settings say of it."""

    server: MailServer
    mailbox: Mailbox | None = None
    per_minute: int = 600
    patience: timedelta = timedelta(minutes=15)
    """How long the copy of a mail whose sending was cut off is looked for before a person is asked."""
    read_every: timedelta = timedelta(minutes=5)
