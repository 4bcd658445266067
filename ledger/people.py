"""The index of people: keyed digests by which two requests, or a request and a hold, are seen to concern one person.

The one rule: a digest is made with the tenant's index key and is worth nothing without it; a person's lock is taken
before any other lock.
"""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    bindparam,
    func,
    select,
    union_all,
)

from ledger.models import request_subjects
from ledger.vault import Vault
from rights.subject import Identity, Sharing

GIVEN: Final = "identities"
LEARNED: Final = "identities/learned"
"""Names in the vault: what the asker gave, what looks in systems added."""


def identities_text(identities: Iterable[Identity]) -> bytes:
    """Identities as they are sealed."""
    return orjson.dumps([[one.kind, one.value, one.sharing] for one in identities])


def sealed_identities(text: bytes | None) -> tuple[Identity, ...]:
    """Read back what `identities_text` wrote; none of nothing."""
    if text is None:
        return ()
    return tuple(Identity(kind, value, Sharing(sharing)) for kind, value, sharing in orjson.loads(text))


def _lock_number(digest: ColumnElement[bytes]) -> ColumnElement[int]:
    return func.hashtextextended(func.encode(digest, "hex"), 0)


def _lock_in_order(numbers: Select[int]) -> Select[None]:
    """Take locks in the order of their numbers, so that two verbs never wait for each other in a circle."""
    ordered = numbers.order_by("number").subquery()
    return select(func.pg_advisory_xact_lock(ordered.c.number))


_of_request = select(_lock_number(request_subjects.c.digest).label("number")).where(
    request_subjects.c.tenant == bindparam("tenant"),
    request_subjects.c.request_id == bindparam("request_id"),
)
_fence = union_all(_of_request, select(func.hashtextextended(bindparam("system"), 0).label("number"))).subquery()
_LOCK_REQUEST: Final = _lock_in_order(_of_request)
_LOCK_FENCE: Final = _lock_in_order(select(_fence.c.number))
_digests = func.unnest(bindparam("digests", type_=ARRAY(LargeBinary))).column_valued("digest")
_LOCK_DIGESTS: Final = _lock_in_order(select(_lock_number(_digests).label("number")))


class People:
    """Digests and locks."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._key = b""

    def digest(self, identity: Identity) -> bytes:
        """The digest of one identity; capitals make no difference."""
        return self.mark(f"{identity.kind}\0{identity.value.casefold()}")

    def digests(self, identities: Iterable[Identity]) -> list[bytes]:
        """The digests of several, in order, each once."""
        return sorted({self.digest(identity) for identity in identities})

    def mark(self, text: str) -> bytes:
        """A keyed digest of any text."""
        if not self._key:
            self._key = self._vault.house_key("index")
        return hmac.digest(self._key, text.encode(), hashlib.sha256)

    @staticmethod
    def lock(connection: Connection, digests: list[bytes]) -> None:
        """Take the locks of people by digest; they are held to the end of the transaction."""
        connection.execute(_LOCK_DIGESTS, {"digests": digests})

    @staticmethod
    def lock_request(connection: Connection, tenant: str, request_id: str) -> None:
        """Take the locks of the person a request is about."""
        connection.execute(_LOCK_REQUEST, {"tenant": tenant, "request_id": request_id})

    @staticmethod
    def lock_fence(connection: Connection, tenant: str, request_id: str, system: str) -> None:
        """Take the locks of the person, and of a system's fuse."""
        connection.execute(
            _LOCK_FENCE,
            {"tenant": tenant, "request_id": request_id, "system": f"{tenant}/fuse/{system}"},
        )
