"""What becomes of a field in a row that stays, as SQL: the forms of `connectors.strategies`, made by the database.

The one rule: whatever is written can be recognised later without knowing what stood there before. A column whose type
has no room for such a form is refused before anything is changed.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    LargeBinary,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    not_,
    null,
)

from connectors.errors import NeedsHuman
from connectors.sql.catalogue import Column, Family
from connectors.sql.values import PADS, given
from rights.codes import Code
from rights.datamap import Strategy
from rights.plan import Write

Sql = ColumnElement[Any]

DIGITS: Final = 32
"""Hexadecimal digits of an anonymous value or a pseudonym: 128 bits."""
LEAST: Final = 8
"""Fewer digits than this, in a short column, would soon give two people the same value."""
ADDRESS: Final = "@invalid"
"""Ends a value that takes an e-mail address's place (RFC 2606): it looks like one and leads nowhere."""
ANONYMOUS_UUID: Final = "616e6f6e"
"""How an anonymous UUID begins: "anon" in ASCII."""
_TEXTS: Final = frozenset({Family.TEXT, Family.CITEXT})
_UNITS: Final = frozenset({"year", "month", "decade"})


def dirty(column: Column, write: Write, value: Sql) -> Sql:
    """Whether a field still holds something that its strategy is to take away; never NULL.

    Raises:
        NeedsHuman: SCHEMA: the strategy cannot be carried out on this column.
    """
    if column.generated:
        raise NeedsHuman(Code.SCHEMA, f"{column.about} (generated)")
    match write.strategy:
        case Strategy.NULL:
            return value.is_not(None)
        case Strategy.CONSTANT:
            if column.family in {Family.JSON, Family.OTHER}:  # not all of them know equality
                kept = cast(cast(literal(str(write.value), Text), column.type), Text)
                return _surely(cast(value, Text) != kept)
            return _surely(value != cast(literal(_constant(write), Text), column.type))
        case Strategy.GENERALISE:
            return and_(value.is_not(None), value.is_distinct_from(_general(column, write, value)))
        case Strategy.ANONYMISE if column.family is Family.UUID:
            return _surely(not_(cast(value, Text).like(f"{ANONYMOUS_UUID}-%")))
        case Strategy.ANONYMISE | Strategy.PSEUDONYM:
            _room(column, write)
            pattern = f"^{_word(write)}-[0-9a-f]{{{LEAST},{DIGITS}}}({ADDRESS})?$"
            return _surely(not_(cast(value, Text).regexp_match(pattern)))
    raise NeedsHuman(Code.SCHEMA, f"{column.about} ({write.strategy})")


def rewritten(column: Column, write: Write, value: Sql) -> Sql:
    """A field's new value; what is clean already is left as it is.

    Raises:
        NeedsHuman: SCHEMA: the strategy cannot be carried out on this column.
    """
    return case((dirty(column, write, value), _new(column, write, value)), else_=value)


def _new(column: Column, write: Write, value: Sql) -> Sql:
    match write.strategy:
        case Strategy.CONSTANT:
            return cast(literal(_constant(write), Text), column.type)
        case Strategy.GENERALISE:
            return _general(column, write, value)
        case Strategy.ANONYMISE if column.family is Family.UUID:
            random = cast(func.gen_random_uuid(), Text)
            return cast(func.overlay(random, ANONYMOUS_UUID, 1, 8), column.type)
        case Strategy.ANONYMISE:
            digits = func.replace(cast(func.gen_random_uuid(), Text), "-", "", type_=Text)
            return _marked(column, write, value, digits)
        case Strategy.PSEUDONYM:
            return _marked(column, write, value, func.encode(_keyed(value), "hex"))
    return null()


def _marked(column: Column, write: Write, value: Sql, digits: Sql) -> Sql:
    digits = func.left(digits, _room(column, write), type_=Text)
    address = func.strpos(cast(value, Text), "@") > 0
    return literal(f"{_word(write)}-", Text) + digits + case((address, ADDRESS), else_="")


