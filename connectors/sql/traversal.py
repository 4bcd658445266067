"""Which rows are a person's, as common table expressions over the data map.

The one rule: sets, never rows. Every collection is one expression over its parents', so the database does the whole
traversal by itself, and two collections or twenty are one statement.

*Seen* rows are those that an identity, a unique link or an anchor leads to, each once. *Located* rows are those of the
seen that are the person's for certain; the others are *doubtful*: several rows match, or only a shared identity does,
and nobody has ruled. Nothing is followed from a doubtful row.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    CTE,
    CompoundSelect,
    FromClause,
    Function,
    Integer,
    MetaData,
    Numeric,
    Select,
    Text,
    and_,
    any_,
    cast,
    column,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine

from connectors.sql.catalogue import Column, Family, Named
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.values import listed, slot
from rights.datamap import Field, Link, System

# Labels that no column of a map can have.
MATCHED: Final = "=matched"
UNIQUE: Final = "=unique"
DECIDED: Final = "=decided"
OTHER: Final = "=other"

_TEXTS: Final = frozenset({Family.TEXT, Family.CITEXT})
_NATIVE: Final = _TEXTS | {
    Family.INTEGER,
    Family.NUMERIC,
    Family.UUID,
    Family.DATE,
    Family.TIMESTAMP,
    Family.BYTES,
    Family.INET,
}
"""Families whose values are compared as what they are; all others as text."""
_BIGINT: Final = Named("bigint")


@dataclass(frozen=True)
class _Arm:
    """One way to a row: `left` is among the values of `right`."""

    left: Sql
    right: Select[Any] | CompoundSelect[Any]
    served: bool
    """Whether an index leads there."""

    def condition(self, *, indexed: bool) -> Sql:
        """An array makes the database use the index for each of its values. Without an index it would be searched from
        end to end for every row of the table, so a table that is read as a whole anyway gets a hash to look into."""
        if not indexed:
            return self.left.in_(self.right)
        return self.left == any_(func.array(self.right.scalar_subquery(), type_=ARRAY(Text)))


class Traversal:
    """The expressions of one statement; each is made when it is first asked for.

    Args:
        scope: the system, its works and what the database says of its tables.
        carry: further columns that a collection's expression is to have, made from its table.
        lock: collections whose rows are locked until the transaction ends; they are then seen as they are at that
            moment, and not as they were when the statement began.
    """

    def __init__(
        self,
        scope: Scope,
        carry: Callable[[str, FromClause], Iterable[Sql]],
        lock: Iterable[str] = (),
    ) -> None:
        self.scope, self._carry, self._lock = scope, carry, frozenset(lock)
        self._numbers = {name: number for number, name in enumerate(scope.system.collections)}
        self._seen: dict[str, CTE] = {}
        self._located: dict[str, CTE] = {}
        self.tables = {name: table_of(scope, name) for name in scope.system.collections}

    def key(self, name: str, rows: FromClause) -> list[Sql]:
        """The columns of a collection's key."""
        return [rows.c[field] for field in self.scope.system.collections[name].key]

    def seen(self, name: str) -> CTE:
        """The rows of a subject collection that anything leads to, with what led there."""
        if name not in self._seen:
            rows = self.rows(name)
            locked = rows.with_for_update() if name in self._lock else rows
            self._seen[name] = locked.cte(f"seen_{self._numbers[name]}")
        return self._seen[name]

    def doubtful(self, name: str) -> Select[Any]:
        """The rows of a subject collection of which it is open whose they are."""
        seen = self.seen(name)
        return select(seen).where(seen.c[MATCHED], not_(seen.c[OTHER]), not_(_certain(seen)))

    def located(self, name: str) -> CTE:
        """A collection's rows that are the person's."""
        if name not in self._located:
            if self.scope.subject(name):
                seen = self.seen(name)
                rows = select(seen).where(not_(seen.c[OTHER]), _certain(seen))
            else:
                rows = self.rows(name)
                if name in self._lock:
                    rows = rows.with_for_update()
            self._located[name] = rows.cte(f"located_{self._numbers[name]}")
        return self._located[name]

    def rows(self, name: str) -> Select[Any]:
        """A collection's rows straight from its table."""
        table, collection = self.tables[name], self.scope.system.collections[name]
        identities = [
            (self._identity(name, field, about, "is"), self._identity(name, field, about, "i"))
            for field, about in collection.identities.items()
            if about.sharing != "hint"
        ]
        links = [self._link(name, link) for link in collection.links if link.kind == "unique"]
        arms = [arm for arm, _ in identities] + links
        anchored = self._keyed(name, "k")
        indexed = all(arm.served for arm in arms) and self._key_served(name)
        among = [arm.condition(indexed=indexed) for arm in arms]
        columns: dict[str, Sql] = {
            column.name: column
            for column in (
                *self.key(name, table),
                *(table.c[link.field] for link in collection.links),
                *(table.c[field] for field in _pointed(self.scope.system, name)),
                *self._carry(name, table),
            )
        }
        if self.scope.subject(name):
            matched = or_(*among[: len(identities)])
            ruled = and_(matched, self._keyed(name, "m")(False))
            columns[MATCHED] = _known(matched).label(MATCHED)
            columns[UNIQUE] = _known(or_(*(arm.condition(indexed=indexed) for _, arm in identities))).label(UNIQUE)
            columns[DECIDED] = _known(or_(*among[len(identities) :], anchored(indexed), ruled)).label(DECIDED)
            columns[OTHER] = _known(self._keyed(name, "x")(False)).label(OTHER)
        return select(*columns.values()).select_from(table).where(or_(*among, anchored(indexed)))

    def _identity(self, name: str, field: str, about: Field, kinds: str) -> _Arm:
        column, value = self.scope.column(name, field), self.tables[name].c[field]
        served = self.scope.catalogue.tables[name].serves(field, casefold=about.casefold)
        slots = [slot(kind, name, field) for kind in kinds]
        left, type_ = _comparable(column, value)
        convert: Callable[[Sql], Sql] = partial(cast, type_=type_)
        if column.family is Family.TEXT and about.casefold:
            left, convert = func.lower(cast(value, Text)), func.lower
        elif column.family is Family.CITEXT and not about.casefold:
            left, convert, served = cast(value, Text), partial(cast, type_=Text()), False
        served = served and column.family in _NATIVE
        return _Arm(left, _union([_texts(one, convert) for one in slots]), served)

    def _link(self, name: str, link: Link) -> _Arm:
        parent, target = link.target
        mine, theirs = self.scope.column(name, link.field), self.scope.column(parent, target)
        left, convert, native = _bridge(mine, self.tables[name].c[link.field], theirs)
        located = self.located(parent)
        _, type_ = _comparable(theirs, located.c[target])
        there = select(convert(located.c[target]))
        if theirs.family in _TEXTS:  # an empty text is nothing, and links to nobody
            there = there.where(cast(located.c[target], Text) != "")
        gone = _texts(slot("a", parent, target), lambda text: convert(cast(text, type_)))
        served = native and self.scope.catalogue.tables[name].serves(link.field, casefold=False)
        return _Arm(left, _union([there, gone]), served)

    def _keyed(self, name: str, kind: str) -> Callable[[bool], Sql]:
        """Whether a row's key is in a list of the document; the argument says whether to go by an index."""
        fields = self.scope.system.collections[name].key
        table, place = self.tables[name], slot(kind, name)
        pairs = [_comparable(self.scope.column(name, field), table.c[field]) for field in fields]
        if len(fields) == 1:
            left, type_ = pairs[0]
            arm = _Arm(left, _texts(place, lambda text: cast(text, type_)), True)
            return lambda indexed: arm.condition(indexed=indexed)
        element = _elements(func.jsonb_array_elements(listed(place)), JSONB())
        parts = [
            cast(element.op("->>")(literal_column(str(number), Integer)), type_)
            for number, (_, type_) in enumerate(pairs)
        ]
        whole = tuple_(*(left for left, _ in pairs)).in_(select(*parts))
        first = _Arm(pairs[0][0], select(parts[0]), True)
        # The first column leads the index, the others tell its rows apart.
        return lambda indexed: and_(first.condition(indexed=True), whole) if indexed else whole

    def _key_served(self, name: str) -> bool:
        first = self.scope.system.collections[name].key[0]
        table = self.scope.catalogue.tables[name]
        return table.columns[first].family in _NATIVE and table.serves(first, casefold=False)


