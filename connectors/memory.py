"""The reference connector: a system that is a few lists of dicts inside this process.

Authors of connectors read this first, and the conformance suite is measured against it. The one rule: what the contract
means, this module does in the plainest way there is; speed is other connectors' business.

Two steps carry everything: `_see` finds the person's rows, `_fates` says what an erasure makes of each. Locate, export,
erase and verify are four uses of the two.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, ParamSpec, TypeVar

from connectors.anchors import key_name
from connectors.corrections import Mend, corrected, foreseen, found_of, mends, old_values, require, told
from connectors.derived import complete
from connectors.directory import Directory
from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.fates import Fate, Place, Row, changes_of, fates_of, key_of, tally_of
from connectors.jsonlines import pages_of
from connectors.links import Links
from connectors.memorystore import Foreseen, Store
from connectors.mentioned import Mentions, counted, mentioning, mentions_among, refuse_mentions
from connectors.optouts import marking, refuse_unmarked
from connectors.protocol import Anchors, Call, Candidate, ContactPoint, Export, Key, Look
from connectors.recognising import follower, recogniser
from connectors.sharing import Part, Parts, anchor_name, given, key_text
from connectors.strategies import text
from connectors.unread import refuse_options
from connectors.words import words_of
from rights.codes import Code
from rights.datamap import Collection, System
from rights.receipt import Tally
from rights.subject import Identity, Sharing

P = ParamSpec("P")
T = TypeVar("T")

BATCH: Final = 500
"""Rows that one destructive call changes at most, unless the option `batch` says otherwise: small enough that a hold
placed in the middle of a large erasure binds soon."""


@dataclass(frozen=True, slots=True)
class _Sight:
    """The rows that a look found, by collection, parents before children."""

    certain: dict[str, list[Row]] = field(default_factory=dict)
    doubtful: dict[str, list[Row]] = field(default_factory=dict)
    """Rows of subject collections that match, and of which nobody has said whose they are; and shared rows that are to
    be asked about."""
    parts: dict[Place, Part] = field(default_factory=dict)
    """The person's part in rows that may be somebody else's too."""


class Memory:
    """One system in memory."""

    def __init__(self, system: System, store: Store, batch: int = BATCH) -> None:
        self.system, self.store, self.batch = system, store, batch
        self._circular = frozenset(filter(system.circular, system.collections))
        if system.marks_opt_outs:
            self.suppress = self._suppress

    @property
    def rows(self) -> dict[str, list[dict[str, object]]]:
        """The back door: the rows themselves, by collection."""
        return self.store.rows

    @property
    def ends_cut_calls(self) -> bool:
        """A cut attempt has died with its process, and what it held with it."""
        return True

    @property
    def searches(self) -> bool:
        """Texts that the map marks are searched."""
        return True

    @property
    def derives(self) -> bool:
        """What is derived is read, and circles are followed."""
        return True

    @property
    def flags(self) -> bool:
        """Fields that the map names under `opt_out` are written."""
        return True

    @property
    def shares(self) -> bool:
        """Rows that are somebody else's too are told from those that are not."""
        return True

    def channels(self, call: Call) -> tuple[ContactPoint, ...]:
        """How to reach the person: of the rows that lead there, nothing else is read."""
        return Directory(self.system, lambda part: Memory(part, self.store).export).points(call)

    @property
    def spares(self) -> bool:
        """Rows that are to be retained are left alone."""
        return True

    def locate(self, call: Call) -> Look:
        """Count this person's rows, and find the anchors. Changes nothing."""
        sight = self._see(call)
        fates = self._fates(call, sight)
        look = self._look(call, sight, fates, tally_of(call.work, fates, _counted(sight.doubtful)))
        return look if look.candidates else counted(look, self._mentions(call, sight))

    def verify(self, call: Call) -> Look:
        """Look again: rows that an erasure has rewritten are not the person's any more, all others are."""
        sight = self._see(call)
        fates = self._fates(call, sight)
        left = [fate for fate in fates if not fate.settled]
        tally = tally_of(call.work, left, _counted(sight.doubtful), verifying=True)
        look = self._look(call, sight, fates, tally)
        if not look.candidates and not tally.left:
            refuse_mentions(self._mentions(call, sight), tally)
        return look

    def export(self, call: Call) -> Iterator[Export]:
        """One file of JSON lines per collection, as of the moment the first one is taken."""
        sight = self._see(call)
        self._refuse_doubt(sight)
        refuse_mentions(self._mentions(call, sight), Tally())
        for work in call.work:
            name = work.collection
            rows = given(self.system.collections[name], name, sight.certain[name], sight.parts)
            yield Export(name, "application/x-ndjson", pages_of(call, work, rows))

    def erase(self, call: Call) -> Tally:
        """Delete and rewrite, children before parents, so that whatever cuts it short leaves a path to the rest."""
        self._require_mark(call)
        sight = self._see(call)
        self._refuse_doubt(sight)
        fates = self._fates(call, sight)
        look = tally_of(call.work, fates, {})
        call.learn(self._links(call, sight))
        call.remember(self._anchors(call, fates))
        due = [fate for fate in fates if fate.due]
        done: list[Fate] = []
        for batch in self._batches(due):
            call.beat()
            changes = {fate.place: fate.new_values(call.pseudonym_key) for fate in batch}
            with call.fence(Counter(fate.collection for fate in batch), look) as intent:
                there = self._ask(self.store.change, changes)
                changed = [fate for fate in batch if fate.place in there]
                intent.done(changes_of(call.work, changed))
            done += changed
        return Tally(
            counts=tuple(
                count.model_copy(update={"found": seen.found, "kept": seen.kept})
                for count, seen in zip(changes_of(call.work, done).counts, look.counts, strict=True)
            )
        )

    def rectify(self, call: Call) -> Tally:
        """Set the fields that the corrections name, each row's old values first given away to be kept."""
        self._require_mark(call)
        require(self.system, call.corrections)
        known = foreseen(call)
        sight = self._see(known)
        self._refuse_doubt(sight)
        due = list(mends(self.system, call.corrections, sight.certain))
        look = found_of(self.system, call.corrections, sight.certain)
        self._refuse_loss(known, due)
        if due:
            call.learn((*self._links(known, sight), *told(call)))
        done: list[Mend] = []
        for start in range(0, len(due), self.batch):
            call.beat()
            batch = due[start : start + self.batch]
            call.keep(old_values(batch))
            with call.fence(Counter(mend.place[0] for mend in batch), look) as intent:
                there = self._ask(self.store.change, {mend.place: mend.new for mend in batch})
                changed = [mend for mend in batch if mend.place in there]
                intent.done(corrected(self.system, changed))
            done += changed
        counts = zip(corrected(self.system, done).counts, look.counts, strict=True)
        tally = Tally(counts=tuple(count.model_copy(update={"found": seen.found}) for count, seen in counts))
        for mend in mends(self.system, call.corrections, self._see(known).certain) if done else ():
            raise NeedsHuman(Code.CHANGED_BACK, f"{mend.place[0]}.{','.join(mend.new)}", tally=tally)
        return tally

    def _suppress(self, call: Call) -> Tally:
        """Set the fields that the map names under `opt_out`, as a correction that keeps nothing."""
        tally = self.rectify(marking(call))
        refuse_unmarked(call, self.locate(call).tally)
        return tally

    def _refuse_loss(self, call: Call, due: Sequence[Mend]) -> None:
        """Refuse to change by what a row is found so that nobody would find it any more."""
        sight = Memory(self.system, Foreseen(self.store, due))._see(call)
        seen = {(n, key_of(self.system.collections[n].key, row)) for n, rows in sight.certain.items() for row in rows}
        for mend in due:
            if mend.place not in seen:
                raise NeedsHuman(Code.NOT_RECTIFIABLE, f"{mend.place[0]}.{','.join(mend.new)} (nobody would be found)")

    def _require_mark(self, call: Call) -> None:
        if not call.environment or self._ask(self.store.mark) != call.environment:
            raise NeedsHuman(Code.ENVIRONMENT, self.system.system)

    def _batches(self, due: Iterable[Fate]) -> Iterator[list[Fate]]:
        """What one destructive call changes. No order of a circle's rows leaves a path to those not reached yet, so
        they go together."""
        for circular, part in itertools.groupby(due, key=lambda fate: fate.collection in self._circular):
            rows = list(part)
            size = len(rows) if circular else self.batch
            yield from (rows[start : start + size] for start in range(0, len(rows), size))

    def _see(self, call: Call) -> _Sight:
        """Find the person's rows: by identity, by unique links from those, and by anchors where the path is cut."""
        sight = _Sight()
        for group in self.system.groups:
            scanned = {name: self._scan(call, name) for name in group}
            for name in group:
                sight.certain[name], sight.doubtful[name] = [], []
            # Once is enough where links lead on; where they lead back, until nothing new is found.
            if self.system.collections[group[0]].shares:
                self._share(call, sight, group[0], scanned[group[0]])
                continue
            while sum(self._recognise(call, sight, name, rows) for name, rows in scanned.items()):
                if group[0] not in self._circular:
                    break
        return sight

    def _scan(self, call: Call, name: str) -> list[tuple[Key, Row]]:
        """All rows of a collection, with what is derived from them."""
        call.beat()
        collection = self.system.collections[name]
        rows = (complete(collection, row) for row in self._ask(self.store.scan, name))
        return [(key_of(collection.key, row), row) for row in rows]

    def _share(self, call: Call, sight: _Sight, name: str, rows: Sequence[tuple[Key, Row]]) -> None:
        """Say which rows of a collection of shared rows are the person's, and which of them are somebody else's too."""
        parts = Parts(call, self.system, name, sight.certain, sight.parts, partial(self._scan, call))
        ruled = call.rulings.others.get(name, frozenset())
        for key, row in rows:
            part = parts.of(key, row)
            if part.mine and part.asks and key not in ruled:
                sight.doubtful[name].append(row)
            elif part.mine:
                sight.certain[name].append(row)
                sight.parts[name, key] = part

    def _recognise(self, call: Call, sight: _Sight, name: str, rows: Sequence[tuple[Key, Row]]) -> int:
        """Say which rows of a collection are the person's by what is known so far; how many are so anew. They stand in
        the order in which they were reached, parents before children."""
        collection = self.system.collections[name]
        mine = call.rulings.mine.get(name, frozenset())
        others = call.rulings.others.get(name, frozenset())
        anchored = set(call.anchors.get(name, {}).get(key_name(collection), ()))
        hangs_on = follower(call, sight.certain, collection)
        recognise, mentioned = recogniser(call, collection), mentioning(collection, words_of(call))
        before = {key_of(collection.key, row) for row in sight.certain[name]}
        certain: list[Row] = []
        undecided: list[tuple[Row, Sharing]] = []
        matching = 0
        for key, row in rows:
            sharing = recognise(row)
            matching += sharing is not None
            if key in others or key in before:
                continue
            if key_text(key) in anchored or hangs_on(row) or (key in mine and (sharing or mentioned(row))):
                certain.append(row)
            elif sharing:
                undecided.append((row, sharing))
        # One match, and by an identity that only one person has: no need to ask.
        if matching == 1 and undecided and undecided[0][1] is Sharing.UNIQUE:
            certain.append(undecided.pop()[0])
        sight.certain[name] += certain
        sight.doubtful[name] = [row for row, _ in undecided]
        return len(certain)

    def _mentions(self, call: Call, sight: _Sight) -> Iterator[Mentions]:
        """Rows that nothing leads to, and in which a text mentions the person."""
        words = words_of(replace(call, identities=(*call.identities, *self._links(call, sight))))
        for name, collection in self.system.collections.items():
            known = {key_of(collection.key, row) for row in (*sight.certain[name], *sight.doubtful[name])}
            known |= call.rulings.others.get(name, frozenset())
            rows = [row for key, row in self._scan(call, name) if key not in known] if collection.searched else []
            yield mentions_among(name, collection, words, rows)

    def _fates(self, call: Call, sight: _Sight) -> list[Fate]:
        """What becomes of every certain row, children first."""
        return fates_of(self.system, call.work, sight.certain, sight.parts)

    def _look(self, call: Call, sight: _Sight, fates: Sequence[Fate], tally: Tally) -> Look:
        candidates = [
            Candidate(name, key_of(collection.key, row), _traits(collection, row))
            for name, collection in self.system.collections.items()
            for row in sight.doubtful[name]
        ]
        return Look(tally, self._anchors(call, fates), tuple(candidates), self._links(call, sight))

    def _anchors(self, call: Call, fates: Iterable[Fate]) -> Anchors:
        """What links point to, and the keys of rows that stay. A later look forgets no anchor."""
        collections = self.system.collections
        pointed: dict[str, set[str]] = defaultdict(set)
        for parent, column in (li.target for c in collections.values() for li in c.links if li.followed):
            pointed[parent].add(column)
        found: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
        for name, columns in call.anchors.items():
            for column, values in columns.items():
                found[name][column].update(dict.fromkeys(values))
        for fate in fates:
            name, key = fate.place
            if fate.part:
                for link in fate.part.cuttable:
                    found[name][anchor_name(link)][key_text(key)] = None
            elif fate.stays:
                found[name][key_name(collections[name])][key_text(key)] = None
            for column in pointed[name]:
                if value := text(fate.row.get(column)):
                    found[name][column][value] = None
        return {name: {c: tuple(values) for c, values in columns.items()} for name, columns in found.items()}

    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        """What the person's rows say that other systems may know them by."""
        links = Links(call)
        for name, rows in sight.certain.items():
            for row in rows:
                links.add_row(name, row)
        return links.found

    def _refuse_doubt(self, sight: _Sight) -> None:
        """Nothing is disclosed or destroyed while it is open whose rows these are."""
        for name, rows in sight.doubtful.items():
            if rows:
                raise NeedsHuman(Code.SEVERAL_PEOPLE, name)

    def _ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Put a question to the store, and turn its errors into ours."""
        failure: ConnectorError
        try:
            return question(*args, **kwargs)
        except ConnectionError:
            failure = Retryable(Code.UNREACHABLE, self.system.system)
        except PermissionError:
            failure = NeedsHuman(Code.CREDENTIALS, self.system.system)
        # Out here, so that the driver's own error does not hang on ours as its context: it may quote a value.
        raise failure


def build(system: System, secrets: Mapping[str, str]) -> Memory:
    """Build an empty system in memory.

    Options: `environment`, the mark it bears; `batch`, how many rows one destructive call changes at most.

    Raises:
        ValueError: an option is unknown or wrong, or a connection is given.
    """
    refuse_options(system)
    options = dict(system.options)
    environment, batch = options.pop("environment", ""), options.pop("batch", BATCH)
    if options:
        raise ValueError(f"options: '{min(options)}' is unknown: write environment or batch")
    if secrets:
        raise ValueError("connection: a system in memory has none: leave it out")
    if not isinstance(environment, str):
        raise ValueError("options: environment is a word such as production")
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
        raise ValueError("options: batch is a number of rows, 1 or more")
    return Memory(system, Store(system, environment), batch)


def _traits(collection: Collection, row: Row) -> Row:
    return {name: row.get(name) for name, about in collection.fields.items() if about.category or about.identity}


def _counted(rows: Mapping[str, Sequence[Row]]) -> dict[str, int]:
    return {name: len(found) for name, found in rows.items()}
