"""Which rows are a person's, as common table expressions over the data map.

The one rule: sets, never rows. Every collection is one expression over its parents', so the database does the whole
traversal by itself, and two collections or twenty are one statement.

*Seen* rows are those that an identity, a unique link or an anchor leads to, each once. *Located* rows are those of the
seen that are the person's for certain; the others are *doubtful*: several rows match, or only a shared identity does,
and nobody has ruled. Nothing is followed from a doubtful row.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    CTE,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
    tuple_,
    union,
)
from sqlalchemy.dialects.postgresql import array as sql_array

from connectors.sql.comparing import Arm, Condition, bridge, comparable, known, travelling, unite
from connectors.sql.dialects import Engine
from connectors.sql.dialects.dialect import converted
from connectors.sql.dialects.postgresql import NATIVE
from connectors.sql.families import TEXTS, Family
from connectors.sql.listed import Lists
from connectors.sql.near import Near
from connectors.sql.reading import Reading, carried, meets, mentioning, read, table_of
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope, pointed, told_of
from connectors.sql.sharing import Sharing, somebody_elses
from connectors.sql.values import slot
from rights.datamap import Link, Telling

# Labels that no column of a map can have.
MATCHED: Final = "=matched"
UNIQUE: Final = "=unique"
DECIDED: Final = "=decided"
OTHER: Final = "=other"
NODE: Final = "=node"
KEY: Final = "=key"
"""A row of a circle: its collection's number, and its key as an array of texts."""

MANY: Final = 2**63 - 1
"""More rows than any table has."""


