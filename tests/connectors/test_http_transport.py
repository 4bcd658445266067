"""Requests go where they may, with what may be seen there, and end in time, whatever a server or a name says."""

import gzip
import ipaddress
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.http.network import Address, is_public
from connectors.http.transport import Received, Sent, Transport
from rights.codes import Code
from tests.certificates import certify
from tests.connectors.hostile import Hostile, dripping, endless, said

LOCAL = ipaddress.ip_address("127.0.0.1")
SECRET = {"authorization": "Bearer very-secret"}


def transport(
    hosts: list[str] | None = None,
    private: tuple[Address, ...] = (LOCAL,),
    timeout: float = 2,
    largest: int = 10_000,
    resolver: Callable[[str, int], list[Address]] | None = None,
) -> Transport:
    return Transport(
        "vendor",
        hosts or ["127.0.0.1"],
        private=private,
        timeout=timedelta(seconds=timeout),
        largest=largest,
        resolver=resolver or (lambda host, port: [LOCAL]),
    )


def get(url: str) -> Sent:
    return Sent("GET", url, credentials=SECRET)


def refused(line: Transport, sent: Sent) -> ConnectorError:
    with line_closed(line), pytest.raises(ConnectorError) as caught:
        line.send(sent)
    told = "".join(traceback.format_exception(caught.value)) + repr(line) + repr(sent)
    assert "very-secret" not in told
    assert caught.value.__context__ is None, "no error of the library hangs on ours"
    return caught.value


class line_closed:
    def __init__(self, line: Transport) -> None:
        self.line = line

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self.line.close()


def test_an_answer_comes_with_credentials_at_home() -> None:
    with Hostile(said(200, b"{}")) as server:
        line = transport()
        with line_closed(line):
            received = line.send(get(server.url + "/x"))

    assert received == Received(200, received.headers, b"{}")
    assert b"very-secret" in server.got[0]


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[::1]/", "https://evil.example/"]
)
def test_a_redirect_to_another_place_is_not_followed(url: str) -> None:
    with Hostile(said(302, location=url)) as server:
        error = refused(transport(), get(server.url))

    assert isinstance(error, NeedsHuman)
    assert error.code is Code.ADDRESS
    assert url not in str(error)


def test_a_listed_host_gets_no_credentials_by_redirect() -> None:
    with Hostile(said(200, b"[]")) as other:
        place = f"http://store.example:{other.port}/file"
        with Hostile(said(302, location=place)) as server:
            line = transport(["127.0.0.1", "store.example"])
            with line_closed(line):
                assert line.send(get(server.url)).body == b"[]"

    assert b"very-secret" in server.got[0]
    assert b"very-secret" not in other.got[0]


def test_a_host_that_only_a_pattern_lists_gets_no_credentials() -> None:
    with Hostile(said(200, b"[]")) as anybodys:
        line = transport(["127.0.0.1", "*.example"])
        with line_closed(line):
            place = get(f"http://store.example:{anybodys.port}/file")
            assert line.send(place).body == b"[]"
            assert b"".join(page for page in line.download(place, timedelta(seconds=5)) if isinstance(page, bytes))

    assert len(anybodys.got) == 2
    assert not any(b"very-secret" in got for got in anybodys.got)


def test_another_port_of_the_same_host_is_another_server() -> None:
    with Hostile(said(200, b"[]")) as other, Hostile(said(302, location=other.url)) as server:
        line = transport()
        with line_closed(line):
            line.send(get(server.url))

    assert b"very-secret" not in other.got[0]


def test_what_changes_something_is_not_sent_on() -> None:
    with Hostile(said(200)) as other, Hostile(said(307, location=other.url)) as server:
        error = refused(transport(), Sent("POST", server.url, body=b"{}"))

    assert error.code is Code.ADDRESS
    assert other.got == []


def test_redirects_in_a_circle_end() -> None:
    with Hostile(said(302, location="/again")) as server:
        assert refused(transport(), get(server.url)).code is Code.ADDRESS
    assert len(server.got) == 4


def test_a_body_without_end_is_cut_off() -> None:
    with Hostile(endless) as server:
        error = refused(transport(), get(server.url))

    assert error.code is Code.SHAPE


def test_a_packed_bomb_is_not_unpacked() -> None:
    with Hostile(said(200, gzip.compress(b"0" * 5_000_000), content_encoding="gzip")) as server:
        assert refused(transport(), get(server.url)).code is Code.SHAPE


