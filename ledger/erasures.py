"""Whom erasures were about, remembered by token when all else of them is shredded; and the question before an import.

The one rule: an erasure is remembered in the commit that closes its request, by what tells one person from all others;
what several people may have (a family's address) is no token, since it would take somebody else's data along.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    ARRAY,
    Boolean,
    Connection,
    DateTime,
    LargeBinary,
    Text,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.models import case_keys, entries, requests, tasks
from ledger.models_restore import erasure_tokens, erasures
from ledger.models_suppression import suppressions
from ledger.relooks import plan_relook
from ledger.store import AnyRow
from ledger.tokens import Tokens
from rights.codes import Code
from rights.request import Conclusion
from rights.subject import Identity, Sharing
from rights.suppression import Scope
from rights.value import Value

EVER: Final = datetime(1, 1, 2, tzinfo=UTC)
"""Before anything."""
_tenant = bindparam("tenant", type_=Text)
_tokens = bindparam("tokens", type_=ARRAY(LargeBinary))
_remembered = (
    upsert(erasures)
    .values(
        tenant=_tenant,
        request_id=bindparam("id", type_=Text),
        closed_at=bindparam("at", type_=DateTime(timezone=True)),
        ground=bindparam("ground", type_=Text),
        whole=bindparam("whole", type_=Boolean),
    )
    .on_conflict_do_update(
        index_elements=[erasures.c.tenant, erasures.c.request_id],
        set_={"closed_at": bindparam("at", type_=DateTime(timezone=True))},
    )
    .returning(erasures.c.tenant, erasures.c.request_id)
    .cte("remembered")
)
# Both tables in one statement: it is made at every close of an erasure.
_REMEMBER: Final = (
    upsert(erasure_tokens)
    .from_select(
        ["tenant", "request_id", "key_version", "token", "version"],
        select(
            _remembered,
            bindparam("key_version", type_=erasure_tokens.c.key_version.type),
            func.unnest(_tokens),
            func.unnest(bindparam("versions", type_=ARRAY(erasure_tokens.c.version.type))),
        ),
    )
    .on_conflict_do_nothing()
    .add_cte(
        plan_relook(
            select(_tenant, bindparam("id", type_=Text), bindparam("due", type_=DateTime(timezone=True))).where(
                bindparam("due", type_=DateTime(timezone=True)).is_not(None)
            )
        ).cte("planned")
    )
)
_STOPPED: Final = select(suppressions.c.token, suppressions.c.scope, suppressions.c.since).where(
    suppressions.c.tenant == _tenant,
    suppressions.c.token == func.any(_tokens),
    or_(suppressions.c.until.is_(None), suppressions.c.until > bindparam("at")),
)
_ERASED: Final = (
    select(erasure_tokens.c.token, erasures.c.request_id, erasures.c.closed_at, erasures.c.ground, erasures.c.whole)
    .join(
        erasures,
        (erasures.c.tenant == erasure_tokens.c.tenant) & (erasures.c.request_id == erasure_tokens.c.request_id),
    )
    .where(erasure_tokens.c.tenant == _tenant, erasure_tokens.c.token == func.any(_tokens))
)
_closed_at = func.coalesce(erasures.c.closed_at, requests.c.closed_at)
_SINCE: Final = (
    # Also those that were closed before anything was remembered of them.
    select(
        requests.c.id.label("request_id"),
        _closed_at.label("closed_at"),
        func.coalesce(erasures.c.ground, "").label("ground"),
        func.coalesce(erasures.c.whole, false()).label("whole"),
        select(case_keys.c.case_id)
        .where(
            case_keys.c.tenant == requests.c.tenant,
            case_keys.c.case_id == requests.c.id,
            case_keys.c.purpose == literal_column("'working'"),
            case_keys.c.wrapped.is_not(None),
        )
        .exists()
        .label("known"),
        select(erasure_tokens.c.token)
        .where(erasure_tokens.c.tenant == requests.c.tenant, erasure_tokens.c.request_id == requests.c.id)
        .exists()
        .label("tokens"),
    )
    .select_from(
        requests.outerjoin(
            erasures, (erasures.c.tenant == requests.c.tenant) & (erasures.c.request_id == requests.c.id)
        )
    )
    .where(
        requests.c.tenant == _tenant,
        requests.c.right == literal_column("'erasure'"),
        erasures.c.request_id.is_not(None)
        | requests.c.conclusion.in_([Conclusion.ANSWERED.value, Conclusion.IN_PART.value]),
        _closed_at >= bindparam("since", type_=DateTime(timezone=True)),
    )
    .order_by(requests.c.id)
)

_CAME_BACK: Final = select(
    select(entries.c.seq)
    .where(
        entries.c.tenant == _tenant,
        entries.c.request_id == bindparam("id", type_=Text),
        entries.c.kind == literal_column("'signed_up_again'"),
        entries.c.at >= bindparam("since", type_=DateTime(timezone=True)),
    )
    .exists()
    | select(tasks.c.id)
    .where(
        tasks.c.tenant == _tenant,
        tasks.c.request_id == bindparam("id", type_=Text),
        tasks.c.code == Code.RETURNED.value,
        tasks.c.ruling == literal_column("'done'"),
        func.split_part(tasks.c.step_key, "/", 2) == bindparam("system", type_=Text),
        tasks.c.opened_at >= bindparam("since", type_=DateTime(timezone=True)),
    )
    .exists()
)


class Stopped(Value):
    """One thing that may not be done with somebody's data."""

    scope: Scope
    since: datetime


