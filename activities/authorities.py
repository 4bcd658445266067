"""An authority's demand, carried on: what is to be handed over is sealed, days are noted, and its end.

The one rule: nothing is looked for before the decision is in force, and nothing beyond its scope leaves a system: what
the connectors give goes through the same spool and seal as a copy for the person, cut to the scope.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.calls import Beat, beating, may_find
from activities.demandcut import only_days
from activities.demandletters import write_due_letters
from activities.disclosure import Handing, as_rows, seal_disclosure
from activities.mailsetup import LIFE
from activities.opening import Ask
from activities.parcels import BadExport, discard, only_planned, spool
from activities.store import StoreError
from activities.tools import Tools
from connectors.errors import ConnectorError, NeedsHuman, Retryable, Unsupported
from connectors.links import MOST
from connectors.protocol import Call, Exports, Intent, Pending
from ledger.errors import LedgerRefusal
from rights.authorities import Demand, Waits
from rights.codes import Code
from rights.datamap import System
from rights.demandfile import Gag
from rights.plan import make_plan
from rights.receipt import Tally
from rights.reckoning import local_day
from rights.request import Right
from rights.subject import Identity
from rights.value import Value


class Carried(Value):
    """How far a demand is."""

    state: str
    """What it waits for first; over: for nothing."""
    over: bool = False
    next_in_seconds: float | None = None
    """When something becomes due by itself."""


class AuthorityActivities:
    """The work of the `authority-request` workflow."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="carry_demand_on", no_thread_cancel_exception=True)
    def carry_on(self, ask: Ask) -> Carried:
        """Do what is due: seal what is to be handed over, note that a gag or a term has ended, close what is done.

        Raises:
            ApplicationError: a system is away, for now.
        """
        ledger, at = self._tools.ledger, ask.as_of
        demand = ledger.demand(ask.request_id)
        if Waits.SEAL in demand.waits_for(at):
            self._seal(demand, at)
            demand = ledger.demand(demand.id)
        self._note_days(demand, at)
        write_due_letters(self._tools, demand, at)
        demand = ledger.demand(demand.id)
        terms = self._tools.terms
        if demand.objected_at and demand.in_force and not demand.gives:
            # What an unsound word had sealed is nobody's any more.
            discard(self._tools.store, demand.id, (), parcel=True)
        if not demand.waits_for(at) and (wait := self._may_come_back(demand, at)):
            return Carried(state=Waits.LETTER, next_in_seconds=wait.total_seconds())
        if not demand.waits_for(at):
            ledger.close_demand(
                demand.id,
                working_until=at + terms.working,
                file_until=at + terms.file,
                parcel_until=at + terms.parcel,
                at=at,
            )
            return Carried(state="over", over=True)
        change = demand.next_change(at)
        return Carried(state=demand.waits_for(at)[0], next_in_seconds=(change - at).total_seconds() if change else None)

    def _may_come_back(self, demand: Demand, at: datetime) -> timedelta | None:
        """How long a letter that was mailed may still come back, so that the demand is not over."""
        if self._tools.mail is None or self._tools.mail.mailbox is None:
            return None
        until = self._tools.ledger.demand_letters_out(demand.id, LIFE, at=at)
        return until - at if until else None

    def _note_days(self, demand: Demand, at: datetime) -> None:
        """Say in the log what has become late or free; who looks at the list sees it there."""
        log = structlog.get_logger()
        if demand.overdue(at):
            log.warning("demand_overdue", demand=demand.id)
        if demand.gag is Gag.UNTIL and Waits.TELL in demand.waits_for(at):
            self._tools.ledger.note_gag_over(demand.id, at=at)
            log.warning("demand_gag_over", demand=demand.id)

    def _seal(self, demand: Demand, at: datetime) -> None:
        trouble: tuple[Code, str] | None = None
        try:
            with beating() as beat:
                self._disclose(demand, at, beat)
        except Retryable as error:
            trouble = (error.code, error.about)
        except ConnectorError as error:
            # For a person: their next word on the demand, or the next look at it, tries again.
            self._tools.ledger.note_demand_trouble(demand.id, error.code, error.about, at=at)
            discard(self._tools.store, demand.id, demand.scope.systems)
        except LedgerRefusal:
            # The decision was changed meanwhile: what was sealed under the old one is thrown away.
            discard(self._tools.store, demand.id, demand.scope.systems, parcel=True)
        if trouble:
            # Out here, so that the driver's own error does not hang on ours: it may quote a value.
            code, about = trouble
            self._tools.ledger.note_demand_trouble(demand.id, code, about, at=at)
            raise ApplicationError(code, type="Retryable")

    def _disclose(self, demand: Demand, at: datetime, beat: Beat) -> None:
        tools, ledger = self._tools, self._tools.ledger
        self._may_send(demand.authority, "", demand, at)
        people = ledger.demand_people(demand.id)
        key = ledger.case_key(demand.id, "parcel", create=True)
        if undatable := demand.scope.undatable(tools.data_map):
            raise NeedsHuman(Code.MAP_CHANGED, undatable[0].partition(".")[0])
        # All systems are asked for before any is looked into: a demand on two gives both or none.
        parts = [self._system(name, demand, at) for name in demand.scope.systems]
        try:
            looks, learnt = self._look(demand, parts, people, at, beat)
            for system in parts:
                self._spool(demand, looks[system.system], key, beat)
            packed, rows = seal_disclosure(
                tools.store,
                Handing.of(demand),
                tools.data_map,
                key=key,
                controller=tools.office.controller or "",
                as_of=at,
                beat=beat,
            )
        except StoreError:
            raise Retryable(Code.STORE) from None
        discard(tools.store, demand.id, demand.scope.systems)
        if demand.decided_at is not None:
            ledger.keep_disclosure(
                demand.id, packed.digest, packed.size, rows, learnt=learnt, decided_at=demand.decided_at, at=at
            )

    def _look(
        self, demand: Demand, parts: Sequence[System], people: tuple[Identity, ...], at: datetime, beat: Beat
    ) -> tuple[dict[str, Call], int]:
        """Look into each system of the decision, and again into those that may find more by what another has told of
        the person, until nothing new is told. By system the call that its export goes by, and how many further
        identities were told; no other system is asked by them."""
        calls: dict[str, Call] = {}
        known, due = people, list(parts)
        while due:
            told: dict[Identity, set[str]] = {}
            for system in due:
                call = self._call(demand, system, known, at, beat)
                look = self._tools.connectors[system.system].locate(call)
                if look.candidates:
                    # Whose rows these are is not known: nothing of somebody else goes to an authority by mistake.
                    raise NeedsHuman(Code.SEVERAL_PEOPLE, system.system)
                calls[system.system] = replace(call, anchors=look.anchors)
                for link in look.links:
                    told.setdefault(link, set()).add(system.system)
            new = {link: by for link, by in told.items() if link not in known}
            known = (*known, *new)
            if len(known) > MOST:
                raise NeedsHuman(Code.TOO_MANY_LINKS, due[0].system)
            due = [system for system in parts if any(may_find(system, {link.kind}, by=by) for link, by in new.items())]
        return calls, len(known) - len(people)

    def _spool(self, demand: Demand, call: Call, key: bytes, beat: Beat) -> None:
        system = call.system
        connector = self._tools.connectors[system.system]
        assert isinstance(connector, Exports)  # noqa: S101 - by `_system`
        exports = connector.export(call)
        if isinstance(exports, Pending):
            raise Unsupported(Code.UNSUPPORTED, system.system)
        try:
            given = only_days(as_rows(only_planned(exports, call.work)), demand, system)
            spool(self._tools.store, demand.id, system.system, given, key=key, beat=beat)
        except BadExport:
            raise NeedsHuman(Code.UNSUPPORTED, system.system) from None

    def _system(self, name: str, demand: Demand, at: datetime) -> System:
        tools = self._tools
        system = tools.data_map.systems.get(name)
        if system is None or name not in tools.connectors or set(demand.scope.of(name)) - set(system.collections):
            raise NeedsHuman(Code.MAP_CHANGED, name)
        if not isinstance(tools.connectors[name], Exports):
            raise Unsupported(Code.UNSUPPORTED, name)
        if system.recipient:
            # A look sends the person's identities there.
            self._may_send(system.recipient, name, demand, at)
        return system

    def _may_send(self, recipient: str, system: str, demand: Demand, at: datetime) -> None:
        if self._tools.register.refuses(recipient, local_day(at, demand.zone), [demand.regime]):
            raise NeedsHuman(Code.EGRESS, system)

    def _call(self, demand: Demand, system: System, people: tuple[Identity, ...], at: datetime, beat: Beat) -> Call:
        data_map, scope = self._tools.data_map, demand.scope
        part = make_plan(Right.ACCESS, data_map, at, [demand.regime]).of(system.system)
        wanted = scope.of(system.system)

        def cut(name: str) -> dict[str, object]:
            if name not in wanted:
                return {"export": (), "left_out": True, "files": False}
            fields = scope.fields(data_map, f"{system.system}.{name}")
            # A file cannot be cut: where a category or a day stays here, so do files.
            return {"export": fields, "withheld": (), "files": not scope.without and scope.days is None}

        return Call(
            key=f"{demand.id}/{system.system}/export",
            session=f"habeas-{hashlib.sha256(f'{demand.id}/{system.system}'.encode()).hexdigest()[:24]}",
            as_of=at,
            system=system,
            work=tuple(work.model_copy(update=cut(work.collection)) for work in part.works),
            identities=people,
            beat=beat,
            fence=_nothing_is_destroyed,
            environment=self._tools.environment,
        )


def _nothing_is_destroyed(planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
    raise RuntimeError("a disclosure enters no fence")
