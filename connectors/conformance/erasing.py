"""Promises about destroying: this person's rows and nobody else's, behind the fence, counted as they were, and
finished whatever cuts it short.

The one rule: what is gone is what the back door does not find, and what was done is what the back door sees done.
"""

from collections import Counter
from contextlib import suppress
from itertools import count, pairwise

import pytest

from connectors.conformance.bench import Cuts, Dump, Person, Shares, Waits, needs
from connectors.conformance.gate import Crash, Gate, Stop
from connectors.conformance.outlook import Outlook, changed, found, total
from connectors.conformance.suite import Promises, Trial, asked, renamed
from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable
from connectors.protocol import Anchors, Look, Rulings
from rights.codes import Code
from rights.plan import Operation
from rights.receipt import keep_books

ERASE = Operation.ERASE


class Erasing(Promises):
    """What `erase` promises."""

    @needs(ERASE)
    def test_erase_takes_this_person_and_nobody_else(self, trial: Trial) -> None:
        anna, _ = trial.seeded(), trial.seeded()
        before, outlook = trial.bench.everything(), trial.outlook(anna)

        trial.erase(trial.call(anna))

        trial.check(before, outlook, anna)

    @needs(ERASE)
    def test_erase_again_changes_nothing_and_is_success(self, trial: Trial) -> None:
        anna, gate = trial.seeded(), Gate()
        anchors = trial.locate(trial.call(anna)).anchors
        trial.erase(trial.call(anna, anchors=anchors))
        before = trial.bench.everything()

        tally = trial.erase(trial.call(anna, anchors=anchors, fence=gate))

        assert tally.changed == 0
        assert trial.bench.everything() == before
        assert not any(passage.planned for passage in gate.passages)

    @needs(ERASE)
    def test_erasing_a_stranger_is_success(self, trial: Trial) -> None:
        trial.seeded()
        before = trial.bench.everything()

        tally = trial.erase(trial.call(trial.person()))

        assert (tally.found, tally.changed) == (0, 0)
        assert trial.bench.everything() == before

    @needs(ERASE)
    def test_the_books_balance(self, trial: Trial) -> None:
        anna = trial.seeded()
        held = trial.held(anna)

        tally = trial.erase(trial.call(anna))

        assert found(tally) == held
        for part in tally.counts:
            assert part.found == part.changed + part.kept_rows, part.collection

    @needs(ERASE)
    def test_reported_counts_are_what_changed(self, trial: Trial) -> None:
        anna, gate = trial.seeded(), Gate()
        outlook = trial.outlook(anna)

        tally = trial.erase(trial.call(anna, fence=gate))

        assert {part.collection: part.erased for part in tally.counts if part.erased} == Counter(
            name for name, _ in outlook.gone
        )
        assert {part.collection: part.anonymised for part in tally.counts if part.anonymised} == outlook.rewritten(
            keyed=False
        )
        assert {part.collection: part.pseudonymised for part in tally.counts if part.pseudonymised} == (
            outlook.rewritten(keyed=True)
        )
        told = total(passage.tally for passage in gate.passages)
        if trial.waited_for:
            assert Counter(told) <= Counter(total([tally])), "what is only taken on is not said to be done"
        else:
            assert told == total([tally]), "each call says what it did"

    @needs(ERASE)
    def test_planned_counts_are_what_changed(self, trial: Trial) -> None:
        anna, gate = trial.seeded(), Gate(trial.bench.everything)
        before = trial.bench.everything()

        trial.erase(trial.call(anna, fence=gate))

        assert gate.passages
        if trial.waited_for:
            assert _planned(gate) == changed(before, trial.bench.everything()), "the system did it by itself, later"
            return
        for passage in gate.passages:
            assert passage.planned == changed(passage.before, passage.after)

    @needs(ERASE)
    def test_the_fence_is_told_the_look_before(self, trial: Trial) -> None:
        anna, gate = trial.seeded(), Gate()
        held = trial.held(anna)

        trial.erase(trial.call(anna, fence=gate))

        assert found(gate.passages[0].look) == held

    @needs(ERASE)
    def test_every_change_happens_inside_a_fence(self, trial: Trial) -> None:
        anna, gate = trial.seeded(), Gate(trial.bench.everything)
        before = trial.bench.everything()

        trial.erase(trial.call(anna, fence=gate))

        assert gate.passages
        moments = [before, *(dump for p in gate.passages for dump in (p.before, p.after)), trial.bench.everything()]
        outside = list(pairwise(moments))[::2]
        if trial.waited_for:
            assert _planned(gate) == changed(before, moments[-1]), "no more than what was let through"
            outside = outside[:1]
        for earlier, later in outside:
            assert changed(earlier, later) == {}

    @needs(ERASE)
    @pytest.mark.parametrize(
        "refusal",
        [Held(Code.HOLD), Held(Code.WITHDRAWN), NeedsHuman(Code.FUSE), RuntimeError("the ledger is away")],
        ids=["hold", "withdrawn", "fuse", "broken"],
    )
    def test_a_fence_that_refuses_stops_the_call(self, trial: Trial, refusal: Exception) -> None:
        anna = trial.seeded()
        before = trial.bench.everything()

        with pytest.raises(type(refusal)) as caught:
            trial.erase(trial.call(anna, fence=Gate(refuse=refusal)))

        assert caught.value is refusal or (
            isinstance(refusal, ConnectorError)
            and isinstance(caught.value, ConnectorError)
            and caught.value.code is refusal.code
        )
        assert trial.bench.everything() == before

    @needs(ERASE)
    def test_a_refusal_half_way_leaves_only_what_was_let_through(self, trial: Trial) -> None:
        anna = trial.seeded()
        before, outlook = trial.bench.everything(), trial.outlook(anna)
        gate = Gate(refuse=Held(Code.HOLD), refuse_at=2)

        try:
            trial.erase(trial.call(anna, fence=gate))
        except Held:
            assert changed(before, trial.bench.everything()) == _planned(gate)
        else:
            trial.check(before, outlook, anna)

    @needs(ERASE)
    @pytest.mark.parametrize(
        ("mark", "environment"),
        [("elsewhere", "conformance"), ("", "conformance"), ("", ""), ("conformance", "")],
        ids=["another", "missing", "neither", "worker_has_none"],
    )
    def test_the_wrong_environment_stops_an_erasure(self, trial: Trial, mark: str, environment: str) -> None:
        anna, gate = trial.seeded(), Gate()
        trial.bench.mark(mark)
        before = trial.bench.everything()

        with pytest.raises(NeedsHuman) as caught:
            trial.erase(trial.call(anna, fence=gate, environment=environment))

        assert caught.value.code is Code.ENVIRONMENT
        assert gate.passages == []
        assert trial.bench.everything() == before

    @needs(ERASE)
    def test_an_erasure_stopped_at_any_beat_is_finished_by_the_next_try(self, trial: Trial) -> None:
        for number in count(1):
            anna, beat = trial.seeded(), _StopAt(number)
            before, outlook = trial.bench.everything(), trial.outlook(anna)
            anchors = trial.locate(trial.call(anna)).anchors
            with suppress(Stop):
                trial.erase(trial.call(anna, anchors=anchors, beat=beat))
            trial.erase(trial.call(anna, anchors=anchors))
            trial.check(before, outlook, anna)
            if not beat.stopped:
                break

        assert number > 1, "an erasure beats"

    @needs(ERASE)
    def test_a_crash_between_call_and_receipt_is_settled_by_looking(self, trial: Trial) -> None:
        for number in count(1):
            story = _Story(trial)
            gate = Gate(crash_at=number)
            with suppress(Crash):
                story.erase(gate)
                break
            story.finish()
        assert number > 1, "there was a call to crash after"

    @needs(ERASE, Cuts)
    def test_a_cut_connection_is_settled_by_looking(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Cuts)
        story = _Story(trial)

        with trial.bench.cut(), pytest.raises(Retryable):
            story.erase(Gate())

        # A system that takes its time has only taken it on.
        carried_out = changed(story.before, trial.bench.everything())
        assert carried_out or isinstance(trial.bench, Waits), "the system had carried it out"
        story.finish()

    @needs(ERASE, Shares)
    def test_nothing_is_erased_while_it_is_open_whose_it_is(self, trial: Trial) -> None:
        pair, gate = _Pair(trial), Gate()
        before = trial.bench.everything()

        with pytest.raises(NeedsHuman) as caught:
            trial.erase(trial.call(pair.asked, fence=gate))

        assert caught.value.code is Code.SEVERAL_PEOPLE
        assert gate.passages == []
        assert trial.bench.everything() == before

    @needs(ERASE, Shares)
    def test_rulings_are_obeyed(self, trial: Trial) -> None:
        pair = _Pair(trial)
        before, outlook = trial.bench.everything(), trial.outlook(pair.anna)

        # The anchors are of the look that raised the question: what it saw of Ben must not be followed either.
        trial.erase(trial.call(pair.asked, rulings=pair.ruled(mine=1), anchors=pair.look.anchors))

        trial.check(before, outlook, pair.anna)

    @needs(ERASE, Shares)
    def test_two_accounts_of_one_person_are_both_erased(self, trial: Trial) -> None:
        pair = _Pair(trial)
        before, outlook = trial.bench.everything(), trial.outlook(pair.anna, pair.ben)

        trial.erase(trial.call(pair.asked, rulings=pair.ruled(mine=2)))

        trial.check(before, outlook, pair.anna, pair.ben)

    @needs(ERASE, Shares)
    def test_a_row_nobody_has_ruled_on_is_not_taken_beside_one_that_is(self, trial: Trial) -> None:
        pair = _Pair(trial)
        theirs = _rows_of(trial, pair.ben)

        with suppress(NeedsHuman):
            trial.erase(trial.call(pair.asked, rulings=Rulings(mine=pair.ruled(mine=1).mine)))

        assert _rows_of(trial, pair.ben) == theirs


