"""Servers that tests of mailboxes share; each test has an account of its own."""

from collections.abc import Iterator

import pytest

from tests.connectors.dovecot import Dovecot


@pytest.fixture(scope="module", name="dovecot")
def shared_dovecot() -> Iterator[Dovecot]:
    """A Dovecot for the module; a test that stops or kills a server starts its own."""
    with Dovecot() as server:
        yield server
