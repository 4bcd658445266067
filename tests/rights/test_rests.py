"""Which rows that an erasure had to leave are locked away, by its receipts and the map alone."""

from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.audience import interim
from rights.codes import Code
from rights.datamap import DataMap, System
from rights.deferred import NO_GROUNDS, Grounds, comes_back, deferred
from rights.exempt import exempt
from rights.holds import GROUND, OBJECT_LOCK, OF_SYSTEM
from rights.mapfile import MapErrors, read_map
from rights.plan import Operation, make_plan
from rights.receipt import Count, Kept, Outcome, Receipt
from rights.request import Right
from rights.rests import NOTHING, Rest, asks_of, rest_of
from tests.rights.test_deferred import AT, looked, receipt

MAP = """
system: shop
owner: commerce
connector: sql
backups: none
connection: {reader: "env:SHOP"}
collections:
  customers:
    key: [id]
    fields:
      id: {strategy: retain, ground: what points to it}
      email: {category: contact, identity: email, strategy: anonymise}
  orders:
    key: [id]
    fields: {id: {}, customer_id: {}}
    links: [{field: customer_id, to: customers.id}]
  letters:
    key: [id]
    fields: {id: {}, text: {category: contact, strategy: "null"}, customer_id: {}}
    links: [{field: customer_id, to: customers.id}]
    erase: ERASE
"""
HELD = Kept(ground=GROUND, rows=1)
TAXED = Kept(ground="tax law", until=date(2034, 1, 1), rows=1)
FOR_EVER = Kept(ground="an archive", rows=1)


def shop(letters: str = "delete") -> DataMap:
    """A shop that does so with letters."""
    return read_map({"shop.yaml": MAP.replace("ERASE", letters)})


def locks(rest: Rest, letters: str = "delete", exempted: Mapping[str, str] | None = None) -> set[str]:
    """The collections that are locked in such a shop, under a decision that leaves categories out."""
    data_map = exempt(shop(letters), Right.ERASURE, exempted or {})
    system: System = data_map.systems["shop"]
    return set(rest.locks(system, make_plan(Right.ERASURE, data_map, AT).of("shop").works))


def left(grounds: Grounds = NO_GROUNDS, **kept: tuple[Kept, ...]) -> Rest:
    counts = [Count(collection=name, found=sum(k.rows for k in of), kept=of) for name, of in kept.items()]
    act, seen = receipt(Operation.ERASE, Outcome.RETAINED), receipt(Operation.VERIFY, Outcome.RETAINED, *counts)
    return rest_of(act, seen, grounds)


def test_what_is_kept_for_a_time_is_locked_with_the_rows_that_it_needs() -> None:
    shell = Kept(ground="what points to it", rows=1)
    assert locks(left(orders=(HELD,), customers=(shell,))) == {"orders", "customers"}
    assert locks(left(orders=(TAXED, HELD))) == {"orders"}


def test_a_row_that_would_have_stayed_all_the_same_is_left_alone() -> None:
    shell = Kept(ground="what points to it", rows=1)
    rest = left(orders=(HELD,), customers=(shell,), letters=(FOR_EVER,))
    assert locks(rest, "retain\n    ground: an archive") == {"orders"}
    assert locks(rest, "redact") == {"orders"}
    assert not left(letters=(FOR_EVER,)).anything, "and where nothing is come back to, nobody would open it"
    assert locks(left(letters=(FOR_EVER,))) == set()


@pytest.mark.parametrize(("letters", "locked"), [("delete", {"orders", "customers", "letters"}),
                                                 ("redact", {"orders", "letters"}),
                                                 ("retain\n    ground: an archive", {"orders"})])  # fmt: skip
def test_where_a_hold_stops_all_of_it_what_would_have_gone_is_locked(letters: str, locked: set[str]) -> None:
    assert locks(rest_of(receipt(Operation.ERASE, Outcome.HELD, code=Code.HOLD), None), letters) == locked


def test_nothing_is_locked_of_what_is_not_carried_out() -> None:
    act, seen = looked(HELD, found=1)[1:]
    assert rest_of(act, seen).anything
    assert rest_of(act, None) == NOTHING
    assert rest_of(None, seen) == NOTHING
    assert rest_of(act, receipt(Operation.VERIFY, Outcome.PENDING, *seen.tally.counts)) == NOTHING
    assert rest_of(receipt(Operation.ERASE, Outcome.NEEDS_HUMAN), seen) == NOTHING
    # A system that is busy, which a hold that must stay secret looks like.
    assert rest_of(receipt(Operation.ERASE, Outcome.PENDING, code=Code.QUEUED), None) == NOTHING
    # A look that finds more than is kept.
    more = Count(collection="orders", found=2, kept=(HELD,))
    assert rest_of(act, receipt(Operation.VERIFY, Outcome.RETAINED, more)) == NOTHING


@pytest.mark.parametrize("ground", [OF_SYSTEM, OBJECT_LOCK])
def test_what_the_system_itself_locks_is_left_alone(ground: str) -> None:
    assert not left(orders=(Kept(ground=ground, until=date(2034, 1, 1), rows=1), TAXED)).anything


CLAIM = {"contact": "gdpr_17_3_e"}
CLAIMED = Kept(ground="GDPR Art. 17(3)(e)", rows=1)


