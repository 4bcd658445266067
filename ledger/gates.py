"""What stands between a request and its work: a decision, an earlier request, another right that goes first.

The one rule: the same conditions are read by the workflow, that waits on them, and by the fence, that lets nothing be
destroyed past them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Exists,
    FromClause,
    ScalarSelect,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from ledger.models import entries, request_subjects, requests
from ledger.models_appeals import appeals
from ledger.models_deciding import coolings, decisions, links
from ledger.stopped import stands_still, stopped_by
from ledger.store import AnyRow, Store
from rights.codes import Code
from rights.decision import law
from rights.gate import Gate
from rights.request import Conclusion, Right
from rights.several import taken_last

_Sql = ColumnElement[Any]
_tenant = bindparam("tenant", type_=Text)
_PROPOSED: Final[_Sql] = literal_column("'proposed'")
_CHARGED: Final[_Sql] = literal_column("'charged'")
_IN_FORCE: Final[_Sql] = literal_column("'in_force'")
_CLOSED: Final[_Sql] = literal_column("'closed'")
COPIES: Final[tuple[_Sql, ...]] = tuple(literal_column(f"'{right}'") for right in Right if right.copies)
"""Rights whose copy is made before anything is erased."""
_UNSATISFIED: Final = (Conclusion.REFUSED, Conclusion.IN_PART, Conclusion.CATEGORIES, Conclusion.NOT_DONE)
"""Ends of a request for a copy after which the person may complain of not having all of it."""


def laws_in(clocks: _Sql) -> ColumnElement[Any]:
    """The laws that a request is asked under, in order, as a JSON array; null where none is written down."""
    return type_coerce(func.jsonb_path_query_array(clocks, literal_column("'$[*].regime'", JSONPATH)), JSONB)


def of_one_person(mine: FromClause, theirs: FromClause, other: FromClause) -> FromClause:
    """The requests of whoever a request is about: those that share a digest with it (`mine`), itself among them."""
    return mine.join(theirs, and_(theirs.c.tenant == mine.c.tenant, theirs.c.digest == mine.c.digest)).join(
        other, and_(other.c.tenant == theirs.c.tenant, other.c.id == theirs.c.request_id)
    )


def follows(link: FromClause, request: FromClause) -> Exists:
    """Whether a request is answered with an earlier one."""
    return (
        select(link.c.lead_id)
        .where(link.c.tenant == request.c.tenant, link.c.request_id == request.c.id, link.c.ended_at.is_(None))
        .exists()
    )


def decision_is(state: _Sql, request: _Sql) -> Exists:
    """Whether a request has a decision in a state."""
    return (
        select(decisions.c.id)
        .where(decisions.c.tenant == _tenant, decisions.c.request_id == request, decisions.c.state == state)
        .exists()
    )


def _others(request: _Sql) -> Exists:
    """Whether somebody who may be the same person has asked for a copy, is proven, and has none yet.

    A request that is not proven delays nobody: anybody can make one.
    """
    mine, theirs, other, link = (
        request_subjects.alias("mine"),
        request_subjects.alias("theirs"),
        requests.alias("other"),
        links.alias("other_link"),
    )
    return (
        select(other.c.id)
        .select_from(of_one_person(mine, theirs, other))
        .where(
            mine.c.tenant == _tenant,
            mine.c.request_id == request,
            other.c.id != request,
            other.c.confirmed_at.is_not(None),
            copy_asked(other),
            ~select(entries.c.seq)
            .where(
                entries.c.tenant == other.c.tenant,
                entries.c.request_id == other.c.id,
                entries.c.kind == literal_column("'parcel'"),
            )
            .exists(),
            ~follows(link, other),
        )
        .exists()
    )


def _recourse(request: _Sql) -> Exists:
    """Whether a copy was refused, or given in part, under a law that keeps the data for the person's remedies; or
    whether they have appealed against what they were answered, under any law, and it is not decided.

    Of somebody who was proven: anybody can have a request refused, and it delays nobody.
    """
    mine, theirs, other = request_subjects.alias("kept"), request_subjects.alias("its"), requests.alias("refused")
    return (
        select(other.c.id)
        .select_from(of_one_person(mine, theirs, other))
        .where(mine.c.tenant == _tenant, mine.c.request_id == request, other.c.id != request, kept_for_remedies(other))
        .exists()
    )


def kept_for_remedies(other: FromClause) -> _Sql:
    """Whether what a request for a copy was about is kept: it was not answered in full, under a law that keeps the data
    then, or there is an appeal. Parameters `recourse` and `recourse_since`."""
    terms = (
        func.unnest(
            bindparam("recourse", type_=ARRAY(Text)),
            bindparam("recourse_since", type_=ARRAY(DateTime(timezone=True))),
        )
        .table_valued(Column("law", Text), Column("since", DateTime(timezone=True)))
        .render_derived("term")
    )
    term = (
        select(literal_column("1"))
        .select_from(terms)
        # Under whichever of its laws it is kept.
        .where(
            or_(other.c.regime == terms.c.law, laws_in(other.c.clocks).has_key(terms.c.law)),
            other.c.closed_at > terms.c.since,
        )
        .exists()
    )
    appealed = (
        select(appeals.c.id)
        .where(appeals.c.tenant == other.c.tenant, appeals.c.request_id == other.c.id, appeals.c.closed_at.is_(None))
        .exists()
    )
    return and_(
        other.c.right.in_(COPIES),
        or_(other.c.confirmed_at.is_not(None), other.c.conclusion == literal_column(f"'{Conclusion.CATEGORIES}'")),
        or_(
            and_(other.c.conclusion.in_([literal_column(f"'{ended}'") for ended in _UNSATISFIED]), term),
            appealed,
        ),
    )


def copy_asked(other: FromClause) -> _Sql:
    """Whether a request is one for a copy that is not answered yet, nor taken back, nor refused. Parameter `tenant`."""
    refused = decision_is(_IN_FORCE, other.c.id).where(decisions.c.body["word"].astext == literal_column("'refuse'"))
    return and_(other.c.right.in_(COPIES), other.c.phase != _CLOSED, other.c.withdrawn_at.is_(None), ~refused)


_erases = requests.c.right == literal_column("'erasure'")
"""What else changes data leaves something to copy."""
_word = select(decisions.c.body["word"].astext).where(decisions.c.tenant == _tenant, decisions.c.state == _IN_FORCE)
_stopped = select(coolings.c.state).where(
    coolings.c.tenant == _tenant, coolings.c.state.in_([literal_column("'running'"), literal_column("'frozen'")])
)


def fence_columns(request: _Sql) -> tuple[_Sql, ...]:
    """What the fence reads beside holds: in the statement that it makes anyway. Parameters `tenant`, `recourse` and
    `recourse_since`."""
    return (
        or_(decision_is(_PROPOSED, request), decision_is(_CHARGED, request)).label("weighing"),
        _word.where(decisions.c.request_id == request).scalar_subquery().label("decided"),
        _stopped.where(coolings.c.request_id == request).scalar_subquery().label("cooling"),
        and_(_erases, _others(request)).label("copy_first"),
        and_(_erases, _recourse(request)).label("recourse"),
        stands_still(_tenant, request).label("incident"),
    )


def closed_by(found: AnyRow) -> Code | None:
    """Why the fence is closed by a row of those columns; None: it is not."""
    if found.incident:
        return Code.INCIDENT
    if found.weighing:
        return Code.DECISION
    if found.decided == "refuse":
        return Code.NOT_GRANTED
    if found.cooling:
        return Code.COOLING
    if found.copy_first:
        return Code.COPY_FIRST
    if found.recourse:
        return Code.RECOURSE
    return None


def recourse(at: datetime) -> dict[str, object]:
    """The parameters of those columns: which laws keep data after a copy was refused, and since when that counts."""
    kept = law().recourse
    return {"recourse": list(kept), "recourse_since": [at - one.lasts for one in kept.values()]}


def recourse_until(right: str, regimes: Iterable[str], conclusion: Conclusion, closed_at: datetime) -> datetime:
    """Until when a request that has ended so has to be found by the fence of an erasure (`_recourse`), under the last
    of its laws."""
    if not Right(right).copies or conclusion not in _UNSATISFIED:
        return closed_at
    kept = (law().recourse[regime].lasts for regime in regimes if regime in law().recourse)
    return taken_last([closed_at, *(closed_at + lasts for lasts in kept)])


def _of(column: _Sql, state: _Sql) -> ScalarSelect[Any]:
    return (
        select(column)
        .where(decisions.c.tenant == _tenant, decisions.c.request_id == requests.c.id, decisions.c.state == state)
        .scalar_subquery()
    )


_lead = requests.alias("lead")
_GATES: Final = (
    select(
        requests.c.id,
        _of(decisions.c.id, _PROPOSED).label("proposed"),
        _of(decisions.c.id, _CHARGED).label("charged"),
        _of(decisions.c.consult_until, _PROPOSED).label("consult_until"),
        _of(decisions.c.id, _IN_FORCE).label("decision"),
        _of(decisions.c.body["word"].astext, _IN_FORCE).label("word"),
        links.c.lead_id,
        _lead.c.conclusion.label("lead_conclusion"),
        coolings.c.state.label("cooling"),
        coolings.c.until.label("cooling_until"),
        and_(_erases, _others(requests.c.id)).label("copy_first"),
        stopped_by(requests.c.tenant, requests.c.id).label("incident"),
    )
    .select_from(
        requests.outerjoin(
            links,
            and_(links.c.tenant == requests.c.tenant, links.c.request_id == requests.c.id, links.c.ended_at.is_(None)),
        )
        .outerjoin(_lead, and_(_lead.c.tenant == links.c.tenant, _lead.c.id == links.c.lead_id))
        .outerjoin(coolings, and_(coolings.c.tenant == requests.c.tenant, coolings.c.request_id == requests.c.id))
    )
    .where(requests.c.tenant == _tenant, requests.c.id == func.any(bindparam("ids", type_=ARRAY(Text))))
)
_other = requests.alias("waiting")
_theirs = request_subjects.alias("waiting_subjects")
_mine_is_a_copy = (
    select(requests.c.id)
    .where(
        requests.c.tenant == _tenant,
        requests.c.id == bindparam("request_id"),
        requests.c.right.in_(COPIES),
    )
    .exists()
)
_WAITING: Final = (
    select(links.c.request_id)
    .where(links.c.tenant == _tenant, links.c.lead_id == bindparam("request_id"), links.c.ended_at.is_(None))
    .union(
        select(_other.c.id)
        .select_from(of_one_person(request_subjects, _theirs, _other))
        .where(
            request_subjects.c.tenant == _tenant,
            request_subjects.c.request_id == bindparam("request_id"),
            _mine_is_a_copy,
            _other.c.right == literal_column("'erasure'"),
            _other.c.phase != _CLOSED,
        )
    )
)


def read_gates(connection: Connection, tenant: str, request_ids: Sequence[str]) -> dict[str, Gate]:
    """The gates of several requests, in one statement."""
    rows = connection.execute(_GATES, {"tenant": tenant, "ids": list(request_ids)})
    return {
        row.id: Gate(
            weighing=row.proposed is not None or row.charged is not None,
            fee=row.charged is not None,
            consult_until=row.consult_until,
            refused=row.word == "refuse",
            decision=row.decision or "",
            lead=row.lead_id or "",
            lead_over=row.lead_conclusion,
            copy_first=row.copy_first,
            cooling=row.cooling or "",
            cooling_until=row.cooling_until,
            incident=row.incident or "",
        )
        for row in rows
    }


def waiting_for(connection: Connection, tenant: str, request_id: str) -> list[str]:
    """The requests that may be waiting for this one: answered with it, or erasures that a copy goes before."""
    its = {"tenant": tenant, "request_id": request_id}
    return list(connection.scalars(_WAITING, its))


class Gates(Store):
    """The verb that reads a gate."""

    def gate(self, request_id: str) -> Gate:
        """What stands between a request and its work; nothing for one that is not there."""
        with self._look() as connection:
            return read_gates(connection, self.tenant, [request_id]).get(request_id, Gate())
