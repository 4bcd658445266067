"""Proving the journal: every entry is where it was put and says what it said, and nothing is missing.

The one rule: what is wrong is named (edited, removed, reordered, cut), with the number of the entry or the id of the
request, so that somebody can find out who did it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, select

from ledger.chain import GENESIS, content, link
from ledger.checkpoints import Checkpoint
from ledger.models import chain_heads, entries, requests
from ledger.store import AnyRow, Store
from rights.request import Phase
from rights.value import Value

_PAGE: Final = 5_000
"""Entries read at once: some megabytes."""
_PUZZLE: Final = 500
"""Broken entries among which it is still worth looking for ones that have changed places."""


class Wrong(StrEnum):
    """What may have happened."""

    EDITED = "edited"
    REMOVED = "removed"
    REORDERED = "reordered"
    CUT = "cut"
    """The newest entries are gone."""
    REWRITTEN = "rewritten"
    """All is in itself sound, but is not what a checkpoint has signed."""
    REQUEST = "request"
    """A request's row does not say what the journal says."""
    CHECKPOINT = "checkpoint"
    """A line of the checkpoints' file is damaged, or signed by another key."""


class Finding(Value):
    """One thing that is wrong."""

    what: Wrong
    seq: int | None = None
    """The entry's number; of a checkpoint: the line's."""
    request_id: str | None = None
    text: str


class Verdict(Value):
    """What verifying has found; sound if it is nothing."""

    entries: int
    checkpoints: int
    """How many signed checkpoints were compared; with none, a cut tail does not show."""
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        return not self.findings

    @property
    def like_a_restore(self) -> bool:
        """Whether the newest entries that were signed are gone, or others stand in their place: so it is after a backup
        was restored, and after somebody has cut the journal."""
        return any(finding.what in {Wrong.CUT, Wrong.REWRITTEN} for finding in self.findings)


class _Broken(NamedTuple):
    """An entry whose hash is not what it says."""

    seq: int
    previous: bytes
    said: bytes
    hash: bytes


class Verification(Store):
    """The verb that proves."""

    def verify(self) -> Verdict:
        """Walk the whole journal and compare it with the checkpoints and with the requests' rows."""
        # Before the snapshot: a checkpoint made after it would look like a cut tail.
        lines = list(self._checkpoints.read(self.tenant)) if self._checkpoints else []
        signed: dict[int, list[Checkpoint]] = {}
        findings = []
        for number, checkpoint in lines:
            if checkpoint:
                signed.setdefault(checkpoint.seq, []).append(checkpoint)
            else:
                findings.append(_bad_line(number))
        with self._frozen.begin() as connection:
            walk = _Walk(self.tenant, signed)
            for entry in self._entries(connection):
                walk.step(entry)
            head = connection.execute(select(chain_heads).where(chain_heads.c.tenant == self.tenant)).first()
            findings += walk.end(head)
            rows = connection.execute(select(requests).where(requests.c.tenant == self.tenant))
            findings += _compare(walk.told, rows.all())
        return Verdict(
            entries=walk.entries,
            checkpoints=sum(1 for _, checkpoint in lines if checkpoint),
            findings=tuple(findings),
        )

    def _entries(self, connection: Connection) -> Iterator[AnyRow]:
        query = select(entries).where(entries.c.tenant == self.tenant).order_by(entries.c.seq)
        yield from connection.execute(query, execution_options={"yield_per": _PAGE})


