"""The hash chain through the journal.

The one rule: an entry's hash covers all it says, its number and the hash of the entry before, so that none can be
changed, taken out or moved without the next one telling.

hash = SHA-256(previous hash, 32 bytes | number, 8 bytes big-endian | SHA-256 of the JSON array
[tenant, request id, kind, key, time, body])
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    Connection,
    LargeBinary,
    bindparam,
    cast,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import ChainError
from ledger.models import chain_heads, entries

GENESIS: Final = bytes(32)
"""What the first entry has before it."""
_HEAD_HELD_MS: Final = 3_000
"""How long a session that has the head may leave it idle, until its transaction ends. Between the head and the commit
lies one round trip; a worker that was frozen there has as many sessions waiting for the head as it has threads, and
each would keep it for the whole of the limit that a transaction has elsewhere."""


def content(tenant: str, request_id: str | None, kind: str, key: str | None, at: datetime, body: str) -> bytes:
    """The digest of what an entry says, wherever it stands."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(orjson.dumps([tenant, request_id, kind, key, moment, body])).digest()


def link(previous: bytes, seq: int, said: bytes) -> bytes:
    """The hash of the entry that stands at a number and says something."""
    return hashlib.sha256(previous + seq.to_bytes(8, "big") + said).digest()


_hurry = func.set_config("idle_in_transaction_session_timeout", str(_HEAD_HELD_MS), literal_column("true"))
_next = chain_heads.c.seq + cast(1, BigInteger)
_link = (
    update(chain_heads)
    .where(chain_heads.c.tenant == bindparam("of"))
    .values(
        seq=_next,
        previous=chain_heads.c.hash,
        hash=func.sha256(
            chain_heads.c.hash.op("||")(func.int8send(_next)).op("||")(bindparam("content", type_=LargeBinary))
        ),
    )
    .returning(chain_heads.c.seq, chain_heads.c.previous, chain_heads.c.hash, _hurry.label("hurry"))
    .cte("link")
)
_SAID: Final = ("tenant", "request_id", "kind", "key", "body", "at")
# One round trip, so that the head is locked no longer than it takes to commit.
_APPEND: Final = insert(entries).from_select(
    [*_SAID, "seq", "previous", "hash"],
    select(
        *(bindparam(f"said_{name}", type_=entries.c[name].type).label(name) for name in _SAID),
        _link.c.seq,
        _link.c.previous,
        _link.c.hash,
    ),
)
_HEAD: Final = (
    select(chain_heads.c.seq, chain_heads.c.hash, _hurry.label("hurry"))
    .where(chain_heads.c.tenant == bindparam("tenant"))
    .with_for_update()
)
_MOVE_HEAD: Final = (
    update(chain_heads)
    .where(chain_heads.c.tenant == bindparam("of"))
    .values(seq=bindparam("seq"), previous=bindparam("previous"), hash=bindparam("hash"))
)
_BEGIN: Final = upsert(chain_heads).on_conflict_do_nothing()


def append(
    connection: Connection,
    tenant: str,
    kind: str,
    body: str,
    at: datetime,
    *,
    request_id: str | None = None,
    key: str | None = None,
) -> None:
    """Add an entry. From here to the end of the transaction nobody else can add one.

    Raises:
        IntegrityError: a settled receipt with this key is there already.
        ChainError: the head was taken back or is missing.
    """
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be journaled")
    said = {
        "said_tenant": tenant,
        "said_request_id": request_id,
        "said_kind": kind,
        "said_key": key,
        "said_body": body,
        "said_at": at,
        "of": tenant,
        "content": content(tenant, request_id, kind, key, at, body),
    }
    if connection.execute(_APPEND, said).rowcount:
        return
    # No head. Whoever makes the first one at this very moment is waited for here, and then the head is theirs.
    made = connection.execute(_BEGIN, {"tenant": tenant, "seq": 0, "previous": GENESIS, "hash": GENESIS}).rowcount
    if made and connection.execute(select(entries.c.seq).where(entries.c.tenant == tenant).limit(1)).first():
        raise ChainError("the journal has entries but no head: run `habeas ledger verify`")
    connection.execute(_APPEND, said)


class Said(NamedTuple):
    """What an entry is to say."""

    kind: str
    body: str
    at: datetime
    request_id: str


def append_many(connection: Connection, tenant: str, said: Sequence[Said]) -> None:
    """Add entries in their order. From here to the end of the transaction nobody else can add one.

    Raises:
        ChainError: the head was taken back or is missing.
    """
    if not said:
        return
    head = connection.execute(_HEAD, {"tenant": tenant}).first()
    if head is None:
        for one in said:
            append(connection, tenant, one.kind, one.body, one.at, request_id=one.request_id)
        return
    seq, digest, rows = head.seq, bytes(head.hash), []
    for one in said:
        seq, previous = seq + 1, digest
        digest = link(previous, seq, content(tenant, one.request_id, one.kind, None, one.at, one.body))
        rows.append({**one._asdict(), "tenant": tenant, "key": None, "seq": seq, "previous": previous, "hash": digest})
    connection.execute(insert(entries), rows)
    connection.execute(_MOVE_HEAD, {"of": tenant, "seq": seq, "previous": rows[-1]["previous"], "hash": digest})
