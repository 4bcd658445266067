"""The small server: whoever takes their time keeps nobody else from it."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from starter.due import Numbers
from starter.endpoint import AT_ONCE, secure, serving
from tests.certificates import certify

EACH = 3
ASK = b"GET /livez HTTP/1.1\r\nhost: habeas\r\nconnection: close\r\n\r\n"


@contextmanager
def dripping(port: int, peers: int) -> Iterator[list[socket.socket]]:
    """Peers of whom each sends one byte of its request every tenth of a second, for as long as it is let."""
    with ExitStack() as lines:
        all_of_them = [lines.enter_context(socket.create_connection(("127.0.0.1", port), 20)) for _ in range(peers)]
        over = threading.Event()

        def drip() -> None:
            # Four hundred seconds' worth, and no end of it.
            for byte in ASK[:-2].replace(b"habeas", b"x" * 4000):
                for line in all_of_them:
                    try:
                        line.send(bytes([byte]))
                    except OSError:
                        continue
                if over.wait(0.1):
                    return

        slowly = threading.Thread(target=drip, daemon=True)
        slowly.start()
        yield all_of_them
        over.set()
        slowly.join()


def asked(line: socket.socket) -> bytes:
    """All that is answered to a whole request."""
    line.sendall(ASK)
    return b"".join(iter(lambda: line.recv(4096), b""))


def test_whoever_drips_what_they_want_loses_their_seat_to_the_next() -> None:
    with (
        serving(Numbers, None, "127.0.0.1", 0, within_s=3.0) as port,
        dripping(port, AT_ONCE),
        socket.create_connection(("127.0.0.1", port), 40) as honest,
    ):
        assert asked(honest).endswith(b"alive\n")


def test_whoever_asks_on_over_one_line_has_their_time_anew() -> None:
    again = ASK.replace(b"close", b"keep-alive")
    with (
        serving(Numbers, None, "127.0.0.1", 0, within_s=4.0) as port,
        socket.create_connection(("127.0.0.1", port), 20) as line,
    ):
        for _ in range(3):
            line.sendall(again)
            told = b""
            while not told.endswith(b"alive\n"):
                told += (more := line.recv(4096))
                assert more, "the line is open"
            time.sleep(1.5)
        assert asked(line).endswith(b"alive\n")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[int, ssl.SSLContext]]:
    """The server with its own certificate, and what its peers believe."""
    certify(tmp_path, "127.0.0.1")
    tls = secure(tmp_path / "cert.pem", (tmp_path / "key.pem").read_text())
    with serving(Numbers, None, "127.0.0.1", 0, tls, each=EACH) as port:
        yield port, ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))


def test_one_address_has_a_few_of_the_seats_and_no_more(guarded: tuple[int, ssl.SSLContext]) -> None:
    port, believed = guarded

    def of(address: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), 20, (address, 0))

    with ExitStack() as lines:
        for _ in range(EACH):
            lines.enter_context(of("127.0.0.1"))
        with of("127.0.0.1") as further:
            assert further.recv(1) == b"", "it is closed at once"
        with believed.wrap_socket(of("127.0.0.2"), server_hostname="127.0.0.1") as another:
            assert asked(another).endswith(b"alive\n")
    # Those that are gone count no more.
    until = time.monotonic() + 20
    while True:
        try:
            with believed.wrap_socket(of("127.0.0.1"), server_hostname="127.0.0.1") as back:
                assert asked(back).endswith(b"alive\n")
            break
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
