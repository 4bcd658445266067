"""Tokens by which systems get in: made, used, replaced, revoked.

The one rule: a token is seen once, by whoever makes it; what is kept tells whether one is right, and not which it is.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, insert, or_, select, update

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.models_access import access_tokens
from ledger.store import AnyRow, Store
from rights.value import Value

PREFIX: Final = "habeas_"
"""What every token begins with, so that one that was left lying in a repository is found by a scanner."""
SECRET_BYTES: Final = 32
_ALL: Final = select(access_tokens).where(access_tokens.c.tenant == bindparam("of"))
_ONE: Final = _ALL.where(access_tokens.c.id == bindparam("id"))
_BY_DIGEST: Final = _ALL.where(access_tokens.c.digest == bindparam("digest"))
_USED: Final = (
    update(access_tokens)
    .where(
        access_tokens.c.tenant == bindparam("of"),
        access_tokens.c.id == bindparam("its"),
        or_(access_tokens.c.used_on.is_(None), access_tokens.c.used_on < bindparam("today")),
    )
    .values(used_on=bindparam("today"))
)


class AccessToken(Value):
    """A token as it is known here: all but the token."""

    id: str
    system: str
    scopes: tuple[str, ...]
    made_at: datetime
    made_by: str
    ends_at: datetime
    used_on: date | None = None
    revoked_at: datetime | None = None
    replaces: str | None = None

    def lets_in(self, at: datetime) -> bool:
        """Whether it is good at a moment."""
        return self.revoked_at is None and at < self.ends_at


def digest_of(secret: str) -> bytes:
    """What is kept of a secret of 32 random bytes; never of anything that somebody has thought up."""
    return hashlib.sha256(secret.encode()).digest()


class AccessTokens(Store):
    """Verbs on them. `scopes` are names of actions (starter/access.py)."""

    def make_access_token(
        self,
        system: str,
        scopes: Iterable[str],
        *,
        ends_at: datetime,
        by: str,
        at: datetime,
        replaces: str | None = None,
        overlap: timedelta = timedelta(0),
    ) -> tuple[AccessToken, str]:
        """Make a token; it, and the secret itself, which nobody is shown again.

        `replaces`: another token of the same system ends after `overlap`, so that both are good while the system is
        handed the new one.

        Raises:
            LedgerRefusal: it would have no scope or no end to come, or what it replaces is over or another system's.
        """
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        token = AccessToken(
            id=new_id(at),
            system=system,
            scopes=tuple(sorted(set(scopes))),
            made_at=at,
            made_by=by,
            ends_at=ends_at,
            replaces=replaces,
        )
        if not token.scopes or not token.lets_in(at):
            raise LedgerRefusal("a token names one action at least, and ends on a day to come")
        with self._begin() as connection:
            if replaces is not None:
                old = _token(connection.execute(_ONE.with_for_update(), self._of_access_token(replaces)).first())
                if old.system != system or not old.lets_in(at):
                    raise LedgerRefusal("the token to be replaced is over, or another system's")
                ours = access_tokens.c.tenant == self.tenant, access_tokens.c.id == replaces
                until = min(old.ends_at, at + overlap)
                connection.execute(update(access_tokens).where(*ours).values(ends_at=until))
            connection.execute(
                insert(access_tokens), {**token.model_dump(), "tenant": self.tenant, "digest": digest_of(secret)}
            )
            body = token.model_dump(include={"id", "system", "scopes", "ends_at", "replaces"}, exclude_none=True)
            self._journal(connection, "access_token_made", {**body, "by": by}, at)
        return token, secret

    def revoke_access_token(self, token_id: str, *, by: str, at: datetime) -> AccessToken:
        """Let nobody in by a token any more, from this moment on; no effect if that is so.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        with self._begin() as connection:
            token = _token(connection.execute(_ONE.with_for_update(), self._of_access_token(token_id)).first())
            if token.revoked_at is None:
                ours = access_tokens.c.tenant == self.tenant, access_tokens.c.id == token_id
                connection.execute(update(access_tokens).where(*ours).values(revoked_at=at))
                body = {"id": token.id, "system": token.system, "by": by}
                self._journal(connection, "access_token_revoked", body, at)
        return token.model_copy(update={"revoked_at": token.revoked_at or at})

    def access_token(self, secret: str, *, at: datetime) -> AccessToken | None:
        """The token that a secret is, with the day noted; None if it is none, is over or revoked.

        It is looked for by its digest, of which nobody can choose a single bit: how long that takes tells nothing.
        """
        with self._look() as connection:
            row = connection.execute(_BY_DIGEST, {"of": self.tenant, "digest": digest_of(secret)}).first()
        if row is None or not (token := _token(row)).lets_in(at):
            return None
        today = at.date()
        if token.used_on is None or token.used_on < today:
            with self._begin() as connection:
                connection.execute(_USED, {"of": self.tenant, "its": token.id, "today": today})
        return token

    def access_tokens(self) -> list[AccessToken]:
        """All tokens there ever were, the oldest first."""
        with self._look() as connection:
            return [_token(row) for row in connection.execute(_ALL.order_by(access_tokens.c.id), {"of": self.tenant})]

    def _of_access_token(self, token_id: str) -> dict[str, str]:
        return {"of": self.tenant, "id": token_id}


def _token(row: AnyRow | None) -> AccessToken:
    if row is None:
        raise LedgerRefusal("there is no token of this id: habeas token list shows them")
    return AccessToken.model_validate(dict(row._mapping))