def test_a_packed_answer_is_read() -> None:
    with Hostile(said(200, gzip.compress(b"[1]"), content_encoding="gzip")) as server:
        line = transport()
        with line_closed(line):
            assert line.send(get(server.url)).body == b"[1]"


@pytest.mark.parametrize("cut", [said(200, b"x" * 100)[:-50], b"HTTP/1.1 200 OK\r\ncontent-", b"", b"\0\1\2 nonsense"])
def test_a_broken_answer_is_no_answer(cut: bytes) -> None:
    with Hostile(cut) as server:
        error = refused(transport(), get(server.url))

    assert isinstance(error, Retryable)
    assert error.code is Code.UNREACHABLE


def test_a_slow_drip_ends_with_the_request() -> None:
    started = time.monotonic()
    with Hostile(dripping) as server:
        assert refused(transport(timeout=0.5), get(server.url)).code is Code.UNREACHABLE

    assert time.monotonic() - started < 2


def test_what_stands_behind_a_fence_ends_with_it() -> None:
    line = transport(timeout=60)
    started = time.monotonic()
    with Hostile(dripping) as server, line.limit(timedelta(seconds=0.3)):
        refused(line, get(server.url))
        refused(line, get(server.url))

    assert time.monotonic() - started < 2


@pytest.mark.parametrize("private", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1"])
def test_a_name_that_leads_inside_is_refused(private: str) -> None:
    line = transport(["api.example"], (), resolver=lambda host, port: [ipaddress.ip_address(private)])

    assert refused(line, get("https://api.example/")).code is Code.ADDRESS


def test_one_address_inside_spoils_a_name() -> None:
    addresses = [ipaddress.ip_address("8.8.8.8"), LOCAL]
    line = transport(["api.example"], (), resolver=lambda host, port: addresses)

    assert refused(line, get("https://api.example/")).code is Code.ADDRESS


def test_a_name_rebound_after_the_check_leads_nowhere_else() -> None:
    """The first look-up is fine, the next one leads to another server: it is never connected to."""
    asked: list[str] = []
    second = ipaddress.ip_address("127.0.0.2")

    def rebinding(host: str, port: int) -> list[Address]:
        asked.append(host)
        return [LOCAL] if len(asked) == 1 else [second]

    with Hostile(said(200, b"secret")) as inside:
        line = transport(["api.example"], (LOCAL,), resolver=rebinding)
        error = refused(line, get(f"http://api.example:{inside.port}/"))

    assert len(asked) == 2
    assert error.code is Code.ADDRESS
    assert inside.got == []


def test_without_tls_only_listed_addresses_are_spoken_to() -> None:
    line = transport(["api.example"], (LOCAL,), resolver=lambda host, port: [ipaddress.ip_address("8.8.8.8")])

    assert refused(line, get("http://api.example/")).code is Code.ADDRESS


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certify(tmp_path, "127.0.0.1")
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard: list[bytes] = []

        def serve() -> None:
            client, _ = listener.accept()
            with client, suppress(OSError), context.wrap_socket(client, server_side=True) as secure:
                heard.append(secure.recv(1000))

        thread = threading.Thread(target=serve)
        thread.start()
        error = refused(transport(), get(f"https://127.0.0.1:{listener.getsockname()[1]}/"))
        thread.join(5)

    assert error.code is Code.UNREACHABLE
    assert not any(heard), "nothing was said to a stranger"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "http://user@127.0.0.1/", "http://127.0.0.1:99999/", "http:///x"])
def test_an_odd_address_is_refused(url: str) -> None:
    assert refused(transport(), get(url)).code is Code.ADDRESS


def test_a_download_is_streamed_and_its_cut_is_seen() -> None:
    with Hostile(said(200, b"x" * 300_000)[:-50_000]) as server:
        line = transport(largest=100)
        pages = line.download(get(server.url), timedelta(seconds=5))
        first = next(pages)
        assert isinstance(first, Received)
        assert first.status == 200
        with line_closed(line), pytest.raises(Retryable):
            for _ in pages:
                pass


def test_what_is_public_is_decided_by_the_address() -> None:
    inside = [
        "127.9.9.9",
        "100.64.0.1",
        "192.168.1.1",
        "224.0.0.1",
        "fc00::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::",
    ]
    assert not any(is_public(ipaddress.ip_address(text)) for text in inside)
    assert is_public(ipaddress.ip_address("8.8.8.8"))
