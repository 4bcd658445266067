"""All that a step reads before it touches its system, in one statement.

The one rule: it is read, never assumed: an agent, a hold or another worker may have written since the last step.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from sqlalchemy import ARRAY, Text, and_, bindparam, cast, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import JSONB

from ledger.errors import LedgerRefusal
from ledger.models import case_keys, entries, intents, plans, requests, vault
from ledger.people import GIVEN, LEARNED, sealed_identities
from ledger.requestrow import ROW, RequestRow, request_row
from ledger.spared import answered, touching
from ledger.store import Store
from ledger.vault import Purpose
from rights.holds import Terms
from rights.plan import Plan, Step
from rights.receipt import Receipt
from rights.subject import Identity

_WORKING: Final[Purpose] = "working"
_tenant = bindparam("tenant", type_=Text)
_request = bindparam("id", type_=Text)
_plan = (
    select(plans.c.body)
    .where(plans.c.tenant == _tenant, plans.c.request_id == _request)
    .order_by(plans.c.round.desc())
    .limit(1)
    .scalar_subquery()
)
_settled = (
    select(entries.c.body)
    .where(
        entries.c.tenant == _tenant,
        entries.c.key == bindparam("key"),
        # Said outright, not as a parameter: else a prepared statement could not use the partial index.
        entries.c.kind == literal_column("'settled'"),
    )
    .scalar_subquery()
)
_open = func.array(
    select(intents.c.id)
    .where(
        intents.c.tenant == _tenant,
        intents.c.request_id == _request,
        intents.c.system == bindparam("system"),
        intents.c.settled_at.is_(None),
    )
    .order_by(intents.c.id)
    .scalar_subquery(),
    type_=ARRAY(Text),
)
_cut_for = (
    # On the ledger's own clock, by which the limit was set.
    select(func.max(intents.c.expires_at) - func.clock_timestamp())
    .where(
        intents.c.tenant == _tenant,
        intents.c.request_id == _request,
        intents.c.system == bindparam("system"),
        intents.c.settled_at.is_(None),
    )
    .scalar_subquery()
)
_sealed = (
    select(func.array_agg(vault.c.name).label("names"), func.array_agg(vault.c.sealed).label("sealed"))
    .where(
        vault.c.tenant == _tenant,
        vault.c.case_id == _request,
        vault.c.purpose == literal_column(f"'{_WORKING}'"),
        vault.c.name == func.any(bindparam("names", type_=ARRAY(Text))),
    )
    .subquery()
)
_pinned = (
    # What was decided on an earlier map was decided on another preview.
    select(func.coalesce(func.max(entries.c.seq), 0))
    .where(
        entries.c.tenant == _tenant,
        entries.c.request_id == _request,
        entries.c.kind == literal_column("'map_pinned'"),
    )
    .scalar_subquery()
)
_word = cast(entries.c.body, JSONB)["word"].astext
_ruled = (
    select(_word)
    .where(
        entries.c.tenant == _tenant,
        entries.c.request_id == _request,
        entries.c.kind == literal_column("'rule'"),
        func.starts_with(entries.c.key, bindparam("system_step", type_=Text)),
        entries.c.seq > _pinned,
    )
    .order_by(entries.c.seq.desc())
    .limit(1)
    .scalar_subquery()
)
_STEP: Final = ROW.add_columns(
    _plan.label("plan"),
    _ruled.label("word"),
    _settled.label("settled"),
    _open.label("open_intents"),
    _cut_for.label("cut_for"),
    touching(_tenant, _request, bindparam("system", type_=Text)).label("held"),
    answered(_tenant, _request).label("answered"),
    case_keys.c.kek,
    case_keys.c.wrapped,
    _sealed.c.names,
    _sealed.c.sealed,
).select_from(
    requests.outerjoin(
        case_keys,
        and_(
            case_keys.c.tenant == requests.c.tenant,
            case_keys.c.case_id == requests.c.id,
            case_keys.c.purpose == literal_column(f"'{_WORKING}'"),
        ),
    ).join(_sealed, true())
)


class AtStep(NamedTuple):
    """What a step stands on."""

    request: RequestRow
    plan: Plan | None
    """Of the newest round; None before there is one."""
    settled: Receipt | None
    """The receipt of this very act, once it is settled."""
    word: str | None
    """The newest ruling on this operation in this system, in any round, since the request was pinned to its map."""
    open_intents: tuple[str, ...]
    """Calls of this request in this system of which nobody knows what they changed: cut, or still running."""
    cut_for: timedelta
    """How long the longest of them can still take effect; zero or less: they are over."""
    identities: tuple[Identity, ...]
    """All known so far, those given first."""
    held: Mapping[str, Terms]
    """The holds in force on any of them that can touch the system."""
    answered: bool
    """Counsel has answered the request, since one of them must stay secret."""
    sealed: dict[str, bytes]
    """Of the names asked for, those that are there, in clear."""


class Steps(Store):
    """The verb that a step begins with."""

    def at_step(self, step: Step, *names: str) -> AtStep:
        """Read all that a step needs; `names` are those of working values in the vault.

        Raises:
            LedgerRefusal: there is no such request, or its identities were destroyed.
            VaultError: a sealed value was changed or moved, or its key-encryption key is gone.
        """
        request_id = step.request_id
        its = {
            "tenant": self.tenant,
            "id": request_id,
            "system": step.system,
            "system_step": f"{request_id}/{step.system}/{step.operation}/",
            "key": step.key,
            "names": [GIVEN, LEARNED, *names],
        }
        with self._look() as connection:
            row = connection.execute(_STEP, its).first()
        if row is None:
            raise LedgerRefusal("there is no request of this id")
        sealed = dict(zip(row.names or (), row.sealed or (), strict=True)) if row.wrapped else {}
        known = self._vault.open_all(request_id, _WORKING, row.kek, row.wrapped, sealed)
        if GIVEN not in known:
            raise LedgerRefusal("there are no identities of this request, or no longer")
        given, learned = (sealed_identities(known.pop(name, None)) for name in (GIVEN, LEARNED))
        return AtStep(
            request=request_row(row),
            plan=_read_plan(row.plan) if row.plan else None,
            settled=Receipt.model_validate_json(row.settled) if row.settled else None,
            word=row.word,
            open_intents=tuple(row.open_intents),
            cut_for=row.cut_for or timedelta(0),
            identities=tuple(dict.fromkeys((*given, *learned))),
            held={one: Terms.model_validate(terms) for one, terms in (row.held or {}).items()},
            answered=row.answered,
            sealed=known,
        )


@lru_cache(maxsize=256)
def _read_plan(body: str) -> Plan:
    """A plan from its text; requests that were begun together have the same."""
    return Plan.model_validate_json(body)
