"""Erasing rows at a vendor: one person's, or those of many people in calls for several.

The one rule: a row counts as erased when the vendor's last step says so, not when the vendor took the work on. Every
call that changes something stands behind the fences of all whom it concerns; who is refused there is taken out.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Final

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.http.errand import Errand, Progress, destructive, segment
from connectors.http.exchange import Exchange
from connectors.http.schema import Erase, Vendor
from connectors.http.sight import Eye, Sight
from connectors.http.steps import Call, Poll, Step
from connectors.http.template import Scope, as_text
from connectors.http.walk import walk
from connectors.protocol import Call as StepCall
from connectors.protocol import Intent, Pending
from rights.codes import Code
from rights.receipt import Count, Tally

SOON: Final = timedelta(minutes=1)
"""Until the next try at what a busy vendor has not taken on yet, where it does not say how long."""
UNCOUNTED: Final = 10
"""Requests that a step of unknown length may make behind one fence; what is left is for the next call."""


@dataclass(slots=True)
class _Person:
    """One person's erasure, in this call."""

    call: StepCall
    progress: Progress
    moved: bool = False
    """Whether the vendor has done or taken on anything in this call, which must not be forgotten."""
    resting: list[Errand] = field(default_factory=list)
    """What has come as far as it can for now."""
    wait: timedelta | None = None
    error: ConnectorError | None = field(default=None, repr=False)

    def rest(self, errand: Errand, wait: timedelta) -> None:
        self.resting.append(errand)
        self.wait = wait if self.wait is None else min(self.wait, wait)


@dataclass(frozen=True, slots=True)
class _Part:
    """A row of a person."""

    person: _Person
    errand: Errand