def table_of(scope: Scope, name: str) -> SqlTable:
    """A collection's table, every name of it quoted."""
    about = scope.catalogue.tables[name]
    columns = (SqlColumn(quoted_name(c.name, True), c.type) for c in about.columns.values())
    return SqlTable(quoted_name(about.name, True), MetaData(), *columns, schema=quoted_name(about.schema, True))


def same(left: Column, left_value: Sql, right: Column, right_values: Select[Any]) -> Sql:
    """Whether a value is among those of another column, whatever the types of the two."""
    (value,) = right_values.selected_columns
    own, convert, _ = _bridge(left, left_value, right)
    return _known(own.in_(right_values.with_only_columns(convert(value))))


def _certain(seen: CTE) -> Sql:
    """One match by an identity that only one person has needs no ruling."""
    matching = select(func.count()).select_from(seen).where(seen.c[MATCHED]).scalar_subquery()
    return or_(seen.c[DECIDED], and_(seen.c[UNIQUE], matching == 1))


def _pointed(system: System, name: str) -> Sequence[str]:
    """Fields that any link points to, unique or not."""
    others = [link.target for c in system.collections.values() for link in c.links]
    return [field for target, field in others if target == name]


def _comparable(column: Column, value: Sql) -> tuple[Sql, TypeEngine[Any]]:
    """How a column is compared with given values: itself, and the type to cast them to."""
    if column.family is Family.INTEGER:
        return value, _BIGINT  # wide enough for any, and every index of the family serves it
    if column.family in _NATIVE:
        return value, column.type
    return cast(value, Text), Text()


