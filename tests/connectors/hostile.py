"""A server that says exactly what it is told to, however wrong that is."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Answer = Callable[[socket.socket], None]


class Hostile:
    """Answers each connection's one request with bytes, or by a function of the socket, and remembers what it got."""

    def __init__(self, answer: bytes | Answer) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.got: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._speak, args=(client,), daemon=True).start()

    def _speak(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            got = b""
            while b"\r\n\r\n" not in got:
                got += client.recv(65536)
            self.got.append(got)
            if callable(self._answer):
                self._answer(client)
            else:
                client.sendall(self._answer)


def said(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer. Underscores in names of headers become hyphens."""
    lines = {"content-length": str(len(body)), "connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + body


def dripping(client: socket.socket) -> None:
    """A header, a byte at a time, for ever."""
    client.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
    while True:
        client.sendall(b"a")
        time.sleep(0.02)


def endless(client: socket.socket) -> None:
    """A body without an end."""
    client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
    while True:
        client.sendall(b"[" * 65536)
