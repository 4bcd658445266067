"""Whoever rows are shared by and however they hang together: databases do with them what the reference connector does,
and nothing of anybody else goes."""

from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.conformance.outlook import kept
from connectors.protocol import Candidate, Look, Rulings
from rights.datamap import System
from tests.conftest import Database
from tests.connectors.shared_place import InMemory, InPostgreSQL, InSQLite, Place
from tests.connectors.sql_place import counted

SHARED = ("b", "c", "d")
PEOPLE = {1: "p1", 2: "p2", 3: "p3"}
GONE = "erased@invalid"
GHOST = 3
"""Whom rows are made over to whose owner is gone: somebody who is there, and is nobody."""
few = st.integers(0, 4)
CREATE = """
DROP TABLE IF EXISTS people, holders, b, c, d;
CREATE TABLE people (id integer PRIMARY KEY, email text, best integer);
CREATE TABLE holders (id integer PRIMARY KEY, person integer, grp integer);
""" + "".join(
    f"CREATE TABLE {name} (id integer PRIMARY KEY, p integer, q integer, r text, x text, y text, z text, day date);"
    for name in SHARED
)


@st.composite
def collections(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A collection of shared rows, each with up to three links to people, lists of people, or shared rows."""
    above = SHARED[: SHARED.index(name)]
    targets = ["people.id", "people.id", "people.best", "holders.grp", *(f"{a}.id" for a in (*above, *above))]
    treatment = draw(st.sampled_from(["keep", "redact", "redact", "ask"]))
    links = [
        {"field": field, "to": draw(st.sampled_from(targets)), "kind": "shared"}
        | ({"shared": treatment, "fields": draw(st.lists(st.sampled_from("xyz"), unique=True))} if followed else {})
        for field, followed in zip(
            draw(st.permutations(["p", "q", "r", "id"])),
            [True, *draw(st.lists(st.booleans(), max_size=2))],
            strict=False,
        )
    ]
    null = {"strategy": "null"}
    own = {
        field: draw(st.sampled_from([{}, null, null, {"strategy": "constant", "value": ghost}]))
        for field, ghost in (("p", GHOST), ("q", GHOST), ("r", str(GHOST)))
    }
    personal = st.sampled_from(
        [{"strategy": "null"}, {"strategy": "constant", "value": "gone"}, {"strategy": "retain", "ground": "law"}]
    )
    fields: dict[str, Any] = {"id": {}, **own, "z": {}, "day": {}}
    fields |= {field: {"category": "text", **draw(personal)} for field in "xy"}
    body: dict[str, Any] = {"key": ["id"], "fields": fields, "links": links}
    match draw(st.sampled_from(["", "", "duty", "redact", "retain"])):
        case "duty":
            gone = [field for field in "xy" if fields[field]["strategy"] != "retain"]
            body["retention"] = [{"ground": "tax law", "after": "day", "period": "P10Y", "minimise": gone}]
        case "redact":
            body["erase"] = "redact"
        case "retain":
            body |= {"erase": "retain", "ground": "history"}
    return body


@st.composite
def systems(draw: st.DrawFn) -> System:
    people = {
        "key": ["id"],
        "fields": {
            "id": {},
            "email": {"category": "contact", "identity": "email", "strategy": "constant", "value": GONE},
            "best": {},
        },
    }
    holders = {
        "key": ["id"],
        "fields": {"id": {}, "person": {}, "grp": {}},
        "links": [{"field": "person", "to": "people.id"}],
    }
    body = {"people": people, "holders": holders, **{name: draw(collections(name)) for name in SHARED}}
    try:
        return System.model_validate({"system": "shop", "owner": "o", "connector": "sql", "collections": body})
    except ValidationError:
        assume(False)
        raise


some = st.one_of(st.none(), few)
row = st.fixed_dictionaries({
    "p": some, "q": some, "r": st.one_of(st.none(), st.just(""), few.map(str)),
    "x": st.sampled_from([None, "", "x"]), "y": st.sampled_from([None, "y"]), "z": st.sampled_from([None, "z"]),
    "day": st.sampled_from([None, date(2001, 1, 1), date(2025, 1, 1)]),
})  # fmt: skip
holder = st.fixed_dictionaries({"person": some, "grp": some})


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    several: dict[str, list[dict[str, Any]]] = {"holders": draw(st.lists(holder, max_size=5))}
    several |= {name: draw(st.lists(row, max_size=4)) for name in SHARED}
    numbered = {name: [{"id": n, **one} for n, one in enumerate(rows)] for name, rows in several.items()}
    people = [{"id": n, "email": f"{who}@example.org", "best": draw(few)} for n, who in PEOPLE.items()]
    return {"people": people, **numbered}


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


@pytest.mark.soak
@settings(max_examples=20, deadline=None, suppress_health_check=QUIET)
@given(system=systems(), data=tables(), batch=st.sampled_from([10_000, 2]), turn=st.permutations(list(PEOPLE.values())))
def test_postgresql_and_the_reference_agree(
    database: Database, system: System, data: Any, batch: int, turn: list[str]
) -> None:
    system = system.model_copy(update={"options": {"batch_rows": batch}})
    _compare(InMemory(system, data), InPostgreSQL(system, CREATE, data, database), turn)


@pytest.mark.soak
@settings(max_examples=20, deadline=None, suppress_health_check=QUIET)
@given(system=systems(), data=tables(), batch=st.sampled_from([10_000, 2]), turn=st.permutations(list(PEOPLE.values())))
def test_sqlite_and_the_reference_agree(tmp_path: Path, system: System, data: Any, batch: int, turn: list[str]) -> None:
    system = system.model_copy(update={"options": {"batch_rows": batch}})
    create = CREATE.partition(";")[2].replace(" date)", " text)")
    for name in SHARED:
        data[name] = [{**one, "day": one["day"] and one["day"].isoformat()} for one in data[name]]
    _compare(InMemory(system, data), InSQLite(system, create, data, tmp_path / f"{uuid4()}.db"), turn)


def _compare(memory: InMemory, place: Place, turn: list[str]) -> None:
    """Two people go, one after the other; the third stays."""
    try:
        assert place.dump() == memory.dump()
        for who in turn[:2]:
            rulings, look, expected = _ruled(place, memory, who)
            given, wanted = place.export(who, rulings=rulings), memory.export(who, rulings=rulings)
            assert given == {name: wanted[name] for name in given}
            before = place.dump()
            memory.erase(who, expected.anchors, rulings=rulings)
            place.erase(who, look.anchors, rulings=rulings)

            assert place.dump() == memory.dump()
            if not rulings.mine:
                _others_are_whole(place.system, before, place.dump(), number=int(who[1]))
            after = place.verify(who, look.anchors, rulings=rulings).tally
            assert after.left == 0
            assert kept(after) == kept(memory.verify(who, expected.anchors, rulings=rulings).tally)
    finally:
        place.close()


def _ruled(place: Place, memory: InMemory, who: str) -> tuple[Rulings, Look, Look]:
    """Rule on whatever is asked, until nothing is: the first of each collection is this person's."""
    mine: dict[str, frozenset[tuple[str, ...]]] = {}
    others: dict[str, frozenset[tuple[str, ...]]] = {}
    while True:
        rulings = Rulings(mine=dict(mine), others=dict(others))
        look, expected = place.locate(who, rulings=rulings), memory.locate(who, rulings=rulings)
        assert counted(look.tally, "found") == counted(expected.tally, "found")
        assert kept(look.tally) == kept(expected.tally)
        asked = _keys(look.candidates)
        assert asked == _keys(expected.candidates)
        if not asked:
            return rulings, look, expected
        for name, keys in asked.items():
            mine[name] = mine.get(name, frozenset()) | {keys[0]}
            others[name] = others.get(name, frozenset()) | frozenset(keys[1:])


def _keys(candidates: tuple[Candidate, ...]) -> dict[str, list[tuple[str, ...]]]:
    names = sorted({candidate.collection for candidate in candidates})
    return {name: sorted(c.key for c in candidates if c.collection == name) for name in names}


def _others_are_whole(system: System, before: Any, after: Any, number: int) -> None:
    """What a link says to be another person's is there as it was: the row, and the fields that it names."""
    alive = {n for (n,), person in before["people"].items() if n != number and person["email"] != GONE}
    for name in SHARED:
        for key, was in before[name].items():
            for link in system.collections[name].links:
                ghost = link.field != "id" and system.collections[name].fields[link.field].value == was[link.field]
                if link.to == "people.id" and str(was[link.field]) in map(str, alive) and not ghost:
                    for field in (link.field, *link.fields):
                        assert after[name][key][field] == was[field], (name, key, field)