def _bridge(column: Column, value: Sql, theirs: Column) -> tuple[Sql, Callable[[Sql], Sql], bool]:
    """How a column is compared with another's values: itself, a conversion of those, and whether an index can help.

    No conversion can fail: a link from a text to a number compares texts.
    """
    if column.family is theirs.family and column.family in _NATIVE:
        return value, lambda other: other, True
    if column.family in _TEXTS:
        return value, lambda other: cast(cast(other, Text), column.type), True
    if {column.family, theirs.family} == {Family.INTEGER, Family.NUMERIC}:
        native = column.family is Family.NUMERIC
        return (value if native else cast(value, Numeric)), lambda other: cast(other, Numeric), native
    return cast(value, Text), lambda other: cast(other, Text), False


def _texts(place: str, convert: Callable[[Sql], Sql]) -> Select[Any]:
    """The values of a list of the document."""
    return select(convert(_elements(func.jsonb_array_elements_text(listed(place)), Text())))


def _elements(function: Function[Any], type_: TypeEngine[Any]) -> Sql:
    """What a function gives, row by row, under names of our own: a bare name could be a column of the map."""
    rows = function.table_valued(column("=value", type_)).render_derived(name="given")
    return rows.c["=value"]


def _union(selects: Sequence[Select[Any]]) -> Select[Any] | CompoundSelect[Any]:
    return selects[0] if len(selects) == 1 else union_all(*selects)


def _known(condition: Sql) -> Sql:
    """A condition that is false where it cannot be told."""
    return func.coalesce(condition, false())
