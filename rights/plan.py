"""The plan: which operation touches which system, in which order, and what it does to each collection.

The one rule: `make_plan` is a pure function of the right, the law it is asked under, the data map and the time, so a
plan can be shown, stored, compared and made again.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from graphlib import TopologicalSorter

from rights import datamap
from rights.backups import Backups
from rights.datamap import DataMap, Erase, Mode, Strategy, System
from rights.portable import ported
from rights.regimes import SHIPPED
from rights.request import Right
from rights.suppression import Scope
from rights.terms import keep_until
from rights.value import Value
from rights.withheld import Withheld, withheld

Binds = Callable[[Collection[str]], bool]
"""Whether a duty to keep that names these regimes binds."""


class Operation(StrEnum):
    """What a connector can be asked to do. Connectors hear of operations, never of rights."""

    CHANNELS = "channels"
    LOCATE = "locate"
    EXPORT = "export"
    ERASE = "erase"
    RESTRICT = "restrict"
    LIFT = "lift"
    RECTIFY = "rectify"
    SUPPRESS = "suppress"
    VERIFY = "verify"

    @property
    def look(self) -> bool:
        """Looks are always carried out; acts have one settled receipt per key."""
        return self in {Operation.LOCATE, Operation.VERIFY, Operation.CHANNELS}


class Step(Value):
    """One operation on one system for one request."""

    request_id: str
    system: str
    operation: Operation
    round: int = 0
    """0, and one more for each ruling, re-look and re-drive that asks for new work."""

    @property
    def key(self) -> str:
        """The idempotency key: the same work always has the same key."""
        return f"{self.request_id}/{self.system}/{self.operation}/{self.round}"


class Write(Value):
    """What a field that is due to go becomes in a row that stays."""

    field: str
    strategy: Strategy
    value: str | int | float | bool | None = None
    """constant: the value. generalise: 'year', 'month', 'decade', 'network' or 'prefix:N'."""


class Keep(Value):
    """Rows a duty keeps: those whose `column` is not before `cutoff`, nor after `last`, and those without a day.

    A row's own end date is `until(value of the column)`.
    """

    ground: str
    column: str
    cutoff: datetime
    """Of the first day that there is: however early."""
    last: date | None = None
    """None: however late."""
    months: int = 0
    days: int = 0
    end_of_year: bool = False
    writes: tuple[Write, ...] = ()
    """Fields that go all the same (data minimisation of what is kept)."""

    @property
    def begins(self) -> bool:
        """Whether there are days too early for it. A date before the calendar, which some systems write, is none."""
        return self.cutoff.date() > date.min

    def until(self, start: date) -> date:
        """The last day on which a row that starts on `start` must be kept."""
        return keep_until(start, self.months, self.days, end_of_year=self.end_of_year)


class Work(Value):
    """What is to be done in one collection. Names and dates only, no personal data."""

    collection: str
    export: tuple[str, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    """Fields that are held and not sent; the parcel names each."""
    left_out: bool = False
    """Nothing of it is delivered, no file either."""
    files: bool = True
    """Whether files that have names of their own are delivered."""
    erase: Erase = Erase.DELETE
    ground: str = ""
    """Erase.RETAIN: why the whole collection stays."""
    writes: tuple[Write, ...] = ()
    """Erase.REDACT: what the fields become. Erase.DELETE: what they become in a row that must stay because a kept row
    of another collection points to it (a shell)."""
    keeps: tuple[Keep, ...] = ()
    locks: bool = True
    """restrict: whether the person's records here are locked away."""
    gone: bool = False
    """lift: a look after the erasure has found nothing of the person here, so that what was locked away went with it,
    where it is not found any more."""
    stops: tuple[Scope, ...] | None = None
    """suppress: what is to stop here, () nothing; None: the system is to collect nothing more, before an erasure."""

    @property
    def leaves_pseudonyms(self) -> bool:
        """Whether a row that no duty keeps may be left with a pseudonym in it."""
        return any(write.strategy is Strategy.PSEUDONYM for write in self.writes)


class SystemPlan(Value):
    """One system's part of a plan."""

    system: str
    mode: Mode
    works: tuple[Work, ...]


class Plan(Value):
    """All the work of one request: waves of systems whose steps may run together."""

    right: Right
    as_of: datetime
    map_digest: str
    waves: tuple[tuple[SystemPlan, ...], ...]

    @property
    def systems(self) -> tuple[SystemPlan, ...]:
        return tuple(system for wave in self.waves for system in wave)

    def of(self, system: str) -> SystemPlan:
        """One system's part.

        Raises:
            KeyError: the plan does not touch that system.
        """
        for part in self.systems:
            if part.system == system:
                return part
        raise KeyError(system)


