"""A deployment on a Temporal server whose clock runs ahead while everybody waits."""

import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
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
