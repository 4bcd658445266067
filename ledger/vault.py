"""The vault: what tells of a person, sealed under a key of its own case and purpose.

The one rule: to destroy a purpose's data key is to destroy what it sealed, here at once and in every backup when the
key-encryption key above it is destroyed.

A sealed value is one byte of version, a nonce, and AES-256-GCM over the data; it authenticates
``tenant/case/purpose/name``, so that a value moved to another place does not open.
"""

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    ARRAY,
    Connection,
    Engine,
    Select,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import KeyGoneError, LedgerRefusal, VaultError
from ledger.keks import Keks
from ledger.keys import KEY_BYTES, NONCE_BYTES, KeyProvider
from ledger.models import case_keys, request_subjects, vault
from ledger.models_letters import campaign_people

Purpose = Literal["working", "file", "history", "parcel", "pseudonym", "disputed", "identity", "deferred", "dispute"]
"""What is sealed together and destroyed together: working (identities, anchors, candidates), the request file (texts as
received, notes), the run's history in Temporal, the parcel, the key of pseudonyms, what was written over and may be
disputed, the copy of a document that proves who somebody is, what is needed to come back to what a hold or a duty has
kept, and the person's own statement on what they dispute and was not corrected."""
OF_REQUEST: Final[tuple[Purpose, ...]] = ("working", "history", "file")
"""What every request is opened with, and cannot be carried on without."""

_PARENTS: Final[Mapping[str, Purpose]] = {"disputed": "file"}
"""Under whose key-encryption key a key lies that is made later. What is kept for long lies under the file's: else it
would keep everybody's identities of that month readable in old backups."""
_LASTING: Final[frozenset[str]] = frozenset({"dispute"})
"""What no day ends. Its key lies under the house's own: under that of a month it would keep all of that month readable
in old backups."""
_VERSION: Final = b"\x01"
_HEADER: Final = len(_VERSION) + NONCE_BYTES


