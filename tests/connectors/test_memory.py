"""The reference connector keeps every promise, and what its options and odd values do."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from connectors.conformance import AS_OF, Bench, Conformance, Dump, Gate, Trial
from connectors.conformance.exporting import Exporting
from connectors.conformance.suite import Promises
from connectors.conformance.suppressing import Suppressing
from connectors.fates import day_of
from connectors.memory import build
from connectors.protocol import Erases, Exports, capabilities
from connectors.registry import build as build_by_name
from rights.plan import Operation
from rights.subject import Identity, Sharing
from tests.connectors.memory_bench import BOOKS, OPTING, SHOP, MemoryBench, RestrictingBench, system_of
from tests.connectors.variants import Restricting, Tables


class TestWhatGoes(Conformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return MemoryBench(SHOP)


class TestWhatStays(Conformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return MemoryBench(BOOKS)


class TestWhatIsStopped(Suppressing):
    @pytest.fixture
    def bench(self) -> Bench:
        return MemoryBench(OPTING)


class TestWithTables(Promises):
    test_pages_parse = Exporting.test_pages_parse_whatever_the_values_are
    test_a_formula_does_not_run = Exporting.test_a_formula_does_not_run_from_a_spreadsheet

    @pytest.fixture
    def bench(self) -> Bench:
        return MemoryBench(SHOP, Tables)


class TestWithRestriction(Conformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return RestrictingBench(SHOP, Restricting)


def test_it_can_read_channels_locate_export_erase_rectify_and_verify() -> None:
    connector = MemoryBench().connector

    can = {Operation.LOCATE, Operation.EXPORT, Operation.ERASE, Operation.RECTIFY, Operation.VERIFY, Operation.CHANNELS}
    assert capabilities(connector) == can
    assert isinstance(connector, Exports)
    assert isinstance(connector, Erases)


def test_the_map_names_it_memory() -> None:
    connector = build_by_name(system_of(SHOP))

    assert connector.locate(Trial(MemoryBench()).call([Identity("email", "a@example.org")])).tally.found == 0


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"enviroment": "x"}, "'enviroment' is unknown: write environment or batch"),
        ({"environment": 3}, "environment is a word"),
        ({"batch": 0}, "1 or more"),
        ({"batch": True}, "1 or more"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_write(options: dict[str, Any], advice: str) -> None:
    system = system_of(SHOP).model_copy(update={"options": options})

    with pytest.raises(ValueError, match=advice):
        build(system, {})


def test_a_connection_is_refused() -> None:
    with pytest.raises(ValueError, match="leave it out"):
        build(system_of(SHOP), {"reader": "secret"})


def test_an_identity_given_as_shared_is_a_question_even_where_the_map_says_unique() -> None:
    trial = Trial(MemoryBench())
    anna = trial.seeded()
    shared = [replace(identity, sharing=Sharing.SHARED) for identity in anna.identities]

    look = trial.locate(trial.call(shared))

    assert {candidate.collection for candidate in look.candidates} == {"customers", "newsletter"}


def test_an_empty_field_is_nobody_and_links_to_nobody() -> None:
    bench = MemoryBench()
    bench.store.rows["customers"] = [{"id": "", "email": ""}, {"id": None, "email": None}]
    bench.store.rows["orders"] = [{"id": 1, "customer": ""}, {"id": 2, "customer": None}]
    trial = Trial(bench)

    assert trial.locate(trial.call([Identity("email", "")])).tally.found == 0
    assert trial.locate(trial.call([], anchors={"customers": {"id": ("",)}})).tally.of("orders").found == 0


def test_an_address_matches_in_either_form_of_unicode() -> None:
    bench = MemoryBench()
    trial = Trial(bench)
    bench.store.rows["newsletter"] = [{"id": 1, "address": "rene\u0301@example.org"}]

    assert trial.locate(trial.call([Identity("email", "ren\u00e9@example.org")])).tally.found == 1


def test_what_an_erasure_wrote_is_no_identity_to_follow() -> None:
    """Else a look would carry the constant to other systems, and match everybody who was ever erased there."""
    trial = Trial(MemoryBench(BOOKS))
    anna = trial.seeded()
    anchors = trial.locate(trial.call(anna)).anchors
    trial.erase(trial.call(anna, anchors=anchors))

    links = trial.locate(trial.call([Identity("email", "other@example.org")], anchors=anchors)).links

    assert links == (Identity("email", anna.of("email")),), "only the one that a duty keeps"


def test_numbers_that_json_does_not_know_and_bytes_are_texts() -> None:
    bench = MemoryBench()
    trial = Trial(bench)
    anna = trial.seeded(4)
    for row in bench.store.rows["orders"]:
        row.update(remark=b"\xff\x00", amount=float("nan"))

    row, _ = (
        json.loads(line) for line in trial.export(trial.call(anna))["orders", "application/x-ndjson"].splitlines()
    )

    assert (row["remark"], row["amount"]) == ("/wA=", "nan")


def test_a_row_without_a_date_is_kept_for_its_term_cannot_be_shown_to_be_over() -> None:
    bench = MemoryBench(BOOKS)
    trial = Trial(bench)
    anna = trial.seeded(3)
    for row in bench.store.rows["invoices"]:
        row["issued"] = None
    before, outlook = bench.everything(), trial.outlook(anna)

    tally = trial.erase(trial.call(anna))

    trial.check(before, outlook, anna)
    (kept,) = tally.of("invoices").kept
    assert (kept.rows, kept.until) == (len(bench.rows(anna)["invoices"]), None)


def test_never_is_no_date() -> None:
    assert (day_of(date(9999, 12, 31)), day_of("9999-12-31"), day_of(datetime.max.replace(tzinfo=UTC))) == (
        None,
        None,
        None,
    )


FORUM = """
system: forum
owner: community
connector: memory
options: {batch: 4}
collections:
  members:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: 'null'}
  posts:
    key: [id]
    fields:
      id: {}
      author: {category: reference, strategy: 'null'}
      body: {category: free_text, strategy: 'null'}
    links: [{field: author, to: members.id}]
    erase: redact
