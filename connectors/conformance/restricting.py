"""Promises about restriction: nobody else reads it, it is not lost, and it comes back exactly as it was.

The one rule: a restriction is reversible. Whatever cuts it short, a lift puts everything back, and overwrites nothing.
"""

from contextlib import suppress
from dataclasses import replace
from itertools import count

import pytest

from connectors.conformance.bench import Contains, Denies, Person, Replaces, needs
from connectors.conformance.exporting import NDJSON
from connectors.conformance.gate import Crash, Gate
from connectors.conformance.outlook import found
from connectors.conformance.suite import Promises, Trial
from connectors.errors import ConnectorError, Held, NeedsHuman
from connectors.protocol import Call, Restricted, Restricts
from rights.codes import Code
from rights.plan import Operation
from rights.receipt import Tally

RESTRICT, LIFT = Operation.RESTRICT, Operation.LIFT


class Restricting(Promises):
    """What `restrict` and `lift` promise."""

    @needs(RESTRICT, LIFT)
    def test_restricted_data_is_still_found(self, trial: Trial) -> None:
        anna = trial.seeded()
        held = trial.held(anna)

        call = _restricted(trial, anna)

        assert found(trial.locate(call).tally) == held

    @needs(RESTRICT, LIFT, Operation.EXPORT)
    def test_restricted_data_is_still_exported(self, trial: Trial) -> None:
        anna = trial.seeded()
        held = trial.held(anna)

        files = trial.export(_restricted(trial, anna))

        for name in trial.system.collections:
            assert len(files.get((name, NDJSON), b"").splitlines()) == held.get(name, 0)
        assert anna.text in b"".join(files.values()).decode()

    @needs(RESTRICT, LIFT, Operation.ERASE)
    def test_restricted_data_is_still_erased(self, trial: Trial) -> None:
        anna, _ = trial.seeded(), trial.seeded()
        before, outlook = trial.bench.everything(), trial.outlook(anna)
        call = _restricted(trial, anna)

        trial.erase(call)
        _lift(trial, call)

        trial.check(before, outlook, anna)

    @needs(RESTRICT, LIFT)
    def test_restricting_twice_is_once(self, trial: Trial) -> None:
        anna = trial.seeded()
        before = self.state(trial)
        call = _restricted(trial, anna)
        once = self.state(trial)

        again = _restrict(trial, call)

        assert self.state(trial) == once
        _lift(trial, replace(call, restricted=again.state))
        assert self.state(trial) == before

    @needs(RESTRICT, LIFT)
    def test_lifting_twice_is_once(self, trial: Trial) -> None:
        anna = trial.seeded()
        before = self.state(trial)
        call = _restricted(trial, anna)
        _lift(trial, call)

        _lift(trial, call)

        assert self.state(trial) == before

    @needs(RESTRICT, LIFT)
    def test_lifting_restores_exactly(self, trial: Trial) -> None:
        anna, _ = trial.seeded(), trial.seeded()
        before, held = self.state(trial), trial.held(anna)

        call = _restricted(trial, anna)

        assert self.state(trial) != before, "it is done in the system, and not only said"
        _lift(trial, call)
        assert self.state(trial) == before
        assert found(trial.locate(trial.call(anna)).tally) == held

    @needs(RESTRICT, LIFT)
    def test_restricting_touches_nobody_else(self, trial: Trial) -> None:
        anna, ben = trial.seeded(), trial.seeded()
        theirs = _rows_of(trial, ben)

        call = _restricted(trial, anna)

        assert _rows_of(trial, ben) == theirs
        _lift(trial, call)
        assert _rows_of(trial, ben) == theirs

    @needs(RESTRICT, LIFT)
    def test_a_restriction_cut_short_is_finished_or_lifted(self, trial: Trial) -> None:
        for number in count(1):
            anna = trial.seeded()
            before = self.state(trial)
            crashed = False
            try:
                _restrict(trial, trial.call(anna, fence=Gate(crash_at=number)))
            except Crash:
                crashed = True
            # Nothing is known of what the attempt did: it never came to say where it put what.
            call = trial.call(anna)
            if number % 2:
                call = replace(call, restricted=_restrict(trial, call).state)
            _lift(trial, call)
            assert self.state(trial) == before
            if not crashed:
                break
        assert number > 1, "a restriction stands behind the fence"

    @needs(RESTRICT, LIFT)
    def test_a_fence_that_refuses_stops_a_restriction(self, trial: Trial) -> None:
        anna = trial.seeded()
        before = self.state(trial)

        with pytest.raises(Held):
            _restrict(trial, trial.call(anna, fence=Gate(refuse=Held(Code.WITHDRAWN))))

        assert self.state(trial) == before

    @needs(RESTRICT, LIFT)
    def test_the_wrong_environment_stops_a_restriction(self, trial: Trial) -> None:
        anna = trial.seeded()
        trial.bench.mark("elsewhere")
        before = self.state(trial)

        with pytest.raises(NeedsHuman) as caught:
            _restrict(trial, trial.call(anna))

        assert caught.value.code is Code.ENVIRONMENT
        assert self.state(trial) == before

    @needs(RESTRICT, LIFT, Denies)
    def test_nobody_else_reads_what_is_restricted(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Denies)
        anna, ben = trial.seeded(), trial.seeded()
        before = [trial.bench.readable(person) for person in (anna, ben)]
        assert all(before)

        call = _restricted(trial, anna)

        assert [trial.bench.readable(person) for person in (anna, ben)] == [0, before[1]]
        _lift(trial, call)
        assert [trial.bench.readable(person) for person in (anna, ben)] == before

    @needs(RESTRICT, LIFT, Denies)
    def test_a_collection_that_is_not_meant_stays_open(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Denies)
        anna = trial.seeded()
        held, before = trial.held(anna), trial.bench.readable(anna)
        meant, *others = [name for name, rows in held.items() if rows]
        if not others:
            pytest.skip("the person stands in one collection")
        call = trial.call(anna)
        work = tuple(one.model_copy(update={"locks": one.collection == meant}) for one in call.work)
        ben = trial.seeded()
        _lift(trial, _restricted(trial, ben))  # somebody else's is of everything
        call = replace(call, work=work)

        restricted = _restrict(trial, call)

        assert {name: rows for name, rows in found(restricted.tally).items() if rows} == {meant: held[meant]}
        assert trial.bench.readable(anna) == before - held[meant]
        _lift(trial, replace(call, restricted=restricted.state))
        assert trial.bench.readable(anna) == before

    @needs(RESTRICT, LIFT, Contains)
    def test_restricting_changes_neither_content_nor_times(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Contains)
        anna = trial.seeded()
        before = trial.bench.contents(anna)

        call = _restricted(trial, anna)

        assert trial.bench.contents(anna) == before
        _lift(trial, call)
        assert trial.bench.contents(anna) == before

    @needs(RESTRICT, LIFT, Replaces)
    def test_what_is_new_in_the_place_is_a_task_and_not_overwritten(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Replaces)
        anna = trial.seeded()
        before = self.state(trial)
        call = _restricted(trial, anna)
        undo = trial.bench.replace(anna)
        new = self.state(trial)

        with pytest.raises(NeedsHuman):
            _lift(trial, call)

        assert undo.still_there(), "what somebody has written since is as it was"
        with suppress(ConnectorError):
            _lift(trial, call)
        assert undo.still_there()
        assert new != before
        undo()
        _lift(trial, call)
        assert self.state(trial) == before, "nothing of what was restricted is lost"


def _restrict(trial: Trial, call: Call) -> Restricted:
    assert isinstance(trial.connector, Restricts)
    answer = trial.connector.restrict(call)
    assert isinstance(answer, Restricted)
    assert all(isinstance(word, str) for pair in answer.state.items() for word in pair), "it is kept as text"
    return answer


def _restricted(trial: Trial, person: Person) -> Call:
    """Restrict, and say with which call what was restricted is found, erased and lifted."""
    call = trial.call(person)
    return replace(call, restricted=_restrict(trial, call).state)


def _lift(trial: Trial, call: Call) -> Tally:
    assert isinstance(trial.connector, Restricts)
    return trial.connector.lift(call)


def _rows_of(trial: Trial, person: Person) -> dict[str, dict[object, object]]:
    dump = trial.bench.everything()
    return {name: {key: dump[name].get(key) for key in keys} for name, keys in trial.bench.rows(person).items()}
