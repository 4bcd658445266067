"""The letters in the mailbox of customer service: some 170, all invented.

The one rule: everything follows from the customer's number, as in the shop's own tables, so each run has the same.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final

from starter.stack.vendors.seeding import shop_people

ACCOUNT: Final = "support@shop.example"
FOLDERS: Final = ("INBOX", "Sent", "Trash", "Archive/Reklamationen März")
_SOME: Final = (36, 11)
"""Of each 36 customers the eleventh has written."""
_BEGAN: Final = datetime(2025, 1, 7, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Letter:
    """One message, where it lies, and when it came."""

    folder: str
    at: datetime
    raw: bytes
    seen: bool


def letters() -> Iterator[Letter]:
    """All of them, one customer after the other."""
    every, first = _SOME
    for turn, person in enumerate(shop_people(2000)[first - 1 :: every]):
        if person["email"].isascii():
            yield from _correspondence(turn, person)


def _correspondence(turn: int, person: dict[str, Any]) -> Iterator[Letter]:
    """What one customer and the shop have written to each other; some have a namesake who writes too."""
    name, email = person["name"], person["email"]
    theirs, order = f"{name} <{email}>", f"{person['id']}1"
    number = itertools.count(1)

    def letter(folder: str, sender: str, to: str, subject: str, text: str, days: int, enclosed: str = "") -> Letter:
        at = _BEGAN + timedelta(days=5 * turn + days)
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"], message["Date"] = sender, to, subject, at
        message["Message-ID"] = f"<{person['id']}.{next(number)}@shop.example>"
        message.set_content(text)
        if enclosed:
            message.add_attachment(enclosed, filename=f"receipt {order}.txt")
            message.set_boundary(f"=-{order}")
        return Letter(folder, at, message.as_bytes(), seen=folder != FOLDERS[-1])

    where = f"Order {order}: where is it?"
    ask = f"Hello,\n\nI am waiting for order {order}. You can call me on {person['phone']}.\n\n{name}\n"
    told = f"Dear {name},\n\nit was handed to the parcel service this morning.\n\nCustomer service\n"
    yield letter("INBOX", theirs, ACCOUNT, where, ask, 0, f"Receipt {order}\n{name}, {email}\n")
    yield letter("Sent", ACCOUNT, email.upper(), f"Re: {where}", told, 1)
    if turn % 3:
        broken = f"Dear shop,\n\nthe lamp came broken.\n\n{name}\n{email}\n"
        yield letter(FOLDERS[-1], theirs, ACCOUNT, "The lamp is broken", broken, 2)
        yield letter("Trash", theirs, ACCOUNT, "Thank you", f"It works now. {name}\n", 9)
    if turn % 17 == 11:
        # Somebody else, whose address ends alike: an engine that looks for a part of a text takes this letter too.
        yield letter("INBOX", f"not-{email}", ACCOUNT, "Delivery", "Hello,\n\ndo you deliver to Ulm?\n", 4)
