"""The demo's own check of the shop: a full dump before and after, and the parcel against our own queries.

The one rule: nothing of the engine is used, neither its connections, nor its data map, nor its counts. What belongs to
a person, and what tax law keeps of it, is written here a second time, by hand, in SQL.
"""

import json
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

Row = dict[str, Any]
Dump = dict[str, dict[str, Row]]
"""All rows of all tables: by table, then by primary key as text."""
Connection = psycopg.Connection[tuple[Any, ...]]

_OWN: Final[dict[str, LiteralString]] = {
    "customers": "SELECT id FROM customers WHERE lower(email) = lower(%s)",
    "addresses": "SELECT a.id FROM addresses a JOIN customers c ON c.id = customer_id WHERE lower(email) = lower(%s)",
    "orders": "SELECT o.id FROM orders o JOIN customers c ON c.id = customer_id WHERE lower(email) = lower(%s)",
    "order_items": "SELECT i.id FROM order_items i JOIN orders o ON o.id = order_id "
    "JOIN customers c ON c.id = customer_id WHERE lower(email) = lower(%s)",
    "payments": "SELECT p.id FROM payments p JOIN orders o ON o.id = order_id "
    "JOIN customers c ON c.id = customer_id WHERE lower(email) = lower(%s)",
    "support_messages": "SELECT m.id FROM support_messages m JOIN customers c ON c.id = customer_id "
    "WHERE lower(email) = lower(%s)",
    "sessions": "SELECT s.id FROM sessions s JOIN customers c ON c.id = customer_id WHERE lower(email) = lower(%s)",
    "newsletter": "SELECT email FROM newsletter WHERE lower(email) = lower(%s)",
}
_TAX_YEARS: Final = 10
_DATED: Final = {"orders": "placed_at", "order_items": "added_at", "payments": "paid_at"}
"""What tax law keeps, and the date that counts."""
_ANONYMOUS: Final = re.compile(r"anonymous-[0-9a-f]{8,32}(@invalid)?")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    ok: bool
    said: str


@dataclass(frozen=True)
class Person:
    """Somebody of the shop: what they would give as identity, and the values by which they would be recognised."""

    email: str
    traits: tuple[str, ...]
    own: Mapping[str, frozenset[str]]
    """Per table, the keys of their rows."""
    photos: frozenset[str] = frozenset()
    """What they sent in, by its key in the bucket."""

    @property
    def marks(self) -> frozenset[str]:
        """What tells in other systems that something is theirs: address in small letters, customer number, photos."""
        return frozenset({self.email.casefold(), *self.own.get("customers", ()), *self.photos})


def connect(conninfo: str) -> Connection:
    """A connection of the check's own."""
    return psycopg.connect(conninfo, autocommit=True, options="-c TimeZone=UTC")


def dump(connection: Connection) -> Dump:
    """Every row of every table of the shop, as of one moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return {table: _rows(connection, table) for table in _tables(connection)}


def _tables(connection: Connection) -> list[str]:
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    return [name for (name,) in found]


def _rows(connection: Connection, table: str) -> dict[str, Row]:
    name = sql.Identifier(table)
    (key,) = connection.execute(
        "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] "
        "WHERE indrelid = %s::regclass AND indisprimary",
        [table],
    ).fetchone() or ("",)
    query = sql.SQL("SELECT {}::text, row_to_json(t) FROM {} AS t").format(sql.Identifier(key), name)
    return dict(connection.execute(query).fetchall())


def person(connection: Connection, email: str) -> Person:
    """Who has this e-mail address, and which rows are theirs."""
    row = connection.execute(
        "SELECT email, full_name, phone, array(SELECT street FROM addresses WHERE customer_id = c.id) "
        "FROM customers AS c WHERE lower(email) = lower(%s)",
        [email],
    ).fetchone()
    if row is None:
        raise LookupError("the shop does not know this customer")
    own = {table: frozenset(str(key) for (key,) in connection.execute(query, [email])) for table, query in _OWN.items()}
    photos = connection.execute(
        "SELECT photo FROM support_messages m JOIN customers c ON c.id = customer_id "
        "WHERE lower(email) = lower(%s) AND photo IS NOT NULL",
        [email],
    ).fetchall()
    return Person(email, (row[0], row[1], row[2], *row[3]), own, frozenset(key for (key,) in photos))


# An erasure.


def check_erasure(before: Dump, after: Dump, who: Person, today: datetime) -> Iterator[Finding]:
    """Whether exactly this person's rows went, and of those that tax law keeps exactly the right fields."""
    stay = _staying(before, who, today)
    wrong: Counter[str] = Counter()
    gone = kept = others = 0
    for table, rows in before.items():
        for key, row in rows.items():
            there = after.get(table, {}).get(key)
            if key not in who.own.get(table, ()):
                others += 1
                wrong[f"{table}: a row of somebody else changed"] += there != row
            elif key in stay.get(table, ()):
                kept += 1
                wrong[f"{table}: a row that tax law keeps is gone"] += there is None
                wrong[f"{table}: a kept row is not as it should be"] += there is not None and not _stripped(
                    table, row, there
                )
            else:
                gone += 1
                wrong[f"{table}: a row of the person is left"] += there is not None
    for table, rows in after.items():
        wrong[f"{table}: a row has appeared"] += len(rows.keys() - before.get(table, {}).keys())
    problems = [f"{what} ({number})" for what, number in wrong.items() if number]
    yield from (Finding(False, problem) for problem in problems)
    if not problems:
        yield Finding(True, f"database: {gone} rows of the person gone, {others:,} rows of everybody else the same")
        yield Finding(True, f"database: {kept} rows that have to stay hold nothing but what tax law asks for")


