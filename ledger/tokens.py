"""Keyed tokens by which somebody is recognised and never read back, and the turning of their keys.

The one rule: a token that is stored can be brought under a new key without knowing whom it stands for. The first key
makes a token of an identity's form, and each further one makes a token of the token before:
HMAC-SHA-256(key n, ... HMAC-SHA-256(key 1, form)). So whoever has got hold of an old key can do nothing with a table
that has passed a newer one.
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Connection,
    Integer,
    LargeBinary,
    Select,
    Table,
    bindparam,
    case,
    column,
    delete,
    func,
    null,
    select,
    update,
)

from ledger.models import case_keys
from ledger.models_disputes import dispute_tokens
from ledger.models_remembered import act_tokens
from ledger.models_restore import erasure_tokens
from ledger.models_suppression import suppressions
from ledger.store import Store
from rights.subject import Identity
from rights.suppression import comparables

_FIRST: Final = "suppression"
_BATCH: Final = 2_000
"""Tokens brought under a new key in one transaction: some tens of milliseconds."""
_KEYS: Final = select(case_keys.c.purpose, case_keys.c.kek, case_keys.c.wrapped).where(
    case_keys.c.tenant == bindparam("tenant"),
    case_keys.c.case_id == bindparam("tenant"),
    func.starts_with(case_keys.c.purpose, _FIRST),
    case_keys.c.wrapped.is_not(None),
)
_TABLES: Final = (suppressions, erasure_tokens, dispute_tokens, act_tokens)
_ROTATE: Final = func.pg_advisory_xact_lock(func.hashtextextended(bindparam("turn"), 0))
_pairs = (
    func.unnest(
        bindparam("old", type_=ARRAY(LargeBinary)),
        bindparam("new", type_=ARRAY(LargeBinary)),
    )
    .table_valued(column("old", LargeBinary), column("new", LargeBinary), name="pairs")
    .render_derived()
)

_older = suppressions.alias("older")
# In force if either is, and since the earlier of the two.
_MERGE: Final = (
    update(suppressions)
    .where(
        suppressions.c.tenant == bindparam("of"),
        suppressions.c.token == _pairs.c.new,
        _older.c.tenant == suppressions.c.tenant,
        _older.c.token == _pairs.c.old,
        _older.c.scope == suppressions.c.scope,
        _older.c.about == suppressions.c.about,
    )
    .values(
        since=func.least(suppressions.c.since, _older.c.since),
        confirmed_at=func.greatest(suppressions.c.confirmed_at, _older.c.confirmed_at),
        until=case(
            (suppressions.c.until.is_(None) | _older.c.until.is_(None), null()),
            else_=func.greatest(suppressions.c.until, _older.c.until),
        ),
    )
)


class Tokens(Store):
    """Verbs on tokens."""

    @property
    def calling_code(self) -> str:
        """By which a phone number without a country is taken to be complete: "+49"."""
        return self._people.calling_code

    @calling_code.setter
    def calling_code(self, code: str) -> None:
        self._people.calling_code = code

    def rotate_tokens(self, *, at: datetime) -> int:
        """Put a further key in force; its number. What is stored follows by `renew_tokens`, and is found meanwhile as
        before."""
        with self._begin() as connection:
            connection.execute(select(_ROTATE), {"turn": f"{self.tenant}/tokens"})
            number = len(self._token_keys()) + 1
            self._vault.house_key(_purpose(number))
            self._journal(connection, "tokens_rotated", {"key": number}, at)
        return number

    def renew_tokens(self, *, at: datetime) -> int:
        """Bring every stored token under the newest key; how many were under an older one. Safe to be cut off, and to
        be run beside another."""
        keys = self._token_keys()
        renewed = sum(self._renew(table, keys) for table in _TABLES)
        if renewed:
            with self._begin() as connection:
                self._journal(connection, "tokens_renewed", {"key": len(keys), "tokens": renewed}, at)
        return renewed

    def _renew(self, table: Table, keys: Sequence[bytes]) -> int:
        mine = table.c.tenant == self.tenant
        # One key after the other: of one person's tokens under two old keys the second finds the first moved already.
        oldest = select(func.min(table.c.key_version)).where(mine, table.c.key_version < len(keys))
        stale: Select[Any] = (
            select(table.c.token, table.c.key_version)
            .where(mine, table.c.key_version == oldest.scalar_subquery())
            .distinct()
            .limit(_BATCH)
        )
        renewed = 0
        while True:
            with self._begin() as connection:
                # One at a time: two that renew the same would wait for each other's rows.
                connection.execute(select(_ROTATE), {"turn": f"{self.tenant}/tokens"})
                found = connection.execute(stale).all()
                if not found:
                    return renewed
                new = {row.token: _on(keys[row.key_version :], row.token) for row in found}
                renewed += self._exchange(connection, table, new, len(keys))

    def _exchange(self, connection: Connection, table: Table, new: dict[bytes, bytes], number: int) -> int:
        """Write new tokens over old ones. Where the new one stands already, for the same thing, the two are one."""
        its = {"old": list(new), "new": list(new.values()), "of": self.tenant, "number": number}
        twin = table.alias("twin")
        rest = [one.name for one in table.primary_key if one.name not in {"tenant", "token"}]
        mine = (table.c.tenant == bindparam("of"), table.c.token == _pairs.c.old)
        same = [table.c[name] == twin.c[name] for name in rest]
        theirs = (twin.c.tenant == bindparam("of"), twin.c.token == _pairs.c.new, *same)
        if table is suppressions:
            connection.execute(_MERGE, its)
        merged = connection.execute(
            delete(table).where(*mine, select(twin.c.token).where(*theirs).exists()), its
        ).rowcount
        moved = connection.execute(
            update(table).where(*mine).values(token=_pairs.c.new, key_version=bindparam("number", type_=Integer)), its
        ).rowcount
        return int(merged + moved)

    def _tokens(self, identities: Iterable[Identity], keys: Sequence[bytes] | None = None) -> list[bytes]:
        """The tokens of some identities, in every form and under every key that is still in use, in order. In a
        transaction the keys are given: reading them takes another connection."""
        known = self._token_keys() if keys is None else keys
        return sorted({token for one in identities for token in self._all_tokens(one, known)})

    def _whose(self, identities: Sequence[Identity]) -> dict[bytes, set[int]]:
        """Every token of many identities, with the places of those whose it is."""
        keys = self._token_keys()
        found: defaultdict[bytes, set[int]] = defaultdict(set)
        for number, one in enumerate(identities):
            for token in self._all_tokens(one, keys):
                found[token].add(number)
        return found

    def _newest_tokens(self, identities: Iterable[Identity], keys: Sequence[bytes]) -> dict[bytes, int]:
        """The tokens under which identities are written down: under all keys; with the version of their form."""
        return {
            _on(keys, form.encode()): version
            for one in identities
            for version, form in comparables(one, self.calling_code).items()
        }

    def _all_tokens(self, identity: Identity, keys: Sequence[bytes]) -> list[bytes]:
        """Every token under which one identity may be written down."""
        found = []
        for form in comparables(identity, self.calling_code).values():
            token = form.encode()
            for key in keys:
                token = hmac.digest(key, token, hashlib.sha256)
                found.append(token)
        return found

    def _token_keys(self) -> list[bytes]:
        """The keys, the first one first. Read each time: another process may have put one in force, and whoever did
        not know of it would miss what was written under it."""
        with self._look() as connection:
            found = {row.purpose: row for row in connection.execute(_KEYS, {"tenant": self.tenant})}
        if not found:
            return [self._vault.house_key(_FIRST)]
        ring = [found[_purpose(number)] for number in range(1, len(found) + 1)]
        known = self._unwrapped
        known |= {r.purpose: self._keys.unwrap(r.kek, r.wrapped) for r in ring if r.purpose not in known}
        return [known[row.purpose] for row in ring]

    def _known_keys(self) -> list[bytes]:
        """The same as this process knows them, for what is written down: one that has just been followed by another is
        as good, since what is written under it is renewed."""
        return list(self._unwrapped.values()) or self._token_keys()

    @cached_property
    def _unwrapped(self) -> dict[str, bytes]:
        return {}


def _purpose(number: int) -> str:
    return _FIRST if number == 1 else f"{_FIRST}/{number}"


def _on(keys: Iterable[bytes], token: bytes) -> bytes:
    for key in keys:
        token = hmac.digest(key, token, hashlib.sha256)
    return token
