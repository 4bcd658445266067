"""What the promises have in common: people to seed, calls to make, and what the data map says must come of it.

The one rule: what is expected is worked out here from the data map and the back door alone.
"""

import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

import pytest

from connectors.conformance.bench import AS_OF, ENVIRONMENT, Bench, Clocks, Dump, Person, Waits, lacking
from connectors.conformance.gate import Gate
from connectors.conformance.outlook import Outlook, outlook_of
from connectors.protocol import (
    Anchors,
    Call,
    Connector,
    Correction,
    Erases,
    Export,
    Exports,
    Fence,
    Look,
    OldValues,
    Pending,
    Rulings,
    capabilities,
    unkept,
    untold,
)
from connectors.strategies import text
from rights.datamap import DataMap, System
from rights.plan import Operation, Work, make_plan
from rights.receipt import Tally
from rights.request import Right
from rights.subject import Identity

Answer = TypeVar("Answer", Look, Tally, Iterator[Export])

_PATIENCE: Final = 200
"""Calls after which an operation that is still pending is taken to stay so."""

_numbers = itertools.count(100_000_000 + secrets.randbelow(700_000_000))


class Promises:
    """A group of promises about one bench."""

    @pytest.fixture
    def bench(self) -> Bench:
        """The system to try. Override it."""
        raise NotImplementedError("override the fixture 'bench': it returns a Bench of your system")

    @pytest.fixture
    def trial(self, bench: Bench, request: pytest.FixtureRequest) -> "Trial":
        """The bench, if it and the connector have what this promise is about."""
        can = capabilities(bench.connector)
        for what in getattr(request.function, "needs", ()):
            if reason := lacking(what, bench, can):
                pytest.skip(reason)
        return Trial(bench)

    def state(self, trial: "Trial") -> object:
        """All that is in the system, as it has to be again once a restriction is lifted. Override it where moving a row
        away and back gives it another key."""
        return trial.bench.everything()


