"""What the tests of the parcel share: a key, a moment, exports of any content, facts of a small shop."""

import zipfile
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from activities.facts import CollectionFacts, ParcelFacts, Part, SystemFacts
from activities.parcels import Packed, open_parcel, package, spool
from activities.store import FileStore
from connectors.protocol import Export

KEY: Final = bytes(range(32))
REQUEST: Final = "01kb3zj8e4m1c9v7x2t5q6r8s0"
AT: Final = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
JSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"

Rows = Iterable[Mapping[str, Any]]


def no_beat() -> None:
    """Nobody waits for a sign of life here."""


def lines(rows: Rows) -> bytes:
    """Rows as JSON lines."""
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def export(collection: str, body: bytes, media_type: str = JSON, page: int = 1000) -> Export:
    """One file of an export, in pages that end anywhere."""
    return Export(collection, media_type, (body[at : at + page] for at in range(0, len(body), page)))


def facts(**changes: Any) -> ParcelFacts:
    """A shop with one described collection, in which everything was found."""
    orders = CollectionFacts(
        collection="orders",
        fields=("id", "note"),
        left_out=("fraud_score",),
        categories=("contact", "payment"),
        purpose="To deliver what you ordered",
        lawful_basis="Contract, Art. 6(1)(b) GDPR",
        recipients=("parcel carriers",),
        storage=("as long as you have an account",),
        source="the shop's app",
        transfers="USA, standard contractual clauses",
    )
    shop = SystemFacts(system="shop", description="The web shop", part=Part.GIVEN, collections=(orders,))
    body: dict[str, Any] = {
        "request_id": REQUEST,
        "regime": "eu-gdpr",
        "law": "General Data Protection Regulation (EU) 2016/679",
        "received": date(2026, 11, 1),
        "due": date(2026, 12, 1),
        "zone": "Europe/Berlin",
        "map_digest": "ab" * 32,
        "systems": (shop,),
    }
    return ParcelFacts(**(body | changes))


def pack(store: FileStore, exports: Iterable[Export], what: ParcelFacts | None = None) -> Packed:
    """Spool one system, `shop`, and package it."""
    spool(store, REQUEST, "shop", exports, key=KEY, beat=no_beat)
    return package(store, REQUEST, ["shop"], key=KEY, facts=what or facts(), as_of=AT, beat=no_beat)


def opened(store: FileStore, folder: Path, exports: Iterable[Export], what: ParcelFacts | None = None) -> Path:
    """Pack, open and unzip; returns the bag's folder."""
    packed = pack(store, exports, what)
    out = folder / "parcel.zip"
    open_parcel(store, REQUEST, KEY, out, digest=packed.digest, replace=True)
    with zipfile.ZipFile(out) as zipped:
        zipped.extractall(folder)
    return folder / f"habeas-{REQUEST}"
