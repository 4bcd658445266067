"""Evidence of closed requests: signed statements, made from the journal whenever they are asked for.

The one rule: a statement is a function of the journal up to the entry that closed the request, of the tree over the
journal and of its timestamp, so it is the same whenever it is made; and each entry it is made from is proved first.
"""

import base64
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import BigInteger, Connection, LargeBinary, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from ledger.chain import content, link
from ledger.envelope import enclose
from ledger.errors import ChainError, LedgerRefusal
from ledger.merkle import BLOCK, WIDTH, Tree, grow
from ledger.models import chain_heads, entries, maps, requests, rulesets
from ledger.signing import Keyring
from ledger.standing import entry_of
from ledger.store import AnyRow, Store
from rights.datamap import DataMap
from rights.evidence import FORMAT, Sources, describe
from rights.journal import JournalEntry, NotClosedError, clocks_in, closing, own_laws_in
from rights.regimes import read_regime
from rights.value import Value

STATEMENT: Final = "https://in-toto.io/Statement/v1"
_DAMAGED: Final = "the journal does not say what it said when it was written: run `habeas ledger verify`"
_ENTRIES: Final = (
    select(entries)
    .where(
        entries.c.tenant == bindparam("tenant"),
        entries.c.request_id == bindparam("request_id"),
        entries.c.seq <= bindparam("head"),
    )
    .order_by(entries.c.seq)
)
_block = func.div(entries.c.seq - literal_column("1"), cast(literal_column(str(BLOCK)), BigInteger))
_HASHES: Final = (
    select(
        func.count().label("leaves"),
        func.min(entries.c.seq).label("first"),
        func.max(entries.c.seq).label("last"),
        func.string_agg(
            entries.c.hash, aggregate_order_by(literal_column("''::bytea", LargeBinary), entries.c.seq)
        ).label("hashes"),
    )
    .where(entries.c.tenant == bindparam("tenant"), entries.c.seq <= bindparam("size"))
    .group_by(_block)
    .order_by(_block)
)
_STAMPS: Final = (
    select(entries.c.seq, entries.c.body)
    .where(
        entries.c.tenant == bindparam("tenant"),
        entries.c.seq > bindparam("after"),
        entries.c.seq <= bindparam("head"),
        entries.c.kind == literal_column("'stamped'"),
    )
    .order_by(entries.c.seq)
)
_LAST: Final = (
    select(entries.c.seq, entries.c.kind, entries.c.body)
    .where(entries.c.tenant == bindparam("tenant"), entries.c.kind.in_(("closed", "stamped")))
    .order_by(entries.c.seq.desc())
    .limit(1)
)
_AT: Final = select(entries.c.hash).where(entries.c.tenant == bindparam("tenant"), entries.c.seq == bindparam("seq"))


class TreeHead(Value):
    """The journal's tree at a size: RFC 9162 root, and the chain's hash of the last entry in it; hex."""

    tenant: str
    size: int
    root: str
    hash: str

    @property
    def note(self) -> bytes:
        """What a timestamp is made over: a checkpoint's three lines as transparency logs write them (c2sp.org,
        tlog-checkpoint)."""
        root = base64.b64encode(bytes.fromhex(self.root)).decode()
        return f"habeas/{self.tenant}\n{self.size}\n{root}\n".encode()


class Proved(Value):
    """An entry with what proves it: its place in the chain, and its path to the root."""

    seq: int
    previous: str
    request_id: str | None
    kind: str
    key: str | None
    at: str
    body: str
    path: tuple[str, ...]


class Record(Value):
    """All that the journal says of a request up to a head, proved."""

    tenant: str
    request_id: str
    head: TreeHead
    entries: tuple[Proved, ...]
    noted: tuple[JournalEntry, ...]
    laws: Mapping[str, str]
    """Texts by digest."""
    data_map: str | None


