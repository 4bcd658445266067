"""Trying an erasure step by step, on servers that do not count a transaction's changes by table.

The one rule: what it touches is counted before and after, in the transaction itself; what is not counted is said. It
cannot commit, enters no fence, and nobody waits for it longer than its limits.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from connectors.errors import NeedsHuman
from connectors.protocol import Call
from connectors.sql import erasure
from connectors.sql.attempt import trial_limits
from connectors.sql.erasure import Batch, lockable
from connectors.sql.limits import Limits
from connectors.sql.mariadb import reach as mariadb_reach
from connectors.sql.mariadb import trying as mariadb
from connectors.sql.mariadb.session import Database as MariaDB
from connectors.sql.reach import Changes, Counting, Place, Reach
from connectors.sql.server import Database
from connectors.sql.sqlite import reach as sqlite_reach
from connectors.sql.sqlite import trying as sqlite
from connectors.sql.sqlite.session import Database as SQLite
from connectors.sql.stepping import Stepping
from connectors.sql.steps import Steps
from connectors.sql.trials import hindrance, surprise
from connectors.trial import Effect, Trial
from rights.codes import Code
from rights.receipt import Tally

COUNTED: Final = 1_000_000
"""Rows of a table that are counted twice while a person's rows are locked: a third of a second each. A larger table is
left out, and named."""

Counts = Mapping[Place, tuple[int, ...] | None]


class Session(Stepping, Counting, Protocol):
    """A transaction that is only tried."""

    environment: str
    stayed: bool
    """Whether something of it could not be taken back, as the server says once it is over."""


def attempt(reader: Database, writer: Database, call: Call, steps: Steps) -> Trial:
    """Try a call's erasure.

    Raises:
        Exception: one of the databases' own errors: it could not be tried; nothing stays in any case.
        NeedsHuman: BLOCKED: a foreign key that is looked at late would refuse the commit; SCHEMA: a table keeps what is
            erased.
    """
    tables = steps.scope.catalogue.tables
    reach = _reached(reader, [(tables[name].schema, tables[name].name) for name in lockable(steps.scope)])
    columns: dict[Place, tuple[str, ...]] = {}
    for emptied in reach.emptied:
        columns[emptied.place] = tuple(dict.fromkeys((*columns.get(emptied.place, ()), *emptied.columns)))
    with _trial(writer, steps.document(call), trial_limits(writer.limits)) as session:
        sight = steps.see(session, lock=not reach.why_not)
        before = sight.tally(call.work)
        why_not = hindrance(sight, call, session.environment, writer.limits) or reach.why_not
        if not why_not and (unfit := erasure.unfit(steps.scope)):
            raise NeedsHuman(Code.SCHEMA, unfit)
        if why_not or not sight.planned:
            return Trial(before, not_tried=why_not, statements=steps.statements)
        earlier = _counted(session, reach, columns)
        late = {place: session.unmatched(place) for place in reach.deferred}
        started = session.changes()
        own = steps.carry_out(session, steps.batches, None).changes
        done = _without(_difference(started, session.changes()), session.emptied)
        later = _counted(session, reach, columns)
        for place, lost in late.items():
            if session.unmatched(place) > lost:
                raise NeedsHuman(Code.BLOCKED, place[1])
    trial = _Told(steps, reach, before, own, done)
    effects = trial.effects(earlier, later)
    if session.stayed:
        said = "a table without transactions was changed, and that could not be taken back: look at once"
        effects.append(Effect("unknown", None, 0, 0, 0, said))
    return Trial(before, tuple(effects), not_counted=tuple(trial.not_counted(later)), statements=steps.statements)


@dataclass
class _Told:
    """What was done, put together from what the statements say and what was counted."""

    steps: Steps
    reach: Reach
    before: Tally
    own: Sequence[tuple[Batch, tuple[int, int]]]
    done: Changes

    def effects(self, earlier: Counts, later: Counts) -> list[Effect]:
        known = {(t.schema, t.name): name for name, t in self.steps.scope.catalogue.tables.items()}
        numbers: dict[Place, Changes] = {}
        for place in self.reach.places:
            first, last = earlier[place], later[place]
            deleted = self._own(known.get(place), deleting=True)
            updated = self._own(known.get(place), deleting=False)
            inserted = 0
            if first is not None and last is not None:
                gone = first[0] - last[0]
                inserted, deleted = max(0, deleted - gone), max(deleted, gone)
                emptied = max((b - a for a, b in zip(first[1:], last[1:], strict=True)), default=0)
                updated = max(updated, emptied)
            numbers[place] = Changes(inserted, updated, deleted)
        rest, where = self._rest(numbers, later)
        if rest != Changes() and len(where) == 1:
            found = numbers[where[0]]
            numbers[where[0]] = Changes(
                found.inserted + rest.inserted, found.updated + rest.updated + rest.any, found.deleted + rest.deleted
            )
            rest = Changes()
        made = [self._effect(place, known.get(place), change) for place, change in sorted(numbers.items())]
        effects = [effect for effect in made if effect.inserted or effect.updated or effect.deleted]
        if rest != Changes():
            tables = ", ".join(".".join(place) for place in where) or "unknown"
            said = "triggers change these too, in rows that are not told apart by table"
            effects.append(Effect(tables, None, rest.inserted, rest.updated + rest.any, rest.deleted, said))
        return effects

    def not_counted(self, later: Counts) -> list[str]:
        """The tables that were not counted, but those of which the statements themselves say everything."""
        aside = self.reach.triggered | self.reach.cascaded | {emptied.place for emptied in self.reach.emptied}
        why = f"more than {COUNTED:,} rows, or the role may not read it"
        left = [f"{'.'.join(place)} ({why})" for place in self.reach.places if later[place] is None and place in aside]
        index = "a search index that triggers keep up; nor what they change in place elsewhere"
        return left + [f"{name} ({index})" for name in self.reach.indexes]

    def _own(self, name: str | None, *, deleting: bool) -> int:
        return sum(rows for batch, (rows, _) in self.own if batch.collection == name and batch.deleting is deleting)

    def _rest(self, numbers: Mapping[Place, Changes], later: Counts) -> tuple[Changes, list[Place]]:
        """What the server has counted beyond that, and the tables where it can have been."""
        changes = numbers.values()
        if self.reach.indexes:  # what is done for those is in the sum, too
            rest = Changes()
        elif self.done.any:
            all_told = sum(change.inserted + change.updated + change.deleted for change in changes)
            rest = Changes(any=max(0, self.done.any - all_told))
        else:
            own = {deleting: sum(r for b, (r, _) in self.own if b.deleting is deleting) for deleting in (True, False)}
            extra = [
                change.deleted
                for place, change in numbers.items()
                if place not in self.reach.cascaded and place in self.reach.triggered
            ]
            rest = Changes(
                max(0, self.done.inserted - sum(change.inserted for change in changes)),
                max(0, self.done.updated - own[False]),
                max(0, self.done.deleted - own[True] - sum(extra)),
            )
        places = sorted(self.reach.triggered)
        return rest, [place for place in places if later[place] is None or rest.updated or rest.any] or places

    def _effect(self, place: Place, name: str | None, change: Changes) -> Effect:
        numbers = (change.inserted, change.updated, change.deleted)
        more = surprise(self.steps.scope.works, self.before, name, *numbers) if any(numbers) else ""
        if not more and name is not None and change.updated > self._own(name, deleting=False):
            more = "more rows are changed than were found: a cascade or a trigger"
        return Effect(".".join(place), name, *numbers, more)


def _reached(reader: Database, places: Sequence[Place]) -> Reach:
    match reader:
        case MariaDB():
            return mariadb_reach.reached(reader, places)
        case SQLite():
            return sqlite_reach.reached(reader, places)
    raise TypeError("a kind of server on which nothing is tried step by step")


def _trial(writer: Database, document: dict[str, object], limits: Limits) -> AbstractContextManager[Session]:
    match writer:
        case MariaDB():
            return mariadb.trial(writer, document, limits)
        case SQLite():
            return sqlite.trial(writer, document, limits)
    raise TypeError("a kind of server on which nothing is tried step by step")


def _counted(session: Session, reach: Reach, columns: Mapping[Place, tuple[str, ...]]) -> Counts:
    return {place: session.rows_in(place, columns.get(place, ()), COUNTED) for place in reach.places}


def _without(done: Changes, emptied: int) -> Changes:
    """What was done, without what was only done so that rows of a circle can be deleted."""
    return Changes(done.inserted, max(0, done.updated - emptied), done.deleted, max(0, done.any - emptied))


def _difference(first: Changes, last: Changes) -> Changes:
    return Changes(
        last.inserted - first.inserted,
        last.updated - first.updated,
        last.deleted - first.deleted,
        last.any - first.any,
    )
