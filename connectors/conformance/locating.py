"""Promises about finding a person: all of their rows, nobody else's, and no silence that means something else.

The one rule: whoever cannot be reached, or cannot be told from another, is never reported as not held.
"""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.conformance.bench import Refuses, Shares, needs
from connectors.conformance.gate import Stop
from connectors.conformance.outlook import found
from connectors.conformance.suite import Promises, Trial, asked, renamed
from connectors.errors import NeedsHuman, Retryable
from rights.codes import Code
from rights.plan import Operation
from rights.subject import parse_identity

LOCAL = st.text(alphabet="abzAZ059.'%_{}$|~-+*/=?^`#&!åÉßλЖ日", max_size=40).filter(
    lambda local: not local.startswith(".") and ".." not in local and not local.endswith(".")
)
"""Local parts of addresses, with what query languages and patterns give a meaning to."""
WORDS = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60),
    st.sampled_from(["'; DROP TABLE customers; --", '"quoted", \\ and \t\r\n', "=1+1", "null", "x" * 10_000]),
)
odd = settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))


class Locating(Promises):
    """What `locate` promises."""

    def test_locate_counts_this_person_and_nobody_else(self, trial: Trial) -> None:
        anna, _ = trial.seeded(), trial.seeded()

        assert found(trial.locate(trial.call(anna)).tally) == trial.held(anna)

    def test_a_stranger_is_nothing_and_no_error(self, trial: Trial) -> None:
        trial.seeded()

        look = trial.locate(trial.call(trial.person()))

        assert (found(look.tally), look.candidates, look.links) == ({}, (), ())

    def test_identities_of_one_person_count_their_rows_once(self, trial: Trial) -> None:
        anna = trial.seeded()

        look = trial.locate(trial.call(anna.identities * 2))

        assert found(look.tally) == trial.held(anna)
        assert not look.candidates

    def test_case_hides_nobody_whose_identity_ignores_it(self, trial: Trial) -> None:
        kinds = [kind for kind, about in trial.kinds.items() if about.casefold]
        if not kinds:
            pytest.skip("no identity of the map ignores case")
        anna = trial.seeded()
        loud = anna
        for kind in kinds:
            loud = renamed(loud, kind, anna.of(kind).swapcase())

        assert found(trial.locate(trial.call(loud)).tally) == trial.held(anna)

    def test_locate_changes_nothing(self, trial: Trial) -> None:
        anna = trial.seeded()
        before = trial.bench.everything()

        trial.locate(trial.call(anna))

        assert trial.bench.everything() == before

    def test_locate_tells_of_further_identities(self, trial: Trial) -> None:
        kinds = [kind for kind, about in trial.kinds.items() if about.sharing == "unique"]
        together = [
            (first, second)
            for collection in trial.system.collections.values()
            for first in (about.identity for about in collection.identities.values())
            for second in (about.identity for about in collection.identities.values())
            if first in kinds and second in kinds and first and second and first != second
        ]
        if not together:
            pytest.skip("no row of the map holds two unique identities")
        anna = trial.seeded()

        for given_kind, told_kind in together:
            links = trial.locate(trial.call(asked(anna, given_kind))).links

            assert (told_kind, anna.of(told_kind)) in {(link.kind, link.value) for link in links}
            assert given_kind not in {link.kind for link in links}, "what was given is not told again"
            assert {link.kind for link in links} <= trial.told_kinds, "only what one person alone has is followed"

    def test_a_hint_is_never_followed(self, trial: Trial) -> None:
        hints = [kind for kind, about in trial.kinds.items() if about.sharing == "hint"]
        if not hints:
            pytest.skip("no identity of the map is a hint")
        anna = trial.seeded()

        for kind in hints:
            look = trial.locate(trial.call(asked(anna, kind)))

            assert (found(look.tally), look.candidates) == ({}, ())

    def test_a_shared_identity_alone_is_a_question(self, trial: Trial) -> None:
        kinds = [kind for kind, about in trial.kinds.items() if about.sharing == "shared"]
        if not kinds:
            pytest.skip("no identity of the map is shared")
        anna = trial.seeded()
        before = trial.bench.everything()

        for kind in kinds:
            call = trial.call(asked(anna, kind))
            look = trial.locate(call)

            assert {candidate.key for candidate in look.candidates} <= frozenset().union(
                *trial.bench.rows(anna).values()
            )
            assert look.candidates
            assert not look.links, "nothing is followed from a row of which it is open whose it is"
            for operation, act in trial.each(call).items():
                if not operation.look:
                    with pytest.raises(NeedsHuman) as caught:
                        act()
                    assert caught.value.code is Code.SEVERAL_PEOPLE
        assert trial.bench.everything() == before

    @needs(Shares)
    def test_two_people_with_one_identity_are_candidates(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Shares)
        kind = trial.bench.shares
        anna = trial.seeded()
        ben = renamed(trial.person(), kind, anna.of(kind))
        trial.bench.seed(ben, 12)

        look = trial.locate(trial.call(asked(anna, kind)))

        for person in (anna, ben):
            theirs = trial.bench.rows(person)
            assert any(candidate.key in theirs.get(candidate.collection, ()) for candidate in look.candidates)
        for candidate in look.candidates:
            assert candidate.traits, "an agent has to tell them apart"
        assert look.tally.found >= len(look.candidates)

    def test_an_outage_is_retryable_and_never_nothing_held(self, trial: Trial) -> None:
        call = trial.call(trial.seeded())

        with trial.bench.outage():
            for act in trial.each(call).values():
                with pytest.raises(Retryable):
                    act()

        assert trial.locate(call).tally.found, "after the outage everything is as it was"

    @needs(Refuses)
    def test_refused_credentials_need_a_human(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Refuses)
        call = trial.call(trial.seeded())

        with trial.bench.refused():
            for act in trial.each(call).values():
                with pytest.raises(NeedsHuman) as caught:
                    act()
                assert caught.value.code is Code.CREDENTIALS

    def test_odd_values_are_survived(self, trial: Trial) -> None:
        @odd
        @example("a%_b'", "'; DROP TABLE customers; --")
        @given(LOCAL, WORDS)
        def survived(local: str, words: str) -> None:
            anna = trial.seeded(3, words, local)
            if "email" in trial.kinds:
                trial.bench.seed(renamed(trial.person(words), "email", _lookalike(anna.of("email"))), 3)
            person = [parse_identity(identity.kind, identity.value) for identity in anna.identities]

            assert found(trial.locate(trial.call(person)).tally) == trial.held(anna)
            if Operation.ERASE in trial.each(trial.call(person)):
                before, outlook = trial.bench.everything(), trial.outlook(anna)
                trial.erase(trial.call(person))
                assert trial.bench.everything().keys() == before.keys()
                assert sum(trial.held(anna).values()) == len(outlook.emptied)

        survived()

    def test_a_beat_that_raises_stops_the_step(self, trial: Trial) -> None:
        def stop() -> None:
            raise Stop

        call = trial.call(trial.seeded(), beat=stop)
        before = trial.bench.everything()

        for act in trial.each(call).values():
            with pytest.raises(Stop):
                act()
        assert trial.bench.everything() == before


def _lookalike(address: str) -> str:
    """Another address, that a pattern or an end of the first one would match."""
    other = address.translate({ord("%"): "aa", ord("_"): "a", ord("*"): "aa", ord("?"): "a"})
    return other if other != address else f"x{address}"
