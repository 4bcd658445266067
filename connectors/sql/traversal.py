"""Which rows are a person's, as common table expressions over the data map.

The one rule: sets, never rows. Every collection is one expression over its parents', so the database does the whole
traversal by itself, and two collections or twenty are one statement.

*Seen* rows are those that an identity, a unique link or an anchor leads to, each once. *Located* rows are those of the
seen that are the person's for certain; the others are *doubtful*: several rows match, or only a shared identity does,
and nobody has ruled. Nothing is followed from a doubtful row.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import array as sql_array
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine

from connectors.sql.catalogue import Column, Family, Named
from connectors.sql.reading import Reading, carried, read
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.values import listed, slot
from rights.datamap import Link, System, Telling

# Labels that no column of a map can have.
MATCHED: Final = "=matched"
UNIQUE: Final = "=unique"
DECIDED: Final = "=decided"
OTHER: Final = "=other"
NODE: Final = "=node"
KEY: Final = "=key"
"""A row of a circle: its collection's number, and its key as an array of texts."""

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


Condition = Callable[[bool], Sql]
"""Whether a row is reached on one way; the argument says whether to go by an index."""


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
        self._closures: dict[tuple[str, ...], CTE] = {}
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
        return self._reached(name, self._circle(name))

    def _reached(self, name: str, circle: Condition | None) -> Select[Any]:
        """The rows that identities, links from outside of a circle, and anchors lead to; and those of the circle."""
        table, collection = self.tables[name], self.scope.system.collections[name]
        within = self.scope.circles.get(name, ())
        identities = [
            (self._identity(name, field, about, "is"), self._identity(name, field, about, "i"))
            for field, about in collection.identities.items()
            if about.sharing != "hint"
        ]
        links = [
            self._link(name, link)
            for link in collection.links
            if link.kind == "unique" and link.target[0] not in within
        ]
        ways = [way for way, _ in identities] + links + ([(circle, True)] if circle else [])
        anchored = self._keyed(name, "k")
        indexed = all(served for _, served in ways) and self._key_served(name)
        among = [way(indexed) for way, _ in ways]
        columns: dict[str, Sql] = {column.name: column for column in self._columns_of(name, table)}
        if self.scope.subject(name):
            matched = or_(*among[: len(identities)])
            ruled = and_(matched, self._keyed(name, "m")(False))
            columns[MATCHED] = _known(matched).label(MATCHED)
            columns[UNIQUE] = _known(or_(*(way(indexed) for _, (way, _) in identities))).label(UNIQUE)
            columns[DECIDED] = _known(or_(*among[len(identities) :], anchored(indexed), ruled)).label(DECIDED)
            columns[OTHER] = _known(self._keyed(name, "x")(False)).label(OTHER)
        return select(*columns.values()).select_from(table).where(or_(*among, anchored(indexed)))

    def _columns_of(self, name: str, table: FromClause) -> Iterator[Sql]:
        """What an expression over a collection hands on of its table."""
        yield from self.key(name, table)
        for link in self.scope.system.collections[name].links:
            yield from carried(self.scope, name, table, link.field)
        for field in _pointed(self.scope.system, name):
            yield from carried(self.scope, name, table, field)
        yield from self._carry(name, table)

    def _circle(self, name: str) -> Condition | None:
        """Whether links of a circle lead to a row, from any row of the circle that is the person's; None: there is no
        circle."""
        group = self.scope.circles.get(name)
        if group is None:
            return None
        if group not in self._closures:
            self._closures[group] = self._closure(group)
        reached = self._closures[group]
        here = reached.c[NODE] == self._numbers[name]
        return self._is_key(name, lambda parts: select(*parts).where(here), lambda place: reached.c[KEY][place + 1])

    def _closure(self, group: tuple[str, ...]) -> CTE:
        """The keys of a circle's rows: those that something from outside leads to, and from these on, by the circle's
        own links, until nothing new is found."""
        first: list[Select[Any]] = []
        for name in group:
            rows = self._reached(name, None).cte(f"outside_{self._numbers[name]}")
            place: Sql = literal(self._numbers[name], Integer).label(NODE)
            found = select(place, self._key_texts(name, rows).label(KEY))
            if self.scope.subject(name):
                found = found.where(not_(rows.c[OTHER]), _certain(rows))
            first.append(found.select_from(rows))
        outside = _union(first).subquery("outside")
        reached = select(outside).cte(f"circle_{self._numbers[group[0]]}", recursive=True)
        hops = [
            self._hop(reached, name, link)
            for name in group
            for link in self.scope.system.collections[name].links
            if link.kind == "unique" and link.target[0] in group
        ]
        if not hops:
            return reached
        hop = _union(hops).lateral("hop")
        return reached.union(select(hop.c[NODE], hop.c[KEY]).select_from(reached.join(hop, true())))

    def _hop(self, reached: CTE, name: str, link: Link) -> Select[Any]:
        """From one row of a circle to those that hang on it by one link."""
        parent, target = link.target
        # Under names of their own: the two may be the same table, and stand beside others of the statement.
        above, below = self.tables[parent].alias("above"), self.tables[name].alias("below")
        theirs, mine = read(self.scope, parent, above, target), read(self.scope, name, below, link.field)
        same_values = []
        for own, left, other, right in zip(mine.columns, mine.values, theirs.columns, theirs.values, strict=True):
            value, convert, _ = _bridge(own, left, other)
            same_values.append(value == convert(right))
            if other.family in _TEXTS:
                same_values.append(cast(right, Text) != "")
        is_above = []
        for number, field in enumerate(self.scope.system.collections[parent].key, start=1):
            left, type_ = _comparable(self.scope.column(parent, field), above.c[field])
            is_above.append(left == cast(reached.c[KEY][number], type_))
        conditions = [reached.c[NODE] == self._numbers[parent], *is_above, mine.among(and_(*same_values))]
        if theirs.where is not None:
            conditions.append(theirs.where)
        if self.scope.subject(name):
            conditions.append(_known(not_(self._keyed(name, "x", below)(False))))
        place: Sql = literal(self._numbers[name], Integer).label(NODE)
        found = select(place, self._key_texts(name, below).label(KEY)).select_from(above.join(below, true()))
        return found.where(*conditions).correlate(reached)

    def _key_texts(self, name: str, rows: FromClause) -> Sql:
        return sql_array([cast(rows.c[field], Text) for field in self.scope.system.collections[name].key])

    def _identity(self, name: str, field: str, about: Telling, kinds: str) -> tuple[Condition, bool]:
        reading = read(self.scope, name, self.tables[name], field)
        (column,), (value,) = reading.columns, reading.values
        served = self.scope.served(name, field, casefold=about.casefold)
        slots = [slot(kind, name, field) for kind in kinds]
        left, type_ = _comparable(column, value)
        convert: Callable[[Sql], Sql] = partial(cast, type_=type_)
        if column.family is Family.TEXT and about.casefold:
            left, convert = func.lower(cast(value, Text)), func.lower
        elif column.family is Family.CITEXT and not about.casefold:
            left, convert, served = cast(value, Text), partial(cast, type_=Text()), False
        served = served and column.family in _NATIVE
        arm = _Arm(left, _union([_texts(one, convert) for one in slots]), served)
        return lambda indexed: reading.among(arm.condition(indexed=indexed)), served

    def _link(self, name: str, link: Link) -> tuple[Condition, bool]:
        parent, target = link.target
        reading = read(self.scope, name, self.tables[name], link.field)
        located = self.located(parent)
        bases = self.scope.system.collections[parent].bases(target)
        if len(bases) > 1:
            return self._composite(name, link, reading, located, bases)
        (mine,), (value,), theirs = reading.columns, reading.values, self.scope.column(parent, target)
        left, convert, native = _bridge(mine, value, theirs)
        _, type_ = _comparable(theirs, located.c[target])
        there = select(convert(located.c[target]))
        if theirs.family in _TEXTS:  # an empty text is nothing, and links to nobody
            there = there.where(cast(located.c[target], Text) != "")
        gone = _texts(slot("a", parent, target), lambda text: convert(cast(text, type_)))
        served = native and self.scope.served(name, link.field)
        arm = _Arm(left, _union([there, gone]), served)
        return lambda indexed: reading.among(arm.condition(indexed=indexed)), served

    def _composite(
        self, name: str, link: Link, reading: Reading, located: CTE, bases: tuple[str, ...]
    ) -> tuple[Condition, bool]:
        """A link by several columns: all of them are those of one parent."""
        parent, target = link.target
        lefts, there, gone, served = [], [], [], True
        element = _elements(func.jsonb_array_elements(listed(slot("a", parent, target))), JSONB())
        for place, (own, value, base) in enumerate(zip(reading.columns, reading.values, bases, strict=True)):
            theirs = self.scope.column(parent, base)
            left, convert, native = _bridge(own, value, theirs)
            text = element.op("->>")(literal_column(str(place), Integer))
            lefts.append(left)
            there.append(convert(located.c[base]))
            gone.append(convert(cast(text, _comparable(theirs, located.c[base])[1])))
            served = served and (native or place > 0)
        told = cast(located.c[target], Text).is_not(None)
        whole = tuple_(*lefts).in_(_union([select(*there).where(told), select(*gone)]))
        first = _Arm(lefts[0], _union([select(there[0]).where(told), select(gone[0])]), served)
        served = served and self.scope.served(name, link.field)

        def condition(indexed: bool) -> Sql:
            # The first column leads the index, the others tell its rows apart.
            return reading.among(and_(first.condition(indexed=True), whole) if indexed else whole)

        return condition, served

    def _keyed(self, name: str, kind: str, table: FromClause | None = None) -> Condition:
        """Whether a row's key is in a list of the document."""
        fields = self.scope.system.collections[name].key
        place = slot(kind, name)
        if len(fields) == 1:
            left, type_ = _comparable(self.scope.column(name, fields[0]), _or(table, self.tables[name]).c[fields[0]])
            arm = _Arm(left, _texts(place, lambda text: cast(text, type_)), True)
            return lambda indexed: arm.condition(indexed=indexed)
        element = _elements(func.jsonb_array_elements(listed(place)), JSONB())
        return self._is_key(
            name,
            lambda parts: select(*parts),
            lambda number: element.op("->>")(literal_column(str(number), Integer)),
            table,
        )

    def _is_key(
        self,
        name: str,
        among: Callable[[Sequence[Sql]], Select[Any]],
        part: Callable[[int], Sql],
        table: FromClause | None = None,
    ) -> Condition:
        """Whether a row's key is among keys whose parts are given as texts."""
        rows = _or(table, self.tables[name])
        fields = self.scope.system.collections[name].key
        pairs = [_comparable(self.scope.column(name, field), rows.c[field]) for field in fields]
        parts = [cast(part(number), type_) for number, (_, type_) in enumerate(pairs)]
        first = _Arm(pairs[0][0], among(parts[:1]), True)
        if len(fields) == 1:
            return lambda indexed: first.condition(indexed=indexed)
        whole = tuple_(*(left for left, _ in pairs)).in_(among(parts))
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


def same(columns: Sequence[Column], values: Sequence[Sql], theirs: Sequence[Column], right: Select[Any]) -> Sql:
    """Whether values are among those of other columns, whatever the types."""
    bridges = [_bridge(own, value, other) for own, value, other in zip(columns, values, theirs, strict=True)]
    there = [convert(other) for (_, convert, _), other in zip(bridges, right.selected_columns, strict=True)]
    lefts = [left for left, _, _ in bridges]
    return _known((tuple_(*lefts) if len(lefts) > 1 else lefts[0]).in_(right.with_only_columns(*there)))


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


def _or(table: FromClause | None, otherwise: FromClause) -> FromClause:
    return otherwise if table is None else table


def _known(condition: Sql) -> Sql:
    """A condition that is false where it cannot be told."""
    return func.coalesce(condition, false())
