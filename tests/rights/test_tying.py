"""What proofs come to for each identity: in whatever order they came, and never for what they are not of."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rights.identity import Proof, Rung, identity_law
from rights.request import Right
from rights.subject import Identity
from rights.tying import ON_FILE, Given, Row, VouchError, chosen, names_of, standing, vouched

LAW = identity_law()
AT = datetime(2026, 3, 2, tzinfo=UTC)
MARKS = ("a", "b", "c", "d")
GIVEN = tuple(Given(name=name, mark=name, way=f"way {name}") for name in MARKS)

proofs = st.builds(
    Proof,
    rung=st.sampled_from(Rung),
    at=st.just(AT),
    way=st.sampled_from([f"way {name}" for name in MARKS] + ["way x", "way y", ""]),
    fresh=st.booleans(),
    second=st.booleans(),
    matched=st.integers(0, 3),
    declared=st.booleans(),
    level=st.integers(0, 4),
    vouches=st.lists(st.sampled_from(MARKS), max_size=2).map(tuple),
)
rows = st.builds(
    Row,
    marks=st.frozensets(st.sampled_from(MARKS), max_size=2),
    ways=st.frozensets(st.sampled_from(["way x", "way y", "way a"]), max_size=1),
)
asked = st.sampled_from([Right.ACCESS, Right.ERASURE, Right.RECTIFICATION, Right.CONSENT_WITHDRAWAL])
laws = st.sampled_from([("eu-gdpr",), ("us-ca-ccpa",), ("eu-gdpr", "us-ca-ccpa")])
some = st.lists(st.sampled_from(GIVEN), min_size=1, max_size=3, unique=True)


@given(some, st.lists(rows, max_size=3), st.lists(proofs, max_size=4), asked, laws, st.randoms())
def test_the_order_in_which_anything_came_makes_no_difference(identities, of, kept, right, regimes, random) -> None:  # type: ignore[no-untyped-def]
    before = standing(LAW, right, regimes, identities, of, kept)
    for some_list in (identities, of, kept):
        random.shuffle(some_list)
    assert standing(LAW, right, regimes, identities, of, kept) == before


@given(some, st.lists(rows, max_size=3), st.lists(proofs, min_size=1, max_size=4), asked, laws)
def test_a_proof_that_is_taken_away_never_helps(identities, of, kept, right, regimes) -> None:  # type: ignore[no-untyped-def]
    whole, less = (standing(LAW, right, regimes, identities, of, some) for some in (kept, kept[1:]))
    assert less.level <= whole.level
    assert less.enough <= whole.enough


@given(st.lists(rows, max_size=3), st.lists(proofs, max_size=4), asked, laws)
def test_what_stands_in_no_row_and_in_no_proof_is_never_proven(of, kept, right, regimes) -> None:  # type: ignore[no-untyped-def]
    stranger = Given(name="e", mark="e", way="way e")
    found = standing(LAW, right, regimes, [GIVEN[0], stranger], of, kept)
    assert (found.level, found.enough) == (0, False)
    assert found.loose in {(), ("e",), ("a", "e")}
    assert "a" not in found.loose


@settings(max_examples=200)
@given(st.lists(proofs, max_size=4), asked, laws)
def test_without_a_directory_nothing_is_tied_but_by_somebodys_word(kept, right, regimes) -> None:  # type: ignore[no-untyped-def]
    alone = [proof for proof in kept if len(set(proof.vouches)) < 2]
    mine, other = GIVEN[:2]
    of_mine = [p for p in alone if p.way == mine.way or mine.mark in p.vouches]
    both = standing(LAW, right, regimes, [mine, other], (), alone)
    if both.enough:
        assert standing(LAW, right, regimes, [mine], (), of_mine).enough


@pytest.mark.parametrize("rung", sorted(ON_FILE))
def test_two_rows_that_share_an_identity_are_one_persons(rung: Rung) -> None:
    mail, post = (
        Row(marks=frozenset("ab"), ways=frozenset({"way x"})),
        Row(marks=frozenset("bc"), ways=frozenset({"way y"})),
    )
    kept = [Proof(rung=rung, at=AT, way=way) for way in ("way x", "way y")]
    assert standing(LAW, Right.ERASURE, ["eu-gdpr"], GIVEN[:3], [mail, post], kept).enough
    apart = post.model_copy(update={"marks": frozenset("c")})
    assert not standing(LAW, Right.ERASURE, ["eu-gdpr"], GIVEN[:3], [mail, apart], kept).enough


def test_a_row_that_names_nobody_is_that_of_the_one_person_whom_the_others_name() -> None:
    named, bare = Row(marks=frozenset("a"), ways=frozenset({"way x"})), Row(ways=frozenset({"way y"}))
    kept = [Proof(rung=Rung.CHANNEL_ON_FILE, at=AT, way=way) for way in ("way x", "way y")]
    assert standing(LAW, Right.ERASURE, ["eu-gdpr"], GIVEN[:1], [named, bare], kept).enough
    another = Row(marks=frozenset("d"), ways=frozenset({"way z"}))
    assert not standing(LAW, Right.ERASURE, ["eu-gdpr"], GIVEN[:1], [named, bare, another], kept).enough


def test_identities_are_named_by_kind_and_by_number_where_there_are_several() -> None:
    people = (Identity("email", "a@example.org"), Identity("phone", "1"), Identity("email", "b@example.org"))
    assert list(names_of(people)) == ["email/1", "phone", "email/2"]
    assert chosen(people, ["email"]) == (people[0], people[2])
    assert chosen(people, ["email/2", "phone"]) == (people[2], people[1])
    assert chosen(people, ["all"]) == (people[0], people[1], people[2])
    with pytest.raises(VouchError, match="write one of email/1, phone, email/2, all"):
        chosen(people, ["email/3"])
    for words in ([], ["email/3"]):
        with pytest.raises(VouchError) as refused:
            vouched(LAW, Rung.ATTESTED, people, words)
        assert "example.org" not in str(refused.value)