class Traversal:
    """The expressions of one statement; each is made when it is first asked for.

    Args:
        scope: the system, its works and what the database says of its tables.
        carry: further columns that a collection's expression is to have, made from its table.
        lock: collections whose rows are locked until the transaction ends; they are then seen as they are at that
            moment, and not as they were when the statement began.
        focus: the one collection that a step of a look is about: what was seen of the others stands in the document.
        batch: the one collection of which only the rows matter whose keys are in the document, and of what they hang on
            only that; so nothing else is read, however much there is.
    """

    def __init__(
        self,
        scope: Scope,
        carry: Callable[[str, FromClause], Iterable[Sql]],
        lock: Iterable[str] = (),
        focus: str | None = None,
        batch: str | None = None,
    ) -> None:
        self.scope, self._carry, self._lock, self._focus = scope, carry, frozenset(lock), focus
        self._near = Near(scope, batch) if batch else None
        self._numbers = {name: number for number, name in enumerate(scope.system.collections)}
        self._seen: dict[str, CTE] = {}
        self._located: dict[str, CTE] = {}
        self._parents: dict[str, CTE] = {}
        self._closures: dict[tuple[str, ...], CTE] = {}
        self.tables = {name: table_of(scope, name) for name in scope.system.collections}
        self.lists = Lists(scope, self.tables)
        self._sharing = Sharing(self)

    def key(self, name: str, rows: FromClause) -> list[Sql]:
        """The columns of a collection's key."""
        return [rows.c[field] for field in self.scope.system.collections[name].key]

    def seen(self, name: str) -> CTE:
        """The rows of a subject collection that anything leads to, with what led there."""
        if name not in self._seen:
            self._seen[name] = self.rows(name, lock=name in self._lock).cte(f"seen_{self._numbers[name]}")
        return self._seen[name]

    def doubtful(self, name: str) -> Select[Any]:
        """The rows of which it is open whose they are: of a subject collection, or shared ones that are asked about."""
        if self.scope.asks(name):
            seen = self.seen(name)
            return select(seen).where(self._sharing.open(name, seen))
        if self._focus is not None:
            return self.listed(name, "d")
        seen = self.seen(name)
        return select(seen).where(seen.c[MATCHED], not_(seen.c[OTHER]), not_(_certain(seen)))

    def located(self, name: str) -> CTE:
        """A collection's rows that are the person's."""
        if name not in self._located:
            if self._focus is not None and name in self.scope.circles:
                rows = self.listed(name, "r")
            elif self._focus is not None and self.scope.subject(name):
                rows = self.listed(name, "h")
            elif self.scope.subject(name):
                seen = self.seen(name)
                rows = select(seen).where(not_(seen.c[OTHER]), _certain(seen))
            elif self.scope.asks(name):
                seen = self.seen(name)
                rows = select(seen).where(not_(self._sharing.open(name, seen)))
            else:
                rows = self.rows(name, lock=name in self._lock)
            self._located[name] = rows.cte(f"located_{self._numbers[name]}")
        return self._located[name]

    def parent(self, name: str) -> CTE:
        """The person's rows of a collection that others link to."""
        if self._focus is None:
            return self.located(name)
        if name not in self._parents:  # several links may lead to it
            self._parents[name] = self.told(slot("l", name), name, told_of(self.scope.system, name))
        return self._parents[name]

    def alone(self, name: str, rows: FromClause) -> Sql:
        """Whether rows of a collection that shared ones link to are the person's, and nobody else's."""
        if self._focus is not None:
            return self.lists.keyed(name, "n", rows)(False)
        located = self.located(name)
        keys = select(*self.key(name, located)).where(not_(somebody_elses(self.scope, name, located)))
        key = self.key(name, rows)
        return (tuple_(*key) if len(key) > 1 else key[0]).in_(keys)

    def told(self, place: str, name: str, fields: Sequence[str]) -> CTE:
        """Columns of rows that an earlier step has seen."""
        rows = self.scope.dialect.elements(place, width=len(fields))
        columns = self.scope.catalogue.tables[name].columns
        derived = self.scope.system.collections[name].derived
        types = [Text() if field in derived else travelling(columns.get(field)) for field in fields]
        for place_, field in enumerate(fields):
            if field in derived and len(derived[field].of) == 1:
                types[place_] = travelling(self.scope.column(name, field))
        parts = zip(rows.selected_columns, fields, types, strict=True)
        told = rows.with_only_columns(*(cast(part, type_).label(field) for part, field, type_ in parts))
        return told.cte(f"told_{place[0]}_{self._numbers[name]}")

    def rows(self, name: str, only: int | None = None, *, lock: bool = False) -> Select[Any]:
        """A collection's rows straight from its table; of all the `ways` that lead there, or of one."""
        if self.scope.system.collections[name].shares:
            return self._sharing.rows(name, only, lock=lock)
        rows = self._reached(name, self._circle(name), only)
        return rows.with_for_update() if lock else rows

    def chosen(self, name: str, columns: Iterable[Sql], ways: Sequence[Sql], only: int | None) -> Select[Any]:
        """The rows of a table to which any of some ways leads, or one of them."""
        table = self.tables[name]
        rows = select(*columns).select_from(table)
        if only is not None:
            return rows.where(ways[only])
        if self.scope.catalogue.engine is not Engine.MARIADB or len(ways) == 1:
            return rows.where(or_(*ways))
        # For an "or" it would read, and lock, the whole table; so each way goes by an index of its own.
        key = self.key(name, table)
        keys = union(*(select(*key).select_from(table).where(way) for way in ways)).subquery("=keys")
        same_key = and_(*(mine == theirs for mine, theirs in zip(key, self.key(name, keys), strict=True)))
        return select(*columns).select_from(keys.join(table, same_key))

    def _reached(self, name: str, circle: Condition | None, only: int | None = None) -> Select[Any]:
        """The rows that identities, links from outside of a circle, and anchors lead to; and those of the circle."""
        table, collection = self.tables[name], self.scope.system.collections[name]
        within = self.scope.circles.get(name, ())
        identities = [
            (self._identity(name, field, about, "is"), self._identity(name, field, about, "i"))
            for field, about in collection.identities.items()
            if about.sharing != "hint"
        ]
        # Those of the circle itself lead to a row from outside where the row that it hung on is gone.
        links = [
            self.link(name, link, there=link.target[0] not in within)
            for link in collection.links
            if link.kind == "unique"
        ]
        ways = [way for way, _ in identities] + links + ([(circle, True)] if circle else [])
        anchored = self.lists.keyed(name, "k")
        near = self._near.condition(name, table) if self._near else None
        # What is near a batch is found by its key, and is then to be looked up in whatever leads to it.
        indexed = near is None and all(served for _, served in ways) and self._key_served(name)
        among = [way(indexed) for way, _ in ways]
        mine = self.lists.keyed(name, "m")
        ruled_mine = [and_(mine(indexed), said) for said in mentioning(self.scope, name, table)]
        columns: dict[str, Sql] = {column.name: column for column in self.columns_of(name, table)}
        if self.scope.subject(name):
            matched = or_(*among[: len(identities)])
            ruled = and_(matched, mine(False))
            decided = (*among[len(identities) :], anchored(indexed), ruled, *ruled_mine)
            columns[MATCHED] = known(matched).label(MATCHED)
            columns[UNIQUE] = known(or_(*(way(indexed) for _, (way, _) in identities))).label(UNIQUE)
            columns[DECIDED] = known(or_(*decided)).label(DECIDED)
            columns[OTHER] = known(self.lists.keyed(name, "x")(False)).label(OTHER)
        every = [*among, anchored(indexed), *ruled_mine]
        rows = self.chosen(name, columns.values(), every, only)
        if near is not None:
            rows = rows.where(near)
        several = only is None and len(every) > 1 and self.scope.catalogue.engine is Engine.MARIADB
        if not (several and self.scope.subject(name)):
            return rows
        # Several ways look to it like many rows, for which it would begin with the table; a limit keeps the order.
        return rows.prefix_with("STRAIGHT_JOIN").limit(MANY)

    def ruled_others(self, name: str, table: FromClause | None = None) -> Sql:
        """Whether somebody has ruled that a row is not the person's."""
        return known(self.lists.keyed(name, "x", table)(False))

    def children(self, name: str, link: Link) -> Select[Any]:
        """The rows that hang by a link on those of which an earlier step has told, without those of others."""
        table = self.tables[name]
        columns = {column.name: column for column in self.columns_of(name, table)}
        hangs, served = self.link(name, link, gone=False)
        rows = select(*columns.values()).select_from(table).where(hangs(served))
        return rows.where(not_(known(self.lists.keyed(name, "x")(False)))) if self.scope.subject(name) else rows

    def listed(self, name: str, kind: str) -> Select[Any]:
        """A collection's rows of which an earlier step has found out whose they are."""
        table = self.tables[name]
        columns = {column.name: column for column in self.columns_of(name, table)}
        return select(*columns.values()).select_from(table).where(self.lists.keyed(name, kind)(True))

    def ways(self, name: str) -> int:
        """How many ways lead to a collection: identities, links, its own key, and rulings on mentions."""
        collection = self.scope.system.collections[name]
        if collection.shares:
            return len(self._sharing.ways(name))
        identities = sum(about.sharing != "hint" for about in collection.identities.values())
        return identities + sum(link.kind == "unique" for link in collection.links) + 1 + bool(collection.searched)

    def columns_of(self, name: str, table: FromClause) -> Iterator[Sql]:
        """What an expression over a collection hands on of its table."""
        yield from self.key(name, table)
        for link in self.scope.system.collections[name].links:
            yield from carried(self.scope, name, table, link.field)
        for field in pointed(self.scope.system, name):
            yield from carried(self.scope, name, table, field)
        yield from self._carry(name, table)

    def _circle(self, name: str) -> Condition | None:
        """Whether links of a circle lead to a row, from any row of the circle that is the person's; None: there is no
        circle, or it is followed step by step."""
        group = self.scope.circles.get(name)
        if group is None or self._focus is not None:
            return None
        if group not in self._closures:
            self._closures[group] = self._closure(group)
        reached = self._closures[group]
        here = reached.c[NODE] == self._numbers[name]
        return self.lists.is_key(
            name, lambda parts: select(*parts).where(here), lambda place: reached.c[KEY][place + 1]
        )

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
        outside = unite(first).subquery("outside")
        reached = select(outside).cte(f"circle_{self._numbers[group[0]]}", recursive=True)
        hops = [
            self._hop(reached, name, link)
            for name in group
            for link in self.scope.system.collections[name].links
            if link.kind == "unique" and link.target[0] in group
        ]
        if not hops:
            return reached
        hop = unite(hops).lateral("hop")
        return reached.union(select(hop.c[NODE], hop.c[KEY]).select_from(reached.join(hop, true())))

    def _hop(self, reached: CTE, name: str, link: Link) -> Select[Any]:
        """From one row of a circle to those that hang on it by one link."""
        parent, _ = link.target
        # Under names of their own: the two may be the same table, and stand beside others of the statement.
        above, below = self.tables[parent].alias("above"), self.tables[name].alias("below")
        is_above = []
        for number, field in enumerate(self.scope.system.collections[parent].key, start=1):
            left, type_ = comparable(self.scope.column(parent, field), above.c[field])
            is_above.append(left == cast(reached.c[KEY][number], type_))
        conditions = [reached.c[NODE] == self._numbers[parent], *is_above, meets(self.scope, name, below, link, above)]
        if self.scope.subject(name):
            conditions.append(known(not_(self.lists.keyed(name, "x", below)(False))))
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
        left, type_ = comparable(column, value)
        convert: Callable[[Sql], Sql] = partial(cast, type_=type_)
        if (whole := self.scope.dialect.identity(column, value, about, served, slots)) is not None:
            return lambda indexed: reading.among(whole), served
        if column.family is Family.TEXT and about.casefold:
            left, convert = func.lower(cast(value, Text)), func.lower
        elif column.family is Family.CITEXT and not about.casefold:
            left, convert, served = cast(value, Text), partial(cast, type_=Text()), False
        served = served and column.family in NATIVE
        arm = self.lists.arm(left, unite([self.lists.texts(one, convert) for one in slots]), served)
        return lambda indexed: reading.among(arm.condition(indexed=indexed)), served

    def link(self, name: str, link: Link, *, there: bool = True, gone: bool = True) -> tuple[Condition, bool]:
        """Whether a row hangs on one of the person's that is there, or that, by its anchor, is gone."""
        parent, target = link.target
        reading = read(self.scope, name, self.tables[name], link.field)
        located = self.parent(parent) if there else None
        bases = self.scope.system.collections[parent].bases(target)
        if len(bases) > 1:
            return self._composite(name, link, reading, located, bases, gone=gone)
        (mine,), (value,), theirs = reading.columns, reading.values, self.scope.column(parent, target)
        left, convert, native = bridge(mine, value, theirs)
        _, type_ = comparable(theirs, null())
        values = [self.lists.texts(slot("a", parent, target), lambda text: cast(text, type_))] if gone else []
        if located is not None:
            rows = select(located.c[target])
            # An empty text is nothing, and links to nobody.
            values.append(rows.where(cast(located.c[target], Text) != "") if theirs.family in TEXTS else rows)
        served = native and self.scope.served(name, link.field)
        arm = self.lists.arm(left, unite([converted(one, convert) for one in values]), served)
        if mine.engine is Engine.MARIADB and mine.cast != theirs.cast and {mine.family, theirs.family} <= TEXTS:
            # By both collations: the one that has an index, and the one that tells parents apart.
            both = and_(arm.condition(indexed=True), self.scope.dialect.among((), [left], unite(values)))
            return lambda indexed: reading.among(both), served
        return lambda indexed: reading.among(arm.condition(indexed=indexed)), served

    def _composite(
        self, name: str, link: Link, reading: Reading, located: CTE | None, bases: tuple[str, ...], *, gone: bool
    ) -> tuple[Condition, bool]:
        """A link by several columns: all of them are those of one parent."""
        parent, target = link.target
        lefts, converts, texts, served = [], [], [], True
        anchors = self.scope.dialect.elements(slot("a", parent, target), width=len(bases))
        for place, (own, value, base) in enumerate(zip(reading.columns, reading.values, bases, strict=True)):
            theirs = self.scope.column(parent, base)
            left, convert, native = bridge(own, value, theirs)
            lefts.append(left)
            converts.append(convert)
            texts.append(convert(cast(anchors.selected_columns[place], comparable(theirs, null())[1])))
            served = served and (native or place > 0)
        sources = [anchors.with_only_columns(*texts)] if gone else []
        if located is not None:
            there = [convert(located.c[base]) for convert, base in zip(converts, bases, strict=True)]
            sources.append(select(*there).where(cast(located.c[target], Text).is_not(None)))
        every = unite(sources)
        if self.scope.dialect.stepwise:
            both = reading.among(self.scope.dialect.among(reading.columns, lefts, every))
            return lambda indexed: both, served
        whole = tuple_(*lefts).in_(every)
        leading = [source.with_only_columns(source.selected_columns[0]) for source in sources]
        first = Arm(lefts[0], unite(leading), served)
        served = served and self.scope.served(name, link.field)

        def condition(indexed: bool) -> Sql:
            # The first column leads the index, the others tell its rows apart.
            return reading.among(and_(first.condition(indexed=True), whole) if indexed else whole)

        return condition, served

    def _key_served(self, name: str) -> bool:
        first = self.scope.system.collections[name].key[0]
        table = self.scope.catalogue.tables[name]
        return table.columns[first].family in NATIVE and table.serves(first, casefold=False)


def _certain(seen: CTE) -> Sql:
    """One match by an identity that only one person has needs no ruling."""
    matching = select(func.count()).select_from(seen).where(seen.c[MATCHED]).scalar_subquery()
    return or_(seen.c[DECIDED], and_(seen.c[UNIQUE], matching == 1))
