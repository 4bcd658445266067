"""A deployment per story, on the session's servers."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from starter.stack import Postgres, Temporal, Vendors
from tests.smtp_sink import Sink
from tests.stories.vendors import analytics, newsletter
from tests.world import World, shop_map


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory of the story's own."""
    with tempfile.TemporaryDirectory(prefix="habeas-story-") as folder:
        yield Path(folder)


@pytest.fixture
def world(home: Path, postgres: Postgres, temporal_server: Temporal) -> Iterator[World]:
    """A deployment with a shop of twenty customers; no worker runs yet."""
    with World(home, postgres, temporal_server) as world:
        yield world


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server that takes everything on."""
    with Sink() as sink:
        yield sink


@pytest.fixture
def people(vendors: Vendors, world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Twenty customers of the shop, who are known to both vendors."""
    vendors.seed([{"id": n, "email": f"c{n}@shop.example", "name": f"Name {n}"} for n in range(1, 21)])
    vendors.clear_traffic()
    monkeypatch.setenv("TEST_MAILCHIMP", "mailchimp-key-us1")
    monkeypatch.setenv("TEST_AMPLITUDE_KEY", "amplitude-project-key")
    monkeypatch.setenv("TEST_AMPLITUDE_SECRET", "amplitude-project-secret")
    world.write_maps({"shop": shop_map(), "newsletter": newsletter(vendors), "analytics": analytics(vendors)})
    return world
