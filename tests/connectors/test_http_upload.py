"""What is put goes to the one host that was named, to its own certificate, and nowhere that host points to."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.errors import NeedsHuman, Retryable
from connectors.http.network import Address
from connectors.http.upload import Upload
from rights.codes import Code
from tests.certificates import certify

SECRET = b"of one person alone"
WITHIN = timedelta(seconds=5)


@contextmanager
def peer(home: Path, answer: bytes, heard: list[bytes]) -> Iterator[str]:
    """A server that answers one request with this, once it has heard all of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "cert.pem", home / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            with suppress(OSError):
                client, _ = listener.accept()
                with client, context.wrap_socket(client, server_side=True) as line:
                    line.settimeout(2)
                    got = b""
                    while SECRET not in got and (piece := line.recv(65536)):
                        got += piece
                        heard.append(piece)
                    line.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/x"
        thread.join(6)


def put(line: Upload, url: str) -> tuple[int, bytes]:
    with line:
        return line.put(url, iter([SECRET]), len(SECRET), "application/zip", WITHIN)


def test_a_redirect_is_an_answer_and_is_not_followed(tmp_path: Path) -> None:
    certify(tmp_path, "127.0.0.1")
    heard: list[bytes] = []
    answer = b"HTTP/1.1 307 Elsewhere\r\nlocation: https://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    with peer(tmp_path, answer, heard) as url:
        status, _ = put(Upload("other", ca=str(tmp_path / "cert.pem"), private=["127.0.0.1"]), url)
    assert status == 307


def test_an_answer_that_is_too_long_is_no_answer(tmp_path: Path) -> None:
    certify(tmp_path, "127.0.0.1")
    body = b"x" * (2 << 20)
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    with peer(tmp_path, answer, []) as url:
        status, said = put(Upload("other", ca=str(tmp_path / "cert.pem"), private=["127.0.0.1"]), url)
    assert (status, said) == (200, b"")


@pytest.mark.parametrize("trust", ["pin", "public"])
def test_nothing_is_said_to_another_certificate(trust: str, tmp_path: Path) -> None:
    certify(tmp_path, "127.0.0.1")
    heard: list[bytes] = []
    with peer(tmp_path, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", heard) as url:
        line = Upload("other", pin="0" * 64 if trust == "pin" else "", private=["127.0.0.1"])
        with pytest.raises(NeedsHuman if trust == "pin" else Retryable):
            put(line, url)
    assert not heard


def test_its_own_certificate_may_be_named_by_its_digest(tmp_path: Path) -> None:
    pin = certify(tmp_path, "127.0.0.1")
    heard: list[bytes] = []
    with peer(tmp_path, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", heard) as url:
        assert put(Upload("other", pin=pin, private=["127.0.0.1"]), url) == (200, b"ok")
    assert SECRET in b"".join(heard)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
def test_a_name_that_leads_into_our_own_networks_is_not_spoken_to(address: str) -> None:
    def lies(host: str, port: int) -> list[Address]:
        return [ipaddress.ip_address("93.184.216.34"), ipaddress.ip_address(address)]

    with pytest.raises(NeedsHuman) as refused:
        put(Upload("other", resolver=lies), "https://data.other.example/x")
    assert refused.value.code is Code.ADDRESS
