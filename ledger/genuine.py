"""Is an evidence file what it says? From the file and public keys alone; against checkpoints or a ledger if they are
at hand.

The one rule: each way to be wrong has a code of its own, and the first that is found is the answer; a file is genuine
only if nothing is.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.chain import content, link
from ledger.checkpoints import Checkpoint
from ledger.envelope import IN_TOTO, NotAnEnvelopeError, read_envelope
from ledger.evidence import STATEMENT, TreeHead
from ledger.merkle import included
from ledger.signing import signed_by
from rights.evidence import FORMAT, books_told
from rights.receipt import Books
from rights.value import Value

_REQUEST: Final = re.compile(r"(?<![0-9a-z])[0-7][0-9a-hjkmnp-tv-z]{25}(?![0-9a-z])")


class Word(StrEnum):
    """What is found of a file."""

    GENUINE = "genuine"
    UNREADABLE = "unreadable"
    UNKNOWN_KEY = "unknown_key"
    ALTERED = "altered"
    NOT_EVIDENCE = "not_evidence"
    OTHER_REQUEST = "other_request"
    CONTRADICTORY = "contradictory"
    NOT_IN_TREE = "not_in_tree"
    BAD_TIMESTAMP = "bad_timestamp"
    ROLLED_BACK = "rolled_back"
    REWRITTEN = "rewritten"
    SUPERSEDED = "superseded"


SAYS: Final[Mapping[Word, str]] = {
    Word.GENUINE: "the file is what was signed, and the entry that closed the request is in the journal it names",
    Word.UNREADABLE: "the file is no evidence file as it is written: it was damaged, cut, or changed in its spelling",
    Word.UNKNOWN_KEY: "none of the public keys given is the one that the file names",
    Word.ALTERED: "the signature does not fit: what the file says, or the signature, was changed after signing",
    Word.NOT_EVIDENCE: "the key has signed it, and it is no evidence of a request",
    Word.OTHER_REQUEST: "the file is genuine, and about another request than the one it was filed or asked for as",
    Word.CONTRADICTORY: "what the file says is not what the entry says that closed the request",
    Word.NOT_IN_TREE: "the entry that closed the request is not in the tree that the file names",
    Word.BAD_TIMESTAMP: "the timestamp is not of this tree, or no certificate given vouches for who made it",
    Word.ROLLED_BACK: "the file is genuine, and the ledger is older: entries that it was made from are gone there",
    Word.REWRITTEN: "the file is genuine, and the ledger has other entries where it was made from these",
    Word.SUPERSEDED: "the file is genuine, and the request was opened again since: what it says is out of date",
}
"""Each in a sentence."""


class Finding(Value):
    """What was found of one file."""

    word: Word
    request_id: str | None = None
    key_id: str | None = None
    tree: TreeHead | None = None
    statement: dict[str, Any] | None = None
    """Only of a file that its key has signed."""

    @property
    def genuine(self) -> bool:
        return self.word is Word.GENUINE


def examine(data: bytes, keys: Mapping[str, Ed25519PublicKey], *, expected: str | None = None) -> Finding:
    """Look at a file by itself; `expected` is the request that it should be about."""
    try:
        envelope = read_envelope(data)
    except NotAnEnvelopeError:
        return Finding(word=Word.UNREADABLE)
    key = keys.get(envelope.key_id)
    if key is None:
        return Finding(word=Word.UNKNOWN_KEY)
    if not signed_by(key, envelope.signature, envelope.signed):
        return Finding(word=Word.ALTERED, key_id=envelope.key_id)
    signed = Finding(word=Word.NOT_EVIDENCE, key_id=envelope.key_id)
    try:
        said = orjson.loads(envelope.payload)
        known = envelope.payload_type == IN_TOTO and said["_type"] == STATEMENT and said["predicateType"] == FORMAT
        if not known:
            return signed
        return _judge(said, signed, expected)
    except (ValueError, KeyError, TypeError, AttributeError):
        # Signed by us, and not in this form: a later one, or something else that the key is used for.
        return signed


def _judge(said: dict[str, Any], signed: Finding, expected: str | None) -> Finding:
    predicate = said["predicate"]
    request, journal, stamp = predicate["request"], predicate["journal"], predicate["timestamp"]
    entry, tree, path = journal["closed"], journal["tree"], journal["path"]
    head = TreeHead(tenant=request["tenant"], size=tree["size"], root=tree["root"], hash=tree["hash"])
    digest = _digest(request["tenant"], entry)
    found = signed.model_copy(update={"request_id": request["id"], "tree": head, "statement": said})
    if not _agrees(said, digest):
        word = Word.CONTRADICTORY
    elif not included(digest, entry["seq"] - 1, head.size, list(map(bytes.fromhex, path)), bytes.fromhex(head.root)):
        word = Word.NOT_IN_TREE
    elif stamp is not None and stamp["note"] != head.note.decode():
        word = Word.BAD_TIMESTAMP
    elif expected is not None and expected != request["id"]:
        word = Word.OTHER_REQUEST
    else:
        word = Word.GENUINE
    return found.model_copy(update={"word": word})


def _digest(tenant: str, entry: Mapping[str, Any]) -> bytes:
    """The entry's hash in the chain, from what it says."""
    at = datetime.fromisoformat(entry["at"])
    said = content(tenant, entry["request_id"], entry["kind"], entry["key"], at, entry["body"])
    return link(bytes.fromhex(entry["previous"]), entry["seq"], said)


