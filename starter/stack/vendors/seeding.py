"""The people that the fake starts with: the first customers of the demo's shop, number for number.

The one rule: everything follows from the shop's customer id, by rules that the shop's own database can
repeat in SQL, so that its rows and the vendors' records point at each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

VENDORS: Final = ("google", "amplitude", "mailchimp", "zendesk", "stripe")


def _words(text: str) -> list[str]:
    return text.split()


# As in starter/demo/shop.sql.
_FIRST: Final = _words(
    "Anna Ben Clara David Elif Felix Greta Hugo Ines Jürgen Karin Lars Mina Noah Olga Pavel Rosa Samir Tessa Umut "
    "Vera Wim Xenia Yusuf Zoë Amir Bianca Cem Dora Emil Fatma Gil Hanna Ivan Jana Kofi Lea Marek Nora Otto "
    "Petra Quinn Rafael Sofia Timo Ute Viktor Wanda Yara Zeno"
)
_LAST: Final = _words(
    "Adler Berg Castell Demir Engel Fontaine Gruber Hansen Ivanov Jansen Keller Lindner Moreau Nowak Okafor Peeters "
    "Quandt Rossi Sørensen Tanaka Ulrich Vogel Weiss Yilmaz Zimmer Abels Brandt Conti Dubois Ebert Fischer Garcia "
    "Hoffmann Ito Jung Kovač Larsson Meyer Novak Ortega Pohl"
)
_PLAIN: Final = str.maketrans("üëøč", "ueoc")
_OPENED: Final = datetime(2012, 3, 1, 8, tzinfo=UTC)


def shop_people(count: int) -> list[dict[str, Any]]:
    """The shop's customers 1 to `count` (at most 2,000), as `/_control/seed` takes them."""
    return [_shop_person(number) for number in range(1, min(count, 2000) + 1)]


def completed(person: Mapping[str, Any]) -> dict[str, Any]:
    """The person with everything filled in that was not given; only `id` or `email` is needed.

    Keys: id, email, name, phone, joined (ISO date), vendors (which know the person), stripe_id,
    amplitude_id, zendesk_id, client_id, events, lists, subscribed, tickets, open_tickets, charges,
    active_subscription, pending_payment.

    Raises:
        ValueError: neither id nor email is given.
    """
    if not person.get("id") and not person.get("email"):
        raise ValueError("A person needs an id or an email.")
    known = {name: value for name, value in person.items() if value is not None}
    number = number_of(str(known.get("id") or known["email"]))
    known.setdefault("id", str(number))
    ident = known["id"] = str(known["id"])
    known.setdefault("email", f"person.{ident}@example.org")
    known.setdefault("name", known["email"].partition("@")[0].replace(".", " ").title())
    defaults: dict[str, Any] = {
        "phone": f"+49 30 {1_000_000 + number * 4391 % 9_000_000:07d}",
        "joined": "2020-01-01",
        "vendors": list(VENDORS),
        "stripe_id": stripe_id(ident),
        "amplitude_id": 300_000_000_000 + number,
        "zendesk_id": 900_000_000_000 + number,
        "client_id": f"{1_000_000_000 + number}.{1_500_000_000 + number}",
        "events": 6 + number % 5,
        "lists": ["newsletter", "loyalty"] if number % 2 else ["newsletter"],
        "subscribed": True,
        "tickets": 1 + number % 3,
        "open_tickets": 0,
        "charges": 1 + number % 3,
        "active_subscription": False,
        "pending_payment": False,
    }
    return defaults | known


def stripe_id(ident: str) -> str:
    """The Stripe customer of a shop customer; in SQL: 'cus_' || substr(md5('stripe' || id), 1, 14)."""
    return "cus_" + token("stripe", ident, 14)


def token(kind: str, ident: object, length: int) -> str:
    """Letters and digits that look random and follow from their arguments."""
    return hashlib.md5(f"{kind}{ident}".encode(), usedforsecurity=False).hexdigest()[:length]


def number_of(ident: str) -> int:
    """The id itself where it is a number; else one of nine digits that follows from it."""
    return int(ident) if ident.isdecimal() and len(ident) < 10 else int(token("number", ident, 12), 16) % 10**9


def _shop_person(number: int) -> dict[str, Any]:
    name = f"{_FIRST[number % 50]} {_LAST[number // 50]}"
    local = name.replace(" ", ".")
    local = local if number % 7 == 1 else local.lower().translate(_PLAIN)
    return completed(
        {
            "id": str(number),
            "email": f"{local}@example.org",
            "name": name,
            "phone": f"+49 30 {1_000_000 + number * 4391:07d}",
            "joined": (_OPENED + timedelta(hours=31 * number)).date().isoformat(),
            "open_tickets": int(number % 10 == 7),
            "active_subscription": number % 12 == 5,
            "pending_payment": number % 15 == 4,
        }
    )
