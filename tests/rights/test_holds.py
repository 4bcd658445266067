"""Which holds cover which work, and what anybody may be told of one."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.fates import fate_of
from rights.audience import answer, interim
from rights.codes import Code
from rights.collection import Erase
from rights.holdlaw import ground_of, hold_law, provision_in, read_hold_law
from rights.holds import GROUND, Disclosure, Holding, Reason, Scope, Span, Terms, as_held, of_days, put_off, spare
from rights.mapfile import read_map
from rights.plan import Operation, Step, make_plan
from rights.receipt import Certainty, Count, Kept, Outcome, Receipt, Tally
from rights.request import Right
from rights.yamlfile import FileErrors
from tests.world import shop_map

SHOP = read_map({"shop.yaml": shop_map(retention=True)})
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EVERY = frozenset(SHOP.systems["shop"].collections)


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        (Scope(), EVERY),
        (Scope(systems=("shop",)), EVERY),
        (Scope(systems=("crm",)), frozenset()),
        (Scope(collections=("shop.orders",)), {"orders"}),
        (Scope(collections=("crm.orders",)), frozenset()),
        (Scope(systems=("crm",), collections=("shop.orders",)), {"orders"}),
        (Scope(categories=("free_text",)), {"orders", "items", "messages"}),
        (Scope(collections=("shop.orders", "shop.addresses"), categories=("free_text",)), {"orders"}),
        (Scope(categories=("health",)), frozenset()),
        # A name that the map does not have, or no longer: nobody can tell which of them it is.
        (Scope(collections=("shop.invoices",)), EVERY),
        (Scope(collections=("shop.orders", "shop.invoices"), categories=("free_text",)), EVERY),
    ],
)
def test_a_scope_covers_what_it_names(scope: Scope, held: frozenset[str]) -> None:
    assert scope.held(SHOP.systems["shop"]) == held


def test_what_is_held_is_retained_and_the_rest_goes() -> None:
    made = spare(SHOP, "shop", [Scope(collections=("shop.orders",))])
    assert made is not None
    part = make_plan(Right.ERASURE, made[0], AT, "eu-gdpr").of("shop")

    fates = {work.collection: (work.erase, work.ground) for work in part.works}
    assert fates["orders"] == (Erase.RETAIN, GROUND)
    assert fates["messages"] == (Erase.DELETE, "")


def test_of_two_holds_the_one_that_keeps_more_counts() -> None:
    late = Scope(collections=("shop.orders",), since=date(2020, 1, 1))
    later = Scope(collections=("shop.orders",), since=date(2023, 1, 1))
    made = spare(SHOP, "shop", [later, late])
    assert made is not None
    assert made[1] == {"orders": (Span(date(2020, 1, 1), None),)}
    works = of_days(make_plan(Right.ERASURE, made[0], AT, "eu-gdpr").of("shop").works, made[0].systems["shop"], made[1])
    orders = next(work for work in works if work.collection == "orders")
    assert (orders.keeps[0].ground, orders.keeps[0].writes) == (GROUND, ())
    assert orders.keeps[0].until(date(2021, 1, 1)) == date.max, "no day of its own"

    whole = spare(SHOP, "shop", [late, Scope(systems=("shop",))])
    assert whole is not None
    assert whole[1] == {}


def test_a_day_holds_all_rows_where_the_map_says_no_column() -> None:
    made = spare(SHOP, "shop", [Scope(collections=("shop.messages",), since=date(2020, 1, 1))])
    assert made is not None
    assert made[1] == {}
    assert made[0].systems["shop"].collections["messages"].erase is Erase.RETAIN


def test_where_the_map_counts_from_several_columns_a_day_holds_all_rows() -> None:
    shop = SHOP.systems["shop"]
    orders = shop.collections["orders"]
    late = orders.retention[0].model_copy(update={"after": "customer_id"})
    both = orders.model_copy(update={"retention": (*orders.retention, late)})
    two = SHOP.model_copy(
        update={"systems": {"shop": shop.model_copy(update={"collections": {**shop.collections, "orders": both}})}}
    )
    made = spare(two, "shop", [Scope(collections=("shop.orders",), since=date(2020, 1, 1))])
    assert made is not None
    assert made[1] == {}


def test_a_day_begins_before_midnight_utc_somewhere() -> None:
    made = spare(SHOP, "shop", [Scope(collections=("shop.orders",), since=date(2020, 1, 1))])
    assert made is not None
    works = of_days(make_plan(Right.ERASURE, made[0], AT, "eu-gdpr").of("shop").works, SHOP.systems["shop"], made[1])
    (orders,) = (work for work in works if work.collection == "orders")
    # 2020-01-01 00:30 in Berlin is 2019-12-31 23:30 by UTC.
    assert orders.keeps[0].cutoff.date() == date(2019, 12, 31)


ORDERS = SHOP.systems["shop"].collections["orders"]
_some_day = st.dates(date(1999, 1, 1), date(2030, 12, 31))


def held_by(scopes: Sequence[Scope], day: date | None) -> bool:
    """Whether holds keep an order of a day, as connectors read the plan."""
    made = spare(SHOP, "shop", scopes)
    assert made is not None
    works = of_days(make_plan(Right.ERASURE, made[0], AT, "eu-gdpr").of("shop").works, SHOP.systems["shop"], made[1])
    (orders,) = (work for work in works if work.collection == "orders")
    fate = fate_of({"id": 1, "customer_id": 1, "note": "a", "created_at": day}, orders, ORDERS, shell=False)
    return fate.stays and fate.ground == GROUND


@given(st.lists(st.tuples(st.none() | _some_day, st.none() | _some_day), min_size=1, max_size=3), st.none() | _some_day)
def test_HLD_01_rows_of_the_days_of_some_hold_are_held_and_no_others(
    ranges: list[tuple[date | None, date | None]], day: date | None
) -> None:
    ranges = [(b, a) if a and b and b < a else (a, b) for a, b in ranges]
    holds = [Scope(collections=("shop.orders",), since=since, until=until) for since, until in ranges]
    edge = timedelta(days=1)  # a day begins and ends at other moments elsewhere

    def has(since: date | None, until: date | None) -> bool:
        return day is None or ((since is None or day >= since - edge) and (until is None or day <= until + edge))

    assert held_by(holds, day) is any(has(*one) for one in ranges)


def test_HLD_01_a_last_day_holds_all_rows_where_the_map_says_no_column() -> None:
    made = spare(SHOP, "shop", [Scope(collections=("shop.messages",), until=date(2020, 1, 1))])
    assert made is not None
    assert made[1] == {}
    assert made[0].systems["shop"].collections["messages"].erase is Erase.RETAIN


def test_HLD_01_two_ranges_hold_nothing_of_what_lies_between_them() -> None:
    first = Scope(collections=("shop.orders",), since=date(2018, 1, 1), until=date(2018, 12, 31))
    second = Scope(collections=("shop.orders",), since=date(2024, 1, 1), until=date(2024, 12, 31))

    days = [date(2018, 6, 1), date(2021, 6, 1), date(2024, 6, 1)]
    assert [held_by([first, second], day) for day in days] == [True, False, True]


def test_HLD_01_a_range_that_would_hold_nothing_is_none() -> None:
    with pytest.raises(ValidationError, match="before its first one"):
        Scope(since=date(2024, 1, 2), until=date(2024, 1, 1))


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        # By its name of today, which the map that the request is pinned to does not have.
        (Scope(collections=("shop.letters",)), EVERY),
        (Scope(collections=("shop.orders",)), {"orders"}),
        # A category that it was given since.
        (Scope(categories=("health",)), {"addresses"}),
    ],
)
def test_a_hold_is_read_by_todays_map_and_by_that_of_the_request(scope: Scope, held: frozenset[str]) -> None:
    pinned = SHOP.systems["shop"]
    changed = {("letters" if name == "messages" else name): about for name, about in pinned.collections.items()}
    street = changed["addresses"].fields["street"].model_copy(update={"category": "health"})
    fields = {**changed["addresses"].fields, "street": street}
    changed["addresses"] = changed["addresses"].model_copy(update={"fields": fields})
    if scope.categories:
        changed = {"messages" if name == "letters" else name: about for name, about in changed.items()}
    today = pinned.model_copy(update={"collections": changed})

    assert scope.covered(pinned, today) == held
    made = spare(SHOP, "shop", [scope], today=today)
    assert made is not None
    assert held <= {name for name, one in made[0].systems["shop"].collections.items() if one.erase is Erase.RETAIN}


def test_where_a_part_cannot_stay_by_itself_the_whole_system_does() -> None:
    # Without the duty to keep, the map does not say how an order that stays finds its customer.
    plain = read_map({"shop.yaml": shop_map().replace('{category: contact, strategy: "null"}', "{category: contact}")})
    made = spare(plain, "shop", [Scope(collections=("shop.orders",))])
    assert made is not None
    assert {c.erase for c in made[0].systems["shop"].collections.values()} == {Erase.RETAIN}


@given(st.sampled_from(Disclosure), st.dates(), st.none() | st.dates())
def test_a_hold_is_secret_until_its_day_or_for_good(kind: Disclosure, day: date, tell_from: date | None) -> None:
    secret = Terms(disclosure=kind, tell_from=tell_from).secret(day)

    match kind:
        case Disclosure.TELL:
            assert not secret
        case Disclosure.COUNSEL_TEXT:
            assert secret
        case Disclosure.AFTER:
            assert secret is (tell_from is None or day < tell_from)


# What everybody reads of a request is made of its receipts. A secret hold writes the same receipt as a system that has
# put the work off, so that there is nothing in any page, letter or list by which the two could be told apart.

counts = st.lists(
    st.builds(
        Count,
        collection=st.sampled_from(sorted(EVERY)),
        found=st.integers(0, 50),
        erased=st.integers(0, 50),
    ),
    max_size=4,
    unique_by=lambda count: count.collection,
)


@given(
    counts, st.lists(st.integers(1, 9), min_size=1, max_size=4), st.sampled_from((Operation.ERASE, Operation.VERIFY))
)
def test_a_secret_hold_cannot_be_told_from_a_system_that_takes_its_time(
    seen: list[Count], held: list[int], operation: Operation
) -> None:
    step = Step(request_id="r", system="shop", operation=operation)
    plain = Receipt(
        step=step, outcome=Outcome.RETAINED, certainty=Certainty.COMPLETED, tally=Tally(counts=tuple(seen)), at=AT
    )
    kept = [
        count.model_copy(update={"kept": (Kept(ground=GROUND, rows=rows),)})
        for count, rows in zip(seen, held, strict=False)
    ]
    touched = plain.model_copy(update={"tally": Tally(counts=(*kept, *seen[len(kept) :]))})
    slow = put_off(plain.model_copy(update={"certainty": None}))

    for due in (False, True):
        veiled = as_held(touched, Holding(scopes={"h": Scope()}, secret=True), due=due)
        if not kept:
            assert veiled == touched
            continue
        assert veiled.model_dump_json() == slow.model_dump_json()
        assert "hold" not in veiled.model_dump_json()
        words = [
            (interim(Right.ERASURE, ["shop"], [one]), answer(Right.ERASURE, ["shop"], [one], {}, {}, "Europe/Berlin"))
            for one in (veiled, slow)
        ]
        assert words[0] == words[1]


def test_a_hold_that_may_be_told_is_waited_for_and_then_said() -> None:
    step = Step(request_id="r", system="shop", operation=Operation.ERASE)
    count = Count(collection="orders", found=4, kept=(Kept(ground=GROUND, rows=4),))
    receipt = Receipt(step=step, outcome=Outcome.RETAINED, tally=Tally(counts=(count,)), at=AT)
    told = Holding(scopes={"h": Scope()}, told=True)

    assert as_held(receipt, told, due=False).outcome is Outcome.HELD
    assert as_held(receipt, told, due=True) == receipt
    both = told.model_copy(update={"secret": True})
    assert as_held(receipt, both, due=False) == as_held(receipt, told, due=False)
    assert "hold" not in as_held(receipt, both, due=True).model_dump_json()
    answered = as_held(receipt, Holding(scopes={"h": Scope()}, answered=True), due=True)
    assert (answered.outcome, answered.code, answered.tally.kept_rows) == (Outcome.PENDING, "deferred", 0)


@pytest.mark.parametrize(
    ("reasons", "regimes", "ground"),
    [
        ([Reason.LITIGATION], ["eu-gdpr"], "legal hold (GDPR Art. 17(3)(e))"),
        ([Reason.REGULATOR], ["eu-gdpr"], "legal hold (GDPR Art. 17(3)(b))"),
        ([Reason.CLAIM, Reason.PRESERVATION], ["uk-gdpr"], "legal hold (UK GDPR Art. 17(3)(e))"),
        ([Reason.CLAIM], ["eu-gdpr", "us-ca-ccpa"], "legal hold (GDPR Art. 17(3)(e); Civ 1798.145(a))"),
        # An audit is no ground by itself, and this law has none that we know of: nothing is made up.
        ([Reason.AUDIT], ["eu-gdpr"], "legal hold"),
        ([Reason.CLAIM], ["jp-appi"], "legal hold"),
        ([], ["eu-gdpr"], "legal hold"),
    ],
)
def test_HLD_03_what_a_hold_keeps_stays_on_the_provision_of_the_law_for_its_reason(
    reasons: list[Reason], regimes: list[str], ground: str
) -> None:
    assert ground_of(reasons, regimes) == ground
    assert provision_in(ground) == ground.removeprefix("legal hold").removeprefix(" (").removesuffix(")")


def test_other_grounds_are_no_holds() -> None:
    assert provision_in("Tax code s. 147") is None
    assert provision_in("legal holdings (Art. 1)") is None


def test_HLD_03_each_collection_is_said_to_stay_for_the_holds_that_cover_it() -> None:
    step = Step(request_id="r", system="shop", operation=Operation.ERASE)
    kept = (Kept(ground=GROUND, rows=4), Kept(ground="tax", rows=1))
    counts = tuple(Count(collection=name, found=5, kept=kept) for name in ("orders", "items", "messages"))
    receipt = Receipt(step=step, outcome=Outcome.RETAINED, tally=Tally(counts=counts), at=AT)
    why = {"orders": frozenset({Reason.CLAIM}), "items": frozenset({Reason.REGULATOR})}
    holding = Holding(scopes={"h": Scope(), "i": Scope()}, told=True, reasons=why)

    said = as_held(receipt, holding, lambda reasons: ground_of(reasons, ["eu-gdpr"]), due=True)

    grounds = {count.collection: [one.ground for one in count.kept] for count in said.tally.counts}
    assert grounds == {
        "orders": ["legal hold (GDPR Art. 17(3)(e))", "tax"],
        "items": ["legal hold (GDPR Art. 17(3)(b))", "tax"],
        # It stays because the others could not stay without it.
        "messages": ["legal hold (GDPR Art. 17(3)(e); GDPR Art. 17(3)(b))", "tax"],
    }
    assert said.tally.kept_rows == receipt.tally.kept_rows


@pytest.mark.parametrize(("code", "told"), [(Code.HOLD, "on its ground"), (Code.QUEUED, ""), (Code.WITHDRAWN, "")])
def test_HLD_03_a_system_that_a_hold_has_stopped_is_answered_with_the_ground_unless_it_is_secret(
    code: Code, told: str
) -> None:
    step = Step(request_id="r", system="mailer", operation=Operation.ERASE)
    held = Outcome.PENDING if code is Code.QUEUED else Outcome.HELD
    receipt = Receipt(step=step, outcome=held, code=code, about="mailer", at=AT)

    (said,) = answer(Right.ERASURE, ["mailer"], [receipt], {}, {}, "Europe/Berlin", lambda _: "on its ground")
    assert said.held == told


def test_a_slip_in_the_law_of_holds_is_refused_with_its_line() -> None:
    text = 'version: "x"\nregimes:\n  eu-gdpr:\n    erasure: {gossip: "Art. 1"}\n    source: x\n    confidence: high\n'
    with pytest.raises(FileErrors, match=r"holds.yaml:4"):
        read_hold_law("holds.yaml", text)
    assert all(one.source for one in hold_law().regimes.values())
