"""Promises about correcting: the fields that are named, of this person's rows, and what stood there is kept first.

The one rule: what stood in a row is written over only once somebody has it safe, whatever cuts the correction short.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
from structlog.testing import capture_logs

from connectors.conformance.bench import Cuts, Refuses, Reverts, Shares, needs
from connectors.conformance.correcting import (
    Kept,
    an_identity,
    corrections_for,
    old_values_of,
    rectified_in,
    rectify,
    with_corrections,
)
from connectors.conformance.gate import Crash, Gate, Stop
from connectors.conformance.outlook import changed, found
from connectors.conformance.speaking import told_by, troubles
from connectors.conformance.suite import Promises, Trial, asked, renamed
from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable
from connectors.protocol import Correction, OldValues
from connectors.strategies import text
from rights.codes import Code
from rights.plan import Operation
from rights.subject import Identity

RECTIFY = Operation.RECTIFY


class Rectifying(Promises):
    """What `rectify` promises."""

    @needs(RECTIFY)
    def test_rectify_sets_the_named_fields_of_this_person_and_nothing_else(self, trial: Trial) -> None:
        anna, _ = trial.seeded(), trial.seeded()
        before, corrections = trial.bench.everything(), corrections_for(trial, anna)

        rectify(trial, trial.call(anna, corrections=corrections))

        assert trial.bench.everything() == with_corrections(trial, before, anna, corrections)

    @needs(RECTIFY)
    def test_rectify_again_changes_nothing_and_is_success(self, trial: Trial) -> None:
        anna, gate, kept = trial.seeded(), Gate(), Kept()
        corrections = corrections_for(trial, anna)
        once = rectify(trial, trial.call(anna, corrections=corrections))
        before = trial.bench.everything()

        again = rectify(trial, trial.call(anna, corrections=corrections, fence=gate, keep=kept))

        assert (found(again), again.rectified) == (found(once), 0)
        assert trial.bench.everything() == before
        assert not any(passage.planned for passage in gate.passages)
        assert kept.first == {}, "what stands there now is nobody's old value"

    @needs(RECTIFY)
    def test_rectifying_a_stranger_changes_nothing(self, trial: Trial) -> None:
        anna, gate = trial.seeded(), Gate()
        before, corrections = trial.bench.everything(), corrections_for(trial, anna)

        tally = rectify(trial, trial.call(trial.person(), corrections=corrections, fence=gate))

        assert (tally.found, tally.rectified, gate.passages) == (0, 0, [])
        assert trial.bench.everything() == before

    @needs(RECTIFY)
    def test_one_row_that_is_named_is_rectified_alone(self, trial: Trial) -> None:
        anna = trial.seeded()
        before = trial.bench.everything()
        corrections = [
            replace(one, key=min(trial.bench.rows(anna)[one.collection])) for one in corrections_for(trial, anna)
        ]

        tally = rectify(trial, trial.call(anna, corrections=corrections))

        assert trial.bench.everything() == with_corrections(trial, before, anna, corrections)
        assert (tally.found, tally.rectified) == (len(corrections), len(corrections))

    @needs(RECTIFY)
    def test_a_row_of_somebody_else_that_is_named_is_left_alone(self, trial: Trial) -> None:
        anna, ben = trial.seeded(), trial.seeded()
        before = trial.bench.everything()

        for one in corrections_for(trial, anna):
            theirs = min(trial.bench.rows(ben)[one.collection])
            with pytest.raises(NeedsHuman) as caught:
                rectify(trial, trial.call(anna, corrections=[replace(one, key=theirs)]))
            assert caught.value.code is Code.NO_ROW

        assert trial.bench.everything() == before

    @needs(RECTIFY)
    def test_rectified_counts_are_what_changed(self, trial: Trial) -> None:
        anna, gate = trial.seeded(), Gate(trial.bench.everything)
        before, corrections = trial.bench.everything(), corrections_for(trial, anna)
        held = trial.held(anna)

        tally = rectify(trial, trial.call(anna, corrections=corrections, fence=gate))

        assert rectified_in(tally) == changed(before, trial.bench.everything())
        assert found(tally) == {one.collection: held[one.collection] for one in corrections}
        told: Counter[str] = Counter()
        for passage in gate.passages:
            assert passage.planned == changed(passage.before, passage.after)
            assert passage.tally is not None
            told.update(rectified_in(passage.tally))
        assert told == rectified_in(tally), "each call says what it did"
        assert tally.changed == 0, "a rectified row is still the person's"

    @needs(RECTIFY)
    def test_old_values_are_kept_before_they_are_written_over(self, trial: Trial) -> None:
        anna, _ = trial.seeded(), trial.seeded()
        before, corrections = trial.bench.everything(), corrections_for(trial, anna)
        kept = Kept(trial.bench.everything)

        rectify(trial, trial.call(anna, corrections=corrections, keep=kept))

        assert kept.first == old_values_of(trial, before, anna, corrections)
        assert kept.there_when_kept, "an old value was kept while it still stood there"

    @needs(RECTIFY)
    def test_nothing_is_rectified_that_could_not_be_kept(self, trial: Trial) -> None:
        anna, gate = trial.seeded(), Gate()
        before = trial.bench.everything()

        def fail(old: OldValues) -> None:
            raise Stop

        with pytest.raises(Stop):
            rectify(trial, trial.call(anna, corrections=corrections_for(trial, anna), keep=fail, fence=gate))

        assert gate.passages == []
        assert trial.bench.everything() == before

    @needs(RECTIFY)
    def test_a_rectification_cut_short_loses_no_old_value_and_is_finished(self, trial: Trial) -> None:
        for number in count(1):
            anna, kept = trial.seeded(), Kept()
            before, corrections = trial.bench.everything(), corrections_for(trial, anna)
            crashed = False
            try:
                rectify(trial, trial.call(anna, corrections=corrections, keep=kept, fence=Gate(crash_at=number)))
            except Crash:
                crashed = True
            rectify(trial, trial.call(anna, corrections=corrections, keep=kept, cut_short=True))

            assert trial.bench.everything() == with_corrections(trial, before, anna, corrections)
            assert kept.first == old_values_of(trial, before, anna, corrections)
            if not crashed:
                break
        assert number > 1, "a rectification stands behind the fence"

    @needs(RECTIFY)
    def test_a_rectification_stopped_at_any_beat_is_finished_by_the_next_try(self, trial: Trial) -> None:
        for number in count(1):
            anna, kept, beats = trial.seeded(), Kept(), count(1)
            before, corrections = trial.bench.everything(), corrections_for(trial, anna)

            def beat(last: int = number, beats: Iterator[int] = beats) -> None:
                if next(beats) == last:
                    raise Stop

            stopped = False
            try:
                rectify(trial, trial.call(anna, corrections=corrections, keep=kept, beat=beat))
            except Stop:
                stopped = True
            rectify(trial, trial.call(anna, corrections=corrections, keep=kept))

            assert trial.bench.everything() == with_corrections(trial, before, anna, corrections)
            assert kept.first == old_values_of(trial, before, anna, corrections)
            if not stopped:
                break
        assert number > 1, "a rectification beats"

    @needs(RECTIFY, Cuts)
    def test_a_rectification_whose_connection_is_cut_is_settled_by_looking(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Cuts)
        anna, kept = trial.seeded(), Kept()
        before, corrections = trial.bench.everything(), corrections_for(trial, anna)

        with trial.bench.cut(), pytest.raises(Retryable):
            rectify(trial, trial.call(anna, corrections=corrections, keep=kept))

        assert trial.bench.everything() != before, "the system had carried it out"
        rectify(trial, trial.call(anna, corrections=corrections, keep=kept, cut_short=True))
        assert trial.bench.everything() == with_corrections(trial, before, anna, corrections)
        assert kept.first == old_values_of(trial, before, anna, corrections)

    @needs(RECTIFY)
    def test_a_fence_that_refuses_stops_a_rectification(self, trial: Trial) -> None:
        anna = trial.seeded()
        before, refusal = trial.bench.everything(), Held(Code.HOLD)

        with pytest.raises(Held) as caught:
            rectify(trial, trial.call(anna, corrections=corrections_for(trial, anna), fence=Gate(refuse=refusal)))

        assert caught.value is refusal
        assert trial.bench.everything() == before

    @needs(RECTIFY)
    def test_the_wrong_environment_stops_a_rectification(self, trial: Trial) -> None:
        anna, kept = trial.seeded(), Kept()
        trial.bench.mark("elsewhere")
        before = trial.bench.everything()

        with pytest.raises(NeedsHuman) as caught:
            rectify(trial, trial.call(anna, corrections=corrections_for(trial, anna), keep=kept))

        assert caught.value.code is Code.ENVIRONMENT
        assert (trial.bench.everything(), kept.first) == (before, {})

    @needs(RECTIFY, Shares)
    def test_nothing_is_rectified_while_it_is_open_whose_it_is(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Shares)
        kind, gate, kept = trial.bench.shares, Gate(), Kept()
        anna = trial.seeded()
        trial.bench.seed(renamed(trial.person(), kind, anna.of(kind)), 12)
        before, corrections = trial.bench.everything(), corrections_for(trial, anna)

        with pytest.raises(NeedsHuman) as caught:
            rectify(trial, trial.call(asked(anna, kind), corrections=corrections, fence=gate, keep=kept))

        assert caught.value.code is Code.SEVERAL_PEOPLE
        assert (gate.passages, kept.first) == ([], {})
        assert trial.bench.everything() == before

    @needs(RECTIFY)
    def test_a_person_is_found_by_a_rectified_identity(self, trial: Trial) -> None:
        anna, gate = trial.seeded(), Gate()
        collection, column, kind = an_identity(trial)
        new = trial.person().of(kind)
        corrections = [Correction(collection, {column: new})]
        held, learnt = trial.held(anna), list[Identity]()
        call = trial.call(anna, corrections=corrections, learn=learnt.extend, fence=gate)

        rectify(trial, call)

        assert Identity(kind, new) in learnt
        later = trial.call((*anna.identities, *learnt))
        assert found(trial.locate(later).tally) == held
        assert rectify(trial, call).rectified == 0, "a second attempt knows what it has done"
        after = trial.bench.everything()[collection]
        assert {text(after[key][column]) for key in trial.bench.rows(anna)[collection]} == {new}

    @needs(RECTIFY)
    def test_an_identity_that_somebody_else_has_is_not_given(self, trial: Trial) -> None:
        anna, ben, learnt, kept = trial.seeded(), trial.seeded(), list[Identity](), Kept()
        collection, column, kind = an_identity(trial)
        before = trial.bench.everything()
        corrections = [Correction(collection, {column: ben.of(kind)})]

        with pytest.raises(NeedsHuman):
            rectify(trial, trial.call(anna, corrections=corrections, learn=learnt.extend, keep=kept))

        assert trial.bench.everything() == before
        assert (learnt, kept.first) == ([], {})

    @needs(RECTIFY)
    def test_nobody_is_lost_by_a_rectification(self, trial: Trial) -> None:
        anna = trial.seeded()
        collection, column, kind = an_identity(trial)
        before = trial.bench.everything()

        with pytest.raises(NeedsHuman):
            rectify(trial, trial.call(asked(anna, kind), corrections=[Correction(collection, {column: ""})]))

        assert trial.bench.everything() == before

    @needs(RECTIFY)
    def test_what_tells_rows_apart_or_joins_them_is_not_rectified(self, trial: Trial) -> None:
        anna, kept = trial.seeded(), Kept()
        before = trial.bench.everything()
        tried = [Correction("nowhere", {"id": "1"})]
        for name, collection in trial.system.collections.items():
            fields = [*collection.key, *(link.field for link in collection.links), *collection.derived, "nothing"]
            tried += [Correction(name, {one: "1"}) for one in fields]

        for one in tried:
            with pytest.raises(NeedsHuman) as caught:
                rectify(trial, trial.call(anna, corrections=[*corrections_for(trial, anna), one], keep=kept))
            assert caught.value.code is Code.NOT_RECTIFIABLE

        assert (trial.bench.everything(), kept.first) == (before, {})

    @needs(RECTIFY, Reverts)
    def test_a_correction_that_does_not_last_is_not_called_done(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Reverts)
        anna = trial.seeded()
        one = corrections_for(trial, anna)[0]
        before = trial.bench.everything()
        trial.bench.revert(one.collection, next(iter(one.values)))

        with pytest.raises(NeedsHuman) as caught:
            rectify(trial, trial.call(anna, corrections=[one]))

        assert trial.bench.everything() == before
        assert caught.value.code in {Code.CHANGED_BACK, Code.VALUE}

    @needs(RECTIFY)
    def test_trouble_with_a_rectification_is_told_for_what_it_is(self, trial: Trial) -> None:
        anna = trial.seeded()
        call = trial.call(anna, corrections=corrections_for(trial, anna))

        with trial.bench.outage(), pytest.raises(Retryable):
            rectify(trial, call)
        if isinstance(trial.bench, Refuses):
            with trial.bench.refused(), pytest.raises(NeedsHuman) as caught:
                rectify(trial, call)
            assert caught.value.code is Code.CREDENTIALS

        assert rectify(trial, call).rectified, "after the trouble everything is as it was"

    @needs(RECTIFY)
    def test_no_word_of_a_rectification_names_a_person_or_a_value(
        self, trial: Trial, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.NOTSET)
        secrets: list[str] = []
        said: list[str] = []
        with capture_logs() as entries:
            for anna, trouble, differs in troubles(trial):
                call = trial.call(anna, corrections=corrections_for(trial, anna), **differs)
                secrets += [anna.text, *(identity.value for identity in anna.identities)]
                secrets += [value for one in call.corrections for value in one.values.values() if value]
                said.append(repr(call))
                with trouble:
                    try:
                        said.append(repr(rectify(trial, call)))
                    except (ConnectorError, Crash) as error:
                        said += told_by(error)
        said += [str(entry) for entry in entries]
        said += [f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records]
        said += capfd.readouterr()

        assert [words for words in said if any(secret in words for secret in secrets)] == []
