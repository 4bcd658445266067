"""Connectors that break their promises, each in a way that real ones do.

`breaks` names the promises that have to catch it; pytest is run on this file by test_conformance.py, which expects
every test in it to fail. Its name keeps it out of every other run.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest
import structlog

from connectors.conformance import Bench, Conformance, Gate
from connectors.conformance.suite import Promises
from connectors.corrections import Mend, told
from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable, Unsupported
from connectors.fates import Fate, Place, Row, key_of
from connectors.memory import Memory, _Sight
from connectors.memorystore import Store
from connectors.protocol import (
    Anchors,
    Call,
    ContactPoint,
    Export,
    Intent,
    Look,
    OldValues,
    Restricted,
    Rulings,
    no_quota,
    unkept,
    untold,
)
from connectors.strategies import rewrite, text
from rights.codes import Code
from rights.datamap import Erase, System
from rights.plan import Work
from rights.receipt import Count, Tally
from rights.subject import Identity
from tests.connectors.memory_bench import BOOKS, OPTING, SHOP, MemoryBench, RestrictingBench
from tests.connectors.variants import Restricting, Tables

Bad = TypeVar("Bad", bound=type[Memory])

BROKEN: dict[str, tuple[str, ...]] = {}
"""The promises that have to catch each bad connector, by the name of its class."""


def breaks(*promises: str, map_text: str = SHOP) -> Callable[[Bad], Bad]:
    """Hold a bad connector to the promises that it breaks."""

    def register(kind: Bad) -> Bad:
        def bench(self: object) -> Bench:
            return (RestrictingBench if issubclass(kind, Restricting) else MemoryBench)(map_text, kind)

        tests = {promise: getattr(Conformance, promise) for promise in promises}
        name = f"Test{kind.__name__}"
        globals()[name] = type(name, (Promises,), {"__module__": __name__, "bench": pytest.fixture(bench), **tests})
        BROKEN[kind.__name__] = promises
        return kind

    return register


# Finding


@breaks(
    "test_locate_counts_this_person_and_nobody_else",
    "test_export_gives_exactly_the_rows_of_this_person",
    "test_erase_takes_this_person_and_nobody_else",
)
class TakesANeighbour(Memory):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(call)
        if sight.certain["orders"]:
            sight.certain["orders"] = list(self.rows["orders"])
        return sight


@breaks(
    "test_a_stranger_is_nothing_and_no_error",
    "test_a_stranger_gets_nothing_and_no_error",
    "test_erasing_a_stranger_is_success",
)
class FailsForAStranger(Memory):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(call)
        if not any(sight.certain.values()):
            raise NeedsHuman(Code.SCHEMA, "customers")
        return sight


@breaks("test_identities_of_one_person_count_their_rows_once")
class CountsAPersonTwiceForTwoIdentities(Memory):
    def locate(self, call: Call) -> Look:
        looks = [super(type(self), self).locate(replace(call, identities=(one,))) for one in call.identities]
        counts = tuple(
            Count(collection=work.collection, found=sum(look.tally.of(work.collection).found for look in looks))
            for work in call.work
        )
        return replace(looks[0], tally=Tally(counts=counts), candidates=())


@breaks("test_case_hides_nobody_whose_identity_ignores_it")
class ComparesAddressesByCase(Memory):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(call)
        values = {identity.value for identity in call.identities}
        sight.certain["newsletter"] = [row for row in sight.certain["newsletter"] if row["address"] in values]
        return sight


@breaks("test_locate_changes_nothing", "test_export_changes_nothing", "test_verify_changes_nothing")
class NotesWhomItHasSeen(Memory):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(call)
        for row in sight.certain["customers"]:
            self.store.change({("customers", (text(row["id"]),)): {"password": "seen"}})
        return sight


@breaks("test_locate_tells_of_further_identities")
class KeepsIdentitiesToItself(Memory):
    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        return ()


def _all_unique(system: System, sharing: str) -> System:
    """The map, misread: identities of one sharing taken for unique ones."""
    body = system.model_dump(mode="json", by_alias=True)
    for collection in body["collections"].values():
        for field in collection["fields"].values():
            field.pop("strategy")
            if field["sharing"] == sharing:
                field["sharing"] = "unique"
    return System.model_validate(body)


@breaks("test_locate_tells_of_further_identities")
class TellsOfSharedIdentitiesToo(Memory):
    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        phones = [Identity("phone", text(row["phone"])) for row in sight.certain["customers"]]
        return (*super()._links(call, sight), *phones)


@breaks("test_what_an_erasure_takes_has_told_its_links_before")
class ErasesAndTellsNobody(Memory):
    def erase(self, call: Call) -> Tally:
        return super().erase(replace(call, learn=untold))


class _Tells(Memory):
    """Tells of links in its own way."""

    def all_of(self, call: Call, rows: Mapping[str, Sequence[Row]]) -> Iterator[Identity]:
        for name, collection in self.system.collections.items():
            for column, about in collection.fields.items():
                for kind in about.told:
                    yield from (Identity(kind, text(row[column])) for row in rows[name] if row[column])


@breaks("test_links_are_exactly_what_the_rows_of_this_person_say")
class TellsOfANeighbour(_Tells):
    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        return tuple({*self.all_of(call, self.rows)} - {*call.identities})


@breaks("test_links_are_exactly_what_the_rows_of_this_person_say")
class TidiesWhatItTells(Memory):
    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        return tuple(replace(link, value=link.value.strip("/").lower()) for link in super()._links(call, sight))


@breaks("test_every_link_is_told_however_many_there_are")
class TellsOfTheFirstFifty(Memory):
    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        return super()._links(call, sight)[:50]


@breaks("test_links_that_differ_in_case_alone_are_two")
class TakesKeysOfOtherCaseForOne(Memory):
    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        return tuple({link.value.casefold(): link for link in super()._links(call, sight)}.values())


@breaks("test_nothing_is_told_of_rows_that_are_a_question")
class TellsOfCandidates(_Tells):
    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        doubtful = {name: sight.doubtful.get(name, []) for name in self.system.collections}
        return tuple({*super()._links(call, sight), *self.all_of(call, doubtful)} - {*call.identities})


@breaks("test_a_repeated_look_tells_the_same_and_nothing_that_is_known")
class TellsAnewWhatIsKnown(_Tells):
    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        return tuple({*self.all_of(call, sight.certain)})


@breaks("test_a_repeated_look_tells_the_same_and_nothing_that_is_known")
class TellsNobodyTwice(Memory):
    seen: set[Identity]

    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        self.seen = getattr(self, "seen", set())
        links = [link for link in super()._links(call, sight) if link not in self.seen]
        self.seen.update(links)
        return tuple(links)


@breaks("test_an_erasure_is_no_source_of_links", map_text=BOOKS)
class TakesAPseudonymForAnIdentity(_Tells):
    def _links(self, call: Call, sight: _Sight) -> tuple[Identity, ...]:
        return tuple({*self.all_of(call, sight.certain)} - {*call.identities})


@breaks("test_what_was_told_finds_the_person_when_the_rows_that_said_it_are_gone")
class LooksOnlyForTheFirstIdentity(Memory):
    def _see(self, call: Call) -> _Sight:
        return super()._see(replace(call, identities=call.identities[:1]))


@breaks("test_a_hint_is_never_followed")
class FollowsHints(Memory):
    def __init__(self, system: System, store: Store, batch: int) -> None:
        super().__init__(_all_unique(system, "hint"), store, batch)


@breaks("test_a_shared_identity_alone_is_a_question")
class TrustsASharedPhone(Memory):
    def __init__(self, system: System, store: Store, batch: int) -> None:
        super().__init__(_all_unique(system, "shared"), store, batch)


@breaks(
    "test_two_people_with_one_identity_are_candidates",
    "test_nothing_is_disclosed_while_it_is_open_whose_it_is",
    "test_nothing_is_erased_while_it_is_open_whose_it_is",
)
class TakesTheFirstOfTwo(Memory):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(call)
        for name, rows in sight.doubtful.items():
            sight.certain[name] += rows[:1]
            rows.clear()
        return sight


@breaks("test_an_outage_is_retryable_and_never_nothing_held")
class HidesAnOutage(Memory):
    def _ask(self, question: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._ask(question, *args, **kwargs)
        except Retryable:
            return []


@breaks("test_refused_credentials_need_a_human")
class RetriesARefusedPassword(Memory):
    def _ask(self, question: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._ask(question, *args, **kwargs)
        except NeedsHuman:
            raise Retryable(Code.UNREACHABLE) from None


@breaks("test_odd_values_are_survived")
class MatchesByPattern(Memory):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(call)
        for identity in call.identities:
            like = re.escape(identity.value).replace("%", ".*").replace("_", ".")
            sight.certain["newsletter"] += [
                row
                for row in self.rows["newsletter"]
                if re.fullmatch(like, text(row["address"])) and row not in sight.certain["newsletter"]
            ]
        return sight


@breaks("test_odd_values_are_survived")
class QuotesByHand(Memory):
    def _see(self, call: Call) -> _Sight:
        if any("'" in identity.value for identity in call.identities):
            raise ValueError("syntax error at or near a quote")
        return super()._see(call)


@breaks("test_a_beat_that_raises_stops_the_step")
class SwallowsItsBeat(Memory):
    def _see(self, call: Call) -> _Sight:
        def beat() -> None:
            with suppress(Exception):
                call.beat()

        return super()._see(replace(call, beat=beat))


# Giving


@breaks("test_export_gives_exactly_the_rows_of_this_person")
class ForgetsTheLastRow(Memory):
    def export(self, call: Call) -> Iterator[Export]:
        for part in super().export(call):
            lines = b"".join(part.pages).splitlines(keepends=True)
            yield replace(part, pages=iter(lines[:-1]))


@breaks("test_export_gives_the_fields_of_the_map_and_no_others")
class ExportsPasswordsToo(Memory):
    def export(self, call: Call) -> Iterator[Export]:
        fields = {name: tuple(c.fields) for name, c in self.system.collections.items()}
        works = tuple(work.model_copy(update={"export": fields[work.collection]}) for work in call.work)
        return super().export(replace(call, work=works))


@breaks("test_pages_parse_whatever_the_values_are")
class WritesJsonByHand(Memory):
    def export(self, call: Call) -> Iterator[Export]:
        for part in super().export(call):
            rows = [json.loads(line) for page in part.pages for line in page.splitlines()]
            lines = ["{" + ", ".join(f'"{k}": "{v}"' for k, v in row.items()) + "}\n" for row in rows]
            yield replace(part, pages=iter([line.encode() for line in lines]))


@breaks("test_a_formula_does_not_run_from_a_spreadsheet")
class WritesLiveFormulas(Tables):
    def cell(self, value: object) -> object:
        return value


@breaks("test_pages_parse_whatever_the_values_are")
class WritesTablesByHand(Tables):
    def table(self, call: Call, collection: str, lines: bytes) -> bytes:
        rows = [json.loads(line) for line in lines.splitlines()]
        return "".join(",".join(text(value) for value in row.values()) + "\r\n" for row in [{}, *rows]).encode()


@breaks("test_export_streams_in_flat_memory_and_beats")
class LoadsEverything(Memory):
    def export(self, call: Call) -> Iterator[Export]:
        for part in super().export(call):
            yield replace(part, pages=iter(list(part.pages)))


@breaks("test_export_streams_in_flat_memory_and_beats")
class GivesAList(Memory):
    def export(self, call: Call) -> Iterator[Export]:
        return [replace(part, pages=iter(b"".join(part.pages).splitlines())) for part in super().export(call)]  # type: ignore[return-value]


@breaks("test_export_streams_in_flat_memory_and_beats")
class HoldsItsBreath(Memory):
    def export(self, call: Call) -> Iterator[Export]:
        return super().export(replace(call, beat=lambda: None))


@breaks("test_an_export_is_of_one_moment")
class ReadsEachCollectionInItsTurn(Memory):
    def export(self, call: Call) -> Iterator[Export]:
        for work in call.work:
            for part in super().export(call):
                if part.collection == work.collection:
                    yield part


# Reaching


@breaks("test_channels_are_of_this_person_and_nobody_else")
class TellsOfEverybodysAddress(Memory):
    def channels(self, call: Call) -> tuple[ContactPoint, ...]:
        found = super().channels(call)
        return (
            *found,
            *(ContactPoint("email", str(row["email"]), "customers.email") for row in self.rows["customers"]),
        )


@breaks("test_channels_tell_nothing_but_contact_points")
class TellsTheNameAlong(Memory):
    def channels(self, call: Call) -> tuple[ContactPoint, ...]:
        mine = self._see(call).certain["customers"]
        return (*super().channels(call), *(ContactPoint("post", str(row["name"]), "customers.name") for row in mine))


@breaks("test_a_stranger_has_no_channels_and_that_is_no_error")
class ComplainsThatNobodyIsThere(Memory):
    def channels(self, call: Call) -> tuple[ContactPoint, ...]:
        found = super().channels(call)
        if not found:
            raise NeedsHuman(Code.SEVERAL_PEOPLE, "customers")
        return found


@breaks("test_channels_of_two_people_are_told_of_neither")
class TellsOfBoth(Memory):
    def channels(self, call: Call) -> tuple[ContactPoint, ...]:
        alike = [row for row in self.rows["customers"] if row["email"] in {one.value for one in call.identities}]
        return (*(ContactPoint("email", str(row["email"]), "customers.email") for row in alike),)


@breaks("test_channels_are_read_within_what_the_map_allows")
class ReadsChannelsWithoutATurn(Memory):
    def channels(self, call: Call) -> tuple[ContactPoint, ...]:
        return super().channels(replace(call, quota=no_quota))


@breaks("test_trouble_with_channels_is_never_that_there_are_none")
class HasNoChannelsInAnOutage(Memory):
    def channels(self, call: Call) -> tuple[ContactPoint, ...]:
        try:
            return super().channels(call)
        except Retryable:
            return ()


@breaks("test_reading_channels_changes_nothing")
class NotesThatItWasAsked(Memory):
    def channels(self, call: Call) -> tuple[ContactPoint, ...]:
        self.rows["newsletter"].append({"id": "asked", "address": "", "greeting": ""})
        return super().channels(call)


# Destroying


@breaks(
    "test_erase_takes_this_person_and_nobody_else",
    "test_verify_finds_children_whose_parent_is_gone",
    "test_a_later_look_forgets_no_anchor",
)
class LeavesChildrenAndFollowsOnlyTheParent(Memory):
    erasing = False

    def erase(self, call: Call) -> Tally:
        self.erasing = True
        tally = super().erase(call)
        self.erasing = False
        return tally

    def verify(self, call: Call) -> Look:
        return super().verify(replace(call, anchors={}))

    def _fates(self, call: Call, sight: _Sight) -> list[Fate]:
        fates = super()._fates(call, sight)
        return [fate for fate in fates if not self.erasing or fate.collection in {"customers", "newsletter"}]


@breaks("test_erase_again_changes_nothing_and_is_success", "test_erasing_a_stranger_is_success")
class FailsWhenAlreadyGone(Memory):
    def erase(self, call: Call) -> Tally:
        tally = super().erase(call)
        if not tally.changed:
            raise NeedsHuman(Code.SCHEMA, "customers")
        return tally


@breaks("test_reported_counts_are_what_changed", "test_the_books_balance")
class ReportsMoreThanItChanged(Memory):
    def erase(self, call: Call) -> Tally:
        counts = super().erase(call).counts
        return Tally(counts=tuple(count.model_copy(update={"erased": count.erased + 1}) for count in counts))


@breaks("test_reported_counts_are_what_changed", map_text=BOOKS)
class CallsAPseudonymAnonymous(Memory):
    def erase(self, call: Call) -> Tally:
        counts = super().erase(call).counts
        return Tally(
            counts=tuple(
                count.model_copy(update={"anonymised": count.anonymised + count.pseudonymised, "pseudonymised": 0})
                for count in counts
            )
        )


class _OtherFence(Memory):
    """Uses the fence in its own way."""

    def erase(self, call: Call) -> Tally:
        def fence(planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
            return self.enter(call, planned, look)

        return super().erase(replace(call, fence=fence))

    def enter(self, call: Call, planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
        raise NotImplementedError


@breaks("test_planned_counts_are_what_changed")
class PlansLessThanItDoes(_OtherFence):
    def enter(self, call: Call, planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
        return call.fence(dict.fromkeys(planned, 1), look)


@breaks("test_the_fence_is_told_the_look_before")
class TellsTheFenceNothing(_OtherFence):
    def enter(self, call: Call, planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
        return call.fence(planned, Tally())


@breaks(
    "test_every_change_happens_inside_a_fence",
    "test_a_fence_that_refuses_stops_the_call",
    "test_a_refusal_half_way_leaves_only_what_was_let_through",
)
class ErasesBeforeTheFence(_OtherFence):
    def enter(self, call: Call, planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
        for row in self._see(call).certain["addresses"][:1]:
            self.store.change({("addresses", (text(row["id"]),)): None})
        return call.fence(planned, look)


@breaks("test_every_change_happens_inside_a_fence")
class ErasesBehindTheFence(Memory):
    def erase(self, call: Call) -> Tally:
        with call.fence(Counter(), self.locate(call).tally) as intent:
            intent.done(Tally())
        return super().erase(replace(call, fence=Gate()))


@breaks("test_a_fence_that_refuses_stops_the_call")
class HasNoFence(_OtherFence):
    def enter(self, call: Call, planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
        return Gate()(planned, look)


@breaks(
    "test_a_fence_that_refuses_stops_the_call",
    "test_a_refusal_half_way_leaves_only_what_was_let_through",
)
class SwallowsHeld(Memory):
    def erase(self, call: Call) -> Tally:
        try:
            return super().erase(call)
        except Held:
            return Tally()


@breaks("test_a_fence_that_refuses_stops_the_call")
class CallsEveryTroubleRetryable(Memory):
    def erase(self, call: Call) -> Tally:
        try:
            return super().erase(call)
        except Exception:  # noqa: BLE001
            raise Retryable(Code.BUSY) from None


@breaks("test_the_wrong_environment_stops_an_erasure")
class IgnoresTheMark(Memory):
    def erase(self, call: Call) -> Tally:
        return super().erase(replace(call, environment=self.store.environment))


@breaks(
    "test_an_erasure_stopped_at_any_beat_is_finished_by_the_next_try",
    "test_a_crash_between_call_and_receipt_is_settled_by_looking",
    "test_a_cut_connection_is_settled_by_looking",
)
class ThinksAKeyItHasSeenIsDone(Memory):
    def __init__(self, system: System, store: Store, batch: int) -> None:
        super().__init__(system, store, batch)
        self.keys: set[str] = set()

    def erase(self, call: Call) -> Tally:
        if call.key in self.keys:
            return Tally(counts=tuple(Count(collection=work.collection) for work in call.work))
        self.keys.add(call.key)
        return super().erase(call)


@breaks("test_a_cut_connection_is_settled_by_looking")
class TakesACutForSuccess(Memory):
    def erase(self, call: Call) -> Tally:
        try:
            return super().erase(call)
        except Retryable:
            return Tally()


@breaks("test_rulings_are_obeyed", "test_two_accounts_of_one_person_are_both_erased")
class IgnoresRulings(Memory):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(replace(call, rulings=Rulings()))
        if call.rulings.mine:
            for name, rows in sight.doubtful.items():
                sight.certain[name] += rows[-1:]
                rows.clear()
        return sight


@breaks("test_rulings_are_obeyed")
class AnchorsWhatIsInDoubt(Memory):
    def _anchors(self, call: Call, fates: Any) -> Anchors:
        doubtful = self._see(call).doubtful["customers"]
        return {**super()._anchors(call, fates), "customers": {"id": tuple(text(row["id"]) for row in doubtful)}}


@breaks("test_a_row_nobody_has_ruled_on_is_not_taken_beside_one_that_is")
class TakesTheLastOneForGranted(Memory):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(call)
        for name, rows in sight.doubtful.items():
            if len(rows) == 1:
                sight.certain[name].append(rows.pop())
        return sight


# Keeping


class _OtherWork(Memory):
    """Reads the plan in its own way."""

    def erase(self, call: Call) -> Tally:
        return super().erase(replace(call, work=tuple(self.misread(work) for work in call.work)))

    def misread(self, work: Work) -> Work:
        raise NotImplementedError


@breaks(
    "test_a_term_keeps_a_row_to_its_last_day_and_no_longer",
    "test_what_is_kept_is_said_with_ground_and_date",
    map_text=BOOKS,
)
class DeletesWhatIsRetained(_OtherWork):
    def misread(self, work: Work) -> Work:
        return work.model_copy(update={"keeps": ()})


@breaks("test_a_term_keeps_a_row_to_its_last_day_and_no_longer", map_text=BOOKS)
class IsADayEarly(_OtherWork):
    def misread(self, work: Work) -> Work:
        keeps = [keep.model_copy(update={"cutoff": keep.cutoff + timedelta(days=1)}) for keep in work.keeps]
        return work.model_copy(update={"keeps": tuple(keeps)})


@breaks("test_a_term_keeps_a_row_to_its_last_day_and_no_longer", map_text=BOOKS)
class IsADayLate(_OtherWork):
    def misread(self, work: Work) -> Work:
        keeps = [keep.model_copy(update={"cutoff": keep.cutoff - timedelta(days=1)}) for keep in work.keeps]
        return work.model_copy(update={"keeps": tuple(keeps)})


@breaks("test_a_kept_row_loses_what_no_duty_needs", map_text=BOOKS)
class KeepsTheWholeRow(_OtherWork):
    def misread(self, work: Work) -> Work:
        return work.model_copy(update={"keeps": tuple(k.model_copy(update={"writes": ()}) for k in work.keeps)})


@breaks("test_what_is_kept_is_said_with_ground_and_date", map_text=BOOKS)
class SaysNoDate(Memory):
    def locate(self, call: Call) -> Look:
        look = super().locate(call)
        counts = [
            count.model_copy(update={"kept": tuple(k.model_copy(update={"until": None}) for k in count.kept)})
            for count in look.tally.counts
        ]
        return replace(look, tally=Tally(counts=tuple(counts)))


@breaks("test_a_row_that_kept_rows_point_to_stays_as_a_shell", map_text=BOOKS)
class TakesTheParentFromUnderKeptRows(Memory):
    def _fates(self, call: Call, sight: _Sight) -> list[Fate]:
        deleted = {work.collection for work in call.work if work.erase is Erase.DELETE}
        return [
            Fate(fate.place, fate.row) if fate.stays and not fate.ground and fate.collection in deleted else fate
            for fate in super()._fates(call, sight)
        ]


@breaks("test_a_redacted_row_stays_and_tells_nothing", map_text=BOOKS)
class DeletesInsteadOfRedacting(_OtherWork):
    def misread(self, work: Work) -> Work:
        return work.model_copy(update={"erase": Erase.DELETE}) if work.erase is Erase.REDACT else work


@breaks("test_a_redacted_row_stays_and_tells_nothing", map_text=BOOKS)
class RedactsTheFirstFieldOnly(_OtherWork):
    def misread(self, work: Work) -> Work:
        return work.model_copy(update={"writes": work.writes[:1]})


# Looking again


@breaks(
    "test_verify_finds_everything_before_and_only_what_is_kept_after",
    "test_verify_finds_children_whose_parent_is_gone",
    "test_what_arrives_after_an_erasure_is_found_and_booked",
)
class AlwaysVerifiesZero(Memory):
    def verify(self, call: Call) -> Look:
        return Look(Tally(counts=tuple(Count(collection=work.collection) for work in call.work)))


@breaks("test_a_later_look_forgets_no_anchor")
class ForgetsItsAnchors(Memory):
    def _anchors(self, call: Call, fates: Any) -> Anchors:
        return super()._anchors(replace(call, anchors={}), fates)


@breaks("test_verify_sees_rows_that_stay_and_are_not_clean", map_text=BOOKS)
class IsBlindToWhatIsNotClean(Memory):
    def verify(self, call: Call) -> Look:
        look = super().verify(call)
        return replace(
            look,
            tally=Tally(counts=tuple(count.model_copy(update={"unclean": 0}) for count in look.tally.counts)),
        )


@breaks("test_verify_sees_rows_that_stay_and_are_not_clean", map_text=BOOKS)
class TreatsPseudonymsAgain(Memory):
    def _fates(self, call: Call, sight: _Sight) -> list[Fate]:
        return [_Eager(*(getattr(fate, name) for name in Fate.__slots__)) for fate in super()._fates(call, sight)]


class _Eager(Fate):
    def new_values(self, pseudonym_key: bytes) -> Row | None:
        return {w.field: rewrite(w, self.row.get(w.field), pseudonym_key) for w in self.writes} if self.stays else None


@breaks("test_verify_changes_nothing")
class TidiesUpAsItLooks(Memory):
    def verify(self, call: Call) -> Look:
        look = super().verify(call)
        with suppress(ConnectorError):
            self.erase(replace(call, fence=Gate()))
        return look


# Restricting


@breaks(
    "test_restricted_data_is_still_found",
    "test_restricted_data_is_still_exported",
    "test_restricted_data_is_still_erased",
)
class LosesSightOfWhatIsRestricted(Restricting):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(call)
        keys = {name: collection.key for name, collection in self.system.collections.items()}
        for name, rows in sight.certain.items():
            sight.certain[name] = [row for row in rows if (name, key_of(keys[name], row)) not in self._locked]
        return sight


@breaks("test_restricting_twice_is_once")
class TurnsTheLockEachTime(Restricting):
    def restrict(self, call: Call) -> Restricted:
        if not self._locked:
            return super().restrict(call)
        return Restricted(self.lift(call), {"request": call.session})


@breaks("test_restricting_touches_nobody_else")
class RestrictsAWholeCollection(Restricting):
    def _open_rows(self, call: Call) -> list[Place]:
        whole = [("newsletter", (text(row["id"]),)) for row in self.rows["newsletter"]]
        return list(dict.fromkeys([*super()._open_rows(call), *whole]))


@breaks("test_a_collection_that_is_not_meant_stays_open")
class RestrictsWhateverIsThere(Restricting):
    def restrict(self, call: Call) -> Restricted:
        work = tuple(one.model_copy(update={"locks": True}) for one in call.work)
        return super().restrict(replace(call, work=work))


@breaks("test_lifting_twice_is_once")
class LiftsACopyEachTime(Restricting):
    def lift(self, call: Call) -> Tally:
        before = dict(self._locked)
        tally = super().lift(call)
        self._kept = getattr(self, "_kept", None) or before
        if not before:
            for (name, _), (_, row) in self._kept.items():
                self.rows[name].append({**row, "id": f"{row.get('id')} again"})
        return tally


@breaks("test_lifting_restores_exactly")
class LosesAFieldOnTheWay(Restricting):
    def _put_back(self, place: Place) -> None:
        super()._put_back(place)
        if place[0] == "orders":
            self.rows["orders"][-1]["remark"] = ""


@breaks("test_lifting_restores_exactly", "test_nobody_else_reads_what_is_restricted")
class OnlySaysThatItIsRestricted(Restricting):
    def _move_away(self, place: Place, call: Call) -> None:
        pass


@breaks("test_a_restriction_cut_short_is_finished_or_lifted")
class KnowsOnlyInMemoryWhatItHasLocked(Restricting):
    def restrict(self, call: Call) -> Restricted:
        answer = super().restrict(call)
        return replace(answer, state={"request": call.session, "whole": "yes"})

    def lift(self, call: Call) -> Tally:
        return super().lift(call) if call.restricted.get("whole") else self.locate(call).tally


@breaks("test_a_fence_that_refuses_stops_a_restriction", "test_a_restriction_cut_short_is_finished_or_lifted")
class RestrictsWithoutAskingTheFence(Restricting):
    def restrict(self, call: Call) -> Restricted:
        return super().restrict(replace(call, fence=Gate()))


@breaks("test_the_wrong_environment_stops_a_restriction")
class RestrictsInAnyEnvironment(Restricting):
    def _marked(self, call: Call) -> None:
        pass


@breaks("test_restricting_changes_neither_content_nor_times")
class StampsWhatItRestricts(Restricting):
    def _move_away(self, place: Place, call: Call) -> None:
        super()._move_away(place, call)
        _, row = self._locked[place]
        self._locked[place] = call.session, {**row, "touched": call.as_of}

    def _put_back(self, place: Place) -> None:
        super()._put_back(place)
        self.rows[place[0]][-1].pop("touched")


@breaks("test_what_is_new_in_the_place_is_a_task_and_not_overwritten")
class OverwritesWhatIsNew(Restricting):
    def _taken(self, place: Place) -> bool:
        return False

    def _put_back(self, place: Place) -> None:
        name, key = place
        columns = self.system.collections[name].key
        self.rows[name][:] = [row for row in self.rows[name] if key_of(columns, row) != key]
        super()._put_back(place)


@breaks("test_what_is_new_in_the_place_is_a_task_and_not_overwritten")
class LeavesOutWhatHasNoPlace(Restricting):
    """Says nothing, and what was restricted stays away for good."""

    def lift(self, call: Call) -> Tally:
        for place in [place for place in self._locked if self._taken(place)]:
            del self._locked[place]
        return super().lift(call)


# Rectifying


@breaks("test_rectify_sets_the_named_fields_of_this_person_and_nothing_else")
class RectifiesANeighbour(Memory):
    def rectify(self, call: Call) -> Tally:
        tally = super().rectify(call)
        self.rows["orders"][-1]["remark"] = "corrected"
        return tally


@breaks("test_rectify_sets_the_named_fields_of_this_person_and_nothing_else")
class StampsWhatItRectifies(Memory):
    def rectify(self, call: Call) -> Tally:
        tally = super().rectify(call)
        for row in self._see(call).certain["customers"]:
            self.store.change({("customers", (text(row["id"]),)): {"password": "to be renewed"}})
        return tally


class _OldValuesGone(Memory):
    """Keeps what it finds, whether it is old or not."""

    def rectify(self, call: Call) -> Tally:
        names = {one.collection: tuple(one.values) for one in call.corrections}
        rows = self._see(call).certain
        call.keep(
            {
                n: {key_of(self.system.collections[n].key, r): {f: text(r[f]) for f in fs} for r in rows[n]}
                for n, fs in names.items()
            }
        )
        return super().rectify(replace(call, keep=unkept))


@breaks("test_rectify_again_changes_nothing_and_is_success")
class KeepsTheNewValueAsTheOldOne(_OldValuesGone):
    pass


@breaks("test_rectify_again_changes_nothing_and_is_success")
class FailsWhenAlreadyRectified(Memory):
    def rectify(self, call: Call) -> Tally:
        tally = super().rectify(call)
        if not tally.rectified:
            raise NeedsHuman(Code.NO_ROW, "customers")
        return tally


@breaks("test_rectifying_a_stranger_changes_nothing")
class RectifiesWhoeverIsThere(Memory):
    def rectify(self, call: Call) -> Tally:
        if not self._see(call).certain["customers"]:
            call = replace(call, identities=(Identity("email", text(self.rows["customers"][0]["email"])),))
        return super().rectify(call)


@breaks("test_one_row_that_is_named_is_rectified_alone")
class RectifiesAllRowsWhereOneIsNamed(Memory):
    def rectify(self, call: Call) -> Tally:
        return super().rectify(replace(call, corrections=tuple(replace(one, key=None) for one in call.corrections)))


@breaks("test_a_row_of_somebody_else_that_is_named_is_left_alone")
class RectifiesAnyRowThatIsNamed(Memory):
    def rectify(self, call: Call) -> Tally:
        for one in call.corrections:
            if one.key is not None:
                self.store.change({(one.collection, one.key): one.values})
        return super().rectify(call)


@breaks("test_a_row_of_somebody_else_that_is_named_is_left_alone")
class SaysNothingOfARowThatIsNotThere(Memory):
    def rectify(self, call: Call) -> Tally:
        try:
            return super().rectify(call)
        except NeedsHuman as error:
            if error.code is not Code.NO_ROW:
                raise
            return Tally()


@breaks("test_rectified_counts_are_what_changed")
class CountsEveryRowAsRectified(Memory):
    def rectify(self, call: Call) -> Tally:
        tally = super().rectify(call)
        return Tally(counts=tuple(count.model_copy(update={"rectified": count.found + 1}) for count in tally.counts))


@breaks("test_rectified_counts_are_what_changed")
class CountsRectifiedRowsAsAnonymised(Memory):
    def rectify(self, call: Call) -> Tally:
        tally = super().rectify(call)
        return Tally(counts=tuple(count.model_copy(update={"anonymised": count.rectified}) for count in tally.counts))


@breaks(
    "test_old_values_are_kept_before_they_are_written_over",
    "test_nothing_is_rectified_that_could_not_be_kept",
    "test_a_rectification_cut_short_loses_no_old_value_and_is_finished",
    "test_a_rectification_stopped_at_any_beat_is_finished_by_the_next_try",
    "test_a_rectification_whose_connection_is_cut_is_settled_by_looking",
)
class KeepsOldValuesOnceAllIsDone(Memory):
    def rectify(self, call: Call) -> Tally:
        kept: list[OldValues] = []
        tally = super().rectify(replace(call, keep=kept.append))
        for old in kept:
            call.keep(old)
        return tally


@breaks("test_old_values_are_kept_before_they_are_written_over")
class KeepsTheFirstOldValueOnly(Memory):
    def rectify(self, call: Call) -> Tally:
        def keep(old: OldValues) -> None:
            call.keep({name: dict(list(rows.items())[:1]) for name, rows in old.items()})

        return super().rectify(replace(call, keep=keep))


@breaks("test_a_rectification_cut_short_loses_no_old_value_and_is_finished")
class ThinksACutRectificationIsDone(Memory):
    def rectify(self, call: Call) -> Tally:
        return Tally() if call.cut_short else super().rectify(call)


@breaks("test_a_rectification_stopped_at_any_beat_is_finished_by_the_next_try")
class RectifiesWithoutABeat(Memory):
    def rectify(self, call: Call) -> Tally:
        return super().rectify(replace(call, beat=lambda: None))


@breaks("test_a_rectification_whose_connection_is_cut_is_settled_by_looking")
class TakesACutRectificationForSuccess(Memory):
    def rectify(self, call: Call) -> Tally:
        try:
            return super().rectify(call)
        except Retryable:
            return Tally()


@breaks(
    "test_a_fence_that_refuses_stops_a_rectification",
    "test_rectified_counts_are_what_changed",
    "test_a_rectification_cut_short_loses_no_old_value_and_is_finished",
)
class RectifiesWithoutAskingTheFence(Memory):
    def rectify(self, call: Call) -> Tally:
        return super().rectify(replace(call, fence=Gate()))


@breaks("test_the_wrong_environment_stops_a_rectification")
class RectifiesInAnyEnvironment(Memory):
    def _require_mark(self, call: Call) -> None:
        pass


@breaks("test_nothing_is_rectified_while_it_is_open_whose_it_is")
class RectifiesBothOfTwo(Memory):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(call)
        for name, rows in sight.doubtful.items():
            sight.certain[name] += rows
            rows.clear()
        return sight


@breaks("test_a_person_is_found_by_a_rectified_identity")
class RectifiesAndTellsNobody(Memory):
    def rectify(self, call: Call) -> Tally:
        return super().rectify(replace(call, learn=untold))


@breaks("test_an_identity_that_somebody_else_has_is_not_given")
class LearnsBeforeItLooks(Memory):
    def rectify(self, call: Call) -> Tally:
        call.learn(told(call))
        return super().rectify(call)


@breaks("test_nobody_is_lost_by_a_rectification")
class LosesWhomItRectifies(Memory):
    def _refuse_loss(self, call: Call, due: Sequence[Mend]) -> None:
        pass


@breaks("test_what_tells_rows_apart_or_joins_them_is_not_rectified")
class LeavesOutWhatItCannotRectify(Memory):
    def rectify(self, call: Call) -> Tally:
        try:
            return super().rectify(call)
        except NeedsHuman as error:
            if error.code is not Code.NOT_RECTIFIABLE:
                raise
        return super().rectify(replace(call, corrections=call.corrections[:-1]))


@breaks("test_a_correction_that_does_not_last_is_not_called_done")
class BelievesThatItIsWritten(Memory):
    def rectify(self, call: Call) -> Tally:
        try:
            return super().rectify(call)
        except NeedsHuman as error:
            if error.code is not Code.CHANGED_BACK:
                raise
            return error.tally


@breaks("test_suppress_sets_the_fields_of_this_person_and_nothing_else", map_text=OPTING)
class StopsANeighbour(Memory):
    def _suppress(self, call: Call) -> Tally:
        tally = super()._suppress(call)
        for row in self.rows["newsletter"]:
            row["mailing"] = "stopped"
        return tally


@breaks("test_suppress_again_changes_nothing_and_is_success", map_text=OPTING)
class FailsWhenAlreadyStopped(Memory):
    def _suppress(self, call: Call) -> Tally:
        tally = super()._suppress(call)
        if tally.found and not any(count.rectified for count in tally.counts):
            raise NeedsHuman(Code.REFUSED, "customers")
        return tally


@breaks("test_suppressing_a_stranger_changes_nothing", map_text=OPTING)
class StopsWhoeverIsThere(Memory):
    def _suppress(self, call: Call) -> Tally:
        for row in self.rows["customers"]:
            row["mailing"] = "stopped"
        return super()._suppress(call)


@breaks("test_where_nothing_is_to_stop_nothing_is_changed", map_text=OPTING)
class StopsEverythingAlways(Memory):
    def _suppress(self, call: Call) -> Tally:
        works = [
            work.model_copy(update={"stops": tuple(self.system.collections[work.collection].opt_out)})
            for work in call.work
        ]
        return super()._suppress(replace(call, work=tuple(works)))


@breaks("test_what_no_field_stops_is_not_passed_over", map_text=OPTING)
class PassesOverWhatItCannotStop(Memory):
    def _suppress(self, call: Call) -> Tally:
        try:
            return super()._suppress(call)
        except Unsupported as error:
            return error.tally


@breaks("test_what_fields_stop_in_part_is_not_called_done", map_text=OPTING)
class TakesAPartForTheWhole(Memory):
    def _suppress(self, call: Call) -> Tally:
        try:
            return super()._suppress(call)
        except Unsupported as error:
            if not self.system.collections[error.about].opt_out:
                raise
            return error.tally


@breaks("test_a_suppression_cut_short_is_finished_by_the_next_try", map_text=OPTING)
class ThinksACutOptOutIsDone(Memory):
    def _suppress(self, call: Call) -> Tally:
        return Tally() if call.cut_short else super()._suppress(call)


@breaks(
    "test_a_fence_that_refuses_stops_an_opt_out",
    "test_an_opt_out_happens_inside_a_fence",
    map_text=OPTING,
)
class StopsWithoutAskingAnybody(Memory):
    def _suppress(self, call: Call) -> Tally:
        return super()._suppress(replace(call, fence=Gate()))


@breaks("test_an_opt_out_keeps_no_old_value", map_text=OPTING)
class KeepsThatItWasAllowed(Memory):
    def _suppress(self, call: Call) -> Tally:
        call.keep({"customers": {("1",): {"mailing": "yes"}}})
        return super()._suppress(call)


@breaks("test_an_opt_out_that_does_not_last_is_not_called_done", map_text=OPTING)
class BelievesThatItIsStopped(Memory):
    def _suppress(self, call: Call) -> Tally:
        try:
            return super()._suppress(call)
        except NeedsHuman as error:
            if error.code is not Code.CHANGED_BACK:
                raise
            return error.tally


@breaks("test_the_wrong_environment_stops_an_opt_out", map_text=OPTING)
class StopsInAnyEnvironment(Memory):
    def _require_mark(self, call: Call) -> None:
        pass


@breaks("test_trouble_with_an_opt_out_is_told_for_what_it_is", map_text=OPTING)
class StopsNobodyInAnOutage(Memory):
    def _suppress(self, call: Call) -> Tally:
        try:
            return super()._suppress(call)
        except Retryable:
            return Tally()


@breaks("test_trouble_with_a_rectification_is_told_for_what_it_is")
class RectifiesNobodyInAnOutage(Memory):
    def rectify(self, call: Call) -> Tally:
        try:
            return super().rectify(call)
        except Retryable:
            return Tally()


@breaks("test_no_word_of_a_rectification_names_a_person_or_a_value")
class QuotesTheValueInAnError(Memory):
    def rectify(self, call: Call) -> Tally:
        try:
            return super().rectify(call)
        except Held:
            said = f"could not write {next(iter(call.corrections[0].values.values()))}"
        raise Held(Code.HOLD, said)


# Speaking


@breaks("test_no_answer_error_or_log_names_a_person")
class NamesThePersonInAnError(Memory):
    def _see(self, call: Call) -> _Sight:
        try:
            return super()._see(call)
        except Retryable as error:
            raise Retryable(error.code, call.identities[0].value) from None


@breaks("test_no_answer_error_or_log_names_a_person")
class HangsTheDriversErrorOnItsOwn(Memory):
    def _ask(self, question: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return question(*args, **kwargs)
        except OSError:
            raise Retryable(Code.UNREACHABLE) from None


@breaks("test_no_answer_error_or_log_names_a_person")
class LogsThePerson(Memory):
    def _see(self, call: Call) -> _Sight:
        logging.getLogger("habeas").debug("looking for %s", [identity.value for identity in call.identities])
        return super()._see(call)


@breaks("test_no_answer_error_or_log_names_a_person")
class LogsThePersonWithStructure(Memory):
    def _see(self, call: Call) -> _Sight:
        sight = super()._see(call)
        structlog.get_logger().info("found", rows=sight.certain)
        return sight


@breaks("test_no_answer_error_or_log_names_a_person")
class PutsThePersonInItsTally(Memory):
    def locate(self, call: Call) -> Look:
        look = super().locate(call)
        return replace(look, tally=Tally(counts=(*look.tally.counts, Count(collection=call.identities[0].value))))
