"""The register of recipients and what they were told, as JSON and as pages.

The one rule: what may be refused tomorrow is said today.
"""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any

from ledger.contracts import ContractEnd
from ledger.notices import Answer, Notice
from rights.recipients import Recipient, Refused, Register
from rights.value import Value
from starter.contracts import still_open
from starter.show import Cell, Page


class Looked(Value):
    """What was found of one recipient."""

    recipient: str
    refused: Refused | None
    """Why nothing may be sent there today."""
    ends: date | None = None
    """When its basis ends, if that is soon."""
    review_on: date | None = None
    """When its transfer is to be reviewed, if that is soon."""
    contract: str = ""
    """What is still to be done since its contract is over, or ends."""
    owed: bool = False
    """Whether that is late: nobody has asked, it has refused, or its day is past."""


def look_over(
    register: Register, day: date, regimes: Collection[str], days: int, ends: Sequence[ContractEnd] = ()
) -> list[Looked]:
    """Every recipient as of a day; what ends within so many `days` counts as soon. `ends`: what processors were asked
    at the end of their contracts, also those who have left the register."""
    soon = day + timedelta(days=days)
    open_ = still_open(register, ends, day)

    def near(when: date | None) -> date | None:
        return when if when and when <= soon else None

    return [
        Looked(
            recipient=handle,
            refused=register.refuses(handle, day, regimes),
            ends=near(one.basis.until),
            review_on=near(one.transfer.review_on),
            contract=open_[handle][0] if handle in open_ else "",
            owed=handle in open_ and open_[handle][1],
        )
        for handle, one in register.recipients.items()
    ] + [
        Looked(recipient=handle, refused=Refused.UNKNOWN, contract=text, owed=late)
        for handle, (text, late) in open_.items()
        if handle not in register.recipients
    ]


def checked_document(found: Sequence[Looked]) -> dict[str, Any]:
    """What was found, as JSON."""
    return {
        "recipients": [one.model_dump(mode="json") for one in found],
        "sound": not any(o.refused or o.owed for o in found),
    }


def checked_page(found: Sequence[Looked]) -> Page:
    """What was found, to be read."""
    page = Page()
    for one in found:
        if one.refused:
            page.line(Cell(f"{one.recipient}: nothing may be sent, {one.refused.says}", "bad"))
        if one.ends and not one.refused:
            page.line(Cell(f"{one.recipient}: its basis ends on {one.ends}", "warn"))
        if one.review_on and not one.refused:
            page.line(Cell(f"{one.recipient}: its transfer is to be reviewed by {one.review_on}", "warn"))
        if one.contract:
            page.line(Cell(f"{one.recipient}: {one.contract}", "bad" if one.owed else "warn"))
    if not any(one.refused or one.ends or one.review_on or one.contract for one in found):
        page.line(Cell(f"{len(found)} recipients: each may be sent what it is given", "good"))
    return page


def register_document(register: Register) -> dict[str, Any]:
    """The register as JSON."""
    return {"recipients": {name: _shown(one) for name, one in register.recipients.items()}}


def _shown(one: Recipient) -> dict[str, Any]:
    return one.model_dump(mode="json", exclude={"told_by"}) | {"told_by": how(one)}


def how(one: Recipient) -> str:
    """How a recipient is told."""
    told = one.told_by
    return f"system {told.system}" if told.system else ("e-mail" if told.email else "post")


def register_page(register: Register) -> Page:
    """The register to be read."""
    if not register.recipients:
        return Page().line("no recipients: name the register in the setting recipients")
    rows = [
        (
            name,
            one.name,
            one.country,
            one.role,
            str(one.transfer.mechanism),
            ", ".join((*one.gets, *one.shows)),
            how(one),
        )
        for name, one in register.recipients.items()
    ]
    return Page().grid(("recipient", "who", "country", "role", "transfer", "has data of", "told by"), rows)


def notices_document(told: Sequence[Notice], register: Register) -> dict[str, Any]:
    """What recipients were told in a request, as JSON."""
    return {
        "notices": [
            one.model_dump(mode="json", exclude={"request_id"}) | {"name": _name(register, one.recipient)}
            for one in told
        ]
    }


def notices_page(told: Sequence[Notice], register: Register) -> Page:
    """The same to be read."""
    if not told:
        return Page().line("nobody was told anything in this request")
    rows = [
        (
            one.recipient,
            _name(register, one.recipient),
            one.operation,
            f"{one.told_at:%Y-%m-%d}, by {one.how}",
            _answer(one),
        )
        for one in told
    ]
    return Page().grid(("recipient", "who", "of what", "told", "answer"), rows)


def _answer(one: Notice) -> str:
    if one.answer is Answer.CONFIRMED_ALONE:
        return f"{one.answer} {one.answered_on}; the rest is awaited until {one.due_on}"
    return f"{one.answer} {one.answered_on}" if one.answer else f"awaited until {one.due_on}"


def _name(register: Register, handle: str) -> str:
    one = register.recipients.get(handle)
    return one.name if one else ""
