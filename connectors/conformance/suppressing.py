"""Promises about opting out: the field that the map names says so in this person's rows, and lasts.

The one rule: an opt-out that no row says is not called done.
"""

import itertools
from dataclasses import replace

import pytest

from connectors.conformance.bench import Dump, Person, Reverts, needs
from connectors.conformance.gate import Crash, Gate
from connectors.conformance.outlook import found
from connectors.conformance.suite import Promises, Trial
from connectors.errors import Held, NeedsHuman, Retryable, Unsupported
from connectors.protocol import Call, OldValues, Suppresses
from connectors.strategies import text
from rights.codes import Code
from rights.objections import OPT_OUTS
from rights.plan import Operation
from rights.receipt import Tally
from rights.suppression import Scope

SUPPRESS = Operation.SUPPRESS


class Suppressing(Promises):
    """What `suppress` promises where the map names fields under `opt_out`."""

    @needs(SUPPRESS)
    def test_suppress_sets_the_fields_of_this_person_and_nothing_else(self, trial: Trial) -> None:
        scope = _scope(trial)
        anna, _ = trial.seeded(), trial.seeded()
        before = trial.bench.everything()

        tally = _suppress(trial, trial.call(anna), scope)

        assert _texts(trial.bench.everything()) == _with(trial, before, anna, scope)
        assert found(tally) == {name: trial.held(anna)[name] for name in _flagged(trial, scope)}

    @needs(SUPPRESS)
    def test_suppress_again_changes_nothing_and_is_success(self, trial: Trial) -> None:
        scope, anna = _scope(trial), trial.seeded()
        once = _suppress(trial, trial.call(anna), scope)
        before = trial.bench.everything()

        again = _suppress(trial, trial.call(anna), scope)

        assert found(again) == found(once)
        assert trial.bench.everything() == before

    @needs(SUPPRESS)
    def test_suppressing_a_stranger_changes_nothing(self, trial: Trial) -> None:
        scope = _scope(trial)
        trial.seeded()
        before = trial.bench.everything()

        tally = _suppress(trial, trial.call(trial.person()), scope)

        assert (tally.found, trial.bench.everything()) == (0, before)

    @needs(SUPPRESS)
    def test_where_nothing_is_to_stop_nothing_is_changed(self, trial: Trial) -> None:
        _scope(trial)
        anna = trial.seeded()
        before = trial.bench.everything()

        for stops in ((), None):
            works = tuple(work.model_copy(update={"stops": stops}) for work in trial.works)
            assert isinstance(trial.connector, Suppresses)
            trial.connector.suppress(replace(trial.call(anna), work=works))

        assert trial.bench.everything() == before

    @needs(SUPPRESS)
    def test_what_no_field_stops_is_not_passed_over(self, trial: Trial) -> None:
        scope = _scope(trial)
        (name, *_) = [n for n in trial.system.collections if n not in _flagged(trial, scope)]
        anna = trial.seeded()
        call = trial.call(anna)
        works = tuple(
            work.model_copy(update={"stops": (scope,) if work.collection in {name, *_flagged(trial, scope)} else ()})
            for work in call.work
        )
        before = trial.bench.everything()

        assert isinstance(trial.connector, Suppresses)
        with pytest.raises(Unsupported) as caught:
            trial.connector.suppress(replace(call, work=works))

        assert caught.value.about == name
        assert _texts(trial.bench.everything()) == _with(trial, before, anna, scope), "what could be stopped was"
        trial.connector.suppress(replace(trial.call(trial.person()), work=works))  # nothing is held of a stranger

    @needs(SUPPRESS)
    def test_what_fields_stop_in_part_is_not_called_done(self, trial: Trial) -> None:
        scope = _scope(trial)
        name = next(iter(_flagged(trial, scope)))
        other = next(one for one in OPT_OUTS if one not in trial.system.collections[name].opt_out)
        anna = trial.seeded()
        before = trial.bench.everything()

        with pytest.raises(Unsupported) as caught:
            _suppress(trial, trial.call(anna), scope, other)

        assert caught.value.about in _flagged(trial, scope)
        assert _texts(trial.bench.everything()) == _with(trial, before, anna, scope), "what could be stopped was"
        _suppress(trial, trial.call(anna), scope, Scope.CONSENT)  # its use is what a consent is for

    @needs(SUPPRESS)
    def test_a_suppression_cut_short_is_finished_by_the_next_try(self, trial: Trial) -> None:
        scope, anna = _scope(trial), trial.seeded()
        before = trial.bench.everything()

        with pytest.raises(Crash):
            _suppress(trial, trial.call(anna, fence=Gate(crash_at=1)), scope)
        again = _suppress(trial, trial.call(anna, cut_short=True), scope)

        assert found(again) == {name: trial.held(anna)[name] for name in _flagged(trial, scope)}
        assert _texts(trial.bench.everything()) == _with(trial, before, anna, scope)

    @needs(SUPPRESS)
    def test_a_fence_that_refuses_stops_an_opt_out(self, trial: Trial) -> None:
        scope, anna = _scope(trial), trial.seeded()
        before = trial.bench.everything()

        with pytest.raises(Held):
            _suppress(trial, trial.call(anna, fence=Gate(refuse=Held(Code.WITHDRAWN))), scope)

        assert trial.bench.everything() == before

    @needs(SUPPRESS)
    def test_an_opt_out_happens_inside_a_fence(self, trial: Trial) -> None:
        scope, anna = _scope(trial), trial.seeded()
        before, gate = trial.bench.everything(), Gate(trial.bench.everything)

        _suppress(trial, trial.call(anna, fence=gate), scope)

        assert (gate.passages[0].before, gate.passages[-1].after) == (before, trial.bench.everything())
        assert all(one.after == two.before for one, two in itertools.pairwise(gate.passages))

    @needs(SUPPRESS)
    def test_an_opt_out_keeps_no_old_value(self, trial: Trial) -> None:
        scope, anna = _scope(trial), trial.seeded()
        kept: list[OldValues] = []

        _suppress(trial, trial.call(anna, keep=kept.append), scope)

        assert kept == []

    @needs(SUPPRESS, Reverts)
    def test_an_opt_out_that_does_not_last_is_not_called_done(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Reverts)
        scope, anna = _scope(trial), trial.seeded()
        name = next(iter(_flagged(trial, scope)))
        trial.bench.revert(name, trial.system.collections[name].opt_out[scope].field)

        with pytest.raises(NeedsHuman) as caught:
            _suppress(trial, trial.call(anna), scope)

        assert caught.value.code in {Code.CHANGED_BACK, Code.VALUE}

    @needs(SUPPRESS)
    def test_the_wrong_environment_stops_an_opt_out(self, trial: Trial) -> None:
        scope, anna = _scope(trial), trial.seeded()
        trial.bench.mark("elsewhere")
        before = trial.bench.everything()

        with pytest.raises(NeedsHuman) as caught:
            _suppress(trial, trial.call(anna), scope)

        assert caught.value.code is Code.ENVIRONMENT
        assert trial.bench.everything() == before

    @needs(SUPPRESS)
    def test_trouble_with_an_opt_out_is_told_for_what_it_is(self, trial: Trial) -> None:
        scope, anna = _scope(trial), trial.seeded()

        with trial.bench.outage(), pytest.raises(Retryable):
            _suppress(trial, trial.call(anna), scope)

        assert _suppress(trial, trial.call(anna), scope).found