def _staying(before: Dump, who: Person, today: datetime) -> dict[str, set[str]]:
    """Which of the person's rows tax law keeps, and which rows those point to."""
    stay: dict[str, set[str]] = {}
    for table, column in _DATED.items():
        stay[table] = {
            key
            for key in who.own[table]
            if _moment(before[table][key][column]).year + _TAX_YEARS >= today.astimezone(UTC).year
        }
    for table in ("order_items", "payments"):
        stay["orders"] |= {str(before[table][key]["order_id"]) for key in stay[table]}
    orders = [before["orders"][key] for key in stay["orders"]]
    stay["addresses"] = {str(order["shipping_address_id"]) for order in orders}
    stay["customers"] = {str(order["customer_id"]) for order in orders}
    return stay


def _stripped(table: str, row: Row, there: Row) -> bool:
    """Whether a row that stayed lost what it had to lose and nothing else."""
    email = str(there.get("email", ""))
    emptied: dict[str, Row] = {
        "customers": {
            "email": email if _ANONYMOUS.fullmatch(email) else None,
            "full_name": "erased",
            "phone": None,
            "birth_date": None,
            "password_hash": "",
            "marketing_opt_in": False,
            "created_at": f"{str(row.get('created_at'))[:4]}-01-01T00:00:00+00:00",
        },
        "addresses": {"street": None, "city": None, "postal_code": str(row.get("postal_code"))[:2]},
        "orders": {"note": None},
        "order_items": {"gift_message": None},
        "payments": {"card_last4": None, "billing_name": "erased"},
    }
    return there == {**row, **emptied[table]}


def check_traces(connection: Connection, who: Person, where: str) -> Finding:
    """Whether any text of any table still holds something by which the person would be recognised."""
    found = []
    for table in _tables(connection):
        query = sql.SQL("SELECT count(*) FROM {} AS t WHERE t::text ILIKE ANY (%s)").format(sql.Identifier(table))
        patterns = [f"%{trait}%" for trait in who.traits]
        (number,) = connection.execute(query, [patterns]).fetchone() or (0,)
        if number:
            found.append(f"{table} ({number})")
    if found:
        return Finding(False, f"{where}: the person's e-mail, name, phone or street is in {', '.join(found)}")
    return Finding(True, f"{where}: no table holds their e-mail, name, phone or street in any text")


def check_log(path: Path, people: Iterable[Person]) -> Finding:
    """Whether a log names anybody."""
    text = path.read_text(errors="replace").lower()
    if any(trait.lower() in text for who in people for trait in who.traits):
        return Finding(False, f"the log {path.name} names a person")
    return Finding(True, "the worker's log names nobody")


# An access.


def check_access(before: Dump, after: Dump, who: Person, parcel: Path) -> Iterator[Finding]:
    """Whether the parcel holds exactly this person's rows, and looking changed none of them."""
    touched = [t for t, keys in who.own.items() if any(before[t][k] != after[t].get(k) for k in keys)]
    if touched:
        yield Finding(False, f"the access request changed rows of {', '.join(touched)}")
    given = _lines(parcel)
    wrong = [
        table
        for table, keys in who.own.items()
        if not _same_rows(given.get(table, []), [before[table][k] for k in keys])
    ]
    wrong += sorted(given.keys() - who.own.keys())
    if wrong:
        yield Finding(False, f"the parcel's rows of {', '.join(wrong)} are not what our own query finds")
    else:
        rows = sum(map(len, given.values()))
        yield Finding(True, f"parcel: the {rows} rows that our own queries find in the shop, nothing of anybody else")
    yield _bag(parcel)


def _lines(parcel: Path) -> dict[str, list[Row]]:
    """The shop's rows in a parcel, by collection."""
    rows: dict[str, list[Row]] = {}
    with zipfile.ZipFile(parcel) as bag:
        for name in bag.namelist():
            if "/data/shop/" in name and name.endswith(".jsonl"):
                rows[Path(name).stem] = [json.loads(line) for line in bag.read(name).splitlines()]
    return rows


def _same_rows(given: list[Row], own: list[Row]) -> bool:
    """Whether two sets of rows are the same, but for the fields that nobody is given."""
    return Counter(map(_canonical, given)) == Counter(
        _canonical({name: value for name, value in row.items() if name != "password_hash"}) for row in own
    )


def _canonical(row: Row) -> str:
    return json.dumps({name: _plain(value) for name, value in row.items()}, sort_keys=True)


def _plain(value: Any) -> Any:
    """A value in one spelling: a moment may be written in any zone."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:", value):
        return _moment(value).isoformat()
    return value


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _bag(parcel: Path) -> Finding:
    """Whether the independent `bagit` package calls the parcel valid."""
    try:
        import bagit
    except ImportError:
        return Finding(True, "the package bagit is not installed, so the parcel's digests were not compared")
    with tempfile.TemporaryDirectory(prefix="habeas-bag-") as folder:
        with zipfile.ZipFile(parcel) as bag:
            bag.extractall(folder)
        (inside,) = Path(folder).iterdir()
        valid = bagit.Bag(str(inside)).is_valid()
    return Finding(valid, f"parcel: the independent package bagit calls it {'valid' if valid else 'broken'}")