class _Story:
    """One erasure over several attempts, and the books at its end."""

    def __init__(self, trial: Trial) -> None:
        self.trial, self.anna = trial, trial.seeded()
        self.before: Dump = trial.bench.everything()
        self.outlook: Outlook = trial.outlook(self.anna)
        self.held = trial.held(self.anna)
        self.anchors: Anchors = trial.locate(trial.call(self.anna)).anchors
        self.gates: list[Gate] = []

    def erase(self, gate: Gate) -> None:
        self.gates.append(gate)
        cut_short = len(self.gates) > 1
        self.trial.erase(self.trial.call(self.anna, anchors=self.anchors, fence=gate, cut_short=cut_short))

    def finish(self) -> None:
        """Try again, look, and close the books as the engine does: an attempt whose count is unknown is derived."""
        self.erase(Gate())
        after = self.trial.verify(self.trial.call(self.anna, anchors=self.anchors)).tally
        passages = [passage for gate in self.gates for passage in gate.passages]
        told: dict[str, int | None] = {**total(passage.tally for passage in passages)}
        for passage in passages:
            if passage.tally is None:
                told.update(dict.fromkeys(passage.planned))
        kept_rows = Counter(name for name, _ in self.outlook.kept)

        self.trial.check(self.before, self.outlook, self.anna)
        for books in keep_books(passages[0].look, told, after):
            assert books.closed, f"{books.collection}: something is left"
            held = self.held.get(books.collection, 0)
            assert (books.before, books.arrived) == (held, 0)
            assert (books.erased, books.kept) == (
                held - kept_rows[books.collection],
                kept_rows[books.collection],
            )


