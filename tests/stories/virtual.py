"""A deployment on a Temporal server whose clock runs ahead while everybody waits."""

import asyncio
import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from starter.stack import Postgres, Temporal
from tests.conftest import SEARCH_ATTRIBUTES
from tests.world import World

KINDS = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}


@dataclass(frozen=True)
class Address:
    """All that a deployment needs to know of a Temporal server."""

    address: str


@asynccontextmanager
async def virtual(
    home: Path, postgres: Postgres, maps: Mapping[str, str]
) -> AsyncIterator[tuple[World, WorkflowEnvironment]]:
    """The deployment, and the server's clock."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(binary)) as env:
        wanted = {name: KINDS[kind] for name, kind in SEARCH_ATTRIBUTES.items()}
        request = AddSearchAttributesRequest(namespace="default", search_attributes=wanted)
        await env.client.operator_service.add_search_attributes(request)
        server = cast(Temporal, Address(env.client.service_client.config.target_host))
        with World(home, postgres, server, maps=maps) as world:
            yield world, env


async def pass_time(env: WorkflowEnvironment, duration: timedelta) -> None:
    """Let so much time go by on the server's clock.

    The clock stands while an activity runs, and a client gives a call up after ten seconds: the server goes on with it.
    """
    until = await env.get_current_time() + duration
    try:
        await env.sleep(duration)
    except RPCError as error:
        if error.status not in {RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED}:
            raise
        for _ in range(1200):
            if await env.get_current_time() >= until:
                return
            await asyncio.sleep(0.1)
        raise
