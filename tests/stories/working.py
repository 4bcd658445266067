"""A worker and a dispatcher inside the test's own process, for stories that say when something is delivered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client

import worker
from starter.dispatch import Dispatcher
from tests.world import World
from workflows.wire import HistoryKeys


@asynccontextmanager
async def working(world: World, **dispatching: Any) -> AsyncIterator[tuple[Client, Dispatcher]]:
    """A worker runs; the client, and a dispatcher that delivers when it is told to. `dispatching`: what it is made
    with beyond what every dispatcher needs."""
    keys = HistoryKeys(world.ledger.history_key)
    client = await worker.connect(world.settings, world.ledger, keys=keys)
    tools = worker.build_tools(world.settings, world.ledger)
    async with worker.build_worker(world.settings, client, tools):
        yield client, Dispatcher(tools, client, world.settings.task_queue, keys, **dispatching)
    for connector in tools.every_connector:
        getattr(connector, "close", lambda: None)()