def seal(key: bytes, label: str, data: bytes) -> bytes:
    """Encrypt under a data key; `label` is where the value will stand."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, data, label.encode())


def unseal(key: bytes, label: str, sealed: bytes) -> bytes:
    """Decrypt what `seal` gave.

    Raises:
        VaultError: it was changed, stands elsewhere than it was sealed for, or is not under this key.
    """
    if sealed[:1] != _VERSION:
        raise VaultError(f"{label} is sealed in a way this version does not know")
    try:
        return AESGCM(key).decrypt(sealed[1:_HEADER], sealed[_HEADER:], label.encode())
    except InvalidTag:
        raise VaultError(f"{label} was changed, moved, or is not under this key") from None


class DataKey(NamedTuple):
    """A data key in clear, and under which key-encryption key it lies."""

    plain: bytes
    kek: str
    wrapped: bytes


class Sealed(NamedTuple):
    """A sealed value and where it stands."""

    purpose: Purpose
    name: str
    data: bytes


_here = (
    case_keys.c.tenant == bindparam("tenant"),
    case_keys.c.case_id == bindparam("case_id"),
    case_keys.c.purpose == bindparam("purpose"),
)
_FIND_KEY: Final = select(case_keys.c.kek, case_keys.c.wrapped, case_keys.c.shredded_at).where(*_here)
# A share of the row, so that nothing is sealed under a key that is being shredded.
_HOLD_KEY: Final = _FIND_KEY.with_for_update(read=True)
_ADD_KEY: Final = insert(case_keys)
_ADD_KEY_ONCE: Final = upsert(case_keys).on_conflict_do_nothing()
_PUT: Final = upsert(vault)
_REPLACE: Final = _PUT.on_conflict_do_update(
    index_elements=[vault.c.tenant, vault.c.case_id, vault.c.purpose, vault.c.name],
    set_={"sealed": _PUT.excluded.sealed, "at": _PUT.excluded.at},
)
_SEALED: Final = (
    select(case_keys.c.kek, case_keys.c.wrapped, vault.c.name, vault.c.sealed)
    .join(
        vault,
        (vault.c.tenant == case_keys.c.tenant)
        & (vault.c.case_id == case_keys.c.case_id)
        & (vault.c.purpose == case_keys.c.purpose),
    )
    .where(*_here, case_keys.c.wrapped.is_not(None))
)
_GET: Final = _SEALED.where(vault.c.name == func.any(bindparam("names", type_=ARRAY(Text))))
_GET_UNDER: Final = _SEALED.where(func.starts_with(vault.c.name, bindparam("prefix", type_=Text))).order_by(
    vault.c.name
)


class Vault:
    """Sealing and unsealing on a connection of the caller's; one per ledger."""

    def __init__(self, engine: Engine, tenant: str, keys: KeyProvider) -> None:
        self._engine, self._tenant, self._keys = engine, tenant, keys
        self.keks = Keks(engine, tenant, keys)

    # Data keys.

    def make_key(self, purpose: Purpose, at: datetime) -> DataKey:
        """A fresh data key under the key-encryption key of the month, outside any transaction."""
        try:
            return self._wrapped(self.keks.of_month(purpose, at))
        except KeyGoneError:
            # Destroyed since this process last looked.
            self.keks.forget()
            return self._wrapped(self.keks.of_month(purpose, at))

    def add_key(self, connection: Connection, case_id: str, purpose: Purpose, key: DataKey) -> None:
        """Write a new case's key down."""
        connection.execute(_ADD_KEY, self._row(case_id, purpose, key))

    def key(self, connection: Connection, case_id: str, purpose: Purpose) -> bytes:
        """A case's data key for a purpose, made if need be; nobody shreds it until the transaction ends.

        A new one lies under the key-encryption key of the case's working key: that of the month it was opened in; or of
        its file's key, if what it seals is kept for as long.

        Raises:
            LedgerRefusal: it was shredded, or the case is unknown or shredded.
        """
        where = {"tenant": self._tenant, "case_id": case_id}
        found = connection.execute(_HOLD_KEY, {**where, "purpose": purpose}).first()
        if found and found.wrapped:
            return self._keys.unwrap(found.kek, found.wrapped)
        parent = connection.execute(_HOLD_KEY, {**where, "purpose": _PARENTS.get(purpose, "working")}).first()
        lasting = purpose in _LASTING
        if found or parent is None or not (parent.kek or lasting):
            raise LedgerRefusal(f"the case has no key for '{purpose}' and gets none: it is unknown or was shredded")
        if lasting:
            self.keks.lock(connection)
        made = self._wrapped(self.keks.of_house(connection) if lasting else parent.kek)
        if connection.execute(_ADD_KEY_ONCE, self._row(case_id, purpose, made)).rowcount:
            return made.plain
        # Another transaction has made it meanwhile.
        return self.key(connection, case_id, purpose)

    def peek_key(self, connection: Connection, case_id: str, purpose: str) -> bytes | None:
        """A case's data key, without a lock; None if there is none (any more)."""
        found = connection.execute(_FIND_KEY, {"tenant": self._tenant, "case_id": case_id, "purpose": purpose}).first()
        return self._keys.unwrap(found.kek, found.wrapped) if found and found.wrapped else None

    def house_key(self, purpose: str) -> bytes:
        """A permanent key of the tenant itself; made when first needed."""
        with self._engine.begin() as connection:
            found = self.peek_key(connection, self._tenant, purpose)
            if found:
                return found
            self.keks.lock(connection)
            found = self.peek_key(connection, self._tenant, purpose)
            if found:
                return found
            made = self._wrapped(self.keks.of_house(connection))
            connection.execute(_ADD_KEY_ONCE, self._row(self._tenant, purpose, made))
            return made.plain

    def _wrapped(self, kek: str) -> DataKey:
        key = secrets.token_bytes(KEY_BYTES)
        return DataKey(key, kek, self._keys.wrap(kek, key))

    def _row(self, case_id: str, purpose: str, key: DataKey) -> dict[str, object]:
        return {
            "tenant": self._tenant,
            "case_id": case_id,
            "purpose": purpose,
            "kek": key.kek,
            "wrapped": key.wrapped,
        }

    # Sealed values.

    def sealed(self, case_id: str, key: bytes, value: Sealed) -> bytes:
        """A value as it stands in the vault."""
        return seal(key, self._label(case_id, value.purpose, value.name), value.data)

    def put(self, connection: Connection, case_id: str, key: bytes, value: Sealed, at: datetime) -> None:
        """Seal a value and write it down; it replaces one of the same name."""
        connection.execute(
            _REPLACE,
            {
                "tenant": self._tenant,
                "case_id": case_id,
                "purpose": value.purpose,
                "name": value.name,
                "sealed": self.sealed(case_id, key, value),
                "at": at,
            },
        )

    def get(self, connection: Connection, case_id: str, purpose: Purpose, name: str) -> bytes | None:
        """Read a value; None if there is none (any more)."""
        return self.get_all(connection, case_id, purpose, name).get(name)

    def get_all(self, connection: Connection, case_id: str, purpose: Purpose, *names: str) -> dict[str, bytes]:
        """Read values by name; those that are there."""
        return self._opened(connection, _GET, case_id, purpose, {"names": list(names)})

    def get_under(self, connection: Connection, case_id: str, purpose: Purpose, prefix: str) -> dict[str, bytes]:
        """Read all values whose names begin alike, in the order of their names."""
        return self._opened(connection, _GET_UNDER, case_id, purpose, {"prefix": prefix})

    def _opened(
        self, connection: Connection, query: Select[Any], case_id: str, purpose: Purpose, which: Mapping[str, object]
    ) -> dict[str, bytes]:
        rows = connection.execute(
            query, {"tenant": self._tenant, "case_id": case_id, "purpose": purpose, **which}
        ).all()
        if not rows:
            return {}
        sealed = {row.name: row.sealed for row in rows}
        return self.open_all(case_id, purpose, rows[0].kek, rows[0].wrapped, sealed)

    def open_all(
        self, case_id: str, purpose: Purpose, kek: str, wrapped: bytes, sealed: Mapping[str, bytes]
    ) -> dict[str, bytes]:
        """Open values that were read together with the data key they are sealed under."""
        if not sealed:
            return {}
        key = self._keys.unwrap(kek, wrapped)
        return {name: unseal(key, self._label(case_id, purpose, name), value) for name, value in sealed.items()}

    def shred(
        self, connection: Connection, case_id: str, purposes: Iterable[Purpose], as_of: datetime
    ) -> dict[Purpose, str]:
        """Destroy data keys and what they sealed; the key-encryption key of each purpose that was still living."""
        gone = connection.execute(
            update(case_keys)
            .where(
                case_keys.c.tenant == self._tenant,
                case_keys.c.case_id == case_id,
                case_keys.c.purpose.in_(list(purposes)),
                case_keys.c.wrapped.is_not(None),
            )
            .values(wrapped=None, kek=None, shredded_kek=case_keys.c.kek, shredded_at=as_of)
            .returning(case_keys.c.purpose, case_keys.c.shredded_kek)
        ).all()
        shredded: dict[Purpose, str] = {row.purpose: row.shredded_kek for row in gone}
        if shredded:
            connection.execute(
                delete(vault).where(
                    vault.c.tenant == self._tenant,
                    vault.c.case_id == case_id,
                    vault.c.purpose.in_(list(shredded)),
                )
            )
        if "working" in shredded:
            # The keyed digests tell of the person too, as long as the index key lives.
            connection.execute(
                delete(request_subjects).where(
                    request_subjects.c.tenant == self._tenant,
                    request_subjects.c.request_id == case_id,
                )
            )
            connection.execute(
                delete(campaign_people).where(
                    campaign_people.c.tenant == self._tenant,
                    campaign_people.c.campaign_id == case_id,
                )
            )
        return shredded

    def _label(self, case_id: str, purpose: str, name: str) -> str:
        return f"{self._tenant}/{case_id}/{purpose}/{name}"
