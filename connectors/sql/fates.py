"""What an erasure makes of each located row, as SQL: it goes, it is rewritten, or it is kept on a ground.

The one rule is that of `connectors.fates`, which says the same for rows in Python: a row goes unless the plan says that
it stays, and a row that stays is either kept on a ground that is named or tells nothing of anybody. A row that stays
keeps what it points to as a shell, so fates are worked out from the children up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    CTE,
    BigInteger,
    Date,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
)

from connectors.errors import NeedsHuman
from connectors.sql.catalogue import Column
from connectors.sql.comparing import same
from connectors.sql.rewriting import Sql, dirty, rewritten
from connectors.sql.scope import Scope
from connectors.sql.sharing import MAY, left, may, somebody_elses
from connectors.sql.traversal import Traversal
from connectors.sql.values import slot
from rights import sharing
from rights.codes import Code
from rights.datamap import Erase, Link, Strategy
from rights.plan import Keep, Work, Write

GROUNDS: Final = 10_000
"""Why a row is kept is one number: the ordinal of its last day times this, plus the place of its ground from behind,
so that the greatest of several is the longest duty, and the first of equals."""
NO_DATE: Final = date.max.toordinal()
"""The ordinal of a last day that is not known."""
FAR: Final = date(9000, 1, 1)
"""From here on a column's date counts as none: a term added to it would leave the calendar."""

STAYS: Final = "=stays"
DUTY: Final = "=duty"
REASON: Final = "=reason"
DIRTY: Final = "=dirty"
GROUND: Final = "=ground"
DIRTY_KEPT: Final = "=dirty_kept"
DIRTY_REST: Final = "=dirty_rest"
LINK: Final = "=link:"
"""Before a field's name: its value, or list of values, as further identities; NULL for what an erasure wrote there."""
TRAIT: Final = "=trait:"
"""Before a field's name: its value as an agent may compare it."""

TRAITS: Final = 12
"""Fields by which an agent tells candidates apart; more are no help."""
TRAIT_LENGTH: Final = 200
"""Characters of each; a long text is no help either."""


def traits_of(scope: Scope, name: str) -> tuple[str, ...]:
    """The fields by which candidates of a collection are told apart."""
    fields = scope.system.collections[name].fields.items()
    return tuple(field for field, about in fields if about.identity or about.category)[:TRAITS]


def telling(scope: Scope, name: str) -> tuple[str, ...]:
    """The fields of a collection that other systems may know a person by."""
    return scope.telling[name]


def reason_of(number: int, grounds: tuple[str, ...]) -> tuple[str, date | None]:
    """The ground and the last day that a number stands for."""
    ordinal, place = divmod(number, GROUNDS)
    return grounds[GROUNDS - 1 - place], None if ordinal >= NO_DATE else date.fromordinal(ordinal)


@dataclass(frozen=True)
class Fate:
    """A collection's located rows with what becomes of each."""

    rows: FromClause
    stays: Sql
    duty: Sql
    """Whether a duty of this very collection keeps the row."""
    reason: Sql
    """Why it is kept, as a number; NULL for a row that goes, or that tells nothing of anybody once it is clean."""
    dirty: Sql
    """Whether a row that stays has a field that is to go."""


