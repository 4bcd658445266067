"""Ports are given to one process at a time, used or not."""

import signal
import socket
import subprocess
import sys

from starter.stack.ports import claim, free_port

OTHER = """
import sys
from starter.stack.ports import free_port
print(free_port(), flush=True)
sys.stdin.read()
"""


def test_a_port_that_another_process_was_given_is_nobody_elses_until_that_one_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        port = int(other.stdout.readline())
        assert not claim(port), "nothing listens on it yet"
        other.send_signal(signal.SIGKILL)
    assert claim(port)
    assert not claim(port), "it was given to this one"


def test_a_port_on_which_somebody_listens_is_given_to_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not claim(server.getsockname()[1])


def test_more_ports_than_are_kept_can_be_had() -> None:
    assert len({free_port() for _ in range(150)}) > 100
