"""Servers that tests of mailboxes share; each test has an account of its own."""

import socket
from collections.abc import Iterator

import pytest
from imapclient import IMAPClient

from starter.stack import Mail
from tests.connectors.dovecot import Dovecot


@pytest.fixture(scope="module", name="dovecot")
def shared_dovecot() -> Iterator[Dovecot]:
    """A Dovecot for the module; a test that stops or kills a server starts its own."""
    with Dovecot() as server:
        yield server


class Account:
    """What a bench asks of the development server, where an account comes into being by a login."""

    def __init__(self, mail: Mail) -> None:
        self.port, self.password = mail.port, mail.password
        self._mail = mail

    def account(self, user: str) -> None:
        self.login(user).shutdown()

    def login(self, user: str) -> IMAPClient:
        client = self._mail.login(user)
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.normalise_times = False
        return client


@pytest.fixture(scope="module", name="mail")
def shared_mail() -> Iterator[Account]:
    """A development server for the module."""
    with Mail() as server:
        yield Account(server)
