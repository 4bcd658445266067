"""An authority's demand, carried on: what is to be handed over is sealed, days are noted, and its end.

The one rule: nothing is looked for before the decision is in force, and nothing beyond its scope leaves a system: what
the connectors give goes through the same spool and seal as a copy for the person, cut to the scope.
"""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.calls import Beat, beating
from activities.demandcut import only_days
from activities.demandletters import write_due_letters
from activities.disclosure import Handing, as_rows, seal_disclosure
from activities.mailsetup import LIFE
from activities.opening import Ask
from activities.parcels import BadExport, discard, only_planned, spool
from activities.store import StoreError
from activities.tools import Tools
from connectors.errors import ConnectorError, NeedsHuman, Retryable, Unsupported
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
            for system in parts:
                self._spool(demand, system, people, key, at, beat)
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
            ledger.keep_disclosure(demand.id, packed.digest, packed.size, rows, decided_at=demand.decided_at, at=at)

    def _spool(
        self, demand: Demand, system: System, people: tuple[Identity, ...], key: bytes, at: datetime, beat: Beat
    ) -> None:
        connector = self._tools.connectors[system.system]
        if not isinstance(connector, Exports):
            raise Unsupported(Code.UNSUPPORTED, system.system)
        call = self._call(demand, system, people, at, beat)
        look = connector.locate(call)
        if look.candidates:
            # Whose rows these are is not known: nothing of somebody else goes to an authority by mistake.
            raise NeedsHuman(Code.SEVERAL_PEOPLE, system.system)
        exports = connector.export(replace(call, anchors=look.anchors))
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