"""


def test_a_row_that_loses_its_link_keeps_no_shell() -> None:
    bench = MemoryBench(FORUM)
    trial = Trial(bench)
    anna = trial.seeded(3)
    before, outlook = bench.everything(), trial.outlook(anna)
    anchors = trial.locate(trial.call(anna)).anchors

    tally = trial.erase(trial.call(anna, anchors=anchors))

    trial.check(before, outlook, anna)
    assert (tally.of("members").erased, tally.of("posts").anonymised) == (1, 3)
    assert trial.verify(trial.call(anna, anchors=anchors)).tally.found == 0


def test_keys_of_several_columns_are_not_mistaken_for_each_other() -> None:
    bench = MemoryBench(BOOKS)
    trial = Trial(bench)
    bench.connector.rows["invoice_lines"] += [
        {"invoice": "1", "line": "11", "issued": AS_OF, "text": "Anna"},
        {"invoice": "11", "line": "1", "issued": AS_OF, "text": "Ben"},
    ]

    look = trial.locate(trial.call([], anchors={"invoice_lines": {"invoice,line": (json.dumps(["1", "11"]),)}}))

    assert look.tally.of("invoice_lines").found == 1
    assert look.anchors["invoice_lines"]["invoice,line"] == (json.dumps(["1", "11"]),)


def test_a_row_that_somebody_else_deletes_meanwhile_is_not_counted() -> None:
    bench = MemoryBench(SHOP)
    trial = Trial(bench)
    anna = trial.seeded(3)

    def meanwhile() -> Dump:
        bench.store.rows["addresses"].clear()
        return {}

    tally = trial.erase(trial.call(anna, fence=Gate(meanwhile)))

    assert (tally.of("addresses").found, tally.of("addresses").erased) == (1, 0)
    assert tally.of("orders").erased == 1


def test_only_parents_and_rows_that_stay_leave_anchors() -> None:
    trial = Trial(MemoryBench(SHOP))
    anna = trial.seeded()

    anchors = trial.locate(trial.call(anna)).anchors

    assert {name: set(columns) for name, columns in anchors.items()} == {"customers": {"id"}, "orders": {"id"}}


def test_one_row_without_a_date_leaves_its_ground_without_one() -> None:
    bench = MemoryBench(BOOKS)
    trial = Trial(bench)
    anna = trial.seeded()
    bench.store.rows["invoices"][0]["issued"] = None

    (kept,) = trial.locate(trial.call(anna)).tally.of("invoices").kept

    assert (kept.ground, kept.until, kept.rows) == ("tax law", None, 2)
