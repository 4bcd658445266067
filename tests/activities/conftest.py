"""A ledger per test, as the ledger's own tests have it, and a mail server for all of them."""

from collections.abc import Iterator

import pytest

from tests.ledger.conftest import checkpoints, door, keys, ledger, make_ledger, tables, template
from tests.smtp_sink import Sink

__all__ = ["checkpoints", "door", "keys", "ledger", "make_ledger", "tables", "template"]


@pytest.fixture(scope="session", name="shared")
def shared_sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def sink(shared: Sink) -> Sink:
    """A server that has taken nothing on yet."""
    shared.forget()
    return shared
