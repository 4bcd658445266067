"""A bounded look at values, for what names do not tell.

The one rule: no value leaves this module, not in a reason, a log or an error; what comes out is a category and a share.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Select, Text, cast, column, func, select
from sqlalchemy import table as sql_table

from connectors.sql.discovery.categories import Guess
from connectors.sql.discovery.schema import TableFacts

ROWS: Final = 200
"""Rows looked at of each table: enough to tell a column of addresses from a column of notes."""
LONGEST: Final = 120
"""Characters of each value that are read; no address or number is longer."""
_LEAST: Final = 5
"""Fewer values say nothing."""
_SHARE: Final = 0.6
"""Of the values of a column, how many have to look alike. Real columns hold empty and wrong ones too."""


def _digits(text: str) -> str:
    return re.sub(r"[ .()/-]", "", text)


def _iban(text: str) -> bool:
    plain = re.sub(r"[ -]", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _card(text: str) -> bool:
    plain = _digits(text)
    if not re.fullmatch(r"[3-6]\d{12,18}", plain):
        return False
    doubled = [int(c) * (1 + number % 2) for number, c in enumerate(reversed(plain))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


_LOOKS: Final[tuple[tuple[str, str, Callable[[str], bool]], ...]] = (
    ("user.contact.email", "e-mail addresses", lambda t: bool(re.fullmatch(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}", t))),
    ("user.financial.bank_account", "IBANs", _iban),
    ("user.financial.credit_card", "card numbers", _card),
    (
        "user.device.ip_address",
        "addresses of a network",
        lambda t: bool(re.fullmatch(r"(\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4}(:[0-9a-f]{0,4}){3,7}", t.lower())),
    ),
    (
        "user.contact.phone_number",
        "telephone numbers",
        lambda t: bool(re.fullmatch(r"(\+|00?)[1-9]\d{6,13}", _digits(t))) and len(_digits(t)) > 7,
    ),
)


def sample(
    ask: Callable[[Select[Any]], list[Any] | None], tables: Iterable[TableFacts], progress: Callable[[int], None]
) -> dict[tuple[str, str], dict[str, Guess]]:
    """What the values of text columns look like. `ask` runs a query; None if that takes too long: then the table is
    passed over."""
    found: dict[tuple[str, str], dict[str, Guess]] = {}
    for number, facts in enumerate(tables):
        progress(number)
        texts = [c.name for c in facts.columns.values() if c.kind == "text" and not c.generated]
        if not texts:
            continue
        own = sql_table(facts.name[1], *map(column, (*texts, *facts.key)), schema=facts.name[0])
        read = [func.substr(cast(own.c[name], Text), 1, LONGEST) for name in texts]
        query = select(*read).order_by(*(own.c[name] for name in facts.key)).limit(ROWS)
        rows = ask(query)
        if rows is None:
            continue
        seen = {name: guess for at, name in enumerate(texts) if (guess := _looks([row[at] for row in rows]))}
        if seen:
            found[facts.name] = seen
    return found


def _looks(values: Sequence[str | None]) -> Guess | None:
    given = [value.strip() for value in values if value and value.strip()]
    if len(given) < _LEAST:
        return None
    counts = Counter(next((at for at, (*_, fits) in enumerate(_LOOKS) if fits(value)), -1) for value in given)
    at, count = max(
        ((at, count) for at, count in counts.items() if at >= 0), key=lambda found: found[1], default=(-1, 0)
    )
    if count < _SHARE * len(given):
        return None
    category, plural, _ = _LOOKS[at]
    return Guess(category, f"its values look like {plural}")
