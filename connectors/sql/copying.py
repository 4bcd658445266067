"""COPY: rows as the server writes them, gathered into pages.

The one rule: each message of the server is one row, and of its bytes nothing but the line end is looked at. The driver
gives messages one by one, at twice the cost; so they are taken from the library beneath it, which it makes public.
"""

from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.waiting import Ready, Wait

PAGE: Final = 128 * 1024
"""Bytes after which a page is handed on: enough that the work per page is small, little enough to hold."""


def pages(connection: psycopg.Connection[Any], statement: bytes, ending: bytes) -> Iterator[bytes]:
    """The rows that a COPY gives, each with `ending` for its line end.

    Raises:
        psycopg.Error: as the server or the library says it.
    """
    begun = connection.wait(_begun(connection.pgconn, statement))
    if begun.status != pq.ExecStatus.COPY_OUT:
        raise error_from_result(begun)
    more = True
    while more:
        page = bytearray()
        more = connection.wait(_gathered(connection.pgconn, page, ending))
        if page:
            yield bytes(page)


def _begun(server: pq.abc.PGconn, statement: bytes) -> PQGen[pq.abc.PGresult]:
    server.send_query(statement)
    while server.flush():
        ready = yield Wait.RW
        if ready & Ready.R:
            server.consume_input()
    return (yield from _result(server))


def _gathered(server: pq.abc.PGconn, page: bytearray, ending: bytes) -> PQGen[bool]:
    """Fill a page; whether there is more."""
    take, as_it_is = server.get_copy_data, ending == b"\n"
    while len(page) < PAGE:
        size, row = take(1)
        if size > 0:
            page += row
            if not as_it_is:
                page[-1:] = ending
        elif size == 0:
            yield Wait.R
            server.consume_input()
        else:
            ended = yield from _result(server)
            if ended.status != pq.ExecStatus.COMMAND_OK:
                raise error_from_result(ended)
            server.get_result()  # nothing: it is ready for the next statement
            return False
    return True


def _result(server: pq.abc.PGconn) -> PQGen[pq.abc.PGresult]:
    while server.is_busy():
        yield Wait.R
        server.consume_input()
    result = server.get_result()
    if result is None:
        raise psycopg.OperationalError("the server gave no result")
    return result
