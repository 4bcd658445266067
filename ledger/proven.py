"""The rows of proofs, as they are written and read back.

The one rule: of a way to a person there is a keyed digest, and of who looked another; nothing of either can be read.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, insert
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.ids import new_id
from ledger.models_identity import identity_cases, identity_proofs
from ledger.people import People
from ledger.store import AnyRow
from rights.identity import Proof, Rung
from rights.subject import Identity, comparable


def keep_proof(
    connection: Connection,
    tenant: str,
    request_id: str,
    proof: Proof,
    *,
    way: bytes | None = None,
    agent: bytes | None = None,
    paper: str | None = None,
) -> None:
    """Write a proof down."""
    row = {
        "tenant": tenant,
        "request_id": request_id,
        "id": new_id(proof.at),
        **proof.model_dump(exclude={"way", "rung", "vouches"}),
        "rung": proof.rung.value,
        "vouches": [bytes.fromhex(mark) for mark in proof.vouches] or None,
        "way": way,
        "agent": agent,
        "paper": paper,
    }
    connection.execute(insert(identity_proofs), row)


def keep_first_proof(connection: Connection, tenant: str, request_id: str, proof: Proof) -> None:
    """Write down what a door says of the asker, with the request itself."""
    connection.execute(upsert(identity_cases).on_conflict_do_nothing(), {"tenant": tenant, "request_id": request_id})
    keep_proof(connection, tenant, request_id, proof)


def proof_of(row: AnyRow) -> Proof:
    """A proof from its row; the way as hexadecimal digits."""
    return Proof(
        rung=Rung(row.rung),
        at=row.at,
        way=row.way.hex() if row.way else "",
        fresh=row.fresh,
        second=row.second,
        matched=row.matched,
        declared=row.declared,
        level=row.level,
        vouches=tuple(mark.hex() for mark in row.vouches or ()),
    )


def mark_of(people: People, request_id: str, kind: str, value: str) -> str:
    """What tells one identity of a request from another, in hexadecimal digits: a key to the letter, an address without
    its capitals. It is worth nothing in any other request."""
    return people.mark(f"GIVEN\0{request_id}\0{kind}\0{comparable(value.strip(), casefold=kind == 'email')}").hex()


def way_of(people: People, channel: str, value: str) -> bytes:
    """What tells one way to a person from another."""
    plain = "".join(char for char in value if char.isalnum()) if channel == "phone" else value
    return people.mark(f"WAY\0{channel}\0{comparable(plain.strip(), casefold=True)}")


def of_whom(people: People, request_id: str, identities: Iterable[Identity]) -> tuple[str, ...]:
    """What somebody's word is of, as it stands in its row."""
    return tuple(mark_of(people, request_id, one.kind, one.value) for one in identities)
