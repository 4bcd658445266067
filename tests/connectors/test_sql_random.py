"""Whatever the shape of a schema, the database finds and erases what the reference connector does, row for row."""

import json
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.memory import Memory
from connectors.memorystore import Store
from rights.datamap import System
from tests.connectors.mariadb_server import needs_mariadb
from tests.connectors.sql_anywhere import Anywhere, Make
from tests.connectors.sql_place import counted, email

NAMES = ("people", "b", "c", "d")
WHO = "anna@example.org"
COLUMNS = {"id": "int", "one": "int", "two": "text", "kind": "text", "doc": "jsonb"}
"""Of every table: a key, two references (one of another type), what tells rows apart, and a document."""

few = st.integers(0, 4)
parents = st.sampled_from(NAMES)


@st.composite
def links(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A link to any collection, the one itself included, and what is derived for it."""
    to = draw(parents)
    match draw(st.sampled_from(["column", "text", "pair", "when", "path", "list"])):
        case "column":
            return {"field": "one", "to": f"{to}.id"}, {}
        case "text":
            return {"field": "two", "to": f"{to}.id"}, {}
        case "pair":
            return {"field": "pair", "to": f"{to}.own"}, {"pair": {"of": ["one", "two"]}}
        case "when":
            return {"field": "some", "to": f"{to}.id"}, {"some": {"of": "one", "when": {"kind": "x"}}}
        case "path":
            return {"field": "inner", "to": f"{to}.id"}, {"inner": {"of": "doc", "path": "$.a.b"}}
    return {"field": "each", "to": f"{to}.id"}, {"each": {"of": "doc", "path": "$.l[*].b"}}


@st.composite
def systems(draw: st.DrawFn) -> System:
    collections: dict[str, Any] = {}
    for name in NAMES:
        chosen = draw(st.lists(links(), min_size=name != "people", max_size=2))
        fields: dict[str, Any] = {column: {} for column in COLUMNS}
        derived: dict[str, Any] = {"own": {"of": ["id", "two"]}}
        for _, more in chosen:
            derived |= more
        if name == "people":
            fields["email"] = {"identity": "email"}
        collections[name] = {"key": ["id"], "fields": fields, "derived": derived, "links": [link for link, _ in chosen]}
    try:
        return System.model_validate(
            {"system": "shop", "owner": "o", "connector": "sql", "collections": collections, "mode": "auto"}
        )
    except ValidationError:
        assume(False)
        raise


@st.composite
def documents(draw: st.DrawFn) -> Any:
    leaf = st.one_of(few, few.map(str), st.none(), st.just({"b": 1}))
    inner = st.one_of(leaf, st.builds(lambda b: {"b": b}, leaf))
    lists = st.one_of(inner, st.lists(inner, max_size=3), st.lists(st.lists(inner, max_size=2), max_size=2))
    return draw(
        st.one_of(
            st.none(),
            leaf,
            st.builds(lambda a, several: {"a": a, "l": several}, lists, lists),
        )
    )


rows = st.fixed_dictionaries({
    "one": st.one_of(st.none(), few), "two": st.one_of(st.none(), st.just(""), few.map(str)),
    "kind": st.sampled_from([None, "x", "y"]), "doc": documents(),
})  # fmt: skip
tables = st.fixed_dictionaries({name: st.lists(rows, max_size=5) for name in NAMES})

CREATE = "".join(
    f"CREATE TABLE {name} ({', '.join(f'{c} {t}' for c, t in COLUMNS.items())}"
    f"{', email text' if name == 'people' else ''}, PRIMARY KEY (id));"
    for name in NAMES
)
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


def reference(system: System, data: Any) -> Memory:
    """The same rows in the reference connector."""
    store = Store(system, "test")
    for name in NAMES:
        for number, row in enumerate(data[name]):
            whole = {"id": number, **row}
            if name == "people":
                whole["email"] = WHO if number == 1 else f"p{number}@example.org"
            store.rows[name].append(whole)
    return Memory(system, store)


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["postgresql", pytest.param("mariadb", marks=needs_mariadb), "sqlite"])
@settings(max_examples=25, deadline=None, suppress_health_check=QUIET)
@given(system=systems(), data=tables, batch=st.sampled_from([10_000, 2]))
def test_the_database_and_the_reference_agree(
    request: pytest.FixtureRequest, engine: str, system: System, data: Any, batch: int
) -> None:
    make: Make = request.getfixturevalue(f"on_{engine}")
    create = CREATE if engine == "postgresql" else CREATE.replace("jsonb", "json")
    with closing(make(create, system, batch_rows=batch)) as made:
        memory = reference(made.system, data)
        for name, rows in memory.rows.items():
            columns = [*COLUMNS, *(["email"] if name == "people" else [])]
            made.insert(name, *([json.dumps(row[c]) if c == "doc" else row[c] for c in columns] for row in rows))
        agree(made, memory)


def agree(made: Anywhere, memory: Memory) -> None:
    expected, look = memory.locate(made.call(email(WHO))), made.locate(email(WHO))
    assert counted(look.tally, "found") == counted(expected.tally, "found")

    memory.erase(made.call(email(WHO), anchors=expected.anchors))
    made.erase(email(WHO), anchors=look.anchors)

    for name in NAMES:
        left = {i for (i,) in made.rows(f"SELECT id FROM {name}")}
        assert left == {row["id"] for row in memory.rows[name]}, name
    assert made.verify(email(WHO), anchors=look.anchors).tally.left == 0