def _scope(trial: Trial) -> Scope:
    """Something that rows of the map have a field for."""
    scopes = [scope for collection in trial.system.collections.values() for scope in collection.opt_out]
    if not scopes:
        pytest.skip("the map names no field for an opt-out")
    return scopes[0]


def _flagged(trial: Trial, scope: Scope) -> dict[str, tuple[str, str]]:
    """The collections with a field for it: field and value."""
    there = {name: collection.opt_out.get(scope) for name, collection in trial.system.collections.items()}
    return {name: (flag.field, flag.text) for name, flag in there.items() if flag}


def _suppress(trial: Trial, call: Call, scope: Scope, *more: Scope) -> Tally:
    assert isinstance(trial.connector, Suppresses)
    flagged = _flagged(trial, scope)
    works = [
        work.model_copy(update={"stops": (scope, *more) if work.collection in flagged else ()}) for work in call.work
    ]
    return trial.connector.suppress(replace(call, work=tuple(works)))


def _with(trial: Trial, before: Dump, person: Person, scope: Scope) -> dict[str, dict[object, dict[str, str]]]:
    after = _texts(before)
    for name, (field, value) in _flagged(trial, scope).items():
        for key in trial.bench.rows(person)[name]:
            after[name][key][field] = value
    return after


def _texts(dump: Dump) -> dict[str, dict[object, dict[str, str]]]:
    """All rows with their values as text."""
    return {
        name: {key: {column: text(value) for column, value in row.items()} for key, row in rows.items()}
        for name, rows in dump.items()
    }
