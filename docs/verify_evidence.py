"""Check an evidence file of Habeas without Habeas: Python's standard library and `cryptography`, nothing else.

    python verify_evidence.py FILE --keys keys.pem [--request ID] [--checkpoints FILE] [--timestamp DIR]

Prints one word and ends with 0 if it is `genuine`, else with 1. It was written from docs/evidence.md, not from the
engine's own check, and shares no code with it. --timestamp writes what was timestamped and the authority's answer into
a directory, for `openssl ts -verify -data note -in response.tsr -CAfile ROOTS`.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:habeas:evidence:1"


class Wrong(Exception):
    """The word for what is wrong."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def read_keys(pem):
    """Public keys by id: the SHA-256 of the key as SubjectPublicKeyInfo, DER."""
    keys = {}
    for block in re.findall(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", pem, re.DOTALL):
        key = load_pem_public_key(block)
        if isinstance(key, Ed25519PublicKey):
            keys[sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hex()] = key
    return keys


def open_envelope(data, keys):
    """The signed statement. An envelope has one spelling: compact JSON, these names in this order, a line's end."""
    try:
        body = json.loads(data)
        kind, payload = body["payloadType"], base64.b64decode(body["payload"], validate=True)
        (one,) = body["signatures"]
        key_id, signature = one["keyid"], base64.b64decode(one["sig"], validate=True)
        spelled = {
            "payloadType": kind,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": key_id, "sig": base64.b64encode(signature).decode()}],
        }
        same = json.dumps(spelled, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" == data
        header = b"DSSEv1 %d %b %d " % (len(kind.encode()), kind.encode(), len(payload))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Wrong("unreadable") from None
    if not same:
        raise Wrong("unreadable")
    if key_id not in keys:
        raise Wrong("unknown_key")
    try:
        keys[key_id].verify(signature, header + payload)
    except InvalidSignature:
        raise Wrong("altered") from None
    said = json.loads(payload)
    if (kind, said.get("_type"), said.get("predicateType")) != (PAYLOAD, STATEMENT, PREDICATE):
        raise Wrong("not_evidence")
    return said


def hash_of(tenant, entry):
    """An entry's hash in the chain: previous hash, number (8 bytes), SHA-256 of what it says as a JSON array."""
    names = ("request_id", "kind", "key", "at", "body")
    said = json.dumps([tenant, *(entry[name] for name in names)], separators=(",", ":"), ensure_ascii=False)
    return sha256(bytes.fromhex(entry["previous"]), entry["seq"].to_bytes(8, "big"), sha256(said.encode()))


def check_end(said, digest):
    """The statement says of the end what the entry says that closed the request."""
    what = said["predicate"]
    request, entry = what["request"], what["journal"]["closed"]
    body = json.loads(entry["body"])
    expected = {name: books for name, books in body["books"].items() if books}
    told = {one["system"]: one["books"] for one in what["systems"] if one["books"]}
    right = (
        said["subject"] == [{"name": f"request/{request['id']}", "digest": {"sha256": digest.hex()}}]
        and (entry["kind"], entry["request_id"]) == ("closed", request["id"])
        and request["conclusion"] == body["conclusion"]
        and request["closed_at"] == entry["at"].replace("+00:00", "Z")
        and told.keys() == expected.keys()
    )
    for name, books in told.items() if right else ():
        right = right and len(books) == len(expected[name])
        for book, known in zip(books, expected[name], strict=False):
            left = {key: value for key, value in book.items() if key not in {"erased", "closed"}}
            gone = book["before"] + book["arrived"] - book["after"] - book["pseudonymised"]
            full = {"arrived": 0, "kept": 0, "pseudonymised": 0, "derived": False, **known}
            right = right and left == full and book["erased"] == gone
            right = right and book["closed"] == (book["after"] == book["kept"])
    if not right:
        raise Wrong("contradictory")


def check_inclusion(leaf, index, tree, path):
    """RFC 9162, section 2.1.3.2."""
    place, last, found = index, tree["size"] - 1, sha256(b"\0", leaf)
    if not 0 <= place <= last:
        raise Wrong("not_in_tree")
    for beside in map(bytes.fromhex, path):
        if last == 0:
            raise Wrong("not_in_tree")
        if place & 1 or place == last:
            found = sha256(b"\1", beside, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = sha256(b"\1", found, beside)
        place, last = place >> 1, last >> 1
    if last or found.hex() != tree["root"]:
        raise Wrong("not_in_tree")


def check_checkpoints(lines, keys, tenant, tree):
    """The journal was not cut and not written anew since: signed heads, one a line."""
    raw = {key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex(): key for key in keys.values()}
    newest = 0
    for line in filter(bytes.strip, lines):
        try:
            body = json.loads(line)
            signature = bytes.fromhex(body.pop("signature"))
            signed = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            raw[body["key"]].verify(signature, signed)
        except (ValueError, KeyError, AttributeError, InvalidSignature):
            continue
        if body["tenant"] != tenant:
            continue
        newest = max(newest, body["seq"])
        if body["seq"] == tree["size"] and body["hash"] != tree["hash"]:
            raise Wrong("rewritten")
    if newest < tree["size"]:
        raise Wrong("rolled_back")


def check(data, keys, request=None, checkpoints=None, timestamp=None):
    """Raises Wrong; gives back the statement of a file that is genuine."""
    said = open_envelope(data, keys)
    try:
        check_statement(said, keys, request, checkpoints)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Wrong("not_evidence") from None
    stamp = said["predicate"]["timestamp"]
    if stamp and timestamp:
        timestamp.mkdir(exist_ok=True)
        (timestamp / "note").write_text(stamp["note"])
        (timestamp / "response.tsr").write_bytes(base64.b64decode(stamp["response"]))
    return said


def check_statement(said, keys, request, checkpoints):
    what = said["predicate"]
    tenant, journal, stamp = what["request"]["tenant"], what["journal"], what["timestamp"]
    entry, tree = journal["closed"], journal["tree"]
    digest = hash_of(tenant, entry)
    check_end(said, digest)
    check_inclusion(digest, entry["seq"] - 1, tree, journal["path"])
    root = base64.b64encode(bytes.fromhex(tree["root"])).decode()
    if stamp and stamp["note"] != f"habeas/{tenant}\n{tree['size']}\n{root}\n":
        raise Wrong("bad_timestamp")
    if request and request != what["request"]["id"]:
        raise Wrong("other_request")
    if checkpoints:
        check_checkpoints(checkpoints, keys, tenant, tree)


def main():
    ask = argparse.ArgumentParser(description="Check an evidence file of Habeas.")
    ask.add_argument("file", type=Path)
    ask.add_argument("--keys", type=Path, required=True, help="public keys, PEM")
    ask.add_argument("--request", help="the request it should be about; without it, the one its name names")
    ask.add_argument("--checkpoints", type=Path, help="signed checkpoints of the journal")
    ask.add_argument("--timestamp", type=Path, metavar="DIR", help="write what was timestamped, and the answer, here")
    given = ask.parse_args()
    named = set(re.findall(r"(?<![0-9a-z])[0-7][0-9a-hjkmnp-tv-z]{25}(?![0-9a-z])", given.file.name.lower()))
    request = given.request or (named.pop() if len(named) == 1 else None)
    lines = given.checkpoints.read_bytes().splitlines() if given.checkpoints else None
    try:
        check(given.file.read_bytes(), read_keys(given.keys.read_bytes()), request, lines, given.timestamp)
        word = "genuine"
    except Wrong as wrong:
        word = str(wrong)
    sys.stdout.write(word + "\n")
    sys.exit(word != "genuine")


if __name__ == "__main__":
    main()
