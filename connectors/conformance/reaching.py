"""Promises about contact points: what the directory tells before anybody has proven who they are."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.conformance.bench import Shares, needs
from connectors.conformance.suite import Promises, Trial, asked, renamed
from connectors.errors import NeedsHuman, Retryable
from connectors.protocol import Call, Channels, ContactPoint
from connectors.strategies import text
from rights.codes import Code
from rights.plan import Operation


class Reaching(Promises):
    """What `channels` promises."""

    @needs(Operation.CHANNELS)
    def test_channels_are_of_this_person_and_nobody_else(self, trial: Trial) -> None:
        anna, ben = trial.seeded(), trial.seeded()

        found = channels(trial, trial.call(anna))

        assert found, "a directory knows how to reach who is in it"
        dump = trial.bench.everything()
        theirs = {name: {key: dump[name][key] for key in keys} for name, keys in trial.bench.rows(anna).items()}
        for point in found:
            collection, _, field = point.place.partition(".")
            said = {text(row[field]).strip() for row in theirs[collection].values()}
            assert set(point.value.splitlines()) & said, "what is told stands in one of the person's own rows"
            assert all(identity.value not in point.value for identity in ben.identities)

    @needs(Operation.CHANNELS)
    def test_channels_tell_nothing_but_contact_points(self, trial: Trial) -> None:
        require_directory(trial)
        marked = {
            f"{name}.{field}": about.channel
            for name, collection in trial.system.collections.items()
            for field, about in collection.fields.items()
            if about.channel
        }

        found = channels(trial, trial.call(trial.seeded()))

        assert {(point.place, point.channel) for point in found} <= set(marked.items())

    @needs(Operation.CHANNELS)
    def test_a_stranger_has_no_channels_and_that_is_no_error(self, trial: Trial) -> None:
        require_directory(trial)
        trial.seeded()

        assert channels(trial, trial.call(trial.person())) == ()

    @needs(Operation.CHANNELS, Shares)
    def test_channels_of_two_people_are_told_of_neither(self, trial: Trial) -> None:
        require_directory(trial)
        assert isinstance(trial.bench, Shares)
        kind = trial.bench.shares
        anna = trial.seeded()
        trial.bench.seed(renamed(trial.person(), kind, anna.of(kind)), 3)

        with pytest.raises(NeedsHuman) as caught:
            channels(trial, trial.call(asked(anna, kind)))
        assert caught.value.code is Code.SEVERAL_PEOPLE

    @needs(Operation.CHANNELS)
    def test_channels_are_read_within_what_the_map_allows(self, trial: Trial) -> None:
        require_directory(trial)

        def full(name: str, cost: int, limit: int, window: timedelta) -> None:
            assert (cost, limit, window) == (1, trial.system.lookups_per_minute, timedelta(minutes=1))
            raise Retryable(Code.BUSY, trial.system.system, after=window)

        call = replace(trial.call(trial.seeded()), quota=full)
        with trial.bench.outage(), pytest.raises(Retryable) as caught:
            channels(trial, call)
        assert caught.value.code is Code.BUSY, "a turn is taken before anything is asked"

    @needs(Operation.CHANNELS)
    def test_trouble_with_channels_is_never_that_there_are_none(self, trial: Trial) -> None:
        call = trial.call(trial.seeded())
        require_directory(trial)

        with trial.bench.outage(), pytest.raises(Retryable):
            channels(trial, call)
        assert channels(trial, call)

    @needs(Operation.CHANNELS)
    def test_reading_channels_changes_nothing(self, trial: Trial) -> None:
        call = trial.call(trial.seeded())
        before = trial.bench.everything()

        channels(trial, call)

        assert trial.bench.everything() == before


def channels(trial: Trial, call: Call) -> tuple[ContactPoint, ...]:
    """The contact points of whom a call is about."""
    require_directory(trial)
    assert isinstance(trial.connector, Channels)
    return trial.connector.channels(call)


def require_directory(trial: Trial) -> None:
    """Skip where the map is no directory."""
    if not trial.system.directory:
        pytest.skip("the map is no directory")
