"""Suppression: what people have had stopped, remembered for as long as it binds.

The one rule: nobody can be read back from here. An identity stands as a keyed token, whose key is the tenant's own and
no request's, so that it outlives the shredded vault; tokens are compared, counted and never listed or exported.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ARRAY, Connection, LargeBinary, Text, bindparam, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.models import entries
from ledger.models_remembered import act_tokens, remembered_acts
from ledger.models_restore import erasure_tokens
from ledger.models_suppression import suppressions
from ledger.tokens import Tokens
from rights.parents import parent_laws
from rights.subject import Identity
from rights.suppression import CLEARED_BY_CONSENT, Scope, Source
from rights.value import Value

_its = (
    suppressions.c.tenant == bindparam("of"),
    suppressions.c.token == func.any(bindparam("tokens", type_=ARRAY(LargeBinary))),
)
_in_force = or_(suppressions.c.until.is_(None), suppressions.c.until > bindparam("at"))
_FIND: Final = (
    select(
        suppressions.c.scope,
        suppressions.c.about,
        func.min(suppressions.c.since).label("since"),
        func.max(suppressions.c.confirmed_at).label("confirmed_at"),
        func.min(suppressions.c.source).label("source"),
        func.max(suppressions.c.request_id).label("request_id"),
        func.count().label("identities"),
    )
    .where(*_its, _in_force)
    .group_by(suppressions.c.scope, suppressions.c.about)
    .order_by(suppressions.c.scope, suppressions.c.about)
)
_COUNT: Final = (
    select(suppressions.c.scope, func.count().label("identities"))
    .where(suppressions.c.tenant == bindparam("of"), _in_force)
    .group_by(suppressions.c.scope)
    .order_by(suppressions.c.scope)
)
_put = upsert(suppressions)
_PUT: Final = _put.on_conflict_do_update(
    index_elements=[suppressions.c.tenant, suppressions.c.scope, suppressions.c.about, suppressions.c.token],
    set_={
        name: _put.excluded[name]
        for name in ("version", "key_version", "source", "request_id", "since", "confirmed_at", "until")
    },
    # What is in force already has begun when it began; what a consent has ended begins anew.
    where=suppressions.c.until.is_not(None),
)
_AGAIN: Final = (
    update(suppressions)
    .where(*_its, _in_force, suppressions.c.scope == func.any(bindparam("scopes", type_=ARRAY(Text))))
    .values(confirmed_at=func.greatest(suppressions.c.confirmed_at, bindparam("at")))
)
_END: Final = (
    update(suppressions)
    .where(
        *_its, suppressions.c.until.is_(None), suppressions.c.scope == func.any(bindparam("scopes", type_=ARRAY(Text)))
    )
    .values(until=bindparam("at"))
)
_refusals = suppressions.alias("refusals")
_END_REFUSALS: Final = (
    update(suppressions)
    .where(
        suppressions.c.tenant == bindparam("of"),
        suppressions.c.scope == bindparam("refused"),
        suppressions.c.until.is_(None),
        suppressions.c.request_id.in_(
            select(_refusals.c.request_id).where(
                _refusals.c.tenant == bindparam("of"),
                _refusals.c.scope == bindparam("refused"),
                _refusals.c.until.is_(None),
                _refusals.c.token == func.any(bindparam("tokens", type_=ARRAY(LargeBinary))),
            )
        ),
    )
    .values(until=bindparam("at"))
)
_past = act_tokens.alias("past")
_REFUSED_WITH: Final = (
    select(act_tokens.c.token)
    .join(_past, (_past.c.tenant == act_tokens.c.tenant) & (_past.c.request_id == act_tokens.c.request_id))
    .join(
        remembered_acts,
        (remembered_acts.c.tenant == act_tokens.c.tenant) & (remembered_acts.c.request_id == act_tokens.c.request_id),
    )
    .where(
        act_tokens.c.tenant == bindparam("of"),
        _past.c.token == func.any(bindparam("tokens", type_=ARRAY(LargeBinary))),
        cast(remembered_acts.c.details, JSONB)["scope"].astext == bindparam("refused"),
    )
)
"""What else those were known by who have refused: an entry of the list stands for the refusal that began it, and not
for one that has refused the same again, as a replay does."""
_SAID: Final = (
    select(entries.c.seq)
    .where(
        entries.c.tenant == bindparam("of"),
        entries.c.request_id == bindparam("id"),
        entries.c.kind.in_(["suppressed", "still_suppressed"]),
    )
    .limit(1)
)
_ERASURES_OF: Final = (
    select(erasure_tokens.c.request_id)
    .where(
        erasure_tokens.c.tenant == bindparam("of"),
        erasure_tokens.c.token == func.any(bindparam("tokens", type_=ARRAY(LargeBinary))),
    )
    .distinct()
    .order_by(erasure_tokens.c.request_id)
)
_LAST_END: Final = select(func.max(suppressions.c.until)).where(*_its)


class Suppressed(Value):
    """What is suppressed for a person. Tells nothing of who it is."""

    scope: Scope
    about: str = ""
    """A consent's purpose, as the data map names it."""
    since: datetime
    confirmed_at: datetime
    """When it was last asked for."""
    source: Source
    request_id: str
    """The request that began it, which may be gone."""