class Fates:
    """The fates of one statement's rows; each collection's are worked out when they are first asked for."""

    def __init__(
        self, scope: Scope, lock: Iterable[str] = (), focus: str | None = None, batch: str | None = None
    ) -> None:
        self.scope, self._focus = scope, focus
        self.traversal = Traversal(scope, self._columns, lock, focus, batch)
        self._staying = self._may_stay()
        self._fates: dict[str, Fate] = {}

    def may_stay(self, name: str) -> bool:
        """Whether any row of a collection can outlive an erasure."""
        return name in self._staying

    def of(self, name: str) -> Fate:
        """The fates of a collection's located rows."""
        if name not in self._fates and self._focus not in {None, name}:
            told = self.traversal.told(slot("f", name), name, remembered(self.scope, name))
            self._fates[name] = Fate(told, told.c[STAYS], told.c[DUTY], _nothing(), false())
        elif name not in self._fates:
            located = self.traversal.located(name)
            if self.may_stay(name):
                number = list(self.scope.system.collections).index(name)
                fates = self.over(name, located).cte(f"fate_{number}")
                self._fates[name] = _read(fates)
            else:
                self._fates[name] = Fate(located, false(), false(), _nothing(), false())
        return self._fates[name]

    def over(self, name: str, rows: FromClause) -> Select[Any]:
        """Rows of a collection, with their fates as further columns."""
        work = self.scope.works[name]
        duty: Sql = true() if work.erase is Erase.RETAIN else rows.c[DUTY].is_not(None)
        shell = or_(false(), *self._needed(name, rows))
        shared = somebody_elses(self.scope, name, rows)
        stays = or_(duty, shared, true() if work.erase is Erase.REDACT else shell)
        reason = case((duty, rows.c[DUTY]), (stays, rows.c[GROUND]))
        unclean = case((duty, rows.c[DIRTY_KEPT]), (stays, rows.c[DIRTY_REST]), else_=false())
        used = {DUTY, GROUND, DIRTY_KEPT, DIRTY_REST}
        plain = [c for c in rows.c if c.name not in used and not c.name.startswith(TRAIT)]
        return select(
            *plain,
            stays.label(STAYS),
            duty.label(DUTY),
            reason.label(REASON),
            unclean.label(DIRTY),
        )

    def settings(self, name: str, rows: FromClause, table: FromClause) -> dict[str, Sql]:
        """What the fields of a row that stays become, by field."""
        work = self.scope.works[name]
        values: dict[str, Sql] = {}
        for field in _fields(work):
            column, value = self.scope.column(name, field), table.c[field]
            cases: list[tuple[Sql, Sql]] = []
            for write in _kept_writes(work, field):
                goes = and_(rows.c[DUTY], self._goes(work, field, rows), self._may(name, field, rows))
                cases.append((goes, rewritten(column, write, value)))
            for write in (write for write in work.writes if write.field == field):
                goes = and_(not_(rows.c[DUTY]), self._may(name, field, rows))
                cases.append((goes, rewritten(column, write, value)))
            values[field] = case(*cases, else_=value)
        return values

    def _needed(self, name: str, rows: FromClause) -> list[Sql]:
        """For each link to a collection, whether a row that stays points to the row by it."""
        conditions: list[Sql] = []
        if self.scope.works[name].erase is not Erase.DELETE:
            return conditions  # its rows stay anyway
        for child, collection in self.scope.system.collections.items():
            for link in collection.links:
                target, column = link.target
                if target == name and self.may_stay(child) and self._holds_on(child, link):
                    fate = self.of(child)
                    pointing = self._pointing(child, link, fate)
                    bases = self.scope.system.collections[name].bases(column)
                    if len(bases) == 1:
                        ours, theirs = self.scope.column(name, column), self.scope.column(child, link.field)
                        conditions.append(same([ours], [rows.c[column]], [theirs], pointing))
                    else:
                        own = [self.scope.column(name, base) for base in bases]
                        others = [self.scope.column(child, b) for b in collection.bases(link.field)]
                        conditions.append(same(own, [rows.c[base] for base in bases], others, pointing))
        return conditions

    def _pointing(self, child: str, link: Link, fate: Fate) -> Select[Any]:
        """What the rows of a collection that stay point to."""
        collection = self.scope.system.collections[child]
        derived = collection.derived.get(link.field)
        rows = fate.rows
        value: Sql = rows.c[link.field]
        if derived and derived.several:
            each, value = self.scope.dialect.each(value)
            rows = rows.join(each, true())
        values = [fate.rows.c[base] for base in derived.of] if derived and len(derived.of) > 1 else [value]
        there = func.coalesce(cast(value, Text), "") != ""
        return select(*values).select_from(rows).where(fate.stays, there, self._points(child, link, fate))

    def _points(self, name: str, link: Link, fate: Fate) -> Sql:
        """Whether a row that stays still points to its parent once its fields are rewritten."""
        work = self.scope.works[name]
        if work.erase is Erase.RETAIN:
            return true()
        bases = self.scope.system.collections[name].bases(link.field)
        written = [write.field for write in work.writes if write.field in bases]
        rest = not_(or_(false(), *(self._may(name, base, fate.rows) for base in written)))
        gone = or_(*(and_(self._goes(work, base, fate.rows), self._may(name, base, fate.rows)) for base in bases))
        return case((fate.duty, not_(gone)), else_=rest)

    def _goes(self, work: Work, field: str, rows: FromClause) -> Sql:
        """Whether a field goes from a kept row: only if every duty that keeps the row can do without it."""
        return _everywhere(work, field, [rows.c[_label(number)] for number in range(len(work.keeps))])

    def _may(self, name: str, field: str, rows: FromClause) -> Sql:
        """Whether a field may be rewritten, as far as it goes by whose it is."""
        shares = self.scope.system.collections[name].shares
        return rows.c[f"{MAY}{field}"] if shares and field in _fields(self.scope.works[name]) else true()

    def _holds_on(self, name: str, link: Link) -> bool:
        return sharing.needs_its_target(self.scope.system.collections, name, link)

    def _may_stay(self) -> frozenset[str]:
        collections = self.scope.system.collections
        waiting = [
            name
            for name, work in self.scope.works.items()
            if work.erase is not Erase.DELETE or work.keeps or collections[name].shares
        ]
        staying = set(waiting)
        while waiting:
            name = waiting.pop()
            more = {link.target[0] for link in collections[name].links if self._holds_on(name, link)} - staying
            staying |= more
            waiting += more
        return frozenset(staying)

    def _columns(self, name: str, table: FromClause) -> list[Sql]:
        """What a row's own fields say of it, worked out where the row is read."""
        return [*self._told(name, table), *(self._signs(name, table) if self.may_stay(name) else ())]

    def _told(self, name: str, table: FromClause) -> list[Sql]:
        """What tells whose row of a subject collection it is, and what other systems may know the person by."""
        told: list[Sql] = []
        if self.scope.doubts(name):
            told += [
                self.scope.dialect.first(cast(table.c[field], Text), TRAIT_LENGTH).label(f"{TRAIT}{field}")
                for field in traits_of(self.scope, name)
            ]
        writes = {write.field: write for write in self.scope.works[name].writes}
        for field in telling(self.scope, name):
            column = self.scope.column(name, field)
            several = column.several and not self.scope.dialect.stepwise
            value: Sql = func.to_jsonb(table.c[field]) if several else cast(table.c[field], Text)
            if field in writes:
                value = case((dirty(column, writes[field], table.c[field]), value))
            told.append(value.label(f"{LINK}{field}"))
        return told

    def _in_force(self, name: str, number: int, keep: Keep, day: Sql) -> Sql:
        """Whether a duty keeps a row, by its day."""
        within = []
        if keep.begins:
            within.append(day >= self.scope.dialect.given(slot("c", name, str(number)), Date()))
        if keep.last:
            within.append(day <= self.scope.dialect.given(slot("t", name, str(number)), Date()))
        return or_(day.is_(None), and_(true(), *within))

    def _signs(self, name: str, table: FromClause) -> list[Sql]:
        """What decides a row's fate."""
        work = self.scope.works[name]
        days = [day_of(self.scope.column(name, keep.column), table.c[keep.column], keep) for keep in work.keeps]
        force = [
            self._in_force(name, number, keep, day)
            for number, (keep, day) in enumerate(zip(work.keeps, days, strict=True))
        ]
        terms = zip(force, work.keeps, days, strict=True)
        duty: list[Sql] = [case((held, self._number(keep, day))) for held, keep, day in terms]
        if work.erase is Erase.RETAIN:
            duty = [self._reason(work.ground, cast(literal(NO_DATE), BigInteger))]
        shared = bool(self.scope.system.collections[name].shares)
        allowed = {field: may(self.scope, name, table, field) if shared else true() for field in _fields(work)}
        kept = [
            and_(
                _everywhere(work, field, force),
                allowed[field],
                dirty(self.scope.column(name, field), write, table.c[field]),
            )
            for field in _fields(work)
            for write in _kept_writes(work, field)
        ]
        rest = [
            and_(allowed[write.field], dirty(self.scope.column(name, write.field), write, table.c[write.field]))
            for write in work.writes
        ]
        return [
            (self.scope.dialect.greatest(duty) if len(duty) > 1 else duty[0] if duty else _nothing()).label(DUTY),
            *(held.label(_label(number)) for number, held in enumerate(force)),
            *(allowed[field].label(f"{MAY}{field}") for field in allowed if shared),
            self._ground(name, table).label(GROUND),
            or_(false(), *kept).label(DIRTY_KEPT),
            or_(false(), *rest).label(DIRTY_REST),
        ]

    def _ground(self, name: str, table: FromClause) -> Sql:
        """On which ground a row stays that is rewritten, or somebody else's too."""
        fields = self.scope.system.collections[name].fields.items()
        retained = sorted((about.ground, field) for field, about in fields if about.strategy is Strategy.RETAIN)
        there = [(ground, func.coalesce(cast(table.c[field], Text), "") != "") for ground, field in retained]
        if not self.scope.system.collections[name].shares:
            return self._first(there)
        whole, mine = left(self.scope, name, table)
        part = self._first([(sharing.GROUND, whole), *mine])
        return case((somebody_elses(self.scope, name, table), part), else_=self._first(there))

    def _first(self, grounds: Iterable[tuple[str, Sql]]) -> Sql:
        """The first ground that holds, as a number without a date."""
        cases = [(holds, self._reason(ground, cast(literal(NO_DATE), BigInteger))) for ground, holds in grounds]
        return case(*cases, else_=_nothing()) if cases else _nothing()

    def _number(self, keep: Keep, day: Sql) -> Sql:
        """Why a duty keeps a row, as a number: `Keep.until` in SQL."""
        ordinal = self.scope.dialect.last_day(keep, day)
        return self._reason(keep.ground, func.coalesce(cast(ordinal, BigInteger), NO_DATE))

    def _reason(self, ground: str, ordinal: Sql) -> Sql:
        place = self.scope.grounds.index(ground) if ground else 0
        return ordinal * GROUNDS + (GROUNDS - 1 - place)


