"""Promises about looking again: nothing is called erased because the path to it was cut.

The one rule: whatever is left of a person, on whatever way it got there, `verify` finds.
"""

from connectors.conformance.bench import Arrives, Orphans, Overwrites, needs
from connectors.conformance.gate import Gate
from connectors.conformance.outlook import found, total
from connectors.conformance.suite import Promises, Trial
from rights.plan import Operation
from rights.receipt import keep_books

ERASE, VERIFY = Operation.ERASE, Operation.VERIFY


class Verifying(Promises):
    """What `verify` promises."""

    @needs(ERASE, VERIFY)
    def test_verify_finds_everything_before_and_only_what_is_kept_after(self, trial: Trial) -> None:
        anna = trial.seeded()
        outlook, held = trial.outlook(anna), trial.held(anna)
        anchors = trial.locate(trial.call(anna)).anchors
        assert found(trial.verify(trial.call(anna, anchors=anchors)).tally) == held

        trial.erase(trial.call(anna, anchors=anchors))

        after = trial.verify(trial.call(anna, anchors=anchors)).tally
        assert after.left == 0
        assert after.found == after.kept_rows == len(outlook.kept)

    @needs(VERIFY)
    def test_verify_changes_nothing(self, trial: Trial) -> None:
        anna = trial.seeded()
        before = trial.bench.everything()

        trial.verify(trial.call(anna, anchors=trial.locate(trial.call(anna)).anchors))

        assert trial.bench.everything() == before

    @needs(ERASE, VERIFY, Orphans)
    def test_verify_finds_children_whose_parent_is_gone(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Orphans)
        anna = trial.seeded()
        anchors = trial.locate(trial.call(anna)).anchors
        trial.erase(trial.call(anna, anchors=anchors))

        trial.bench.orphan(anna)

        assert trial.verify(trial.call(anna, anchors=anchors)).tally.left == 1
        trial.erase(trial.call(anna, anchors=anchors))
        assert trial.verify(trial.call(anna, anchors=anchors)).tally.left == 0

    @needs(ERASE, VERIFY, Orphans)
    def test_a_later_look_forgets_no_anchor(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Orphans)
        anna = trial.seeded()
        anchors = trial.locate(trial.call(anna)).anchors
        trial.erase(trial.call(anna, anchors=anchors))

        later = trial.locate(trial.call(anna, anchors=anchors)).anchors

        trial.bench.orphan(anna)
        assert trial.verify(trial.call(anna, anchors=later)).tally.left == 1

    @needs(ERASE, VERIFY, Arrives)
    def test_what_arrives_after_an_erasure_is_found_and_booked(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Arrives)
        anna, first, second = trial.seeded(), Gate(), Gate()
        anchors = trial.locate(trial.call(anna)).anchors
        trial.erase(trial.call(anna, anchors=anchors, fence=first))

        trial.bench.arrive(anna)

        assert trial.verify(trial.call(anna, anchors=anchors)).tally.left == 1
        trial.erase(trial.call(anna, anchors=anchors, fence=second))
        after = trial.verify(trial.call(anna, anchors=anchors)).tally
        passages = [*first.passages, *second.passages]
        books = keep_books(passages[0].look, total(passage.tally for passage in passages), after)
        assert all(part.closed for part in books)
        assert sum(part.arrived for part in books) == 1

    @needs(ERASE, VERIFY, Overwrites)
    def test_verify_sees_rows_that_stay_and_are_not_clean(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Overwrites)
        anna = trial.seeded()
        before, outlook = trial.bench.everything(), trial.outlook(anna)
        anchors = trial.locate(trial.call(anna)).anchors
        trial.erase(trial.call(anna, anchors=anchors))
        erased = trial.bench.everything()

        spoiled = {place: min(columns) for place, columns in outlook.emptied.items() if columns}
        for (name, key), column in spoiled.items():
            trial.bench.overwrite(name, key, column, before[name][key][column])

        after = trial.verify(trial.call(anna, anchors=anchors)).tally
        assert after.left == len(spoiled)
        trial.erase(trial.call(anna, anchors=anchors))
        assert trial.verify(trial.call(anna, anchors=anchors)).tally.left == 0
        again = trial.bench.everything()
        for (name, key), column in spoiled.items():
            for other in outlook.emptied[name, key] - {column}:
                assert again[name][key][other] == erased[name][key][other], "what is clean is not treated again"