class Erasure:
    """Erases in one system."""

    def __init__(self, exchange: Exchange, eye: Eye, every: timedelta | None = None) -> None:
        self._exchange, self._eye, self._every = exchange, eye, every
        self._vendor: Vendor = exchange.vendor

    @property
    def longest(self) -> timedelta:
        """How long after entering a fence one of its calls can still take effect."""
        rules = [c.erase for c in self._vendor.collections.values() if c.erase is not None]
        behind = [segment(rule.steps, number) for rule in rules for number in range(len(rule.steps))]
        # A poll, and whatever else changes nothing, stands behind no fence.
        spans = [self._span(steps) for steps in behind if destructive(steps)]
        return max(spans, default=self._vendor.timeout) + self._vendor.grace

    def erase(self, calls: Sequence[StepCall], environment: str) -> list[Tally | Pending | ConnectorError]:
        """Erase these people; an answer for each, in their order. `environment` is the system's mark."""
        people = [self._person(call, environment) for call in calls]
        # Children before parents, so that whatever cuts it short leaves a path to the rest.
        for name in reversed(self._eye.system.parents_first):
            rules = self._vendor.collections[name].erase
            while rules and (ready := [part for person in people for part in self._ready(person, name)]):
                number = min(part.errand.step for part in ready)
                self._together(rules, [part for part in ready if part.errand.step == number][: rules.batch])
        return [self._answer(person) for person in people]

    def _person(self, call: StepCall, environment: str) -> _Person:
        """Where a person's erasure stands: as far as the job says, or at its start, by a look."""
        person = _Person(call, Progress([], {}))
        try:
            if not call.environment or environment != call.environment:
                raise NeedsHuman(Code.ENVIRONMENT, call.system.system)
            if call.job:
                person.progress = Progress.of(call.job)
                return person
            sight = self._eye.see(call)
            sight.refuse_doubt()
            person.progress = Progress(
                [Errand(name, row) for name, rows in sight.certain.items() for row in rows],
                {name: len(rows) for name, rows in sight.certain.items()},
            )
            person.progress.errands += self._left_under_way(call, sight)
        except ConnectorError as error:
            person.error = error
        return person

    def _left_under_way(self, call: StepCall, sight: Sight) -> Iterator[Errand]:
        """Rows that are not found any more although they were: the vendor may still be at work on them."""
        for name, rows in sight.certain.items():
            spec = self._vendor.collections[name]
            steps = spec.erase.steps if spec.erase else ()
            resumes = [number for number, step in enumerate(steps) if isinstance(step, Poll) and step.resume]
            known = {self._eye.key(name, row) for row in rows} | call.rulings.others.get(name, frozenset())
            for value in call.anchors.get(name, {}).get(spec.key[0], ()) if resumes else ():
                if (value,) not in known:
                    since = call.as_of.astimezone(UTC).isoformat()
                    yield Errand(name, {spec.key[0]: value}, step=resumes[0], since=since, counted=False)

    def _ready(self, person: _Person, name: str) -> Iterator[_Part]:
        """A person's rows that can go on now; none while rows that hang on them are under way."""
        errands = person.progress.errands
        order = self._eye.system.parents_first
        children = order[order.index(name) + 1 :]
        if person.error is None and not any(errand.collection in children for errand in errands):
            for errand in errands:
                if errand.collection == name and errand not in person.resting:
                    yield _Part(person, errand)

    def _together(self, rules: Erase, parts: Sequence[_Part]) -> None:
        """Take rows that stand at the same step through it, and through those that go with it."""
        failure: ConnectorError
        number = parts[0].errand.step
        try:
            if number == len(rules.steps):
                self._attest(rules, parts)
            elif isinstance(step := rules.steps[number], Poll):
                self._poll(rules, step, parts)
            else:
                self._act(rules, parts)
            return
        except ConnectorError as error:
            failure = error
        for part in parts:
            if isinstance(failure, Retryable) and part.person.moved:
                part.person.rest(part.errand, failure.after or SOON)
            else:
                part.person.error = part.person.error or failure

    def _act(self, rules: Erase, parts: Sequence[_Part]) -> None:
        """Calls that belong together, behind one fence for each person."""
        number, name = parts[0].errand.step, parts[0].errand.collection
        steps = segment(rules.steps, number)
        # Begun before the first fence is entered, so that no intent runs out before what it stands for has ended.
        with self._exchange.limit(self._span(steps)), ExitStack() as fences:
            intents: list[tuple[_Person, Intent]] = []
            if destructive(steps):
                intents = list(self._let_in(fences, name, parts))
            parts = [part for part in parts if part.person.error is None]
            if parts:
                for offset, step in enumerate(steps):
                    self._take(step, parts, f"collections.{name}.erase.steps[{number + offset}]")
                parts = [part for part in parts if part.person.error is None]
                self._advance(rules, parts, len(steps))
            over = number + len(steps) == len(rules.steps) and rules.term is None
            for person, intent in intents:
                rows = sum(part.person is person for part in parts) if over else 0
                # In the commit of the count: a worker killed here goes on with the work, and does not ask for it again.
                intent.done(_tally(rules, {name: rows}, {}), person.progress.job() if person.progress.errands else None)

    def _let_in(self, fences: ExitStack, name: str, parts: Sequence[_Part]) -> Iterator[tuple[_Person, Intent]]:
        """Enter each person's fence; whom it refuses gets its error, and the others go on without."""
        people = {id(part.person): part.person for part in parts}
        for person in people.values():
            planned = Counter(part.errand.collection for part in parts if part.person is person)
            try:
                yield person, fences.enter_context(person.call.fence(planned, person.progress.look()))
            except ConnectorError as error:
                person.error = error

    def _take(self, step: Step, parts: Sequence[_Part], where: str) -> None:
        """One step for these rows."""
        call = parts[0].person.call
        if not isinstance(step, Call):
            for part in parts:
                for _ in walk(self._exchange, call, [step], self._scope([part]), part.errand.saved, where):
                    pass
            return
        if step.lookup is not None:
            parts = list(self._not_under_way(step, parts, f"{where}.lookup"))
        if not parts:
            return
        if step.idempotency_key:
            step = step.model_copy(update={"headers": {**step.headers, step.idempotency_key: self._key(parts, where)}})
        answer = self._exchange.ask(call, step, step.call, self._scope(parts), where)
        for part in parts:
            scope = self._scope([part])
            accepted = step.accepts is None or self._exchange.found(
                step.accepts, answer.body, scope, f"{where}.accepts"
            )
            if accepted:
                part.errand.saved.update(self._exchange.saved(step, answer, scope, where))
            else:
                part.person.error = NeedsHuman(Code.REFUSED, where)

    def _not_under_way(self, step: Call, parts: Sequence[_Part], where: str) -> Iterator[_Part]:
        """The rows that the vendor is not already at work on; of the others, what it says of that."""
        lookup = step.lookup
        assert lookup is not None  # noqa: S101 - asked by the caller
        answer = self._exchange.ask(parts[0].person.call, lookup, lookup.call, self._scope(parts), where)
        for part in parts:
            scope = self._scope([part])
            if not answer.absent and self._exchange.found(lookup.found, answer.body, scope, f"{where}.found"):
                part.errand.saved.update(self._exchange.saved(lookup, answer, scope, where))
            else:
                yield part

    def _poll(self, rules: Erase, step: Poll, parts: Sequence[_Part]) -> None:
        """Ask how the work on these rows stands."""
        name = parts[0].errand.collection
        where = f"collections.{name}.erase.steps[{parts[0].errand.step}]"
        answer = self._exchange.ask(parts[0].person.call, step, step.poll, self._scope(parts), where)
        for part in parts:
            now, errand = part.person.call.as_of, part.errand
            words = states_of(self._exchange, step, answer.body, self._scope([part]), where, absent=answer.absent)
            if answer.absent and not errand.counted:
                self._over(part)
            elif words & set(step.states.failed):
                part.person.error = NeedsHuman(Code.FAILED, name)
            elif words & set(step.states.again):
                errand.step, errand.saved, errand.turn = 0, {}, errand.turn + 1
                part.person.moved = True
                part.person.rest(errand, self._every or step.every)
            elif words <= set(step.states.done):
                errand.saved.update(self._exchange.saved(step, answer, self._scope([part]), where))
                self._advance(rules, [part], 1)
            elif errand.age(now) >= step.deadline:
                part.person.error = NeedsHuman(Code.LATE, name)
            else:
                part.person.rest(errand, self._every or step.every)

    def _attest(self, rules: Erase, parts: Sequence[_Part]) -> None:
        """What the vendor took on is over when the term is over that it names."""
        for part in parts:
            left = (rules.term or timedelta(0)) - part.errand.age(part.person.call.as_of)
            if left > timedelta(0):
                part.person.rest(part.errand, left)
            else:
                self._over(part)

    def _advance(self, rules: Erase, parts: Sequence[_Part], by: int) -> None:
        """The vendor has answered: the rows are further."""
        for part in parts:
            part.person.moved = True
            part.errand.step += by
            part.errand.since = part.errand.since or part.person.call.as_of.astimezone(UTC).isoformat()
            if part.errand.step == len(rules.steps) and rules.term is None:
                self._over(part)

    def _over(self, part: _Part) -> None:
        part.person.moved = True
        part.person.progress.errands.remove(part.errand)
        part.person.progress.done[part.errand.collection] += part.errand.counted

    def _answer(self, person: _Person) -> Tally | Pending | ConnectorError:
        progress = person.progress
        counts: list[Count] = []
        for name, found in progress.found.items():
            rules = self._vendor.collections[name].erase
            if rules is not None:
                counts += _tally(rules, {name: progress.done[name]}, {name: found}).counts
        tally = Tally(counts=tuple(counts))
        if person.error is not None:
            person.error.tally = tally
            return person.error
        if progress.errands:
            return Pending(max(person.wait or SOON, timedelta(seconds=1)), tally, progress.job())
        return tally

    def _scope(self, parts: Sequence[_Part]) -> Scope:
        """The values of a call for these rows: `rows` has lists, `row` and `saved` are of one row alone."""
        call = parts[0].person.call
        names = self._vendor.collections[parts[0].errand.collection].fields
        rows = {name: [part.errand.row.get(name) for part in parts] for name in names}
        alone = parts[0].errand if len(parts) == 1 else None
        return self._exchange.scope(call, rows=rows, row=alone.row if alone else {}, saved=alone.saved if alone else {})

    def _key(self, parts: Sequence[_Part], where: str) -> str:
        """The same for every attempt at the same rows, and for nothing else. A digest, so that it names nobody."""
        whole = [where]
        for part in parts:
            whole += [
                part.person.call.key,
                str(part.errand.turn),
                *self._eye.key(part.errand.collection, part.errand.row),
            ]
        return "habeas-" + hashlib.sha256("\0".join(whole).encode()).hexdigest()[:40]

    def _span(self, steps: Sequence[Step]) -> timedelta:
        """How long the requests of these steps may take together."""
        requests = sum((2 if step.lookup else 1) if isinstance(step, Call) else UNCOUNTED for step in steps)
        return self._vendor.timeout * requests


def states_of(
    exchange: Exchange, step: Poll, body: object, scope: Scope, where: str, *, absent: bool
) -> frozenset[str]:
    """The vendor's words for how work stands, all of them known to the file; `absent` if it knows of none.

    Raises:
        NeedsHuman: there is no word, or one that the file does not have.
    """
    found = "absent" if absent else exchange.found(step.state, body, scope, f"{where}.state")
    words = frozenset(as_text(word) for word in (found if isinstance(found, list) else [found]))
    states = step.states
    known = {*states.running, *states.done, *states.failed, *states.again}
    if not words or not words <= known:
        raise NeedsHuman(Code.SHAPE, f"{where}.states")
    return words


def _tally(rules: Erase, done: dict[str, int], found: dict[str, int]) -> Tally:
    field_ = "anonymised" if rules.leaves == "redacted" else "erased"
    return Tally(
        counts=tuple(
            Count.model_validate({"collection": name, "found": found.get(name, 0), field_: rows})
            for name, rows in done.items()
        )
    )
