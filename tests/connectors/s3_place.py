"""A server that tests of buckets share; each test has a bucket and accounts of its own."""

from collections.abc import Iterator

import pytest

from starter.stack import Objects


@pytest.fixture(scope="module", name="objects")
def shared_objects() -> Iterator[Objects]:
    """An object store for the module; a test that stops or kills a server starts its own."""
    with Objects() as server:
        yield server