def test_ERA_03_what_a_person_has_decided_to_keep_is_locked_with_the_rows_that_it_needs() -> None:
    grounds = asks_of(exempt(shop(), Right.ERASURE, CLAIM))["shop"]
    rest = left(grounds, letters=(CLAIMED,), customers=(CLAIMED,), orders=())
    assert locks(rest, exempted=CLAIM) == {"letters", "customers"}
    assert not left(letters=(CLAIMED,)).anything, "without a word on it the same ground is a map's, which uses it"


def test_ERA_14_what_california_denies_is_kept_from_other_uses() -> None:
    """11 CCR 7022: what is retained under an exception is used for nothing else. What is archived is erased at once."""
    denial = {"contact": "ccpa_105_d_transaction"}
    grounds = asks_of(exempt(shop(), Right.ERASURE, denial))["shop"]
    denied = Kept(ground="Civ 1798.105(d)(1)", rows=1)
    assert locks(left(grounds, letters=(denied,)), exempted=denial) == {"letters"}


def test_what_the_map_retains_is_locked_only_where_the_map_wants_it_out_of_use() -> None:
    archive = "retain\n    ground: an archive"
    out = f"{archive}\n    out_of_use: true"
    assert asks_of(shop(archive)) == {}
    rest = left(asks_of(shop(out))["shop"], letters=(FOR_EVER,))
    assert locks(rest, out) == {"letters"}
    whole = rest_of(receipt(Operation.ERASE, Outcome.HELD, code=Code.HOLD), None)
    assert "letters" in locks(whole, out)
    assert "letters" not in locks(whole, archive)


def test_out_of_use_is_said_only_of_what_is_kept() -> None:
    with pytest.raises(MapErrors, match="nothing is kept here"):
        shop("delete\n    out_of_use: true")


def test_a_row_that_a_duty_keeps_without_a_day_is_locked_and_asked_about() -> None:
    """Nobody can say when its term ends: it stays, and would be used by everybody for ever."""
    nobody_knows = TAXED.model_copy(update={"until": None})
    rest = left({"orders": (TAXED.ground,)}, orders=(TAXED, nobody_knows))
    assert locks(rest) == {"orders"}
    (system,) = shop().systems.values()
    duty = {"ground": "tax law", "after": "id", "period": "P10Y"}
    body = system.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    body["collections"]["orders"]["retention"] = [duty]
    dutiful = DataMap.of({"shop": System.model_validate(body)})
    assert asks_of(dutiful) == {"shop": {"orders": ("tax law",)}}


@given(
    st.lists(st.sampled_from([HELD, TAXED, FOR_EVER, CLAIMED]), min_size=1, max_size=4),
    st.sets(st.sampled_from([FOR_EVER.ground, CLAIMED.ground])),
)
def test_whatever_is_locked_is_come_back_to(kept: list[Kept], asked: set[str]) -> None:
    """Else it would stay locked for ever, and nobody would know whose it is."""
    receipts, grounds = looked(*kept, found=len(kept)), {"orders": tuple(sorted(asked))}
    _, act, seen = receipts
    if rest_of(act, seen, grounds).anything:
        assert (rest := deferred(receipts, AT, {"shop": grounds}))
        endless = any(one.ground in asked and not comes_back(one) for one in kept)
        assert (rest.ask_at is not None) is endless, "somebody is asked of what does not go by itself"
        assert rest.asked_only is not any(map(comes_back, kept)), "and what does, goes"


def test_it_is_told_only_where_all_that_stays_is_locked_now() -> None:
    stayed = [*looked(HELD, found=1), receipt(Operation.RESTRICT, Outcome.DONE, Count(collection="orders", found=1))]
    lifted, again = receipt(Operation.LIFT), receipt(Operation.ERASE, Outcome.RETAINED)
    looked_again = stayed[2]
    beside = receipt(
        Operation.VERIFY,
        Outcome.RETAINED,
        Count(collection="orders", found=1, kept=(HELD,)),
        Count(collection="letters", found=1, kept=(FOR_EVER,)),
    )

    def told(*receipts: Receipt) -> bool:
        (one,) = interim(Right.ERASURE, ["shop"], receipts)
        return one.locked

    assert told(*stayed)
    assert told(*stayed, looked_again), "the look of a week later finds it, since it is there"
    assert not told(*stayed[:3])
    assert not told(*stayed, lifted)
    (opened,) = interim(Right.ERASURE, ["shop"], [*stayed, lifted])
    assert opened.opened, "and that it is not any more"
    assert not interim(Right.ERASURE, ["shop"], stayed)[0].opened
    assert not told(*stayed, again, looked_again)
    assert not told(*stayed, beside), "not where only a part is"
    assert not told(*stayed[:3], receipt(Operation.RESTRICT, Outcome.HELD, code=Code.HOLD))


@pytest.mark.parametrize("archived", [0, 1])
def test_of_a_system_that_a_hold_stops_as_a_whole_it_is_told_only_if_all_that_was_found_is_locked(
    archived: int,
) -> None:
    found = Count(collection="orders", found=1), Count(collection="letters", found=archived)
    receipts = (
        receipt(Operation.LOCATE, Outcome.DONE, *found),
        receipt(Operation.ERASE, Outcome.HELD, code=Code.HOLD),
        receipt(Operation.RESTRICT, Outcome.DONE, Count(collection="orders", found=1), Count(collection="letters")),
    )

    (one,) = interim(Right.ERASURE, ["shop"], receipts)

    assert one.locked is not bool(archived)
