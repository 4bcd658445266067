"""What Temporal's namespace has to have for us: search attributes, and how long it keeps what is over.

The one rule: nothing that is there is changed unless it was asked for; and where Temporal does not let us do it, the
commands are told by which somebody else can.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    GetClusterInfoRequest,
    GetSearchAttributesRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from rights.value import Value
from workflows import visibility

CLOSED: Final = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED})
"""How a Temporal answers that lets its operators alone do this, as Temporal Cloud."""
_COLUMN: Final = re.compile(r"(Bool|Datetime|Double|Int|Keyword|KeywordList|Text)\d\d")
"""The names of the columns that a visibility store in SQL has for attributes; a fixed number of each type."""
_UNBOUNDED: Final = ("elasticsearch", "opensearch")
"""Visibility stores in which there is always room."""


class State(StrEnum):
    """What was found of one search attribute."""

    THERE = "there"
    ADDED = "added"
    MISSING = "missing"
    OTHER_TYPE = "other_type"
    """There is one of this name and another type, with which every request would fail for ever."""
    UNKNOWN = "unknown"
    """Temporal does not tell us whether it is there, or of which type."""


class Attribute(Value):
    """One search attribute that we need."""

    name: str
    type: str
    state: State


class Namespace(Value):
    """What a namespace has of what it needs."""

    name: str
    attributes: tuple[Attribute, ...]
    free: dict[str, int | None]
    """Free places by type; None: nobody tells us. A type that is not named here has no limit."""
    retention: timedelta | None
    """How long what is over is kept; None where we are not told."""
    operator_open: bool
    """Whether Temporal lets us change it."""

    @property
    def missing(self) -> tuple[Attribute, ...]:
        """What is not there yet."""
        return tuple(one for one in self.attributes if one.state is State.MISSING)

    @property
    def ready(self) -> bool:
        """Whether a worker can run on it."""
        return all(one.state not in {State.MISSING, State.OTHER_TYPE} for one in self.attributes)

    def short_of(self) -> dict[str, int]:
        """By type, how many places are lacking for what is missing."""
        wanted = Counter(one.type for one in self.missing)
        free = {kind: self.free.get(kind) for kind in wanted}
        return {kind: n - room for kind, n in wanted.items() if (room := free[kind]) is not None and room < n}


def type_name(kind: int) -> str:
    """A type as the server's command line writes it: `KeywordList`."""
    name = IndexedValueType.Name(IndexedValueType.ValueType(kind)).removeprefix("INDEXED_VALUE_TYPE_")
    return "".join(part.title() for part in name.split("_"))


KINDS: Final[Mapping[str, int]] = {key.name: int(key.indexed_value_type) for key in visibility.KEYS}
"""What we need, by name."""


async def survey(client: Client) -> Namespace:
    """Look at the namespace; nothing is changed.

    Raises:
        RPCError: Temporal does not answer, or has no such namespace.
    """
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), timeout=_RPC
    )
    # Columns in use by the name that they go by here. A store without columns has none.
    columns = {name: column for column, name in described.config.custom_search_attribute_aliases.items()}
    store = await _store(client)
    listed = await _listed(client)
    known = listed if listed is not None else {name: _kind_of(column) for name, column in columns.items()}
    told = listed is not None or not store.startswith(_UNBOUNDED)
    keeps = described.config.workflow_execution_retention_ttl.ToTimedelta()
    return Namespace(
        name=client.namespace,
        attributes=tuple(
            Attribute(name=name, type=type_name(kind), state=_state(known, name, kind) if told else State.UNKNOWN)
            for name, kind in KINDS.items()
        ),
        free={} if store.startswith(_UNBOUNDED) else await _free(client, columns.values()),
        retention=keeps or None,
        operator_open=listed is not None,
    )


async def missing_attributes(client: Client) -> list[str]:
    """The search attributes that a worker lacks, by name: not there, or there with another type."""
    found = await survey(client)
    return [one.name for one in found.attributes if one.state in {State.MISSING, State.OTHER_TYPE}]


async def register_attributes(client: Client) -> list[str]:
    """Register what is missing, and wait until it can be used; the names of those that were missing.

    Raises:
        RPCError: Temporal does not let us, or has no room.
    """
    missing = [one.name for one in (await survey(client)).missing]
    if missing:
        kinds = {name: IndexedValueType.ValueType(KINDS[name]) for name in missing}
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=kinds), timeout=_RPC
        )
        for _ in range(100):  # the server takes them up within a second
            if not (await survey(client)).missing:
                break
            await asyncio.sleep(0.1)
    return missing


