"""Which loopback ports servers get.

The rule kept: what one process of this user was given, no other is given before it is used. Between the choice of a
port and the first listening on it lie seconds in which others choose, too.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from starter.stack.child import HOST, StackError

# Below every usual range of ephemeral ports, so that between a crash and the restart on the same
# port no outgoing connection of this machine can be given it.
PORTS: Final = range(18_000, 32_000)
# How many a process keeps from others: those of many servers, and far fewer than files may be open.
_KEPT: Final = 100
_claims: Final[deque[int]] = deque()


def free_port() -> int:
    """A loopback port that nothing listens on and that no other process of this user was given."""
    for port in random.SystemRandom().sample(PORTS, 200):
        if claim(port):
            return port
    raise StackError(f"No port from {PORTS.start} to {PORTS.stop} is free on {HOST}.")


def claim(port: int) -> bool:
    """Keep a port from other processes of this user until this one ends; whether it was free."""
    lock = _locked(port)
    if lock is None:
        return False
    if not is_free(port):
        os.close(lock)
        return False
    _claims.append(lock)
    if len(_claims) > _KEPT:
        os.close(_claims.popleft())
    return True


def is_free(port: int) -> bool:
    """Whether nothing listens on a loopback port at this moment."""
    with socket.socket() as probe:
        # Without it a port whose last connections are still fading would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _locked(port: int) -> int | None:
    """A descriptor that holds the port's lock; None: another process has it. Nothing is written."""
    place = Path(tempfile.gettempdir(), f"habeas-ports-{os.geteuid()}")
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
    descriptor = os.open(place / str(port), os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
