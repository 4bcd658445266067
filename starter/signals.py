"""Signals of opting out, and a trial of our own way of honouring them.

The one rule: a signal is a state and not an event: whoever sends it with each page has opted out once.
"""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from ledger.ledger import Ledger
from rights.datamap import DataMap
from rights.objections import OptOutDetails
from rights.receipt import Outcome
from rights.request import Right
from rights.subject import parse_identities
from rights.suppression import GPC_STOPS, Scope, Source, gpc_signals
from rights.value import Value
from starter.submit import Rules, submit

CONFIRM_EVERY: Final = timedelta(days=1)
"""How often a signal that is repeated is noted as being there still."""


class Heard(Value):
    """What became of a signal."""

    signal: bool
    """False: the header says nothing."""
    new: bool = False
    """A request was opened for it."""
    request_id: str = ""


class Probed(Value):
    """What a trial of the opt-out path has shown."""

    request_id: str
    closed: bool
    """The request was answered in time."""
    suppressed: bool
    """Our own list has it, by this request or confirmed by it."""
    reached: tuple[str, ...] = ()
    """Systems in which it was stopped."""
    unknown: tuple[str, ...] = ()
    """Systems that do not know the canary, so nothing was tried there."""
    failed: tuple[str, ...] = ()
    seconds: float = 0

    @property
    def well(self) -> bool:
        """Whether an opt-out would be honoured, as far as was tried."""
        return self.closed and self.suppressed and bool(self.reached) and not self.failed


def hear_gpc(
    ledger: Ledger,
    data_map: DataMap,
    rules: Rules,
    header: str | None,
    identities: Iterable[tuple[str, str]],
    *,
    at: datetime,
) -> Heard:
    """Heed the `Sec-GPC` header of somebody who is known by these identities, if only as a browser.

    Raises:
        IdentityError: an identity cannot be used.
    """
    if not gpc_signals(header):
        return Heard(signal=False)
    given = list(identities)
    people = parse_identities(given)
    known = {one.scope: one for one in ledger.suppressed(people, at=at)}
    if all(scope in known for scope in GPC_STOPS):
        request_id = known[GPC_STOPS[0]].request_id
        if at - min(known[scope].confirmed_at for scope in GPC_STOPS) >= CONFIRM_EVERY:
            ledger.suppress(request_id, people, GPC_STOPS, source=Source.GPC, at=at)
        return Heard(signal=True, request_id=request_id)
    opened = submit(
        ledger,
        data_map,
        rules,
        Right.OPT_OUT,
        given,
        received_at=at,
        idempotency_key=ledger.signal_key(people),
        details=OptOutDetails(of=GPC_STOPS, source=Source.GPC),
    )
    return Heard(signal=True, new=opened.new, request_id=opened.request_id)


def probe(
    ledger: Ledger,
    data_map: DataMap,
    rules: Rules,
    identities: Iterable[tuple[str, str]],
    scope: Scope,
    *,
    at: datetime,
    within: timedelta,
    every: float,
) -> Probed:
    """Opt a canary out, as a person would, and see what comes of it. Waits up to `within`.

    Raises:
        IdentityError: an identity cannot be used.
    """
    given, began = list(identities), time.monotonic()
    opened = submit(ledger, data_map, rules, Right.OPT_OUT, given, received_at=at, details=OptOutDetails(of=(scope,)))
    request_id = opened.request_id
    while ledger.request(request_id).phase.open and time.monotonic() - began < within.total_seconds():
        time.sleep(every)
    listed = [one for one in ledger.suppressed(parse_identities(given), at=at) if one.scope is scope]
    newest = {receipt.step.system: receipt for receipt in ledger.receipts(request_id)}
    return Probed(
        request_id=request_id,
        closed=not ledger.request(request_id).phase.open,
        suppressed=any(one.confirmed_at >= at for one in listed),
        reached=tuple(name for name, r in newest.items() if r.outcome is Outcome.DONE),
        unknown=tuple(name for name, r in newest.items() if r.outcome is Outcome.NOTHING_HELD),
        failed=tuple(name for name, r in newest.items() if not r.outcome.settled),
        seconds=round(time.monotonic() - began, 2),
    )