def _agrees(said: Mapping[str, Any], digest: bytes) -> bool:
    """Whether the statement says of the end what the entry says that it was made from."""
    predicate = said["predicate"]
    request, entry = predicate["request"], predicate["journal"]["closed"]
    body = orjson.loads(entry["body"])
    books = {system: books_told(map(Books.model_validate, of)) for system, of in body["books"].items() if of}
    return (
        said["subject"] == [{"name": f"request/{request['id']}", "digest": {"sha256": digest.hex()}}]
        and (entry["kind"], entry["request_id"]) == ("closed", request["id"])
        and request["conclusion"] == body["conclusion"]
        and request["closed_at"] == entry["at"].replace("+00:00", "Z")
        and {one["system"]: one["books"] for one in predicate["systems"] if one["books"]} == books
    )


def compare(found: Finding, checkpoints: Iterable[Checkpoint]) -> Finding:
    """Compare a genuine file with the signed checkpoints of its tenant: was the journal cut, or written anew?"""
    if not found.genuine or found.tree is None:
        return found
    newest, same = 0, True
    for checkpoint in checkpoints:
        newest = max(newest, checkpoint.seq)
        same = same and (checkpoint.seq != found.tree.size or checkpoint.hash == found.tree.hash)
    if not same:
        return found.model_copy(update={"word": Word.REWRITTEN})
    return found.model_copy(update={"word": Word.ROLLED_BACK}) if newest < found.tree.size else found


def compare_ledger(found: Finding, there: TreeHead | None, *, opened_again: bool = False) -> Finding:
    """Compare a genuine file with the ledger's own tree of that size; None: the ledger has fewer entries.

    `opened_again` says whether the request was, since it was closed as the file says.
    """
    if not found.genuine or found.tree is None:
        return found
    if there is None:
        return found.model_copy(update={"word": Word.ROLLED_BACK})
    if there != found.tree:
        return found.model_copy(update={"word": Word.REWRITTEN})
    return found.model_copy(update={"word": Word.SUPERSEDED}) if opened_again else found


def closed_by(found: Finding) -> int:
    """The number of the entry that closed the request, by a file that its key has signed."""
    return int(found.statement["predicate"]["journal"]["closed"]["seq"]) if found.statement else 0


def timestamp_of(found: Finding) -> tuple[bytes, bytes] | None:
    """What was timestamped, and the authority's response (DER); None if nothing was."""
    stamp = found.statement["predicate"]["timestamp"] if found.statement else None
    return (stamp["note"].encode(), base64.b64decode(stamp["response"])) if stamp else None


def request_in(name: str) -> str | None:
    """The request that a file's name is about, if it names one."""
    ids = set(_REQUEST.findall(name.lower()))
    return ids.pop() if len(ids) == 1 else None