class _Pair:
    """Two people with one identity in common, asked for by that alone."""

    def __init__(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Shares)
        kind = trial.bench.shares
        self.anna = trial.seeded()
        self.ben = renamed(trial.person(), kind, self.anna.of(kind))
        trial.bench.seed(self.ben, 12)
        self.asked = asked(self.anna, kind)
        self.rows = [trial.bench.rows(person) for person in (self.anna, self.ben)]
        self.look: Look = trial.locate(trial.call(self.asked))

    def ruled(self, mine: int) -> Rulings:
        """The first `mine` of the two are the person, the others somebody else."""
        rulings: list[dict[str, frozenset[tuple[str, ...]]]] = [{}, {}]
        for number, rows in enumerate(self.rows):
            verdict = rulings[0] if number < mine else rulings[1]
            for candidate in self.look.candidates:
                if candidate.key in rows.get(candidate.collection, ()):
                    known = verdict.get(candidate.collection, frozenset())
                    verdict[candidate.collection] = known | {candidate.key}
        return Rulings(mine=rulings[0], others=rulings[1])


class _StopAt:
    """A beat that raises once, at a number counted from 1."""

    def __init__(self, number: int) -> None:
        self.left, self.stopped = number, False

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.stopped = True
            raise Stop


def _planned(gate: Gate) -> Counter[str]:
    """Rows by collection of all calls that were let through."""
    planned: Counter[str] = Counter()
    for passage in gate.passages:
        planned.update(passage.planned)
    return planned


def _rows_of(trial: Trial, person: Person) -> Dump:
    dump = trial.bench.everything()
    return {name: {key: dump[name][key] for key in keys} for name, keys in trial.bench.rows(person).items()}
