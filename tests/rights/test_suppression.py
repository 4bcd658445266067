"""Whoever has opted out is recognised again however it is written, and what is to stop is found in the map."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.advice import advice
from rights.datamap import DataMap, System
from rights.details import read_details
from rights.identity import Circumstance, circumstances_of
from rights.objections import OPT_OUTS, is_immediate, is_weighed, stop_of
from rights.request import Right
from rights.subject import Identity
from rights.suppression import (
    GPC_STOPS,
    Scope,
    Stop,
    comparables,
    gpc_document,
    gpc_signals,
    stops_in,
)
from rights.weighing import Matter, asked_not_before, due, grounds_for, objections, reviews
from rights.yamlfile import FileErrors

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def form(kind: str, value: str, calling_code: str = "") -> str:
    """The newest one."""
    forms = comparables(Identity(kind, value), calling_code)
    return forms[max(forms)]


@given(st.emails())
def test_the_case_of_an_address_makes_no_difference(address: str) -> None:
    assert form("email", address) == form("email", address.swapcase()) == form("email", f" {address} ")


@pytest.mark.parametrize("written", ["A.nna.Berg@gmail.com", "annaberg+shop@googlemail.com", "ANNABERG@GMAIL.COM"])
def test_one_mailbox_of_gmail_is_one(written: str) -> None:
    assert form("email", written) == form("email", "annaberg@gmail.com")


@pytest.mark.parametrize(
    ("letters", "ascii_"),
    [("anna@bücher.example", "anna@xn--bcher-kva.example"), ("anna@straße.example", "anna@xn--strae-oqa.example"),
     ("anna@mail.пример.example", "Anna@mail.XN--E1AFMKFD.example")],
)  # fmt: skip
def test_an_international_domain_is_one_in_letters_and_in_ascii(letters: str, ascii_: str) -> None:
    assert form("email", letters) == form("email", ascii_)
    assert form("email", letters.upper()) == form("email", ascii_)
    assert comparables(Identity("email", letters))[1] != comparables(Identity("email", ascii_))[1], (
        "as remembered so far"
    )


def test_what_nobody_sees_makes_no_difference() -> None:
    """A system may have it in a column."""
    assert form("email", "an\u200bna@example.org") == form("email", "anna@example.org")
    assert form("customer_id", "\ufeffA7") == form("customer_id", "a7")


@given(st.text("abcxn-", max_size=12))
def test_what_only_looks_like_one_is_left_as_it_is(label: str) -> None:
    assert form("email", f"a@xn--{label}.example").startswith("email\0a@")


def test_dots_and_tags_of_other_hosts_tell_people_apart() -> None:
    assert form("email", "a.b@example.org") != form("email", "ab@example.org")
    assert form("email", "ab+x@example.org") != form("email", "ab@example.org")


@pytest.mark.parametrize(
    "written", ["+49 30 1234567", "0049-30-1234567", "+49 (0)30 1234567", "(030) 123 45 67", "030/1234567"]
)
def test_a_phone_number_is_one_however_it_is_written(written: str) -> None:
    assert form("phone", written, "+49") == form("phone", "+49301234567", "+49")


def test_a_number_of_no_known_country_is_its_digits() -> None:
    assert form("phone", "030 12-34") == form("phone", "(030)1234")
    assert form("phone", "030 1234") != form("phone", "+49 30 1234")


def test_kinds_are_never_taken_for_one_another() -> None:
    assert form("phone", "4711") != form("customer_id", "4711")


@pytest.mark.parametrize("header", [None, "", "0", "true", "1 ", " 1", "1,1", "01", "１"])
def test_a_gpc_header_counts_only_if_it_is_exactly_1(header: str | None) -> None:
    assert gpc_signals("1")
    assert not gpc_signals(header)


def test_gpc_asks_for_no_sale_no_sharing_and_no_targeted_advertising_and_does_not_limit_sensitive_data() -> None:
    assert set(GPC_STOPS) == {Scope.SALE, Scope.SHARING, Scope.TARGETED_ADVERTISING}
    assert gpc_document(date(2026, 11, 26)) == {"gpc": True, "lastUpdate": "2026-11-26"}


def system(**collection: object) -> System:
    base = {"key": ["id"], "fields": {"id": {}, "email": {"identity": "email", "category": "contact"}, "flag": {}}}
    return System.model_validate(
        {"system": "shop", "owner": "x", "connector": "memory", "collections": {"people": base | collection}}
    )


def map_of(one: System) -> DataMap:
    return DataMap(systems={one.system: one}, digest="0" * 64)


def test_what_is_to_stop_is_found_by_use_and_by_field() -> None:
    used = system(uses=["marketing"])
    flagged = system(opt_out={"sale": {"field": "flag", "value": True}})

    assert stops_in(used, Stop(scopes=(Scope.MARKETING, Scope.SALE))) == {"people": (Scope.MARKETING,)}
    assert stops_in(flagged, Stop(scopes=(Scope.SALE,))) == {"people": (Scope.SALE,)}
    assert stops_in(used, Stop(scopes=(Scope.SALE,))) == {}


def test_what_a_vendor_can_stop_is_stopped_there_though_the_map_does_not_say_that_it_is_used_for_it() -> None:
    offered = {"people": {Scope.MARKETING}}

    assert stops_in(system(), Stop(scopes=(Scope.MARKETING,)), offered) == {"people": (Scope.MARKETING,)}


def test_a_consent_that_is_withdrawn_stops_what_rests_on_it_and_nothing_else() -> None:
    stop = Stop(purposes=("Newsletter",), consent=True)
    resting = system(purpose="newsletter", lawful_basis="consent, GDPR Art. 6(1)(a)", uses=["marketing"])

    assert stops_in(resting, stop) == {"people": (Scope.MARKETING, Scope.CONSENT)}
    assert stops_in(system(purpose="newsletter", lawful_basis="contract"), stop) == {}
    assert stops_in(system(purpose="orders", lawful_basis="consent"), stop) == {}
    by_category = Stop(purposes=("contact",), consent=True)
    assert stops_in(system(purpose="orders", lawful_basis="Art. 6 (1) (a)"), by_category) == {
        "people": (Scope.CONSENT,)
    }


def test_whoever_names_a_purpose_means_its_rows() -> None:
    stop = Stop(scopes=(Scope.PROFILING,), purposes=("scoring",))

    assert stops_in(system(purpose="Scoring"), stop) == {"people": (Scope.PROFILING,)}
    assert stops_in(system(purpose="orders", uses=["profiling"]), stop) == {}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"marketing": {"field": "nothing", "value": 1}}, "not under fields"),
        ({"marketing": {"field": "id", "value": 1}}, "tells rows or people apart"),
        ({"marketing": {"field": "email", "value": "x"}}, "tells rows or people apart"),
        (
            {"marketing": {"field": "flag", "value": 1}, "sale": {"field": "flag", "value": 2}},
            "says two things of 'flag'",
        ),
        ({"mail": {"field": "flag", "value": 1}}, "Input should be"),
    ],
)
def test_a_map_that_would_mark_the_wrong_thing_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        system(opt_out=wrong)


def test_marketing_is_absolute_and_everything_else_is_weighed() -> None:
    marketing = read_details(Right.OBJECTION, "x", "scope: marketing")
    research = read_details(Right.OBJECTION, "x", "scope: research\nreasons: I am known in my village")

    assert (is_immediate(Right.OBJECTION, marketing), is_weighed(marketing)) == (True, False)
    assert (is_immediate(Right.OBJECTION, research), is_weighed(research)) == (False, True)
    assert grounds_for(Scope.MARKETING) == {}
    assert set(grounds_for(Scope.RESEARCH)) == {"public_interest_research"}
    assert set(grounds_for(Scope.PROFILING)) == {"compelling_interest", "legal_claims"}


def test_OBJ_02_an_objection_to_marketing_takes_the_profiling_for_it_and_no_other() -> None:
    """GDPR Art. 21(2): "which includes profiling to the extent that it is related to such direct marketing"."""
    details = read_details(Right.OBJECTION, "x", "scope: marketing")
    for_it, other = system(uses=["marketing", "marketing_profiling"]), system(uses=["marketing", "profiling"])

    assert is_immediate(Right.OBJECTION, details)
    assert stops_in(for_it, stop_of(details)) == {"people": (Scope.MARKETING, Scope.MARKETING_PROFILING)}
    assert stops_in(other, stop_of(details)) == {"people": (Scope.MARKETING,)}, "profiling for other ends is weighed"
    assert [one.code for one in advice(map_of(for_it))] == []
    assert [one.code for one in advice(map_of(other))] == ["profiling_unsaid"]


def test_OBJ_02_profiling_for_marketing_is_absolute_by_itself_and_goes_with_all_profiling() -> None:
    alone = read_details(Right.OBJECTION, "x", "scope: marketing_profiling")
    everything = read_details(Right.OBJECTION, "x", "scope: profiling")

    assert (is_immediate(Right.OBJECTION, alone), is_weighed(alone)) == (True, False)
    assert Circumstance.MARKETING in circumstances_of(alone), "nobody proves who they are for it"
    assert grounds_for(Scope.MARKETING_PROFILING) == {}
    used = system(uses=["marketing_profiling"])
    assert stops_in(used, stop_of(everything)) == {"people": (Scope.MARKETING_PROFILING,)}


def test_what_goes_with_an_objection_to_a_purpose_stops_where_there_is_any() -> None:
    details = read_details(Right.OBJECTION, "x", "scope: marketing\npurposes: [orders]")
    scored = system(purpose="orders", uses=["marketing_profiling"])

    assert stops_in(system(purpose="orders"), stop_of(details)) == {"people": (Scope.MARKETING,)}
    assert stops_in(scored, stop_of(details)) == {"people": (Scope.MARKETING, Scope.MARKETING_PROFILING)}


@pytest.mark.parametrize("scope", OPT_OUTS)
def test_an_opt_out_is_immediate_whatever_it_is_of(scope: Scope) -> None:
    details = read_details(Right.OPT_OUT, "x", f"of: {scope}")

    assert is_immediate(Right.OPT_OUT, details)
    assert stop_of(details) == Stop(scopes=(scope,))


@pytest.mark.parametrize(
    ("right", "text"),
    [
        (Right.OBJECTION, "scope: everything"),
        (Right.OBJECTION, "reasons: because"),
        (Right.OPT_OUT, "of: marketing"),
        (Right.OPT_OUT, "of: []"),
        (Right.OPT_OUT, "of: sale\nsource: neighbour"),
        (Right.CONSENT_WITHDRAWAL, "purposes: []"),
        (Right.DECISION_REVIEW, "decision: credit"),
    ],
)
def test_a_slip_in_the_details_is_refused_with_its_line(right: Right, text: str) -> None:
    with pytest.raises(FileErrors, match=r"details\.yaml:\d+: "):
        read_details(right, "details.yaml", text)


def test_a_review_has_a_term_of_its_own_and_never_a_later_one_than_the_answer() -> None:
    assert due(Matter.DECISION, ["eu-gdpr"], AT, None) == datetime(2026, 3, 23, 9, 30, tzinfo=UTC)
    assert due(Matter.DECISION, ["br-lgpd"], AT, None) == datetime(2026, 3, 12, 9, 30, tzinfo=UTC)
    assert due(Matter.DECISION, ["us-ca-ccpa"], AT, None) == due(Matter.DECISION, ["eu-gdpr"], AT, None), (
        "not before 2027"
    )
    assert due(Matter.OBJECTION, ["eu-gdpr"], AT, datetime(2026, 3, 10, tzinfo=UTC)) == datetime(
        2026, 3, 10, tzinfo=UTC
    )


def test_the_laws_on_reviews_and_objections_stand_with_their_sources() -> None:
    terms = [reviews().default, *reviews().regimes.values(), objections().weighing]

    assert all(term.source for term in terms)
    assert {"uk-gdpr", "us-ca-ccpa", "br-lgpd"} <= reviews().regimes.keys()


def test_somebody_who_has_opted_out_of_sale_is_not_asked_again_for_twelve_months() -> None:
    assert asked_not_before([Scope.SALE], datetime(2026, 2, 28, 23, 30, tzinfo=UTC), "UTC") == date(2027, 2, 28)
    assert asked_not_before([Scope.MARKETING], AT, "UTC") is None
