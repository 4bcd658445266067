"""A deployment per story, on the session's servers."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from starter.stack import Postgres, Temporal
from tests.world import World


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
