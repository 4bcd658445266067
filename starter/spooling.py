"""Long bodies, on their way to a file: taken in by the event loop, and worked on once they are here.

The one rule: whoever sends slowly holds up nobody but themselves: no thread waits for a body, few are taken in at once,
and one that trickles in is refused. The file has no name, and is gone when it is closed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import IO, Final, TypeVar

from anyio import CapacityLimiter, WouldBlock, to_thread

from starter.problems import Problem, ProblemCode

T = TypeVar("T")

AT_ONCE: Final = 2
STALL_S: Final = 10.0
"""How long nothing may come."""
SLOWEST: Final = 256 * 1024
"""Bytes a second that a body has to come at, once it has had the time of a stall: a gigabyte takes an hour then."""
_PIECE: Final = 1 << 20
"""Bytes that are collected before they are written."""


class Spooler:
    """Takes bodies in, and has them worked on in threads of its own."""

    def __init__(self, *, stall_s: float = STALL_S, slowest: int = SLOWEST) -> None:
        self._stall_s, self._slowest = stall_s, slowest
        self._places, self._threads = CapacityLimiter(AT_ONCE), CapacityLimiter(AT_ONCE)

    @asynccontextmanager
    async def taken(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[IO[bytes]]:
        """A body in a file.

        Raises:
            Problem: others are taken in already, it comes too slowly, or there is no room for it.
        """
        place = object()
        try:
            self._places.acquire_on_behalf_of_nowait(place)
        except WouldBlock:
            raise Problem(
                ProblemCode.TOO_MANY,
                f"{AT_ONCE} lists are being taken in already: send it again in a moment",
                headers={"retry-after": "5", "connection": "close"},
            ) from None
        try:
            with TemporaryFile() as file:
                await self._fill(file, chunks)
                yield file
        finally:
            self._places.release_on_behalf_of(place)

    async def work(self, do: Callable[[], T]) -> T:
        """Do something with a body in a thread."""
        return await to_thread.run_sync(do, limiter=self._threads)

    async def _fill(self, file: IO[bytes], chunks: AsyncIterator[bytes]) -> None:
        began, read, waiting = time.monotonic(), 0, bytearray()
        try:
            while (chunk := await asyncio.wait_for(_next(chunks), self._stall_s)) is not None:
                read += len(chunk)
                waiting += chunk
                taken = time.monotonic() - began
                if taken > self._stall_s and read < taken * self._slowest:
                    raise TimeoutError
                if len(waiting) >= _PIECE:
                    await self._write(file, waiting)
                    waiting = bytearray()
            await self._write(file, waiting)
        except TimeoutError:
            raise Problem(
                ProblemCode.TOO_SLOW,
                "the body comes too slowly: send it over a better line, or in parts",
                headers={"connection": "close"},
            ) from None
        file.seek(0)

    async def _write(self, file: IO[bytes], piece: bytearray) -> None:
        try:
            await self.work(lambda: file.write(piece))
        except OSError:
            raise Problem(
                ProblemCode.AWAY,
                "there is no room for the list just now: send it in parts, or later",
                headers={"retry-after": "60", "connection": "close"},
            ) from None


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)
