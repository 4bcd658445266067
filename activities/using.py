"""The copy of restricted data that may be used: made of what is locked away, and of nothing else.

The one rule: nothing is unlocked for it. It is read with the engine's own credential, as a copy for the person is, and
only where a look has just shown that all there is of the person in these collections is locked away.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.acting import left
from activities.calls import Beat, Doing, beating, make_ready, read
from activities.disclosure import Handing, as_rows, seal_disclosure
from activities.opening import Ask
from activities.parcels import BadExport, discard, only_planned, spool
from activities.store import StoreError
from activities.tools import Tools
from connectors.errors import ConnectorError, NeedsHuman, Retryable, Unsupported
from connectors.protocol import Exports, Intent, Pending, Restricts
from ledger.errors import LedgerRefusal
from ledger.requestrow import RequestRow
from rights.authorities import Scope
from rights.codes import Code
from rights.datamap import DataMap
from rights.plan import Operation, Step, Work, make_plan
from rights.receipt import Certainty, Receipt, Tally, newest
from rights.request import Right
from rights.restriction import Stage
from rights.uses import Use


class UsingActivities:
    """Makes the copies of uses."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="seal_use", no_thread_cancel_exception=True)
    def seal(self, ask: Ask) -> None:
        """Seal the copy of a use; no effect if it is sealed, over, or not approved. What a person has to see to is
        noted with the use.

        Raises:
            ApplicationError: a system is away, for now.
        """
        use, at = self._tools.ledger.use(ask.request_id), ask.as_of
        if not use.to_seal(at):
            return
        trouble: ConnectorError | None = None
        try:
            with beating() as beat:
                self._seal(use, at, beat)
            return
        except ConnectorError as error:
            trouble = error
        except LedgerRefusal:
            # It was ended meanwhile: what was sealed is thrown away.
            discard(self._tools.store, use.id, use.systems, parcel=True)
            return
        # Out here, so that the driver's own error does not hang on ours: it may quote a value.
        discard(self._tools.store, use.id, use.systems)
        self._tools.ledger.note_use_trouble(use.id, trouble.code, trouble.about, at=at)
        if isinstance(trouble, Retryable):
            raise ApplicationError(trouble.code, type="Retryable")

    def _seal(self, use: Use, at: datetime, beat: Beat) -> None:
        tools, ledger = self._tools, self._tools.ledger
        row = ledger.request(use.request_id)
        found = ledger.restriction(use.request_id)
        if found is None or found.stage in {Stage.LIFTING, Stage.LIFTED}:
            raise LedgerRefusal("the restriction is being lifted, or was")
        data_map, scope = tools.map_of(row), Scope(collections=use.covers)
        receipts = newest(ledger.receipts(use.request_id), Operation.RESTRICT)
        key = ledger.case_key(use.id, "parcel")
        if key is None:
            raise LedgerRefusal("the key of the copy was destroyed")
        try:
            for name in scope.systems:
                self._spool(use, row, data_map, receipts.get(name), key, at, beat)
            told = {"use": use.id, "of": use.request_id, "to": use.recipient, "ground": use.ground}
            told |= {"article": use.article, "until": use.until.isoformat()}
            packed, rows = seal_disclosure(
                tools.store,
                Handing(use.id, use.zone, scope, told),
                data_map,
                key=key,
                controller=tools.office.controller or "",
                as_of=at,
                beat=beat,
            )
        except StoreError:
            raise Retryable(Code.STORE) from None
        discard(tools.store, use.id, scope.systems)
        ledger.keep_used(use.id, packed.digest, packed.size, rows, at=at)

    def _spool(
        self,
        use: Use,
        row: RequestRow,
        data_map: DataMap,
        receipt: Receipt | None,
        key: bytes,
        at: datetime,
        beat: Beat,
    ) -> None:
        if receipt is None or not receipt.outcome.settled or receipt.certainty is Certainty.ATTESTED:
            # Nobody knows which rows a person has locked by hand.
            raise NeedsHuman(Code.NOT_LOCKED, ", ".join(use.systems) if receipt is None else receipt.step.system)
        step = receipt.step
        doing = Doing(step=step, as_of=at)
        ready = make_ready(self._tools, doing, read(self._tools, step), beat, beside=True)
        wanted = {place.partition(".")[2] for place in use.covers if place.startswith(f"{step.system}.")}
        if wanted - set(ready.call.system.collections):
            raise NeedsHuman(Code.MAP_CHANGED, step.system)
        connector = ready.connector
        if not isinstance(connector, Exports) or not isinstance(connector, Restricts):
            raise Unsupported(Code.UNSUPPORTED, step.system)
        locked: list[Tally] = []
        if left(lambda asked: locked.append(connector.restrict(asked).tally), ready.call):
            # The next look locks it away, and the copy is made after that.
            raise NeedsHuman(Code.NOT_LOCKED, step.system)
        call = replace(ready.call, fence=_nothing_is_changed, work=_copied(row, data_map, step, wanted, at))
        look = connector.locate(call)
        if look.candidates:
            raise NeedsHuman(Code.SEVERAL_PEOPLE, step.system)
        if any(look.tally.of(name).found and not locked[0].of(name).found for name in wanted):
            # Nothing is left to be locked away there since there is no way to: rows of it are open to everybody.
            raise NeedsHuman(Code.NOT_LOCKED, step.system)
        exports = connector.export(replace(call, anchors=look.anchors))
        if isinstance(exports, Pending):
            raise Unsupported(Code.UNSUPPORTED, step.system)
        try:
            given = as_rows(only_planned(exports, call.work))
            spool(self._tools.store, use.id, step.system, given, key=key, beat=beat)
        except BadExport:
            raise NeedsHuman(Code.UNSUPPORTED, step.system) from None


def _copied(row: RequestRow, data_map: DataMap, step: Step, wanted: set[str], at: datetime) -> tuple[Work, ...]:
    """What is copied: the collections that the use covers, as a copy for the person has them."""
    part = make_plan(Right.ACCESS, data_map, at, row.regimes).of(step.system)
    nothing = {"export": (), "left_out": True, "files": False}
    return tuple(w if w.collection in wanted else w.model_copy(update=nothing) for w in part.works)


def _nothing_is_changed(planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
    raise RuntimeError("a use enters no fence")
