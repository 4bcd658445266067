"""The access parcel: what each system gave, spooled, put into one bag, and opened again.

The one rule: between the systems and the person nothing lies in clear. Spools and parcel are sealed with the case's
parcel key; shredding that key is what makes them unreadable.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from activities.bag import Bag, Filed
from activities.delivery import Delivered, deliver
from activities.facts import ParcelFacts
from activities.page import index, sections
from activities.parcel_names import parcel_name, spool_name
from activities.parcel_notes import FORMULA_NOTE, about, readme
from activities.portable import CRATE, crate, schemas
from activities.sealing import PAGE, SealBroken, sealed, unseal
from activities.spool import BadExport, SpoolResult, digest_of, fill
from activities.store import NotStored, Store, StoreError, StoreFull, replacing
from connectors.protocol import Export
from rights.plan import Work
from rights.redaction import NOTHING, Mark, Redacted

__all__ = [
    "BadExport",
    "NotStored",
    "Opened",
    "Packed",
    "ParcelFacts",
    "SealBroken",
    "SpoolResult",
    "StoreError",
    "StoreFull",
    "discard",
    "only_planned",
    "open_parcel",
    "package",
    "parcel_name",
    "spool",
    "spool_name",
    "verify_parcel",
]

Beat = Callable[[], None]
Progress = Callable[[int], None]
"""Called with the bytes done so far."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A parcel that lies in the store."""

    digest: str
    """SHA-256 of the ZIP that opening it gives, hex."""
    size: int
    """Bytes of that ZIP."""
    files: int
    """Files of the bag's payload."""
    rows: int
    exports: dict[str, str]
    """Per system, the digest of what was packed; equal to its `SpoolResult.digest`, unless something was redacted."""
    redacted: Redacted = NOTHING
    """What was taken out, since it is about other people."""
    manifest: tuple[Filed, ...] = ()
    """Every file of the ZIP, inside its folder."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening a parcel gave: the ZIP's SHA-256, hex, and its size in bytes."""

    digest: str
    size: int


def spool(
    store: Store,
    request_id: str,
    system: str,
    exports: Iterable[Export],
    *,
    key: bytes,
    beat: Beat,
) -> SpoolResult:
    """Stream everything a system gives into its sealed spool; doing it again replaces the spool.

    Raises:
        BadExport: the connector gave what a parcel cannot hold.
        StoreFull: there is no room left.
    """
    with sealed(store, spool_name(request_id, system), key) as out:
        return fill(out, system, exports, beat)


def only_planned(exports: Iterator[Export], works: Sequence[Work]) -> Iterator[Export]:
    """The files that the plan has delivered: a connector may give more than fields, and some of that stays."""
    left_out = {work.collection for work in works if work.left_out}
    no_files = {work.collection for work in works if not work.files}
    for export in exports:
        if export.collection in left_out or (export.name and export.collection in no_files):
            for _ in export.pages:
                pass
        else:
            yield export


def package(
    store: Store,
    request_id: str,
    systems: Iterable[str],
    *,
    key: bytes,
    facts: ParcelFacts,
    as_of: datetime,
    beat: Beat,
    marks: Sequence[Mark] = (),
) -> Packed:
    """Put the spools of these systems into one sealed parcel; doing it again replaces it by the same ZIP. What `marks`
    name is taken out.

    Raises:
        NotStored: a system has no spool.
        SealBroken: a spool is not what was written.
        BadExport: a spool holds lines that are not JSON objects.
        StoreFull: there is no room left.
    """
    delivered: list[Delivered] = []
    exports: dict[str, str] = {}
    with sealed(store, parcel_name(request_id), key) as out, Bag(out, f"habeas-{request_id}", as_of, beat) as bag:
        for system in sorted(set(systems)):
            name = spool_name(request_id, system)
            with store.read(name) as source:
                read = partial(unseal, source, key, name)
                mine = [mark for mark in marks if mark.system == system]
                held = deliver(bag, facts.system(system), read, mine, shapes=facts.goes_elsewhere)
            exports[system] = digest_of((f.path, f.digest) for d in held for f in d.receipted)
            delivered += held
        parts = sections(facts, delivered)
        for name, make in (("index.html", index), ("README.txt", readme), ("about.json", about)):
            body = make(facts, parts, as_of)
            bag.add(f"data/{name}", [body], len(body))
        if facts.goes_elsewhere:
            for path, body in schemas(facts, delivered):
                bag.add(path, [body], len(body))
            body = crate(facts, delivered, bag.payload, as_of)
            bag.add(f"data/{CRATE}", [body], len(body))
        bag.finish(_info(facts), as_of.astimezone(ZoneInfo(facts.zone)).date())
    return Packed(
        digest=bag.digest,
        size=bag.size,
        files=len(bag.payload),
        rows=sum(d.sheet.rows for d in delivered),
        exports=exports,
        redacted=sum((d.redacted for d in delivered), NOTHING),
        manifest=(*bag.payload, *bag.tags),
    )


def _info(facts: ParcelFacts) -> dict[str, str]:
    """What bag-info.txt says; nothing of the person."""
    source = {"Source-Organization": facts.controller} if facts.controller else {}
    return source | {
        "External-Identifier": facts.request_id,
        "External-Description": "A copy of the personal data held about the person who asked. Open data/index.html.",
        "Bag-Software-Agent": "Habeas",
        "Habeas-CSV-Formulas": FORMULA_NOTE,
        "Habeas-Data-Map-SHA256": facts.map_digest,
    }


def open_parcel(
    store: Store,
    request_id: str,
    key: bytes,
    out: Path,
    progress: Progress | None = None,
    *,
    digest: str | None = None,
    replace: bool = False,
) -> Opened:
    """Decrypt a parcel into an ordinary ZIP at `out`, readable by this user alone (0600).

    The file is there whole and verified or not at all. `digest` is what the ledger knows the ZIP's SHA-256 to be.

    Raises:
        FileExistsError: there is a file already, and `replace` was not said.
        NotStored: there is no parcel.
        SealBroken: it is not what was packed.
        StoreFull: there is no room left at `out`.
    """
    if out.exists() and not replace:
        raise FileExistsError(f"{out} is there already: choose another name, or say to replace it")
    with replacing(out) as file:
        return _read(store, request_id, key, file.write, progress, digest)


def verify_parcel(
    store: Store,
    request_id: str,
    key: bytes,
    progress: Progress | None = None,
    *,
    digest: str | None = None,
) -> Opened:
    """Read a parcel to its end without writing anything anywhere.

    Raises:
        NotStored: there is no parcel.
        SealBroken: it is not what was packed.
    """
    return _read(store, request_id, key, len, progress, digest)


def _read(
    store: Store,
    request_id: str,
    key: bytes,
    take: Callable[[bytes], int],
    progress: Progress | None,
    digest: str | None,
) -> Opened:
    name = parcel_name(request_id)
    sha256, size = hashlib.sha256(), 0
    with store.read(name) as source:
        file = unseal(source, key, name)
        while page := file.read(PAGE):
            take(page)
            sha256.update(page)
            size += len(page)
            if progress is not None:
                progress(size)
    found = sha256.hexdigest()
    if digest is not None and found != digest:
        raise SealBroken(name)
    return Opened(found, size)


def discard(store: Store, request_id: str, systems: Iterable[str], *, parcel: bool = False) -> None:
    """Take a request's spools out of the store, and the parcel too if said so. Doing it again changes nothing."""
    for system in systems:
        store.delete(spool_name(request_id, system))
    if parcel:
        store.delete(parcel_name(request_id))