class SetUp(Value):
    """What setting up has come to."""

    before: Namespace
    after: Namespace
    added: tuple[str, ...] = ()
    retention_set: bool = False
    refused: bool = False
    """Temporal lets its operators alone do what is still to be done."""
    todo: tuple[str, ...] = ()
    """The commands by which they do."""


async def set_up(client: Client, address: str, retention: timedelta | None, *, dry_run: bool) -> SetUp:
    """Register what is missing and set how long is kept what is over, as far as Temporal lets us. Where there is no
    room for all that is missing, nothing is registered.

    Raises:
        RPCError: Temporal does not answer, has no such namespace, or refuses the retention.
    """
    before = await survey(client)
    added: list[str] = []
    set_, refused = False, False
    if not dry_run and before.missing and not before.short_of():
        try:
            added = await register_attributes(client)
        except RPCError as error:
            if error.status not in CLOSED:
                raise
            refused = True
    if not dry_run and retention and retention != before.retention:
        try:
            await keep_for(client, retention)
            set_ = True
        except RPCError as error:
            if error.status not in CLOSED:
                raise
            refused = True
    after = await survey(client) if added or set_ else before
    return SetUp(
        before=before,
        after=after,
        added=tuple(added),
        retention_set=set_,
        refused=refused,
        todo=tuple(commands(after, address, retention)),
    )


async def keep_for(client: Client, retention: timedelta) -> None:
    """Have the namespace keep what is over for so long.

    Raises:
        RPCError: Temporal does not let us, or finds it too short or too long.
    """
    length = Duration()
    length.FromTimedelta(retention)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(
            namespace=client.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=length)
        ),
        timeout=_RPC,
    )


def commands(found: Namespace, address: str, retention: timedelta | None = None) -> list[str]:
    """The commands by which an operator does what is still to be done: of the server's own command line, and of
    Temporal Cloud's."""
    cloud, own = [], []
    if found.missing:
        named = " ".join(f'--search-attribute "{one.name}={one.type}"' for one in found.missing)
        cloud.append(f"tcld namespace search-attributes add --namespace {found.name} {named}")
        for one in found.missing:
            words = f"--namespace {found.name} --name {one.name} --type {one.type}"
            own.append(f"temporal operator search-attribute create {words}")
    if retention and retention != found.retention:
        cloud.append(f"tcld namespace retention set --namespace {found.name} --retention-days {retention.days}")
        own.append(f"temporal operator namespace update --namespace {found.name} --retention {retention.days * 24}h")
    return cloud if ".tmprl.cloud" in address else own


_RPC: Final = timedelta(seconds=5)


async def _store(client: Client) -> str:
    """The kind of store that lists come from, in lower case; nothing where we are not told."""
    try:
        info = await client.workflow_service.get_cluster_info(GetClusterInfoRequest(), timeout=_RPC)
    except RPCError as error:
        if error.status not in CLOSED:
            raise
        return ""
    return info.visibility_store.lower()


async def _listed(client: Client) -> dict[str, int | None] | None:
    """The attributes that there are, each with its type; None where operators alone may ask."""
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_RPC
        )
    except RPCError as error:
        if error.status not in CLOSED:
            raise
        return None
    return {name: int(kind) for name, kind in listed.custom_attributes.items()}


def _kind_of(column: str) -> int | None:
    found = _COLUMN.fullmatch(column)
    return next((kind for kind in IndexedValueType.values() if found and type_name(kind) == found[1]), None)


def _state(known: Mapping[str, int | None], name: str, kind: int) -> State:
    if name not in known:
        return State.MISSING
    there = known[name]
    return State.UNKNOWN if there is None else State.THERE if there == kind else State.OTHER_TYPE


async def _free(client: Client, used: Iterable[str]) -> dict[str, int | None]:
    """Free places of each type that we need: in SQL each attribute of a namespace stands in a column, and every
    namespace has all columns to itself."""
    kinds = sorted({type_name(kind) for kind in KINDS.values()})
    try:
        every = await client.workflow_service.get_search_attributes(GetSearchAttributesRequest(), timeout=_RPC)
    except RPCError as error:
        if error.status not in CLOSED:
            raise
        return dict.fromkeys(kinds)
    there = Counter(found[1] for name in every.keys if (found := _COLUMN.fullmatch(name)))
    taken = Counter(found[1] for name in used if (found := _COLUMN.fullmatch(name)))
    return {kind: there[kind] - taken[kind] if there else None for kind in kinds}