class Screened(Value):
    """What the ledger knows of one identity. Tells nothing of who it is."""

    stops: tuple[Stopped, ...] = ()
    erased_at: datetime | None = None
    """When the last erasure of this person was answered; None: none is remembered."""
    ground: str = ""
    """Of that erasure: law and right."""


class PastErasure(Value):
    """An erasure that was carried out."""

    request_id: str
    closed_at: datetime
    ground: str
    whole: bool
    """No category was left out of it by a decision."""
    known: bool = False
    """Whether its vault still says whom it was about."""
    tokens: bool = True
    """Whether there is anything to recognise the person by once it does not."""


class Erasures(Tokens):
    """Verbs on what was erased."""

    def screen(self, identities: Sequence[Identity], *, at: datetime) -> list[Screened]:
        """What is known of each of many identities, in their order: for imports and campaigns, some thousand at a
        time. Two statements, however many they are."""
        mine = self._whose(identities)
        its = {"tenant": self.tenant, "tokens": list(mine), "at": at}
        stops: defaultdict[int, dict[Scope, datetime]] = defaultdict(dict)
        erased: dict[int, PastErasure] = {}
        with self._look() as connection:
            for row in connection.execute(_STOPPED, its):
                for number in mine[row.token]:
                    before = stops[number].get(Scope(row.scope), row.since)
                    stops[number][Scope(row.scope)] = min(before, row.since)
            for past in connection.execute(_ERASED, its):
                for number in mine[past.token]:
                    if number not in erased or erased[number].closed_at < past.closed_at:
                        erased[number] = _past(past)
        return [
            Screened(
                stops=tuple(Stopped(scope=scope, since=since) for scope, since in sorted(stops[number].items())),
                erased_at=erased[number].closed_at if number in erased else None,
                ground=erased[number].ground if number in erased else "",
            )
            for number in range(len(identities))
        ]

    def erased(self, identities: Sequence[Identity]) -> list[tuple[PastErasure, ...]]:
        """The erasures that each of many identities was among, in their order."""
        mine = self._whose(identities)
        found: list[dict[str, PastErasure]] = [{} for _ in identities]
        with self._look() as connection:
            for row in connection.execute(_ERASED, {"tenant": self.tenant, "tokens": list(mine)}):
                for number in mine[row.token]:
                    found[number][row.request_id] = _past(row)
        return [tuple(one.values()) for one in found]

    def erasures_since(self, since: datetime) -> list[PastErasure]:
        """All erasures that were answered at a time or later, the oldest request first."""
        with self._look() as connection:
            rows = connection.execute(_SINCE, {"tenant": self.tenant, "since": since})
            return [PastErasure.model_validate(row._mapping) for row in rows]

    def came_back(self, request_id: str, system: str, *, since: datetime = EVER) -> bool:
        """Whether whoever an erasure was about is known to have come back to a system by themselves since a time: they
        signed up by their own consent, or a person said so of what a late look had found."""
        its = {"tenant": self.tenant, "id": request_id, "system": system, "since": since}
        with self._look() as connection:
            return bool(connection.scalar(_CAME_BACK, its))

    def _remember_erasure(
        self,
        connection: Connection,
        request_id: str,
        identities: Iterable[Identity],
        keys: Sequence[bytes],
        ground: str,
        at: datetime,
        *,
        whole: bool,
        relook_at: datetime | None,
    ) -> None:
        """Remember whom an erasure was about, in the transaction that closes it, and plan the look after it."""
        tokens = self._newest_tokens((one for one in identities if one.sharing is Sharing.UNIQUE), keys)
        connection.execute(
            _REMEMBER,
            {
                "tenant": self.tenant,
                "id": request_id,
                "at": at,
                "ground": ground,
                "whole": whole,
                "due": relook_at,
                "key_version": len(keys),
                "tokens": list(tokens),
                "versions": list(tokens.values()),
            },
        )


def _past(row: AnyRow) -> PastErasure:
    names = ("request_id", "closed_at", "ground", "whole")
    return PastErasure.model_validate({name: row._mapping[name] for name in names})
