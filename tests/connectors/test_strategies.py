"""What a field becomes is clean, says nothing of what it was, and is not treated twice."""

from datetime import UTC, date, datetime
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.strategies import clean, generalise, rewrite
from rights.datamap import Strategy
from rights.plan import Write

KEY = b"key of one request"
VALUES = st.one_of(st.none(), st.text(), st.integers(), st.dates(), st.datetimes(timezones=st.just(UTC)), st.booleans())
WRITES = st.one_of(
    st.sampled_from(
        [
            Write(field="f", strategy=Strategy.NULL),
            Write(field="f", strategy=Strategy.CONSTANT, value="gone"),
            Write(field="f", strategy=Strategy.CONSTANT, value=False),
            Write(field="f", strategy=Strategy.ANONYMISE),
            Write(field="f", strategy=Strategy.PSEUDONYM),
        ]
    ),
    st.sampled_from(["year", "month", "decade", "network", "prefix:1", "prefix:12"]).map(
        lambda to: Write(field="f", strategy=Strategy.GENERALISE, value=to)
    ),
)


@given(WRITES, VALUES)
def test_what_is_written_is_clean(write: Write, value: object) -> None:
    assert clean(write, rewrite(write, value, KEY))


@given(st.sampled_from([Strategy.NULL, Strategy.ANONYMISE, Strategy.PSEUDONYM]), st.text(min_size=1))
def test_what_people_write_is_not_taken_for_clean(strategy: Strategy, value: str) -> None:
    assert not clean(Write(field="f", strategy=strategy), value)


def test_an_anonymous_value_differs_each_time_and_a_pseudonym_only_by_value_and_key() -> None:
    anonymise = Write(field="f", strategy=Strategy.ANONYMISE)
    pseudonym = Write(field="f", strategy=Strategy.PSEUDONYM)

    assert rewrite(anonymise, "Anna", KEY) != rewrite(anonymise, "Anna", KEY)
    assert rewrite(pseudonym, "Anna", KEY) == rewrite(pseudonym, "Anna", KEY)
    assert rewrite(pseudonym, "Anna", KEY) != rewrite(pseudonym, "Ben", KEY)
    assert rewrite(pseudonym, "Anna", KEY) != rewrite(pseudonym, "Anna", b"another")
    with pytest.raises(ValueError, match="needs a key"):
        rewrite(pseudonym, "Anna", b"")


def test_a_pseudonym_is_not_taken_for_anonymous() -> None:
    pseudonym = rewrite(Write(field="f", strategy=Strategy.PSEUDONYM), "Anna", KEY)

    assert not clean(Write(field="f", strategy=Strategy.ANONYMISE), pseudonym)


def test_what_takes_an_addresss_place_looks_like_one_and_leads_nowhere() -> None:
    assert str(rewrite(Write(field="f", strategy=Strategy.ANONYMISE), "anna@example.org", KEY)).endswith("@invalid")


@pytest.mark.parametrize(
    ("value", "to", "general"),
    [
        (date(1984, 7, 15), "year", date(1984, 1, 1)),
        (date(1984, 7, 15), "month", date(1984, 7, 1)),
        (date(1984, 7, 15), "decade", date(1980, 1, 1)),
        (date(7, 7, 15), "decade", date(1, 1, 1)),
        (datetime(1984, 7, 15, 13, 5, tzinfo=UTC), "month", datetime(1984, 7, 1, tzinfo=UTC)),
        ("1984-07-15", "year", "1984-01-01"),
        ("1984-07-15T13:05:00+02:00", "month", "1984-07-01"),
        ("in the summer of 1984", "year", None),
        ("192.0.2.77", "network", "192.0.2.0/24"),
        ("192.0.2.77/32", "network", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "network", "2001:db8:1::/48"),
        ("localhost", "network", None),
        ("D-10115", "prefix:3", "D-1"),
        (10115, "prefix:2", "10"),
    ],
)
def test_a_general_value_is_the_coarser_one(value: object, to: str, general: object) -> None:
    assert generalise(value, to) == general


@given(st.ip_addresses())
def test_a_network_holds_the_address_and_many_others(address: object) -> None:
    network = ip_network(str(generalise(str(address), "network")))

    assert ip_address(str(address)) in network
    assert network.num_addresses >= 256


def test_a_strategy_that_rewrites_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="rewrites nothing"):
        rewrite(Write(field="f", strategy=Strategy.RETAIN), "Anna", KEY)