class Evidences(Store):
    """Verbs on evidence."""

    @property
    def keys(self) -> Keyring:
        """What signs here, and whose signatures count.

        Raises:
            LedgerRefusal: this ledger was opened without a key.
        """
        if self._checkpoints is None:
            raise LedgerRefusal("nothing is signed here: set checkpoints and checkpoint_key")
        return self._checkpoints.keys

    def statement(self, request_id: str, *, head: int | None = None) -> bytes:
        """The statement about a closed request, as of a head of the journal (its number; the present one): JSON, the
        same bytes whenever it is asked for.

        Raises:
            LedgerRefusal: there is no such request, or it is open.
            ChainError: the journal was changed behind its back.
        """
        with self._frozen.begin() as connection:
            head = self._head(connection, head)
            rows = self._proved(connection, request_id, head)
            noted = [entry_of(row) for row in rows]
            try:
                end = closing(noted)
            except NotClosedError:
                raise LedgerRefusal("the request is open: its evidence is there once it is closed") from None
            stamp = self._stamp(connection, end.seq, head)
            size = int(stamp["size"]) if stamp else end.seq
            tree = self._tree(connection, size, [end.seq - 1])
            if stamp and stamp["root"] != tree.root.hex():
                raise ChainError(_DAMAGED)
            sources = self._sources(connection, noted)
            top = self._tree_head(connection, tree)
        row = next(row for row in rows if row.seq == end.seq)
        said = describe(self.tenant, request_id, noted, sources)
        said["journal"] = {
            "closed": _told(row),
            "tree": {"size": top.size, "root": top.root, "hash": top.hash},
            "path": [one.hex() for one in tree.paths[end.seq - 1]],
        }
        said["timestamp"] = {"note": top.note.decode(), "response": stamp["response"]} if stamp else None
        body = {
            "_type": STATEMENT,
            "subject": [{"name": f"request/{request_id}", "digest": {"sha256": bytes(row.hash).hex()}}],
            "predicateType": FORMAT,
            "predicate": said,
        }
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)

    def signed_statement(self, request_id: str, *, head: int | None = None) -> bytes:
        """The same in a signed envelope: the evidence file.

        Raises:
            LedgerRefusal: there is no such request, it is open, or this ledger has no key.
            ChainError: the journal was changed behind its back.
        """
        keys = self.keys
        return enclose(self.statement(request_id, head=head), keys)

    def record(self, request_id: str, *, head: int | None = None) -> Record:
        """All that the journal says of a request up to a head, each entry with its proof.

        Raises:
            LedgerRefusal: there is no such request, or no such head.
            ChainError: the journal was changed behind its back.
        """
        with self._frozen.begin() as connection:
            head = self._head(connection, head)
            rows = self._proved(connection, request_id, head)
            tree = self._tree(connection, head, [row.seq - 1 for row in rows])
            top = self._tree_head(connection, tree)
            noted = [entry_of(row) for row in rows]
            laws = self._law_texts(connection, noted)
            data_map = self._map(connection, noted)
        return Record(
            tenant=self.tenant,
            request_id=request_id,
            head=top,
            entries=tuple(
                Proved(**_told(row), path=tuple(one.hex() for one in tree.paths[row.seq - 1])) for row in rows
            ),
            noted=tuple(noted),
            laws=laws,
            data_map=data_map,
        )

    def tree_at(self, size: int) -> TreeHead | None:
        """The tree over the first entries; None if there are fewer.

        Raises:
            ChainError: some of them are missing.
        """
        with self._frozen.begin() as connection:
            if size > self._head(connection, None):
                return None
            return self._tree_head(connection, self._tree(connection, size))

    def opened_again(self, request_id: str, since: int) -> bool:
        """Whether a request was opened again after an entry of the journal: evidence from before is out of date."""
        query = select(entries.c.seq).where(
            entries.c.tenant == self.tenant,
            entries.c.request_id == request_id,
            entries.c.seq > since,
            entries.c.kind == literal_column("'reopened'"),
        )
        with self._look() as connection:
            return connection.scalar(query.limit(1)) is not None

    def to_stamp(self) -> TreeHead | None:
        """The present head, if a request was closed since the last one that was timestamped; None if none was."""
        with self._frozen.begin() as connection:
            last = connection.execute(_LAST, {"tenant": self.tenant}).first()
            if last is None:
                return None
            if last.kind == "stamped":
                # What was closed between the head that was stamped and the entry that says so is not in it.
                since = int(orjson.loads(last.body)["size"])
                found = select(entries.c.seq).where(
                    entries.c.tenant == self.tenant,
                    entries.c.seq > since,
                    entries.c.seq < last.seq,
                    entries.c.kind == literal_column("'closed'"),
                )
                if connection.execute(found.limit(1)).first() is None:
                    return None
            return self._tree_head(connection, self._tree(connection, self._head(connection, None)))

    def stamped(self, request_id: str) -> bool:
        """Whether the entry that closed a request is in a tree that was timestamped.

        Raises:
            LedgerRefusal: there is no such request, or it is open.
        """
        query = select(func.max(entries.c.seq)).where(
            entries.c.tenant == self.tenant, entries.c.request_id == request_id, entries.c.kind == "closed"
        )
        with self._look() as connection:
            self._known(connection, request_id)
            end = connection.scalar(query)
            if end is None:
                raise LedgerRefusal("the request is open: its evidence is there once it is closed")
            return self._stamp(connection, end, self._head(connection, None)) is not None

    def keep_stamp(self, head: TreeHead, response: bytes, *, at: datetime) -> None:
        """Journal that a time-stamping authority has seen a head: its whole response (RFC 3161, DER)."""
        body = {"size": head.size, "root": head.root, "response": base64.b64encode(response).decode()}
        with self._begin() as connection:
            self._journal(connection, "stamped", body, at)

    # Small things.

    def _head(self, connection: Connection, head: int | None) -> int:
        query = select(chain_heads.c.seq).where(chain_heads.c.tenant == self.tenant)
        there = connection.scalar(query) or 0
        if head is None:
            return there
        if not 0 < head <= there:
            raise LedgerRefusal(f"the journal has {there} entries: name a head of 1 to {there}")
        return head

    def _known(self, connection: Connection, request_id: str) -> None:
        query = select(requests.c.id).where(requests.c.tenant == self.tenant, requests.c.id == request_id)
        if connection.scalar(query) is None:
            raise LedgerRefusal("there is no request of this id")

    def _proved(self, connection: Connection, request_id: str, head: int) -> Sequence[AnyRow]:
        """A request's entries, each as it was written."""
        self._known(connection, request_id)
        its = {"tenant": self.tenant, "request_id": request_id, "head": head}
        rows = connection.execute(_ENTRIES, its).all()
        for row in rows:
            said = content(self.tenant, row.request_id, row.kind, row.key, row.at, row.body)
            if link(row.previous, row.seq, said) != row.hash:
                raise ChainError(_DAMAGED)
        if not rows or rows[0].kind != "opened":
            raise LedgerRefusal("at this head of the journal the request is not there yet")
        return rows

    def _tree(self, connection: Connection, size: int, wanted: Sequence[int] = ()) -> Tree:
        tree = grow(self._blocks(connection, size), wanted)
        if tree.size != size:
            raise ChainError(_DAMAGED)
        return tree

    def _blocks(self, connection: Connection, size: int) -> Iterator[bytes]:
        """The hashes of the first entries, joined block by block; none may be missing."""
        at, its = 0, {"tenant": self.tenant, "size": size}
        with connection.execute(_HASHES, its, execution_options={"yield_per": 16}) as found:
            for row in found:
                whole = row.first == at + 1 and row.last == at + row.leaves and len(row.hashes) == row.leaves * WIDTH
                if not whole:
                    raise ChainError(_DAMAGED)
                at = row.last
                yield bytes(row.hashes)

    def _tree_head(self, connection: Connection, tree: Tree) -> TreeHead:
        digest = connection.scalar(_AT, {"tenant": self.tenant, "seq": tree.size}) or b""
        return TreeHead(tenant=self.tenant, size=tree.size, root=tree.root.hex(), hash=bytes(digest).hex())

    def _stamp(self, connection: Connection, end: int, head: int) -> dict[str, Any] | None:
        """The first timestamp of a tree that has an entry in it."""
        for row in connection.execute(_STAMPS, {"tenant": self.tenant, "after": end, "head": head}):
            body: dict[str, Any] = orjson.loads(row.body)
            if body["size"] >= end:
                return body
        return None

    def _sources(self, connection: Connection, noted: Sequence[JournalEntry]) -> Sources:
        laws = {
            digest: read_regime("a law of the ledger", text)
            for digest, text in self._texts_of(connection, {clock.ruleset for clock in clocks_in(noted)}).items()
        }
        kept = self._map(connection, noted)
        data_map = DataMap.restore(kept) if kept else None
        return Sources(
            # A text that was changed is not the one that the request was opened under.
            laws={digest: one for digest, one in laws.items() if one.digest == digest},
            backups={name: system.backups for name, system in data_map.systems.items()} if data_map else {},
        )

    def _law_texts(self, connection: Connection, noted: Sequence[JournalEntry]) -> dict[str, str]:
        return self._texts_of(connection, {clock.ruleset for clock in clocks_in(noted)} | own_laws_in(noted))

    def _texts_of(self, connection: Connection, digests: Collection[str]) -> dict[str, str]:
        query = select(rulesets.c.digest, rulesets.c.body).where(
            rulesets.c.tenant == self.tenant, rulesets.c.digest.in_(digests)
        )
        return {row.digest: row.body for row in connection.execute(query.order_by(rulesets.c.digest))}

    def _map(self, connection: Connection, noted: Sequence[JournalEntry]) -> str | None:
        """The data map that the request was pinned to last, as it was kept."""
        digest = next((entry.body["digest"] for entry in reversed(noted) if entry.kind == "map_pinned"), None)
        query = select(maps.c.body).where(maps.c.tenant == self.tenant, maps.c.digest == digest)
        body = connection.scalar(query)
        if body and hashlib.sha256(body.encode()).hexdigest() != digest:
            raise ChainError("a data map in the ledger is not the one that requests were pinned to")
        return body


def _told(row: AnyRow) -> dict[str, Any]:
    """An entry as JSON, with all that its hash is made of."""
    return {
        "seq": row.seq,
        "previous": bytes(row.previous).hex(),
        "request_id": row.request_id,
        "kind": row.kind,
        "key": row.key,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "body": row.body,
    }