class Trial:
    """A bench, with the calls that promises make on it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        bench.mark(ENVIRONMENT)
        self.system: System = bench.system
        self.connector: Connector = bench.connector
        plan = make_plan(Right.ERASURE, DataMap.of({self.system.system: self.system}), AS_OF)
        self.works: tuple[Work, ...] = plan.of(self.system.system).works
        self._keys: dict[tuple[Identity, ...], int] = {}
        self.waited_for = False
        """Whether something was pending: the system then goes on by itself, between one call and the next."""
        self.kinds = {
            about.identity: about
            for collection in self.system.collections.values()
            for about in collection.identities.values()
            if about.identity
        }

    @property
    def told_kinds(self) -> set[str]:
        """The kinds of identity that rows tell other systems of."""
        fields = (about for c in self.system.collections.values() for about in c.fields.values())
        return {kind for about in fields for kind in about.told}

    def person(self, words: str = "", local: str = "") -> Person:
        """Make somebody up, with `words` as the text and `local` in the local part of the address."""
        number = next(_numbers)
        identities = [
            Identity(kind, f"{local}zq{number}@example.org" if kind == "email" else str(next(_numbers)))
            for kind in self.kinds
        ]
        return Person(tuple(identities), words or f"Quartz {number}")

    def seeded(self, rows: int = 12, words: str = "", local: str = "") -> Person:
        """Make somebody up and put them into the system."""
        person = self.person(words, local)
        self.bench.seed(person, rows)
        return person

    def call(
        self,
        who: Person | Iterable[Identity],
        *,
        fence: Fence | None = None,
        beat: Callable[[], None] = lambda: None,
        anchors: Anchors | None = None,
        rulings: Rulings | None = None,
        environment: str = ENVIRONMENT,
        cut_short: bool = False,
        learn: Callable[[tuple[Identity, ...]], None] = untold,
        corrections: Iterable[Correction] = (),
        keep: Callable[[OldValues], None] = unkept,
    ) -> Call:
        identities = who.identities if isinstance(who, Person) else tuple(who)
        # One key for all attempts of a step: here a step is whatever is done about the same identities.
        number = self._keys.setdefault(identities, len(self._keys))
        return Call(
            key=f"conformance/{self.system.system}/{number}",
            session=f"conformance-{number}",
            as_of=self._now(),
            system=self.system,
            work=self.works,
            identities=identities,
            beat=beat,
            fence=fence or Gate(),
            anchors=anchors or {},
            rulings=rulings or Rulings(),
            environment=environment,
            cut_short=cut_short,
            pseudonym_key=b"conformance " * 3,
            learn=learn,
            corrections=tuple(corrections),
            keep=keep,
        )

    def locate(self, call: Call) -> Look:
        return self.connector.locate(call)

    def export(self, call: Call) -> dict[tuple[str, str], bytes]:
        """Everything an export gives, by collection and media type; a file with a name of its own has that, too."""
        assert isinstance(self.connector, Exports)
        files: dict[tuple[str, str], bytes] = {}
        for part in self.exports(call):
            assert isinstance(part, Export)
            place = (part.collection, f"{part.media_type} {part.name}".rstrip())
            assert place not in files, "one file of a kind for each collection"
            files[place] = b"".join(part.pages)
        return files

    def exports(self, call: Call) -> Iterator[Export]:
        """The parts of an export, waited for."""
        assert isinstance(self.connector, Exports)
        return self.waited(self.connector.export, call)

    def erase(self, call: Call) -> Tally:
        assert isinstance(self.connector, Erases)
        return self.waited(self.connector.erase, call)

    def verify(self, call: Call) -> Look:
        assert isinstance(self.connector, Erases)
        return self.waited(self.connector.verify, call)

    def waited(self, operation: Callable[[Call], Answer | Pending], call: Call) -> Answer:
        """Call an operation until it is no longer pending, as the engine does."""
        for _ in range(_PATIENCE):
            answer = operation(call)
            if not isinstance(answer, Pending):
                return answer
            assert isinstance(self.bench, Waits), "the connector has work pending: give the bench a `wait`"
            assert answer.check_after > timedelta(0), "a time to wait"
            self.waited_for = True
            self.bench.wait(answer.check_after)
            call = replace(call, job=answer.job, as_of=self._now(call.as_of + answer.check_after))
        raise AssertionError("the connector stays pending for ever")

    def _now(self, otherwise: datetime = AS_OF) -> datetime:
        return self.bench.now() if isinstance(self.bench, Clocks) else otherwise

    def each(self, call: Call) -> dict[Operation, Callable[[], object]]:
        """The operations this connector has, ready to be carried out."""
        ways: dict[Operation, Callable[[], object]] = {
            Operation.LOCATE: lambda: self.locate(call),
            Operation.EXPORT: lambda: self.export(call),
            Operation.ERASE: lambda: self.erase(call),
            Operation.VERIFY: lambda: self.verify(call),
        }
        can = capabilities(self.connector)
        return {operation: way for operation, way in ways.items() if operation in can}

    def held(self, person: Person) -> dict[str, int]:
        """Rows of a person by collection, by the back door."""
        return {name: len(keys) for name, keys in self.bench.rows(person).items() if keys}

    def says(self, person: Person) -> set[tuple[str, str]]:
        """Kind and value of all that the person's rows say other systems may know the person by."""
        dump = self.bench.everything()
        said: set[tuple[str, str]] = set()
        for name, keys in self.bench.rows(person).items():
            for column, about in self.system.collections[name].fields.items():
                values = {text(dump[name][key].get(column)) for key in keys} if about.told else set()
                said |= {(kind, value) for kind in about.told for value in values if value}
        return said

    def outlook(self, *people: Person) -> Outlook:
        """What an erasure of these people must make of what is in the system now."""
        dump = self.bench.everything()
        rows = {
            (name, key): dump[name][key]
            for person in people
            for name, keys in self.bench.rows(person).items()
            for key in keys
        }
        return outlook_of(self.system, self.works, rows)

    def check(self, before: Dump, outlook: Outlook, *people: Person) -> None:
        """Compare the system with what it was and what an erasure must have made of it."""
        after = self.bench.everything()
        words = [word for person in people for word in (person.text, *(i.value for i in person.identities))]
        for name, rows in before.items():
            for key, row in rows.items():
                place = (name, key)
                if place in outlook.gone:
                    assert key not in after[name], f"a row of {name} is still there"
                    continue
                assert key in after[name], f"a row of {name} is gone"
                emptied = outlook.emptied.get(place, frozenset())
                for column, value in row.items():
                    now = after[name][key][column]
                    if column not in emptied:
                        assert now == value, f"{name}.{column} was not to change"
                    else:
                        assert now != value, f"{name}.{column} was to change"
                        assert not any(word in text(now) for word in words), f"{name}.{column} still tells"
        for name, rows in after.items():
            assert not rows.keys() - before[name].keys(), f"{name} has rows that were not there"


def asked(person: Person, kind: str) -> tuple[Identity, ...]:
    """One identity of a person."""
    return (Identity(kind, person.of(kind)),)


def renamed(person: Person, kind: str, value: str) -> Person:
    """The same person with another value of one identity."""
    identities = [replace(i, value=value) if i.kind == kind else i for i in person.identities]
    return replace(person, identities=tuple(identities))
