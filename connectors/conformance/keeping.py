"""Promises about what stays: exactly what a duty keeps, for as long, on which ground, and empty where it may be.

The one rule: keeping too little breaks one law, keeping too much another; so the day decides, not the second.
"""

from collections import Counter
from datetime import timedelta

import pytest

from connectors.conformance.bench import Dates, needs
from connectors.conformance.outlook import kept
from connectors.conformance.suite import Promises, Trial
from rights.plan import Operation

ERASE = Operation.ERASE


class Keeping(Promises):
    """What stays after an erasure."""

    @needs(ERASE, Dates)
    def test_a_term_keeps_a_row_to_its_last_day_and_no_longer(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Dates)
        if not any(work.keeps for work in trial.works):
            pytest.skip("the map has no term")
        anna = trial.seeded()
        for work in trial.works:
            for day in {keep.cutoff.date() for keep in work.keeps}:
                trial.bench.seed_dated(anna, work.collection, day)
                trial.bench.seed_dated(anna, work.collection, day - timedelta(days=1))
        before, outlook = trial.bench.everything(), trial.outlook(anna)
        assert outlook.kept, "rows dated within the term are kept"

        trial.erase(trial.call(anna))

        trial.check(before, outlook, anna)

    @needs(ERASE)
    def test_what_is_kept_is_said_with_ground_and_date(self, trial: Trial) -> None:
        anna = trial.seeded()
        outlook = trial.outlook(anna)
        expected = {name: outlook.kept_of(name) for name in trial.system.collections}
        anchors = trial.locate(trial.call(anna)).anchors

        assert kept(trial.locate(trial.call(anna)).tally) == expected
        assert kept(trial.erase(trial.call(anna, anchors=anchors))) == expected
        assert kept(trial.verify(trial.call(anna, anchors=anchors)).tally) == expected

    @needs(ERASE)
    def test_a_kept_row_loses_what_no_duty_needs(self, trial: Trial) -> None:
        anna = trial.seeded()
        before, outlook = trial.bench.everything(), trial.outlook(anna)
        places = [place for place in outlook.kept if outlook.emptied[place] and place not in outlook.shells]
        if not places:
            pytest.skip("the map minimises nothing")

        trial.erase(trial.call(anna))

        after = trial.bench.everything()
        for name, key in places:
            assert key in after[name], "what is kept is there"
            for column in outlook.emptied[name, key]:
                assert after[name][key][column] != before[name][key][column]

    @needs(ERASE)
    def test_a_row_that_kept_rows_point_to_stays_as_a_shell(self, trial: Trial) -> None:
        anna = trial.seeded()
        before, outlook = trial.bench.everything(), trial.outlook(anna)
        if not outlook.shells:
            pytest.skip("no row of the map becomes a shell")
        anchors = trial.locate(trial.call(anna)).anchors

        trial.erase(trial.call(anna, anchors=anchors))

        after = trial.bench.everything()
        for name, key in outlook.shells:
            assert key in after[name], "what kept rows point to is there"
            assert not any(anna.text in str(value) for value in after[name][key].values())
            for column in outlook.emptied[name, key]:
                assert after[name][key][column] != before[name][key][column]
        assert trial.verify(trial.call(anna, anchors=anchors)).tally.left == 0

    @needs(ERASE)
    def test_a_redacted_row_stays_and_tells_nothing(self, trial: Trial) -> None:
        anna = trial.seeded()
        outlook = trial.outlook(anna)
        redacted = [place for place in outlook.emptied if place not in outlook.shells and place not in outlook.kept]
        if not redacted:
            pytest.skip("the map redacts nothing")

        tally = trial.erase(trial.call(anna))

        after = trial.bench.everything()
        for name, key in redacted:
            assert key in after[name], "what is redacted is there"
            assert not any(anna.text in str(value) for value in after[name][key].values())
        for name, rows in Counter(name for name, _ in redacted).items():
            assert tally.of(name).anonymised + tally.of(name).pseudonymised >= rows
            assert tally.of(name).erased == 0