def remembered(scope: Scope, name: str) -> list[str]:
    """What of a row that stays its parents' fates hang on, where each collection is looked at by itself."""
    collection = scope.system.collections[name]
    fields: list[str] = []
    for link in collection.links:
        bases = collection.bases(link.field)
        fields += [link.field, *(bases if len(bases) > 1 else ())]
    duties = [_label(number) for number in range(len(scope.works[name].keeps))]
    allowed = [f"{MAY}{field}" for field in _fields(scope.works[name]) if collection.shares]
    return [*dict.fromkeys(fields), STAYS, DUTY, *duties, *allowed]


def _read(fates: CTE) -> Fate:
    return Fate(fates, fates.c[STAYS], fates.c[DUTY], fates.c[REASON], fates.c[DIRTY])


def day_of(column: Column, value: Sql, keep: Keep) -> Sql:
    """The UTC day of a column, NULL where none can be told: such a row is kept, for nobody can show that its term is
    over.

    Raises:
        NeedsHuman: SCHEMA: the column holds no dates.
    """
    day = column.dialect.day(column, value)
    if day is None:
        raise NeedsHuman(Code.SCHEMA, f"{column.about} ({keep.ground})")
    return case((day < cast(literal(FAR.isoformat(), Text), Date), day))


def _fields(work: Work) -> list[str]:
    """The fields that are rewritten in some row of a collection that stays."""
    writes = [*work.writes, *(write for keep in work.keeps for write in keep.writes)]
    return list(dict.fromkeys(write.field for write in writes))


def _kept_writes(work: Work, field: str) -> list[Write]:
    """What is written into a field of a kept row: one write, or none."""
    return [write for keep in work.keeps for write in keep.writes if write.field == field][:1]


def _everywhere(work: Work, field: str, force: list[Sql]) -> Sql:
    """Whether every duty in force rewrites a field."""
    lacking = [
        held for keep, held in zip(work.keeps, force, strict=True) if all(write.field != field for write in keep.writes)
    ]
    if len(lacking) == len(work.keeps):
        return false()
    return not_(or_(*lacking)) if lacking else true()


def _label(number: int) -> str:
    return f"=duty:{number}"


def _nothing() -> Sql:
    return cast(null(), BigInteger)
