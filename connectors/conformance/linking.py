"""Promises about links: what a person's rows say that other systems know the person by.

The one rule: a link that is left out is a person missed elsewhere, and one too many is somebody else's data touched
there. So what is told is compared, to the letter, with what the back door sees in the person's rows.
"""

import pytest

from connectors.conformance.bench import Arrives, Overwrites, Shares, needs
from connectors.conformance.suite import Promises, Trial, asked, renamed
from connectors.protocol import Key, Look, Rulings
from rights.plan import Operation

ERASE, VERIFY = Operation.ERASE, Operation.VERIFY

Told = set[tuple[str, str]]


class Linking(Promises):
    """What the links of a look promise."""

    def test_links_are_exactly_what_the_rows_of_this_person_say(self, trial: Trial) -> None:
        anna, _ = trial.seeded(), trial.seeded()

        look = trial.locate(trial.call(anna))

        assert told(look) == trial.says(anna) - {(one.kind, one.value) for one in anna.identities}
        assert len(look.links) == len(told(look)), "each once"

    def test_every_link_is_told_however_many_there_are(self, trial: Trial) -> None:
        if not any(about.yields for c in trial.system.collections.values() if c.links for about in c.fields.values()):
            pytest.skip("no collection of the map that has many rows of a person yields anything")
        anna = trial.seeded(400)
        expected = trial.says(anna) - {(one.kind, one.value) for one in anna.identities}

        assert told(trial.locate(trial.call(anna))) == expected

    @needs(Overwrites)
    def test_links_that_differ_in_case_alone_are_two(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Overwrites)
        anna = trial.seeded()
        held = trial.bench.rows(anna)
        places = [
            (name, column, kind)
            for name, collection in trial.system.collections.items()
            for column, about in collection.fields.items()
            for kind, casefold in about.told.items()
            if about.yields == kind and not casefold and len(held[name]) > 1
        ]
        if not places:
            pytest.skip(
                "no collection of the map that has several rows of a person yields what case makes a difference to"
            )
        for name, column, kind in places:
            twins = ("Quartz/Scan.PDF", "quartz/scan.pdf")
            for key, value in zip(sorted(held[name]), twins, strict=False):
                trial.bench.overwrite(name, key, column, value)

            assert {(kind, value) for value in twins} <= told(trial.locate(trial.call(anna)))

    @needs(Shares)
    def test_nothing_is_told_of_rows_that_are_a_question(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Shares)
        kind = trial.bench.shares
        anna = trial.seeded()
        ben = renamed(trial.person(), kind, anna.of(kind))
        trial.bench.seed(ben, 12)
        call = trial.call(asked(anna, kind))

        look = trial.locate(call)

        assert look.candidates
        assert told(look) == set()
        ours = trial.bench.rows(anna)
        mine: dict[str, set[Key]] = {}
        others: dict[str, set[Key]] = {}
        for candidate in look.candidates:
            side = mine if candidate.key in ours[candidate.collection] else others
            side.setdefault(candidate.collection, set()).add(candidate.key)
        rulings = Rulings(
            mine={name: frozenset(keys) for name, keys in mine.items()},
            others={name: frozenset(keys) for name, keys in others.items()},
        )
        ruled = trial.locate(trial.call(asked(anna, kind), rulings=rulings))
        assert told(ruled) == trial.says(anna) - {(kind, anna.of(kind))}

    def test_a_repeated_look_tells_the_same_and_nothing_that_is_known(self, trial: Trial) -> None:
        anna = trial.seeded()
        kind = next(kind for kind, about in trial.kinds.items() if about.sharing == "unique")
        known = asked(anna, kind)

        for _ in range(len(trial.kinds) + 2):
            first, second = (trial.locate(trial.call(known)) for _ in range(2))
            assert told(first) == told(second)
            assert not told(first) & {(one.kind, one.value) for one in known}
            known = (*known, *first.links)
        assert not trial.locate(trial.call(known)).links, "nothing new is learnt any more"

    @needs(ERASE)
    def test_an_erasure_is_no_source_of_links(self, trial: Trial) -> None:
        anna = trial.seeded()
        look = trial.locate(trial.call(anna))
        known = (*anna.identities, *look.links)
        anchors = trial.locate(trial.call(known, anchors=look.anchors)).anchors

        trial.erase(trial.call(known, anchors=anchors))

        assert told(trial.locate(trial.call(known, anchors=anchors))) == set(), "what was written is nobody's identity"

    @needs(ERASE, VERIFY, Arrives)
    def test_what_was_told_finds_the_person_when_the_rows_that_said_it_are_gone(self, trial: Trial) -> None:
        assert isinstance(trial.bench, Arrives)
        unique = [kind for kind, about in trial.kinds.items() if about.sharing == "unique"]
        if len(unique) < 2:
            pytest.skip("the map knows people by one unique identity alone")
        for kind in unique:
            anna = trial.seeded()
            given = asked(anna, kind)
            look = trial.locate(trial.call(given))
            known = (*given, *look.links)
            anchors = trial.locate(trial.call(known, anchors=look.anchors)).anchors
            trial.erase(trial.call(known, anchors=anchors))

            trial.bench.arrive(anna)

            assert trial.verify(trial.call(known, anchors=anchors)).tally.left == 1


def told(look: Look) -> Told:
    """The links of a look."""
    return {(link.kind, link.value) for link in look.links}