def _word(write: Write) -> str:
    return "anonymous" if write.strategy is Strategy.ANONYMISE else "pseudonym"


def _room(column: Column, write: Write) -> int:
    """How many digits a column has room for."""
    room = DIGITS
    if column.limit is not None:
        room = min(room, column.limit - len(_word(write)) - 1 - len(ADDRESS))
    if column.family not in _TEXTS or room < LEAST or column.internal == "name":
        raise NeedsHuman(Code.SCHEMA, f"{column.about} ({write.strategy})")
    return room


def _keyed(value: Sql) -> Sql:
    """HMAC-SHA256 (RFC 2104) out of plain SHA-256, which every server has."""
    inner, outer = (func.decode(given(pad, Text()), "hex", type_=LargeBinary) for pad in PADS)
    text = func.convert_to(cast(value, Text), "UTF8", type_=LargeBinary)
    return func.sha256(outer.op("||")(func.sha256(inner.op("||")(text))))


def _general(column: Column, write: Write, value: Sql) -> Sql:
    to = str(write.value)
    way: Callable[[Sql, str], Sql] | None = None
    if to in _UNITS and column.family is Family.DATE:
        way = _day
    elif to in _UNITS and column.family is Family.TIMESTAMP:
        way = _moment
    elif to in _UNITS and column.family in _TEXTS:
        way = _written_day
    elif to == "network" and column.family is Family.INET:
        way = _network
    elif to == "network" and column.family in _TEXTS:
        way = _written_network
    elif to.startswith("prefix:") and column.family in _TEXTS:
        way = _prefix
    if way is None:
        raise NeedsHuman(Code.SCHEMA, f"{column.about} (generalise to {to})")
    general = way(value, to)
    if column.family in _TEXTS and not column.nullable:
        general = func.coalesce(general, "")
    return cast(general, column.type)


def _day(value: Sql, to: str) -> Sql:
    return cast(func.date_trunc(to, cast(value, DateTime)), Date)


def _moment(value: Sql, to: str) -> Sql:
    return func.date_trunc(to, value)


def _written_day(value: Sql, to: str) -> Sql:
    """The first day of a date's year, month or decade, in ISO form; what is no date becomes nothing."""
    text = cast(value, Text)
    digits, rest = {"year": (4, "-01-01"), "month": (7, "-01"), "decade": (3, "0-01-01")}[to]
    first = func.left(text, digits, type_=Text) + rest
    return case((text.regexp_match(r"^\d{4}-[01]\d-[0-3]\d([T ].*)?$"), first))


def _network(value: Sql, _: str) -> Sql:
    bits = case((func.family(value) == 4, 24), else_=48)
    return func.network(func.set_masklen(value, func.least(func.masklen(value), bits)))


def _written_network(value: Sql, _: str) -> Sql:
    """The /24 of an IPv4 address, the /48 of an IPv6 one; what is neither becomes nothing.

    By pattern and not by a cast, because a text that is no address would break the whole statement.
    """
    text = cast(value, Text)
    four = func.substring(text, r"^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}(?:/\d+)?$", type_=Text)
    groups = r"^([0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,2}):[0-9a-fA-F:.]*(?:/\d+)?$"
    return func.coalesce(
        four + ".0/24",
        case((text.like("::%"), "::/48")),
        func.substring(text, groups, type_=Text) + "::/48",
    )


def _prefix(value: Sql, to: str) -> Sql:
    return func.left(cast(value, Text), int(to.removeprefix("prefix:")))


def _constant(write: Write) -> str:
    return str(write.value).lower() if isinstance(write.value, bool) else str(write.value)


def _surely(condition: Sql) -> Sql:
    """A condition that holds for no NULL: nothing is clean."""
    return func.coalesce(condition, literal_column("false"))