class Suppressions(Tokens):
    """Verbs on them."""

    def suppress(
        self,
        request_id: str,
        identities: Iterable[Identity],
        scopes: Iterable[Scope],
        *,
        source: Source,
        at: datetime,
        purposes: Sequence[str] = (),
    ) -> int:
        """Remember that these identities are not to be used for something any more; how many entries are new.

        `purposes` go with Scope.CONSENT: an entry for each.
        """
        people = tuple(identities)
        keys = self._token_keys()
        tokens = self._newest_tokens(people, keys)
        wanted = [
            (scope, about)
            for scope in dict.fromkeys(scopes)
            for about in (purposes if scope is Scope.CONSENT and purposes else ("",))
        ]
        if not (tokens and wanted):
            return 0
        rows = [
            {
                "tenant": self.tenant,
                "scope": scope.value,
                "about": about,
                "token": token,
                "version": version,
                "key_version": len(keys),
                "source": source.value,
                "request_id": request_id,
                "since": at,
                "confirmed_at": at,
                "until": None,
            }
            for scope, about in wanted
            for token, version in tokens.items()
        ]
        with self._begin() as connection:
            new = sum(connection.execute(_PUT, row).rowcount for row in rows)
            if new < len(rows):
                said = {"scopes": [scope.value for scope, _ in wanted], "tokens": self._tokens(people, keys), "at": at}
                connection.execute(_AGAIN, {"of": self.tenant, **said})
            body = {
                "scopes": sorted({scope.value for scope, _ in wanted}),
                "source": source,
                "identities": len(tokens),
            }
            if new or self._first_word(connection, request_id):
                kind = "suppressed" if new else "still_suppressed"
                self._journal(connection, kind, body, at, request_id=request_id)
        return new

    def _first_word(self, connection: Connection, request_id: str) -> bool:
        """Whether the journal of a request says nothing of a suppression yet."""
        return connection.scalar(_SAID, {"of": self.tenant, "id": request_id}) is None

    def suppressed(self, identities: Iterable[Identity], *, at: datetime) -> list[Suppressed]:
        """What is suppressed for whoever any of these identities names."""
        tokens = self._tokens(identities)
        with self._look() as connection:
            rows = connection.execute(_FIND, {"of": self.tenant, "tokens": tokens, "at": at})
            return [Suppressed.model_validate(row._mapping) for row in rows]

    def suppression_counts(self, *, at: datetime) -> dict[Scope, int]:
        """How many identities are suppressed, by what is."""
        with self._look() as connection:
            rows = connection.execute(_COUNT, {"of": self.tenant, "at": at})
            return {Scope(row.scope): row.identities for row in rows}

    def clear_suppression(self, identities: Iterable[Identity], *, at: datetime, by: str) -> int:
        """The person has given consent anew: marketing may reach these identities again, and nothing else is ended by
        it; how many entries ended. `by` is the role that attests it. Of past erasures of this person it is noted that
        they are there again by their own wish, so that a restored backup does not take them along unasked.

        Raises:
            LedgerRefusal: a parent has refused further collection, so a child's own sign-up is no consent.
        """
        tokens = self._tokens(identities)
        scopes = sorted(scope.value for scope in CLEARED_BY_CONSENT)
        with self._begin() as connection:
            refused = {"of": self.tenant, "tokens": tokens, "at": at}
            if any(row.scope == Scope.COLLECTION for row in connection.execute(_FIND, refused)):
                raise LedgerRefusal(
                    "a parent has refused further collection: only a parent's new consent ends that "
                    "(habeas suppression consent)"
                )
            ended = connection.execute(_END, {"of": self.tenant, "tokens": tokens, "scopes": scopes, "at": at}).rowcount
            if ended:
                self._journal(connection, "suppression_cleared", {"scopes": scopes, "entries": ended, "by": by}, at)
            for erasure in connection.scalars(_ERASURES_OF, {"of": self.tenant, "tokens": tokens}).all():
                self._journal(connection, "signed_up_again", {"by": by}, at, request_id=erasure)
        return ended

    def parent_consents(self, identities: Iterable[Identity], law: str, way: str, *, at: datetime, by: str) -> int:
        """A parent has consented anew, by a way that a law on parents names: what the refusals of which any of these
        identities is part have stopped may be collected again, and nothing else is ended; how many entries ended.

        Args:
            law: of `law/parents.yaml`, such as coppa.
            way: of its `consent`, such as signed_form.
            by: the role that attests it.

        Raises:
            KeyError: there is no such law or way.
        """
        article = parent_laws().laws[law].consent.ways[way]
        tokens = set(self._tokens(identities))
        its = {"of": self.tenant, "refused": Scope.COLLECTION.value}
        with self._begin() as connection:
            while more := set(connection.scalars(_REFUSED_WITH, {**its, "tokens": list(tokens)})) - tokens:
                tokens |= more
            ended = connection.execute(_END_REFUSALS, {**its, "tokens": list(tokens), "at": at}).rowcount
            if ended:
                body = {"entries": ended, "law": law, "way": way, "article": article, "by": by}
                self._journal(connection, "collection_permitted", body, at)
        return ended

    def signal_key(self, identities: Iterable[Identity]) -> str:
        """The idempotency key of an opt-out by signal of these identities: the same until a consent ends it."""
        people = tuple(identities)
        tokens = self._tokens(people)
        with self._look() as connection:
            ended: datetime | None = connection.scalar(_LAST_END, {"of": self.tenant, "tokens": tokens})
        marks = b"".join(sorted({self._people.digest(one) for one in people})).hex()
        return f"signal/{self._people.mark(f'SIGNAL{chr(0)}{marks}{chr(0)}{ended}').hex()}"