def make_plan(
    right: Right,
    data_map: DataMap,
    as_of: datetime,
    regimes: str | Collection[str] = "",
    known: Collection[str] = SHIPPED,
) -> Plan:
    """Plan a request on a data map; `regimes` are the laws it is asked under, empty where that is not known, and
    `known` those that the engine has. A duty to keep under any of them binds.

    Every system of the map is looked at and worked on. What changes data goes to a source before the copies that it
    feeds (`feeds` in the map), since a copy erased first would be filled again; otherwise systems run side by side.
    """
    after: dict[str, set[str]] = {name: set() for name in data_map.systems}
    if not right.copies:
        for system in data_map.systems.values():
            for fed in system.feeds:
                after[fed].add(system.system)
    asked = (regimes,) if isinstance(regimes, str) else tuple(regimes)

    def binds(named: Collection[str]) -> bool:
        return any(applies(named, one, known) for one in asked)

    sorter = TopologicalSorter(after)
    sorter.prepare()
    waves = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        waves.append(tuple(_part(right, data_map.systems[name], as_of, asked, binds) for name in ready))
        sorter.done(*ready)
    return Plan(right=right, as_of=as_of, map_digest=data_map.digest, waves=tuple(waves))


def applies(regimes: Collection[str], asked: str, known: Collection[str] = SHIPPED) -> bool:
    """Whether a duty to keep that names `regimes` binds for a request under `asked`. One that names none binds always.

    Where either is not `known` to the engine (a slip in the map, a law of tomorrow) the duty is taken to bind: what was
    kept can still be erased.
    """
    return not regimes or asked in regimes or asked not in known or not set(regimes) <= set(known)


def _part(right: Right, system: System, as_of: datetime, asked: Sequence[str], binds: Binds) -> SystemPlan:
    return SystemPlan(
        system=system.system,
        mode=system.mode,
        works=tuple(
            _given(right, system, _work(name, collection, as_of, asked, binds))
            for name, collection in system.collections.items()
        ),
    )


def _given(right: Right, system: System, work: Work) -> Work:
    """Work as its right has it: a person takes along no more than what they have provided."""
    if right is not Right.PORTABILITY:
        return work
    taken = ported(system, work.collection)
    export = tuple(name for name in work.export if name in taken.fields)
    return work.model_copy(update={"export": export, "left_out": not taken.anything, "files": taken.files})


def _work(name: str, collection: datamap.Collection, as_of: datetime, asked: Sequence[str], binds: Binds) -> Work:
    writes = _writes(collection, list(collection.fields))
    kept_back = kept_from_copies(collection, *asked)
    held = {one.field for one in kept_back}
    return Work(
        collection=name,
        export=tuple(n for n, field in collection.fields.items() if field.export and n not in held),
        withheld=kept_back,
        erase=collection.erase,
        ground=collection.ground,
        writes=writes,
        keeps=tuple(
            Keep(
                ground=rule.ground,
                column=rule.after,
                cutoff=keep_cutoff(as_of, rule.months, rule.days, end_of_year=rule.from_ is not None),
                months=rule.months,
                days=rule.days,
                end_of_year=rule.from_ is not None,
                writes=_writes(collection, rule.minimise),
            )
            for rule in collection.retention
            if binds(rule.regimes)
        ),
    )


def kept_from_copies(collection: datamap.Collection, *regimes: str) -> tuple[Withheld, ...]:
    """The fields that no copy under these regimes holds, each with what it is."""
    found = (withheld(name, field.category, regimes) for name, field in collection.fields.items())
    return tuple(one for one in found if one)


def _writes(collection: datamap.Collection, names: Sequence[str]) -> tuple[Write, ...]:
    writes = []
    for name in names:
        field = collection.fields[name]
        if field.strategy is not None and field.strategy not in {Strategy.RETAIN, Strategy.DELETE}:
            value = field.to if field.strategy is Strategy.GENERALISE else field.value
            writes.append(Write(field=name, strategy=field.strategy, value=value))
    return tuple(writes)


def out_of_backups(backups: Backups, erased: date) -> date | None:
    """The last day on which a backup can still hold what was erased on a day: that day itself where there are none,
    None where nobody knows."""
    if not backups.exist:
        return erased
    if not backups.known:
        return None
    return keep_until(erased, backups.months, backups.days, end_of_year=False)


def keep_cutoff(as_of: datetime, months: int, days: int, *, end_of_year: bool) -> datetime:
    """The earliest moment whose row is still kept on the day of `as_of` (UTC days).

    The inverse of `keep_until`: a row of day d is kept if and only if ``d >= cutoff.date()``.
    """
    today = as_of.astimezone(UTC).date()
    if end_of_year:
        year = today.year
        while keep_until(date(year - 1, 1, 1), months, days, end_of_year=True) >= today:
            year -= 1
        while keep_until(date(year, 1, 1), months, days, end_of_year=True) < today:
            year += 1
        return datetime(year, 1, 1, tzinfo=UTC)
    day = date.fromordinal(max(1, today.toordinal() - months * 31 - days - 1))
    while keep_until(day, months, days, end_of_year=False) < today:
        day += timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
