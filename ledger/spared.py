"""Which holds touch a request, as parts of other statements.

The one rule: a hold binds by keyed digests of every identity known by the moment of the statement, those that a look
has just learned among them; a hold that must stay secret closes the fence without a word of its own.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    Exists,
    ScalarSelect,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.sql.selectable import Select

from ledger.holddesk import secret
from ledger.models import hold_subjects, request_subjects
from ledger.models_holds import hold_answers, hold_terms
from ledger.store import AnyRow
from rights.codes import Code
from rights.holds import HOUSE, Holding

_Sql = ColumnElement[Any]


def _holds(column: _Sql, tenant: _Sql, request: _Sql, system: _Sql | None = None) -> Select[Any]:
    """The holds in force on the people of a request; of those only what can touch a system, if one is given."""
    found = (
        select(column)
        .select_from(
            request_subjects.join(
                hold_subjects,
                (hold_subjects.c.tenant == request_subjects.c.tenant)
                & (hold_subjects.c.digest == request_subjects.c.digest),
            ).join(
                hold_terms,
                (hold_terms.c.tenant == hold_subjects.c.tenant) & (hold_terms.c.hold_id == hold_subjects.c.hold_id),
            )
        )
        .where(request_subjects.c.tenant == tenant, request_subjects.c.request_id == request)
    )
    if system is not None:
        found = found.where((func.cardinality(hold_terms.c.systems) == 0) | (system == func.any(hold_terms.c.systems)))
    return found


def touching(tenant: _Sql, request: _Sql, system: _Sql) -> ScalarSelect[Any]:
    """Their terms, by id; NULL where there are none."""
    terms = func.jsonb_build_object(
        literal_column("'scope'"),
        hold_terms.c.scope,
        literal_column("'reason'"),
        hold_terms.c.reason,
        literal_column("'disclosure'"),
        hold_terms.c.disclosure,
        literal_column("'tell_from'"),
        hold_terms.c.tell_from,
    )
    return _holds(func.jsonb_object_agg(hold_terms.c.hold_id, terms), tenant, request, system).scalar_subquery()


def answered(tenant: _Sql, request: _Sql) -> Exists:
    """Whether counsel has answered a request."""
    return (
        select(hold_answers.c.by).where(hold_answers.c.tenant == tenant, hold_answers.c.request_id == request).exists()
    )


def told_of(tenant: _Sql, request: _Sql) -> ScalarSelect[Any]:
    """Why those are in force that may be told of today, and the systems that each can touch; NULL: there are none."""
    about = func.jsonb_build_object(
        literal_column("'reason'"),
        hold_terms.c.reason,
        literal_column("'systems'"),
        func.to_jsonb(hold_terms.c.systems),
    )
    told = _holds(func.jsonb_agg(about.distinct()), tenant, request).where(~secret(func.current_date()))
    return told.scalar_subquery()


def blocking() -> tuple[_Sql, ...]:
    """What the fence reads of holds: whether one stands in the way of a call, and whether it may be told of.
    Parameters `tenant`, `request_id`, `system`, `day`, and `spared`, the holds whose rows the call leaves alone."""
    tenant, request, system = (bindparam(name, type_=Text) for name in ("tenant", "request_id", "system"))
    in_the_way = _holds(hold_terms.c.hold_id, tenant, request, system).where(
        hold_terms.c.hold_id != func.all(cast(bindparam("spared"), ARRAY(Text)))
    )
    told = in_the_way.where(~secret(bindparam("day", type_=Date)))
    return (
        in_the_way.exists().label("held"),
        told.exists().label("held_told"),
        answered(tenant, request).label("held_answered"),
    )


def held_by(found: AnyRow) -> Code | None:
    """Why holds close the fence, by a row of those columns; None: they do not."""
    return Holding(told=found.held_told, answered=found.held_answered).code if found.held else None


def house_held(tenant: _Sql, case: _Sql) -> Exists:
    """Whether the engine's own data on a request (its file, its copies, the keys of pseudonyms) is held: by a hold on
    everything, or one that names the engine itself among its systems."""
    return _holds(hold_terms.c.hold_id, tenant, case, literal_column(f"'{HOUSE}'")).exists()
