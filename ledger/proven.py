"""The rows of proofs, as they are written and read back.

The one rule: of a way to a person there is a keyed digest, and of who looked another; nothing of either can be read.
"""

from sqlalchemy import Connection, insert
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.ids import new_id
from ledger.models_identity import identity_cases, identity_proofs
from ledger.store import AnyRow
from rights.identity import Proof, Rung


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
        **proof.model_dump(exclude={"way", "rung"}),
        "rung": proof.rung.value,
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
    )