class _Walk:
    """The way along the chain, one entry after the other."""

    def __init__(self, tenant: str, signed: dict[int, list[Checkpoint]]) -> None:
        self.entries = 0
        self.told: dict[str, dict[str, object]] = {}
        """What the journal says of each request's row."""
        self._tenant, self._signed = tenant, signed
        self._seq, self._hash = 0, GENESIS
        self._broken: list[_Broken] = []
        self._findings: list[Finding] = []

    def step(self, entry: AnyRow) -> None:
        """Look at the next entry."""
        self.entries += 1
        gap = entry.seq != self._seq + 1
        if gap:
            self._removed(self._seq + 1, entry.seq - 1)
        said = content(self._tenant, entry.request_id, entry.kind, entry.key, entry.at, entry.body)
        if link(entry.previous, entry.seq, said) != entry.hash:
            self._broken.append(_Broken(entry.seq, entry.previous, said, entry.hash))
        elif entry.previous != self._hash and not gap and not self._is_broken(self._seq):
            # It is whole, and remembers another predecessor than the one that stands there.
            self._edited(self._seq)
        for checkpoint in self._signed.pop(entry.seq, []):
            if checkpoint.hash != entry.hash.hex():
                self._rewritten(checkpoint)
        self._seq, self._hash = entry.seq, entry.hash
        _tell(self.told, entry)

    def end(self, head: AnyRow | None) -> list[Finding]:
        """What is wrong, once all entries were seen."""
        self._name_broken()
        last = max([head.seq if head else 0, *self._signed], default=0)
        if last > self._seq:
            self._cut(last)
        elif self.entries and (head is None or head.hash != self._hash) and not self._is_broken(self._seq):
            self._add(Wrong.EDITED, self._seq, f"the journal's head does not fit its last entry, {self._seq}")
        return sorted(self._findings, key=lambda finding: finding.seq or 0)

    def _is_broken(self, seq: int) -> bool:
        return bool(self._broken) and self._broken[-1].seq == seq

    def _name_broken(self) -> None:
        """Tell entries that have changed places from edited ones: a moved one is whole at its old number."""
        places = {one.seq for one in self._broken} if len(self._broken) <= _PUZZLE else set()
        for one in self._broken:
            home = next((seq for seq in places if link(one.previous, seq, one.said) == one.hash), None)
            if home is None:
                self._edited(one.seq)
            else:
                self._add(Wrong.REORDERED, one.seq, f"the entry at {one.seq} was written as number {home}")

    def _edited(self, seq: int) -> None:
        self._add(Wrong.EDITED, seq, f"entry {seq} does not say what it said when it was written")

    def _removed(self, first: int, last: int) -> None:
        what = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        self._add(Wrong.REMOVED, first, f"{what} missing")

    def _cut(self, last: int) -> None:
        first = self._seq + 1
        what = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        self._add(Wrong.CUT, first, f"{what} missing at the end")

    def _rewritten(self, checkpoint: Checkpoint) -> None:
        self._add(
            Wrong.REWRITTEN,
            checkpoint.seq,
            f"the entries up to {checkpoint.seq} are not those that were signed on {checkpoint.at:%Y-%m-%d %H:%M}",
        )

    def _add(self, what: Wrong, seq: int, text: str) -> None:
        self._findings.append(Finding(what=what, seq=seq, text=text))


def _bad_line(number: int) -> Finding:
    text = f"line {number} of the checkpoints is damaged, or signed by another key"
    return Finding(what=Wrong.CHECKPOINT, seq=number, text=text)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _dates(body: Mapping[str, Any]) -> dict[str, object]:
    """The dates of a row, and the clocks that they are the earliest of; an older entry knows none."""
    dates = {name: _moment(body[name]) for name in ("received_at", "internal_due", "legal_due")}
    return {**dates, "clocks": body.get("clocks")}


def _tell(told: dict[str, dict[str, object]], entry: AnyRow) -> None:  # noqa: C901 - one line for each kind
    """Follow what an entry does to its request's row."""
    if entry.request_id is None:
        return
    row = told.setdefault(entry.request_id, {})
    match entry.kind:
        case "opened":
            body = orjson.loads(entry.body)
            row |= {name: body[name] for name in ("right", "regime", "ruleset", "zone")}
            row |= _dates(body)
            row |= {
                "phase": Phase.RECEIVED,
                "confirmed_at": row["received_at"] if body["confirmed"] else None,
                "approved_at": None,
                "withdrawn_at": None,
                "closed_at": None,
                "conclusion": None,
                "map_digest": None,
            }
        case "moved":
            row["phase"] = orjson.loads(entry.body)["phase"]
            if row["phase"] == Phase.LOCATING:
                row["approved_at"] = None
        case "clock":
            row |= _dates(orjson.loads(entry.body))
        case "confirm_identity":
            row["confirmed_at"] = entry.at
        case "approve":
            row["approved_at"] = entry.at
        case "withdraw" | "passed_on":
            row["withdrawn_at"] = entry.at
        case "map_pinned":
            row["map_digest"] = orjson.loads(entry.body)["digest"]
        case "reopened":
            row |= {"phase": Phase.VERIFYING, "closed_at": None, "conclusion": None, "approved_at": None}
        case "closed":
            row |= {
                "phase": Phase.CLOSED,
                "closed_at": entry.at,
                "conclusion": orjson.loads(entry.body)["conclusion"],
            }


def _compare(told: dict[str, dict[str, object]], rows: Sequence[AnyRow]) -> Iterator[Finding]:
    """Compare the requests' rows with what the journal says of them."""
    there = {row.id: row for row in rows}
    for request_id in sorted(told.keys() | there.keys()):
        row, said = there.get(request_id), told.get(request_id)
        if row is None:
            text = f"the row of request {request_id} is missing"
        elif said is None:
            text = f"the journal knows nothing of request {request_id}"
        else:
            other = [name for name, value in said.items() if getattr(row, name) != value]
            if not other:
                continue
            text = f"request {request_id}: the journal says otherwise of {', '.join(other)}"
        yield Finding(what=Wrong.REQUEST, request_id=request_id, text=text)
