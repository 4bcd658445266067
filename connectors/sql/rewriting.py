"""What becomes of a field in a row that stays, as SQL: the forms of `connectors.strategies`, made by the database.

The one rule: whatever is written can be recognised later without knowing what stood there before. A column whose type
has no room for such a form is refused before anything is changed.
"""

from typing import Final

from sqlalchemy import Text, and_, case, cast, func, literal, literal_column, not_, null

from connectors.errors import NeedsHuman
from connectors.sql.catalogue import Column
from connectors.sql.dialects.dialect import Sql
from connectors.sql.families import TEXTS, Family
from rights.codes import Code
from rights.datamap import Strategy
from rights.plan import Write

__all__ = ["Sql", "dirty", "rewritten"]

DIGITS: Final = 32
"""Hexadecimal digits of an anonymous value or a pseudonym: 128 bits."""
LEAST: Final = 8
"""Fewer digits than this, in a short column, would soon give two people the same value."""
ADDRESS: Final = "@invalid"
"""Ends a value that takes an e-mail address's place (RFC 2606): it looks like one and leads nowhere."""
ANONYMOUS_UUID: Final = "616e6f6e"
"""How an anonymous UUID begins: "anon" in ASCII."""


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
            constant = cast(literal(_constant(column, write), Text), column.type)
            return and_(value.is_not(None), column.dialect.differs(column, value, constant))
        case Strategy.GENERALISE:
            return and_(value.is_not(None), column.dialect.differs(column, value, _general(column, write, value)))
        case Strategy.ANONYMISE if column.family is Family.UUID:
            return _surely(not_(cast(value, Text).like(f"{ANONYMOUS_UUID}-%")))
        case Strategy.ANONYMISE | Strategy.PSEUDONYM:
            _room(column, write)
            pattern = f"^{_word(write)}-[0-9a-f]{{{LEAST},{DIGITS}}}({ADDRESS})?$"
            return _surely(not_(column.dialect.matches(cast(value, Text), pattern)))
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
            return cast(literal(_constant(column, write), Text), column.type)
        case Strategy.GENERALISE:
            return _general(column, write, value)
        case Strategy.ANONYMISE if column.family is Family.UUID:
            return cast(column.dialect.random_uuid(ANONYMOUS_UUID), column.type)
        case Strategy.ANONYMISE:
            return _marked(column, write, value, column.dialect.random_digits())
        case Strategy.PSEUDONYM:
            return _marked(column, write, value, column.dialect.keyed(cast(value, Text)))
    return null()


def _marked(column: Column, write: Write, value: Sql, digits: Sql) -> Sql:
    digits = column.dialect.first(digits, _room(column, write))
    address = column.dialect.contains(cast(value, Text), "@")
    return literal(f"{_word(write)}-", Text) + digits + case((address, ADDRESS), else_="")


def _word(write: Write) -> str:
    return "anonymous" if write.strategy is Strategy.ANONYMISE else "pseudonym"


def _room(column: Column, write: Write) -> int:
    """How many digits a column has room for."""
    room = DIGITS
    if column.limit is not None:
        room = min(room, column.limit - len(_word(write)) - 1 - len(ADDRESS))
    if column.family not in TEXTS or room < LEAST or column.internal == "name":
        raise NeedsHuman(Code.SCHEMA, f"{column.about} ({write.strategy})")
    return room


def _general(column: Column, write: Write, value: Sql) -> Sql:
    to = str(write.value)
    general = column.dialect.general(column, to, value)
    if general is None:
        raise NeedsHuman(Code.SCHEMA, f"{column.about} (generalise to {to})")
    if column.family in TEXTS and not column.nullable:
        general = func.coalesce(general, "")
    return cast(general, column.type)


def _constant(column: Column, write: Write) -> str:
    if not isinstance(write.value, bool):
        return str(write.value)
    # Where there is no type for it, true is 1.
    return str(int(write.value)) if column.family is Family.INTEGER else str(write.value).lower()


def _surely(condition: Sql) -> Sql:
    """A condition that holds for no NULL: nothing is clean."""
    return func.coalesce(condition, literal_column("false"))
