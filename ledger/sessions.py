"""Sign-ins on their way, and the sessions of people who have signed in.

The one rule: what is in somebody's hands (a state, a cookie) is not in the ledger, only its digest; and what was used
once, is over or was ended lets nobody in.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from ledger.accesstokens import SECRET_BYTES, digest_of
from ledger.models_access import sessions, sign_ins
from ledger.store import AnyRow, Store
from rights.value import Value

AT_ONCE: Final = 10_000
"""Sign-ins that may be on their way at a time; more are not people, and the oldest are forgotten."""
_SEEN_EVERY: Final = timedelta(minutes=1)
"""How exactly it is known when somebody was last there: a write per call would be a write per call."""
_KEPT: Final = timedelta(days=30)
"""How long a session can be listed after its end; the journal has who signed in for as long as it is kept."""
_STAFF_KEY: Final = "staff"
_TAKE: Final = (
    delete(sign_ins)
    .where(
        sign_ins.c.tenant == bindparam("of"),
        sign_ins.c.state == bindparam("its_state"),
        sign_ins.c.browser == bindparam("its_browser"),
    )
    .returning(sign_ins)
)
_PENDING: Final = select(func.count()).select_from(sign_ins).where(sign_ins.c.tenant == bindparam("of"))
_ALL: Final = select(sessions).where(sessions.c.tenant == bindparam("of"))
_ONE: Final = _ALL.where(sessions.c.digest == bindparam("digest"))


class Begun(Value):
    """A sign-in that has come back."""

    back: str
    fresh: bool
    begun_at: datetime
    ends_at: datetime


class Session(Value):
    """Somebody who is signed in. `roles` are names (starter/access.py); `signed_in_at`: when the provider saw them."""

    staff: str
    roles: tuple[str, ...]
    second_factor: bool
    signed_in_at: datetime
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    ended: str | None = None

    def lasts(self, at: datetime, idle: timedelta) -> bool:
        """Whether it lets anybody in at a moment. `idle`: how long somebody may be away."""
        return self.ended_at is None and at < self.ends_at and at - self.seen_at < idle


class Sessions(Store):
    """Verbs on sign-ins and sessions."""

    def begin_sign_in(
        self, state: str, browser: str, *, back: str, fresh: bool, ends_at: datetime, at: datetime
    ) -> None:
        """Note that somebody is on their way to the provider. What has not come back in time is forgotten here, and
        where too many are on their way, whoever has been longest: a flood must keep nobody from signing in."""
        with self._begin() as connection:
            ours = sign_ins.c.tenant == self.tenant
            connection.execute(delete(sign_ins).where(ours, sign_ins.c.ends_at <= at))
            if (there := connection.scalar(_PENDING, {"of": self.tenant}) or 0) >= AT_ONCE:
                oldest = select(sign_ins.c.state).where(ours).order_by(sign_ins.c.begun_at).limit(there - AT_ONCE + 1)
                connection.execute(delete(sign_ins).where(ours, sign_ins.c.state.in_(oldest)))
            row = {"state": digest_of(state), "browser": digest_of(browser), "back": back, "fresh": fresh}
            connection.execute(insert(sign_ins), {**row, "tenant": self.tenant, "begun_at": at, "ends_at": ends_at})

    def take_sign_in(self, state: str, browser: str, *, at: datetime) -> Begun | None:
        """A sign-in that comes back, to the browser that it began in; None: it did not begin there, its time is over,
        or it has come back before."""
        its = {"of": self.tenant, "its_state": digest_of(state), "its_browser": digest_of(browser)}
        with self._begin() as connection:
            row = connection.execute(_TAKE, its).first()
        return None if row is None or row.ends_at <= at else Begun.model_validate(dict(row._mapping))

    def staff_id_of(self, issuer: str, subject: str) -> str:
        """An opaque staff id for somebody whom the provider gives none: keyed, so that nobody who knows the subject
        can tell it is theirs; the same each time."""
        key = self._vault.house_key(_STAFF_KEY)
        said = hmac.digest(key, f"{issuer}\n{subject}".encode(), hashlib.sha256)
        return f"p-{said[:12].hex()}"

    def open_session(
        self,
        staff: str,
        roles: Iterable[str],
        *,
        second_factor: bool,
        signed_in_at: datetime,
        ends_at: datetime,
        at: datetime,
        instead_of: str | None = None,
    ) -> str:
        """Open a session; its secret, made here, so that nobody can have known it before.

        `instead_of`: the secret of the session that the browser had; it ends. So do others of the same person that
        were opened with other roles.
        """
        secret = secrets.token_urlsafe(SECRET_BYTES)
        has = sorted(set(roles))
        with self._begin() as connection:
            ours = sessions.c.tenant == self.tenant
            connection.execute(delete(sessions).where(ours, sessions.c.ends_at < at - _KEPT))
            self._end_sessions(connection, "other_roles", at, sessions.c.staff == staff, sessions.c.roles != has)
            if instead_of is not None:
                self._end_sessions(connection, "signed_in_again", at, sessions.c.digest == digest_of(instead_of))
            row = {"staff": staff, "roles": has, "second_factor": second_factor, "signed_in_at": signed_in_at}
            connection.execute(
                insert(sessions),
                {
                    **row,
                    "tenant": self.tenant,
                    "digest": digest_of(secret),
                    "opened_at": at,
                    "seen_at": at,
                    "ends_at": ends_at,
                },
            )
            said = {"staff": staff, "roles": has, "second_factor": second_factor}
            self._journal(connection, "access_signed_in", said, at)
        return secret

    def session(self, secret: str, *, idle: timedelta, at: datetime) -> Session | None:
        """The session that a secret is, and somebody seen in it; None if it is none, or over."""
        with self._look() as connection:
            row = connection.execute(_ONE, {"of": self.tenant, "digest": digest_of(secret)}).first()
        if row is None or not (found := _session(row)).lasts(at, idle):
            return None
        if at - found.seen_at >= _SEEN_EVERY:
            mine = sessions.c.tenant == self.tenant, sessions.c.digest == row.digest
            with self._begin() as connection:
                connection.execute(update(sessions).where(*mine, sessions.c.seen_at < at).values(seen_at=at))
        return found

    def end_session(self, secret: str, *, at: datetime) -> None:
        """Sign somebody out; no effect if the session is over."""
        with self._begin() as connection:
            self._end_sessions(connection, "signed_out", at, sessions.c.digest == digest_of(secret))

    def end_sessions_of(self, staff: str, *, by: str, at: datetime) -> int:
        """End all sessions of a person, as when their role changes or they leave; how many there were."""
        with self._begin() as connection:
            ended = self._end_sessions(connection, "ended", at, sessions.c.staff == staff, sessions.c.ends_at > at)
            if ended:
                self._journal(connection, "access_ended", {"staff": staff, "sessions": ended, "by": by}, at)
        return ended

    def sessions(self, *, at: datetime, idle: timedelta) -> list[Session]:
        """Who is signed in, the newest first."""
        with self._look() as connection:
            rows = connection.execute(_ALL.order_by(sessions.c.opened_at.desc()), {"of": self.tenant})
            return [one for row in rows if (one := _session(row)).lasts(at, idle)]

    def _end_sessions(self, connection: Connection, why: str, at: datetime, *whose: ColumnElement[bool]) -> int:
        living: tuple[Any, ...] = (sessions.c.tenant == self.tenant, sessions.c.ended_at.is_(None), *whose)
        return connection.execute(update(sessions).where(*living).values(ended_at=at, ended=why)).rowcount


def _session(row: AnyRow) -> Session:
    return Session.model_validate(dict(row._mapping))
