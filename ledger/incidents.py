"""Incidents: opened, advised on, notified, told, closed; and what stands still for them.

The one rule: the freeze takes turns with the fence and with the closing of a request, so whoever opens an incident is
told what may still be running, and nothing begins after.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from ledger.claims import made
from ledger.clocks import laws_of
from ledger.errors import LedgerRefusal
from ledger.fence import calls_of_request
from ledger.ids import new_id
from ledger.letters import call_for_letters
from ledger.models import case_keys, entries, requests, tasks
from ledger.models_incidents import incident_requests, incidents
from ledger.notes import keep_note
from ledger.outbox import post
from ledger.standstill import cool_anew, incident_task, stand_still
from ledger.store import AnyRow, Store
from ledger.tasks import settle_tasks
from ledger.vault import DataKey
from rights.incidentlaw import How, Kind, incident_law
from rights.incidents import Incident, Origin, Threat, check_aware, check_notified
from rights.request import Phase

_ALL: Final = select(incidents).where(incidents.c.tenant == bindparam("of"))
_ONE: Final = _ALL.where(incidents.c.id == bindparam("id"))
_NAMED: Final = (
    select(incident_requests)
    .where(incident_requests.c.tenant == bindparam("of"))
    .order_by(incident_requests.c.incident_id, incident_requests.c.request_id)
)
_CLOSED: Final = "the incident is closed: open another one for what has come since (habeas incident open)"


class About(NamedTuple):
    """What an incident is about."""

    requests: tuple[str, ...] = ()
    parcels: tuple[str, ...] = ()
    """Requests whose parcel it is about."""
    systems: tuple[str, ...] = ()

    @property
    def every_request(self) -> tuple[str, ...]:
        """Each request that is named, once."""
        return tuple(dict.fromkeys((*self.requests, *self.parcels)))


class Opened(NamedTuple):
    """An incident that was opened."""

    incident: Incident
    in_flight: int
    """Calls of the requests it has stopped that may still be running; none begins after them."""


def begin_incident(
    store: Store,
    connection: Connection,
    kind: Kind,
    about: About,
    key: DataKey,
    *,
    origin: Origin,
    regime: str,
    zone: str,
    by: str,
    aware_at: datetime,
    note: str | None,
    stops: bool,
    at: datetime,
) -> Opened:
    """Open an incident in a transaction of the caller's, which has taken the lock of holds: nobody enters a fence.

    `stops`: the requests it names stand still. `regime` counts where it names none.

    Raises:
        LedgerRefusal: a request is not there, or has no parcel to be about.
    """
    named = _requests(store, connection, about)
    laws = tuple(dict.fromkeys(law for row in named for law in laws_of(row))) or (regime,)
    found, in_flight = new_id(at), 0
    row = {
        "tenant": store.tenant,
        "id": found,
        "kind": kind.value,
        "origin": origin.value,
        "systems": list(about.systems),
        "regimes": list(laws),
        "hours": incident_law().within(laws).hours,
        "zone": zone,
        "aware_at": aware_at,
        "opened_at": at,
        "opened_by": by,
    }
    connection.execute(insert(incidents), row)
    store._vault.add_key(connection, found, "file", key)
    kept = keep_note(store, connection, found, "opened", note, at)
    for one in named:
        its = {"tenant": store.tenant, "incident_id": found, "request_id": one.id}
        connection.execute(insert(incident_requests), {**its, "parcel": one.id in about.parcels, "stopped": stops})
    still = named if stops else []
    for one in still:
        in_flight += calls_of_request(connection, store.tenant, one.id)
        post(connection, store.tenant, "wake", one.id, at)
    post(connection, store.tenant, "incident", "", at, {"incident": found})
    said = {"kind": kind, "origin": origin, "systems": about.systems, "requests": len(named), "regimes": laws}
    for one in still:
        stand_still(store, connection, one.id, found, at, open_=one.phase != Phase.CLOSED)
    body = {"incident": found, **said, "aware_at": aware_at, "hours": row["hours"], "by": by, **kept}
    store._journal(connection, "incident_opened", body, at, key=found)
    ids = tuple(one.id for one in named)
    of = {"requests": ids, "parcels": about.parcels, "stopped": ids if stops else ()}
    return Opened(Incident.model_validate({**row, **of}), in_flight)


def residue_found(
    store: Store, connection: Connection, request_id: str, systems: tuple[str, ...], key: DataKey, at: datetime
) -> None:
    """Open an incident where a late look has found what was erased, in the transaction that notes it and opens the
    request again. That one does not stand still: to erase it once more is what ends it."""
    row = connection.execute(
        select(requests.c.regime, requests.c.zone).where(requests.c.tenant == store.tenant, requests.c.id == request_id)
    ).one()
    begin_incident(
        store,
        connection,
        Kind.RESIDUE,
        About(requests=(request_id,), systems=systems),
        key,
        origin=Origin.RELOOK,
        regime=row.regime,
        zone=row.zone,
        by="engine",
        aware_at=at,
        note=None,
        stops=False,
        at=at,
    )


def _requests(store: Store, connection: Connection, about: About) -> list[AnyRow]:
    """The rows of what it names, locked: none is closed meanwhile."""
    wanted = about.every_request
    its = (requests.c.tenant == store.tenant, requests.c.id.in_(wanted))
    rows = list(
        connection.execute(select(requests).where(*its).order_by(requests.c.id).with_for_update(key_share=True))
    )
    if len(rows) < len(wanted):
        raise LedgerRefusal("there is no request of this id")
    packed = (
        select(entries.c.request_id)
        .distinct()
        .where(entries.c.tenant == store.tenant, entries.c.request_id.in_(about.parcels), entries.c.kind == "parcel")
    )
    if about.parcels and len(connection.execute(packed).all()) < len(about.parcels):
        raise LedgerRefusal("this request has no parcel, or none yet: name the request itself (--request)")
    return rows


class Incidents(Store):
    """Verbs on incidents. `by` is a person, as an opaque staff id or a role."""

    def open_incident(
        self,
        kind: Kind,
        about: About,
        *,
        aware_at: datetime,
        regime: str,
        zone: str,
        by: str,
        note: str | None,
        at: datetime,
        origin: Origin = Origin.PERSON,
    ) -> Opened:
        """Open an incident: the requests it names stand still, and the hours count from `aware_at`.

        Raises:
            LedgerRefusal: a request is not there, or has no parcel to be about.
            IncidentError: the awareness lies in the future.
        """
        check_aware(aware_at, at)

        def commit() -> Opened:
            key = self._vault.make_key("file", at)
            with self._begin() as connection:
                self._people.lock_holds(connection, self.tenant)
                opened = begin_incident(
                    self,
                    connection,
                    kind,
                    about,
                    key,
                    origin=origin,
                    regime=regime,
                    zone=zone,
                    by=by,
                    aware_at=aware_at,
                    note=note,
                    stops=True,
                    at=at,
                )
                made(connection, self.tenant, {"incident": opened.incident.id, "in_flight": opened.in_flight})
                return opened

        return self._with_kek(commit)

    def advise_incident(self, incident_id: str, threat: Threat, *, reason: str, by: str, at: datetime) -> Incident:
        """Enter what the data protection officer advises, with the reason, which is sealed; later advice counts.

        Raises:
            LedgerRefusal: there is no such incident, or it is closed.
        """
        with self._begin() as connection:
            self._lock_open_incident(connection, incident_id)
            self._change_incident(connection, incident_id, threat=threat.value, advised_at=at, advised_by=by)
            kept = keep_note(self, connection, incident_id, f"advice/{new_id(at)}", reason, at)
            self._said_of_incident(
                connection, "incident_advised", incident_id, {"threat": threat, "by": by, **kept}, at
            )
        return self.incident(incident_id)

    def notify_of_incident(
        self, incident_id: str, notified_at: datetime, *, by: str, text: str | None, reason: str | None, at: datetime
    ) -> Incident:
        """Note that the authority was notified, of it or of more of it (Art. 33(4)); the first notice counts.

        Raises:
            LedgerRefusal: there is no such incident, or it is closed.
            IncidentError: it cannot have been then, or was late and no reason is given.
        """
        with self._begin() as connection:
            incident = self._lock_open_incident(connection, incident_id)
            check_notified(incident, notified_at, at, reason=bool(reason and reason.strip()))
            first = incident.notified_at is None
            if first:
                self._change_incident(connection, incident_id, notified_at=notified_at, notified_by=by)
            number = new_id(at)
            sent = keep_note(self, connection, incident_id, f"notice/{number}", text, at)
            why = keep_note(self, connection, incident_id, f"late/{number}", reason, at)
            body = {"on": notified_at, "by": by, "first": first, **sent, "reason": dict(why)}
            self._said_of_incident(connection, "incident_notified", incident_id, body, at)
        return self.incident(incident_id)

    def told_of_incident(self, incident_id: str, how: How, *, by: str, text: str, at: datetime) -> Incident:
        """Note that the people were told, in these words, or on which ground they are not; the words are sealed.

        Raises:
            LedgerRefusal: there is no such incident, or it is closed.
        """
        with self._begin() as connection:
            self._lock_open_incident(connection, incident_id)
            self._change_incident(connection, incident_id, told_at=at, told_how=how.value, told_by=by)
            kept = keep_note(self, connection, incident_id, f"told/{new_id(at)}", text, at)
            self._said_of_incident(connection, "incident_told", incident_id, {"how": how, "by": by, **kept}, at)
        return self.incident(incident_id)

    def lift_incident(self, incident_id: str, *, by: str, note: str | None, at: datetime) -> Incident:
        """Let the requests go on that stand still for an incident, which stays open. No effect if they do.

        Raises:
            LedgerRefusal: there is no such incident, or it is closed.
        """
        with self._begin() as connection:
            incident = self._lock_open_incident(connection, incident_id)
            if incident.stopped:
                kept = keep_note(self, connection, incident_id, f"lifted/{new_id(at)}", note, at)
                self._let_incident_go(connection, incident, at)
                self._said_of_incident(connection, "incident_lifted", incident_id, {"by": by, **kept}, at)
        return self.incident(incident_id)

    def close_incident(self, incident_id: str, *, by: str, note: str, file_until: datetime, at: datetime) -> Incident:
        """Close an incident for which nothing is left to do; `note`, sealed, is what came of it and what was done
        (Art. 33(5)). What stood still for it goes on.

        Raises:
            LedgerRefusal: there is no such incident, it is closed, or something is left to do.
        """
        with self._begin() as connection:
            incident = self._lock_open_incident(connection, incident_id)
            if left := [one for one in incident.waits_for() if one != "close"]:
                raise LedgerRefusal(f"something is left to do ({', '.join(left)}): habeas incident show says what")
            kept = keep_note(self, connection, incident_id, "closed", note, at)
            self._let_incident_go(connection, incident, at)
            self._change_incident(connection, incident_id, closed_at=at, closed_by=by)
            its = (case_keys.c.tenant == self.tenant, case_keys.c.case_id == incident_id)
            connection.execute(update(case_keys).where(*its).values(keep_until=file_until))
            self._said_of_incident(connection, "incident_closed", incident_id, {"by": by, **kept}, at)
        return self.incident(incident_id)

    def note_incident_reminder(self, incident_id: str, hours: int, *, at: datetime) -> bool:
        """Note that so many hours are left to notify the authority, 0: none; False if that was noted."""
        with self._begin() as connection:
            incident = self._lock_incident(connection, incident_id)
            if incident.reminded is not None and incident.reminded <= hours:
                return False
            self._change_incident(connection, incident_id, reminded=hours)
            self._journal(connection, "incident_due", {"incident": incident_id, "hours": hours}, at, key=incident_id)
        return True

    def incident(self, incident_id: str) -> Incident:
        """An incident as it stands.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        with self._look() as connection:
            return self._read_incident(connection, connection.execute(_ONE, self._of_incident(incident_id)).first())

    def incidents(self, *, open_only: bool = False) -> list[Incident]:
        """All incidents, the oldest first."""
        query = _ALL.where(incidents.c.closed_at.is_(None)) if open_only else _ALL
        with self._look() as connection:
            named: dict[str, list[AnyRow]] = {}
            rows = connection.execute(query.order_by(incidents.c.id), {"of": self.tenant}).all()
            which = incident_requests.c.incident_id.in_([row.id for row in rows])
            for one in connection.execute(_NAMED.where(which), {"of": self.tenant}):
                named.setdefault(one.incident_id, []).append(one)
        return [_incident(row, named.get(row.id, ())) for row in rows]

    def _let_incident_go(self, connection: Connection, incident: Incident, at: datetime) -> None:
        """Let what stands still for an incident go on, unless it does for another one as well."""
        if not incident.stopped:
            return
        its = (incident_requests.c.tenant == self.tenant, incident_requests.c.incident_id == incident.id)
        connection.execute(update(incident_requests).where(*its).values(stopped=False))
        self._change_incident(connection, incident.id, lifted_at=at)
        keys = [incident_task(request_id, incident.id) for request_id in incident.stopped]
        settle_tasks(self, connection, at, tasks.c.step_key.in_(keys), ruling="lifted")
        cool_anew(self, connection, incident.stopped, at)
        call_for_letters(self, connection, at)
        for request_id in incident.stopped:
            post(connection, self.tenant, "wake", request_id, at)
            self._journal(connection, "went_on", {"incident": incident.id}, at, request_id=request_id)

    def _said_of_incident(
        self, connection: Connection, kind: str, incident_id: str, body: dict[str, object], at: datetime
    ) -> None:
        """Journal what was said, and have the run hear of it."""
        post(connection, self.tenant, "incident", "", at, {"incident": incident_id})
        self._journal(connection, kind, {"incident": incident_id, **body}, at, key=incident_id)

    def _of_incident(self, incident_id: str) -> dict[str, str]:
        return {"of": self.tenant, "id": incident_id}

    def _lock_incident(self, connection: Connection, incident_id: str) -> Incident:
        return self._read_incident(
            connection, connection.execute(_ONE.with_for_update(), self._of_incident(incident_id)).first()
        )

    def _lock_open_incident(self, connection: Connection, incident_id: str) -> Incident:
        incident = self._lock_incident(connection, incident_id)
        if incident.closed_at:
            raise LedgerRefusal(_CLOSED)
        return incident

    def _read_incident(self, connection: Connection, row: AnyRow | None) -> Incident:
        if row is None:
            raise LedgerRefusal("there is no incident of this id")
        which = _NAMED.where(incident_requests.c.incident_id == row.id)
        return _incident(row, connection.execute(which, {"of": self.tenant}).all())

    def _change_incident(self, connection: Connection, incident_id: str, **values: object) -> None:
        connection.execute(
            update(incidents).where(incidents.c.tenant == self.tenant, incidents.c.id == incident_id).values(**values)
        )


def _incident(row: AnyRow, named: Iterable[AnyRow]) -> Incident:
    of = list(named)
    body: dict[str, Any] = dict(row._mapping)
    return Incident.model_validate(
        {
            **body,
            "requests": tuple(one.request_id for one in of),
            "parcels": tuple(one.request_id for one in of if one.parcel),
            "stopped": tuple(one.request_id for one in of if one.stopped),
        }
    )
