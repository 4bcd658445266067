"""Proving who asks: contact points into the vault, codes on their way, reminders, the lapse.

The one rule: before anybody is proven the directory is asked, once, for contact points; no other system is asked for
anything, and what the directory has told stands in no receipt.
"""

from collections.abc import Sequence
from datetime import datetime

from temporalio import activity

from activities.calls import FINAL_WORDS, Beat, Doing, beating, by_word, keep, make_ready, read
from activities.opening import Ask
from activities.outcomes import receipt_for
from activities.tools import Tools
from connectors.errors import NeedsHuman, Unsupported
from connectors.protocol import Channels, ContactPoint
from ledger.proofcodes import Reached
from ledger.requestrow import RequestRow
from ledger.steps import AtStep
from rights.codes import Code
from rights.deadlines import start_clock
from rights.identity import Unreached
from rights.objections import OPT_OUT_LAW, OptOutDetails
from rights.receipt import Receipt, Tally
from rights.regimes import regime
from rights.request import Phase, Right
from rights.suppression import Scope
from rights.unproven import together


class IdentityActivities:
    """What is done while a request waits for proof."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="channels", no_thread_cancel_exception=True)
    def channels(self, doing: Doing) -> Receipt:
        """Read how the person is reached, into the vault. The receipt says that it was done, and nothing else."""
        tools, step = self._tools, doing.step
        known = read(tools, step)
        if known.word in FINAL_WORDS:
            self._keep(doing, (), doubt=True)
            return keep(tools, doing, known, by_word(tools, step, known.word, doing.as_of))
        with beating() as beat:
            receipt = receipt_for(step, lambda: self._read(doing, known, beat), doing.as_of)
        return keep(tools, doing, known, receipt)

    @activity.defn(name="codes", no_thread_cancel_exception=True)
    def codes(self, ask: Ask) -> int:
        """Make the codes that were asked for and queue their letters; how many were asked for."""
        return self._tools.ledger.send_codes(ask.request_id, at=ask.as_of, sms=self._tools.sms)

    @activity.defn(name="remind", no_thread_cancel_exception=True)
    def remind(self, ask: Ask) -> None:
        """Remind the person that something was asked."""
        self._tools.ledger.remind(ask.request_id, at=ask.as_of)

    @activity.defn(name="lapse", no_thread_cancel_exception=True)
    def lapse(self, ask: Ask) -> None:
        """Say that nothing came, and what becomes of the request."""
        ledger = self._tools.ledger
        row = ledger.request(ask.request_id)
        if row.confirmed or row.withdrawn:
            return
        laws, levels = together(row.regimes), ledger.identity_state(row.id).levels
        became = laws.becomes(row.right, levels or [0 for _ in row.regimes])
        if became is Unreached.CATEGORIES and not ledger.may_tell_categories(row.id, at=ask.as_of):
            became = laws.becomes(row.right, [0 for _ in row.regimes])
        if became is Unreached.OPT_OUT:
            self._opt_out(row, ask.as_of)
        ledger.lapse(row.id, became, at=ask.as_of)

    @activity.defn(name="ask_again", no_thread_cancel_exception=True)
    def ask_again(self, ask: Ask) -> None:
        """Something is held under what was proven, and more is needed to give it out or change it."""
        self._tools.ledger.move(ask.request_id, Phase.CONFIRMING, at=ask.as_of)

    @activity.defn(name="tell_categories", no_thread_cancel_exception=True)
    def tell_categories(self, ask: Ask) -> None:
        """Every system was looked into: tell of the categories of what is held, and wait on for more proof where a law
        lets the request rest (Cal. 11 CCR 7024(a))."""
        self._tools.ledger.tell_categories(ask.request_id, at=ask.as_of)
        if not self._tools.ledger.request(ask.request_id).confirmed:
            self._tools.ledger.move(ask.request_id, Phase.CONFIRMING, at=ask.as_of)

    def _opt_out(self, row: RequestRow, at: datetime) -> None:
        """Carry a deletion that cannot be verified out as an opt-out, which nobody has to prove anything for: as a
        request of its own, once (Cal. Civ. Code 1798.99.86(d)(2))."""
        ledger, clock = self._tools.ledger, row.clock
        law = regime(OPT_OUT_LAW)
        details = OptOutDetails(of=(Scope.SALE, Scope.SHARING))
        ledger.open_request(
            Right.OPT_OUT,
            law.regime,
            ledger.identities(row.id),
            start_clock(law, at, clock.zone, clock.holidays, Right.OPT_OUT),
            received_at=at,
            idempotency_key=f"opt-out of {row.id}",
            confirmed=True,
            assurance="none_needed",
            details=details.model_dump_json(exclude_none=True).encode(),
        )

    def _read(self, doing: Doing, known: AtStep, beat: Beat) -> Tally:
        ready = make_ready(self._tools, doing, known, beat)
        if not isinstance(ready.connector, Channels):
            raise Unsupported(Code.UNSUPPORTED, doing.step.system)
        try:
            points = ready.connector.channels(ready.call)
        except NeedsHuman as error:
            if error.code is not Code.SEVERAL_PEOPLE:
                raise
            # Whoever asks is told of nobody, and so is whoever serves them: no task, no count.
            self._keep(doing, (), doubt=True)
        else:
            self._keep(doing, points, doubt=False)
        return Tally()

    def _keep(self, doing: Doing, points: Sequence[ContactPoint], *, doubt: bool) -> None:
        reached = [Reached(point.channel, point.value, point.changed_at, point.beside) for point in points]
        self._tools.ledger.keep_reach(doing.step.request_id, reached, doubt=doubt, at=doing.as_of)
