"""The audit pack of one request: a ZIP that explains and proves itself.

The one rule: everything in it follows from the journal up to the head that it states, so the same head and key give the
same bytes; nothing in it is personal data.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Final, NamedTuple

import orjson

from ledger.envelope import enclose
from ledger.evidence import STATEMENT, Record
from ledger.ledger import Ledger
from ledger.signing import Keyring, pem_of
from rights.journal import NotClosedError, clocks_in, closing
from starter.timeline import timeline

FORMAT: Final = "urn:habeas:audit-pack:1"
_DAY: Final = (1980, 1, 1, 0, 0, 0)
"""The date of all files: when a pack is made is not part of it."""

_README: Final = """\
AUDIT PACK OF REQUEST {request}

What the journal says of one request, up to its entry {size}. There is no personal data in it: who asked, and what was
typed, is sealed elsewhere; here are codes, counts, dates and names of the data map.

timeline.txt             what happened, in plain words, a line for each entry
journal.jsonl            the entries themselves, each with its place in the chain and its path to the tree's root
{evidence}laws/                    the texts of the laws the request was opened under, by the digest of their text
data-map.json            the data map it was carried out by
keys.pem                 the public keys
manifest.dsse.json       the signed list of these files with their digests, and the head of the journal

The head of the journal: {size} entries, root {root},
hash of the last entry {hash}. Signed by the key {key}.

To check it: docs/evidence.md of the engine says how, with a program of its own (docs/verify_evidence.py) that needs
nothing of the engine. Do not take the public key from this pack: take it from where the controller publishes it.

What it says is what the engine saw and was told, in the systems that the data map names. Of other systems it knows
nothing. The words for how sure it is (accepted, completed, verified, attested) are explained in docs/evidence.md.
"""


class Packed(NamedTuple):
    """A ZIP, the head it is of, and whether the request was closed there."""

    data: bytes
    head: int
    closed: bool

    @property
    def digest(self) -> str:
        """SHA-256, hex."""
        return hashlib.sha256(self.data).hexdigest()


def pack(ledger: Ledger, request_id: str, head: int | None = None) -> Packed:
    """Pack a request as of a head of the journal; the present one unless given.

    Raises:
        LedgerRefusal: there is no such request or head.
        ChainError: the journal was changed behind its back.
    """
    record = ledger.record(request_id, head=head)
    try:
        closing(record.noted)
        evidence = ledger.signed_statement(request_id, head=record.head.size)
    except NotClosedError:
        evidence = None
    files = _files(record, ledger.keys, evidence)
    files["manifest.dsse.json"] = _manifest(record, ledger.keys, files)
    return Packed(_zip(files), record.head.size, evidence is not None)


def _files(record: Record, keys: Keyring, evidence: bytes | None) -> dict[str, bytes]:
    zone = clocks_in(record.noted)[0].zone
    named = f"{record.request_id}.evidence.json"
    readme = _README.format(
        request=record.request_id,
        size=record.head.size,
        root=record.head.root,
        hash=record.head.hash,
        key=keys.current,
        evidence=f"{named}\n                         the signed evidence of how it ended\n" if evidence else "",
    )
    files = {
        "README.txt": readme.encode(),
        "timeline.txt": "".join(f"{line}\n" for line in timeline(record.noted, zone)).encode(),
        "journal.jsonl": b"".join(orjson.dumps(one.model_dump()) + b"\n" for one in record.entries),
        "keys.pem": "".join(map(pem_of, keys.public.values())).encode(),
        **{f"laws/{digest}.yaml": text.encode() for digest, text in record.laws.items()},
    }
    if record.data_map:
        files["data-map.json"] = record.data_map.encode()
    if evidence:
        files[named] = evidence
    return files


def _manifest(record: Record, keys: Keyring, files: Mapping[str, bytes]) -> bytes:
    body = {
        "_type": STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": hashlib.sha256(data).hexdigest()}}
            for name, data in sorted(files.items())
        ],
        "predicateType": FORMAT,
        "predicate": {"request": record.request_id, "head": record.head.model_dump()},
    }
    return enclose(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), keys)


def _zip(files: Mapping[str, bytes]) -> bytes:
    """Stored, not deflated: what deflating gives differs between versions of zlib."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DAY)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return made.getvalue()
