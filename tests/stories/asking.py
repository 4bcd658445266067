"""What the stories of who asks share: a shop that is the directory, a port that counts who knocks, the command line."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.testing import CliRunner

from ledger.letters import Channel, said_name
from ledger.proofcodes import code_channel
from starter.cli import app
from tests.world import World, shop_map

DIRECTORY = (
    shop_map(extra="directory: true\nlookups_per_minute: 1000000")
    .replace("identity: email, strategy", "identity: email, channel: email, strategy")
    .replace("phone: {category: contact,", "phone: {category: contact, channel: phone,")
    .replace("street: {category: contact}", "street: {category: contact, channel: post}")
)
"""The shop's map, as the directory."""
GATEWAY = "{digits}@sms.example"


class Agent:
    """The command line, as an agent uses it."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.environment["HABEAS_SMS_GATEWAY"] = GATEWAY

    def __call__(self, *words: str, given: str | None = None, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words), input=given, env=self.world.environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, (done.exit_code, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def open(self, right: str, *words: str, email: str) -> str:
        said = self("request", "open", right, "--identities", "-", "--json", *words, given=f"email={email}")
        return str(json.loads(said)["id"])

    def status(self, request: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("identity", "status", request, "--json"))
        return found

    def send(self, request: str, *words: str) -> int:
        number = json.loads(self("identity", "send-code", request, "--json", *words))["number"]
        query = "SELECT sent_at FROM identity_codes WHERE request_id = %s AND number = %s"
        self.world.wait(lambda: self.world.query(query, request, number)[0][0], 30, "a code to be sent")
        return int(number)

    def mail(self, request: str, number: int) -> tuple[Channel, str] | None:
        """A letter with a code, as whoever it goes to reads it: where it goes, and the code. None: nobody gets one."""
        said = self.world.ledger.unseal(request, "file", said_name("identity_code", number))
        channel = self.world.ledger.unseal(request, "working", code_channel(number))
        if said is None or channel is None:
            return None
        return Channel.unsealed(channel), str(json.loads(said)["code"])

    def read_back(self, request: str, code: str, *, proven: bool) -> str:
        return self("identity", "check-code", request, given=code, code=0 if proven else 6)


@contextmanager
def doorbell() -> Iterator[tuple[int, list[int]]]:
    """A port at which nobody answers, and how often somebody has knocked there."""
    knocks: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                try:
                    visitor, _ = server.accept()
                except TimeoutError:
                    continue
                knocks.append(1)
                visitor.close()

        side = threading.Thread(target=listen, daemon=True)
        side.start()
        try:
            yield server.getsockname()[1], knocks
        finally:
            over.set()
            side.join()
