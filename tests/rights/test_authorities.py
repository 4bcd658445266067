"""Nothing goes to an authority but on a ground, with every question answered, and no more than was decided."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.authorities import AuthorityError, Demand, Scope, Waits, check_word
from rights.authoritylaw import Word, authority_law
from rights.decision import Role
from rights.demandfile import Gag, Kind, Said
from rights.transparency import transparency
from rights.yamlfile import FileErrors, read

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
WANTED = ("shop.customers", "shop.orders")
NOTHING = Scope()


def a_demand(**more: Any) -> Demand:
    given: dict[str, Any] = {
        "id": "d1",
        "authority": "police-berlin",
        "country": "DE",
        "regime": "eu-gdpr",
        "zone": "Europe/Berlin",
        "kind": Kind.PRODUCTION_ORDER,
        "demanded": WANTED,
        "received_at": AT,
        "received_by": "s-1",
        "due_on": date(2026, 3, 20),
    }
    return Demand(**given | more)


def answered(demand: Demand, **other: bool) -> Demand:
    return demand.model_copy(update={"answers": dict.fromkeys(demand.asked, True) | other})


def decided(demand: Demand, word: Word, ground: str, scope: Scope = NOTHING, *, approved: bool = True) -> Demand:
    check_word(demand, word, ground, scope)
    said = {"word": word, "ground": ground, "scope": scope, "decided_by": "s-1", "decided_as": Role.COUNSEL}
    return demand.model_copy(update=said | {"decided_at": AT, "approved_at": AT if approved else None})


@given(st.data())
def test_trf_04_nothing_is_handed_over_before_every_question_is_answered_with_yes(data: st.DataObject) -> None:
    where = data.draw(st.fixed_dictionaries({
        "country": st.sampled_from(["DE", "US", "GB"]),
        "clauses": st.booleans(),
        "gag": st.sampled_from([Gag.NONE, Gag.OPEN]),
    }))  # fmt: skip
    demand = a_demand(**where)
    answers = {name: data.draw(st.sampled_from([True, False, None])) for name in demand.asked}
    demand = demand.model_copy(update={"answers": {n: a for n, a in answers.items() if a is not None}})

    if all(answers.values()):
        check_word(demand, Word.DISCLOSE, "legal_obligation", Scope(collections=WANTED))
    else:
        with pytest.raises(AuthorityError, match="every question"):
            check_word(demand, Word.DISCLOSE, "legal_obligation", Scope(collections=WANTED))


def test_trf_04_abroad_an_agreement_is_asked_for_and_under_the_clauses_the_exporter_and_a_waiver() -> None:
    at_home = set(a_demand().asked)
    assert set(a_demand(country="US").asked) - at_home == {"treaty"}
    assert set(a_demand(clauses=True).asked) - at_home == {"exporter_told"}
    assert set(a_demand(clauses=True, gag=Gag.OPEN).asked) - at_home == {"exporter_told", "waiver_sought"}
    with pytest.raises(AuthorityError, match="no ground"):
        check_word(answered(a_demand()), Word.DISCLOSE, "international_agreement", Scope(collections=WANTED))


@pytest.mark.parametrize(("code", "fails"), [(c, g.fails) for c, g in authority_law().grounds.items() if g.fails])
def test_it_is_refused_on_the_question_that_was_answered_with_no(code: str, fails: str) -> None:
    demand = answered(a_demand(country="US"))
    word = authority_law().grounds[code].effects[0]

    with pytest.raises(AuthorityError, match="answered with no"):
        check_word(demand, word, code, Scope())
    check_word(answered(demand, **{fails: False}), word, code, Scope())


@pytest.mark.parametrize(
    ("word", "scope"),
    [
        (Word.DISCLOSE, Scope(collections=("shop.customers",))),
        (Word.DISCLOSE, Scope(collections=WANTED, without=("contact",))),
        (Word.IN_PART, Scope(collections=WANTED)),
        (Word.IN_PART, Scope()),
        (Word.IN_PART, Scope(collections=("shop.messages",))),
    ],
)
def test_trf_04_no_more_than_is_demanded_and_in_full_only_all_of_it(word: Word, scope: Scope) -> None:
    with pytest.raises(AuthorityError):
        check_word(answered(a_demand()), word, "legal_obligation", scope)


def test_an_emergency_is_decided_by_one_and_looked_at_by_a_second() -> None:
    demand = a_demand(emergency=True)
    first = demand.model_copy(update={"answers": {"authenticated": True, "competent": True, "proportionate": True}})
    assert demand.waits_for(AT) == (Waits.CHECK,)
    assert first.waits_for(AT) == (Waits.DECIDE,)

    with pytest.raises(AuthorityError, match="vital_interests"):
        check_word(first, Word.DISCLOSE, "legal_obligation", Scope(collections=WANTED))
    one = decided(first, Word.DISCLOSE, "vital_interests", Scope(collections=WANTED), approved=False)
    assert one.in_force
    assert one.waits_for(AT) == (Waits.SEAL, Waits.REVIEW, Waits.TELL)

    other = decided(answered(a_demand()), Word.DISCLOSE, "legal_obligation", Scope(collections=WANTED), approved=False)
    assert not other.in_force
    with pytest.raises(AuthorityError, match="no ground"):
        check_word(answered(a_demand()), Word.DISCLOSE, "vital_interests", Scope(collections=WANTED))


def test_trf_04_the_person_is_told_once_a_gag_ends_and_not_before() -> None:
    gag = {"gag": Gag.UNTIL, "gag_until": date(2026, 3, 10)}
    demand = decided(answered(a_demand(**gag)), Word.DISCLOSE, "legal_obligation", Scope(collections=WANTED))
    # Berlin's midnight is 23:00 in UTC.
    last, first = datetime(2026, 3, 10, 22, 59, tzinfo=UTC), datetime(2026, 3, 10, 23, 0, tzinfo=UTC)

    assert Waits.GAG in demand.waits_for(last)
    assert Waits.TELL in demand.waits_for(first)
    assert demand.next_change(last) == first
    assert Waits.GAG in demand.model_copy(update={"gag": Gag.OPEN}).waits_for(datetime(2199, 1, 1, tzinfo=UTC))


def test_of_what_is_refused_the_person_hears_under_the_clauses_alone() -> None:
    plain = decided(answered(a_demand(), lawful=False), Word.REFUSE, "no_legal_basis")
    clauses = decided(answered(a_demand(clauses=True), lawful=False), Word.REFUSE, "no_legal_basis")

    assert plain.waits_for(AT) == ()
    assert clauses.waits_for(AT) == (Waits.TELL,)


def test_trf_04_a_year_is_counted_by_country_and_kind_without_anybody_in_it() -> None:
    given = decided(answered(a_demand()), Word.DISCLOSE, "legal_obligation", Scope(collections=WANTED))
    handed = given.model_copy(update={"handed_at": AT})
    refused = decided(answered(a_demand(gagged=True), lawful=False), Word.REFUSE, "no_legal_basis")
    abroad = a_demand(country="US", authority="fbi", kind=Kind.SUBPOENA)
    # New Year's Eve in UTC, and the year after it in Berlin.
    later = a_demand(received_at=datetime(2026, 12, 31, 23, 30, tzinfo=UTC))

    home, far = transparency([handed, refused, abroad, later], 2026)

    assert (home.country, home.received, home.authorities, home.gagged) == ("DE", 2, 1, 1)
    assert home.fates == {"disclosed": 1, "refused": 1}
    assert (far.country, far.kind, far.fates) == ("US", Kind.SUBPOENA, {"open": 1})


TEXT = """
authority: police-berlin
country: DE
kind: production_order
basis: section 95 StPO
demanded: [shop.orders]
due_on: 2026-03-20
"""


@pytest.mark.parametrize(
    "more",
    ["gag: until\ngag_basis: x", "gag: open", "gag_basis: x", "gag_until: 2026-04-01", "wanted: all", "country: Spain"],
)
def test_a_slip_in_a_demand_is_refused(more: str) -> None:
    assert read(Said, "demand.yaml", TEXT, "a list").gag is Gag.NONE
    text = TEXT.replace("country: DE\n", "") if "country" in more else TEXT
    with pytest.raises(FileErrors):
        read(Said, "demand.yaml", f"{text}{more}\n", "a list")
