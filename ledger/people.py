"""The index of people: keyed digests by which two requests, or a request and a hold, are seen to concern one person.

The one rule: a digest is made with the tenant's index key and is worth nothing without it; the locks here are taken
before any other lock.

A person may be known by very many identities (the keys of their files), and the server has room for some thousands of
locks in all. So nothing is locked by identity: who enters a fence or learns shares one lock, and who places a hold has
it alone.
"""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

import orjson
from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from ledger.vault import Vault
from rights.subject import Identity, Sharing
from rights.suppression import comparables

GIVEN: Final = "identities"
LEARNED: Final = "identities/learned"
"""Names in the vault: what the asker gave, what looks in systems added."""
DETAILS: Final = "details"
"""The name in the vault (`working`) of what the asker says beyond who they are."""
ASKED: Final = "asked"
"""The same of the digest of all that a call to the API said, by which its repetition is told from another."""


def identities_text(identities: Iterable[Identity]) -> bytes:
    """Identities as they are sealed."""
    return orjson.dumps([[one.kind, one.value, one.sharing] for one in identities])


def sealed_identities(text: bytes | None) -> tuple[Identity, ...]:
    """Read back what `identities_text` wrote; none of nothing."""
    if text is None:
        return ()
    return tuple(Identity(kind, value, Sharing(sharing)) for kind, value, sharing in orjson.loads(text))


def _number(of: str) -> ColumnElement[int]:
    return func.hashtextextended(bindparam(of), 0)


_HOLDS: Final = func.pg_advisory_xact_lock_shared(_number("holds"))
_REQUEST: Final = func.pg_advisory_xact_lock(_number("request"))
_LOCK_HOLDS: Final = select(func.pg_advisory_xact_lock(_number("holds")))
_LOCK_SHREDDING: Final = select(_HOLDS)
_LOCK_REQUEST: Final = select(_REQUEST)
_LOCK_LEARNING: Final = select(_HOLDS, _REQUEST)
_LOCK_FENCE: Final = select(_HOLDS, _REQUEST, func.pg_advisory_xact_lock(_number("fuse")))


class People:
    """Digests and locks."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._key = b""
        self.calling_code = ""
        """By which a phone number without a country is taken to be complete: "+49"."""

    def digest(self, identity: Identity) -> bytes:
        """The digest of one identity.

        Capitals make no difference here, whatever the kind, nor how a phone number is written or two names of one
        mailbox: a map may match any field so, and a hold that binds one person too many is seen and lifted, where one
        that binds too few is not. Always the first of the forms: another would part what is here from what comes.
        """
        return self.mark(comparables(identity)[1])

    def digests(self, identities: Iterable[Identity]) -> list[bytes]:
        """The digests of several, in every form that they may be known in, in order, each once: what is written down
        under all of them is found by any. A phone number is known with its country and without, an address by both
        ways to write its domain, so that a hold binds however either of them is written."""
        return sorted({one for identity in identities for one in self.all_digests(identity)})

    def all_digests(self, identity: Identity) -> frozenset[bytes]:
        """The digests of one identity, in every form."""
        forms = (*comparables(identity).values(), *comparables(identity, self.calling_code).values())
        return frozenset(self.mark(form) for form in forms)

    def count(self, identities: Iterable[Identity]) -> int:
        """How many identities there are, each once however it is written."""
        return len({self.digest(identity) for identity in identities})

    def mark(self, text: str) -> bytes:
        """A keyed digest of any text."""
        if not self._key:
            self._key = self._vault.house_key("index")
        return hmac.digest(self._key, text.encode(), hashlib.sha256)

    def idempotency(self, key: str) -> bytes:
        """The digest of the idempotency key that a request was opened with."""
        return self.mark(f"IDEMPOTENCY\0{key}")

    @staticmethod
    def lock_holds(connection: Connection, tenant: str) -> None:
        """Take the lock of placing a hold: nobody enters a fence or learns an identity meanwhile.

        All locks here are kept to the end of the transaction.
        """
        connection.execute(_LOCK_HOLDS, _names(tenant))

    @staticmethod
    def lock_shredding(connection: Connection, tenant: str) -> None:
        """Take the lock of destroying something of the engine's own; no hold is placed meanwhile."""
        connection.execute(_LOCK_SHREDDING, _names(tenant))

    @staticmethod
    def lock_learning(connection: Connection, tenant: str, request_id: str) -> None:
        """Take the lock of a request whose identities change; no hold is placed meanwhile."""
        connection.execute(_LOCK_LEARNING, _names(tenant, request_id))

    @staticmethod
    def lock_request(connection: Connection, tenant: str, request_id: str) -> None:
        """Take the lock of a request: nobody enters a fence for it meanwhile."""
        connection.execute(_LOCK_REQUEST, _names(tenant, request_id))

    @staticmethod
    def lock_fence(connection: Connection, tenant: str, request_id: str, system: str) -> None:
        """Take the locks of a request and of a system's fuse; no hold is placed meanwhile."""
        connection.execute(_LOCK_FENCE, _names(tenant, request_id, system))


def _names(tenant: str, request_id: str = "", system: str = "") -> dict[str, str]:
    return {
        "holds": f"{tenant}/holds",
        "request": f"{tenant}/request/{request_id}",
        "fuse": f"{tenant}/fuse/{system}",
    }
