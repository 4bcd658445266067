"""Two tenants in one database never see each other: every verb of the ledger is called by one with the other's ids.

The rule kept: the verbs are found, not listed, so that a new one is tried by being there. What a verb wants is filled
in by the type of each parameter; one that refuses has seen nothing, and one that answers shows nothing of the other's.
"""

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AnySet
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Final

import pytest
from psycopg import sql

from ledger.ledger import Ledger
from rights.request import Phase, Right
from rights.reveals import Revealed, Why
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, later, opened_id
from tests.ledger.conftest import Door

NOT_VERBS: Final = {"close_connections", "stop_waiting", "wait_for_outbox"}
"""What has to do with connections, and not with what is kept."""


NOBODYS: Final = ("01kap2v7q4m8w3x9yd5tgh6jzr", "01kap2v7q4m8w3x9yd5tgh6jzs")


def verbs() -> list[str]:
    """The ledger's verbs by name."""
    found = inspect.getmembers(Ledger, inspect.isfunction)
    return [name for name, _ in found if not name.startswith("_") and name not in NOT_VERBS]


def value(kind: Any, ids: Sequence[str]) -> Any:
    """Something of a type. A text is one of the other tenant's ids."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        return value(next(one for one in inner if one is not type(None)), ids)
    if origin is typing.Annotated or origin is typing.Final:
        return value(inner[0], ids)
    if origin is typing.Literal:
        return inner[0]
    if origin in {tuple, list, set, frozenset, Sequence, Iterable, AnySet} and inner:
        made = [value(inner[0], ids)]
        return made if origin in {Sequence, Iterable, list} else (set if origin is AnySet else origin)(made)
    if origin in {dict, Mapping} and inner:
        return {value(inner[0], ids): value(inner[1], ids)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    plain: dict[Any, Any] = {
        str: ids[0], int: 1, bool: False, float: 1.0, bytes: b"x", timedelta: timedelta(days=1),
        datetime: later(days=1), date: later(days=1).date(), type(None): None,
    }  # fmt: skip
    if kind in plain:
        return plain[kind]
    if kind is type(ANNA[0]):
        return ANNA[0]
    raise TypeError(kind)


def arguments(verb: Callable[..., Any], ids: Sequence[str]) -> dict[str, Any] | None:
    """What a verb can be called with; None where a parameter is of a kind that is not made here."""
    try:
        hints = typing.get_type_hints(verb, include_extras=True)
        return {
            name: value(hints[name], ids)
            for name, one in inspect.signature(verb).parameters.items()
            if name != "self" and (one.default is inspect.Parameter.empty)
        }
    except (TypeError, KeyError, NameError, StopIteration):
        return None


@pytest.fixture
def other(make_ledger: Callable[..., Ledger], tables: Database) -> Ledger:
    return make_ledger(tables.url, tenant="other")


@pytest.fixture
def ids(ledger: Ledger) -> list[str]:
    """What the first tenant has, by its ids: requests in several phases, a hold, a token, a session, a reveal."""
    erasure = opened_id(ledger, Phase.LOCATING)
    copy = opened_id(ledger, Phase.LOCATING, right=Right.ACCESS)
    fresh = opened_id(ledger, identities=(ANNA[1],))
    token, secret = ledger.make_access_token(
        "canary-shop", ("requests:read",), ends_at=later(days=9), by="s-canary", at=AT
    )
    session = ledger.open_session(
        "s-canary", ("agent",), second_factor=True, signed_in_at=AT, ends_at=later(days=2), at=AT
    )
    ledger.reveal(erasure, Revealed.LETTER, Why.CONTACT, by="s-canary", at=AT)
    return [erasure, copy, fresh, token.id, secret, session]


def kept(door: Door, tenant: str) -> dict[str, list[str]]:
    """All rows of a tenant, by table."""
    names = [row[0] for row in door("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    found = {}
    for name in names:
        if name == "alembic_version":
            continue
        query = sql.SQL("SELECT t::text FROM {} t WHERE tenant = %s ORDER BY 1").format(sql.Identifier(name))
        found[name] = [row[0] for row in door(query.as_string(), tenant)]
    return found


def shown(answer: Any) -> str:
    """All that an answer says."""
    if isinstance(answer, typing.Iterator):
        answer = list(answer)
    return repr(answer)


def said(ledger: Ledger, name: str, one: str) -> str | None:
    """What a verb answers to an id, or how it refuses; the id itself left out. None: it cannot be called here."""
    filled = arguments(getattr(Ledger, name), [one])
    if filled is None:
        return None
    try:
        text = shown(getattr(ledger, name)(**filled))
    except Exception as error:  # noqa: BLE001 - however it refuses is its answer
        text = f"{type(error).__name__}: {error}"
    return text.replace(one, "ID")


def test_every_verb_answers_to_the_others_ids_as_to_ids_of_nobody_and_changes_nothing_of_theirs(
    other: Ledger, ids: list[str], door: Door
) -> None:
    before = kept(door, "main")
    assert before["requests"], "there is something to be seen"
    asked, witnesses = [ids[0], *ids[3:]], ("canary", "Anna.Berg", "4711", *ids[1:3])
    called, compared = set(), set()
    for name in verbs():
        nobodys = [said(other, name, one) for one in NOBODYS]
        if nobodys[0] is None:
            continue
        called.add(name)
        for one in asked:
            answer = said(other, name, one) or ""
            assert [word for word in witnesses if word in answer] == [], name
            if nobodys[0] == nobodys[1]:
                compared.add(name)
                assert answer == nobodys[0], name
    assert kept(door, "main") == before
    assert len(called) > 0.6 * len(verbs()), sorted(set(verbs()) - called)
    assert len(compared) > 0.6 * len(called), sorted(called - compared)


def test_their_own_tenant_sees_what_is_theirs(ledger: Ledger, ids: list[str]) -> None:
    """So that the test above looks at what can be seen."""
    told = "".join(
        shown(answer)
        for answer in (
            ledger.open_requests(),
            ledger.access_tokens(),
            ledger.sessions(at=AT, idle=timedelta(days=1)),
            ledger.reveals(ids[0]),
            ledger.standing(ids[0]),
        )
    )
    assert "canary" in told
    assert all(one in told for one in ids[:4])
