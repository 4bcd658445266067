"""Decisions as documents and pages.

The one rule: codes, names of the data map and opaque staff ids; a text of the evidence only where it was asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ledger.linking import Linked
from ledger.proposals import Decision
from ledger.requestrow import RequestRow
from rights.decision import Element, Ground, Word, article
from starter.show import Cell, Page, Tone, day, minute

_TONE: Final[Mapping[str, Tone]] = {
    "in_force": "good",
    "proposed": "warn",
    "charged": "warn",
    "dropped": "quiet",
    "replaced": "quiet",
}


def grounds_document(grounds: Mapping[str, Ground]) -> dict[str, Any]:
    """Grounds as JSON, by code."""
    return {"grounds": {code: ground.model_dump(mode="json") for code, ground in grounds.items()}}


def grounds_page(grounds: Mapping[str, Ground]) -> Page:
    """The table of grounds."""
    return Page().grid(
        ("code", "does", "provision", "in words", "needs", "approved by", "sure"),
        (
            (
                Cell(code, "strong"),
                ", ".join(ground.effects),
                f"{ground.article}, until {ground.limit.until}" if ground.limit else ground.article,
                ground.says,
                ", ".join(ground.needs),
                f"{ground.approver or ''}{', dpo is asked' if ground.dpo else ''}",
                ground.confidence if ground.enabled else f"{ground.confidence}, off",
            )
            for code, ground in grounds.items()
        ),
    )


def decision_document(decision: Decision, texts: Mapping[Element, str]) -> dict[str, Any]:
    """One decision as JSON."""
    body = decision.model_dump(mode="json")
    return {**body, "missing": list(decision.missing), **({"evidence": dict(texts)} if texts else {})}


def decision_page(decision: Decision, zone: str) -> Page:
    """One decision."""
    page = Page()
    _add(page, decision, {}, zone)
    return page


def decisions_page(
    row: RequestRow,
    found: Sequence[Decision],
    texts: Mapping[str, Mapping[Element, str]],
    linked: Sequence[Linked],
    zone: str,
) -> Page:
    """All decisions on a request, and the requests that it is answered with."""
    page = Page()
    if row.lead:
        page.line(Cell(f"answered together with the earlier request {row.lead}", "strong"))
    for one in linked:
        page.line(f"its answer names request {one.request_id} too, received {day(one.received_at, zone)}")
    for decision in found:
        _add(page, decision, texts.get(decision.id, {}), zone)
    if not found:
        page.line("nobody has opened a decision: what a proven person asks for is granted")
    return page


def _add(page: Page, decision: Decision, texts: Mapping[Element, str], zone: str) -> None:
    decided = decision.decided
    page.heading(Cell(f"decision {decision.id}: {decided.word}, {decision.state}", _TONE[decision.state]))
    page.pairs(
        (
            ("fee", str(decided.fee) if decided.fee else None),
            ("ground", f"{decided.ground} ({article(decided.ground)})" if decided.ground else None),
            *((f"without {part.category}", f"{part.ground} ({article(part.ground)})") for part in decided.parts),
            ("proposed", f"{minute(decision.proposed_at, zone)} by {decision.proposed_by}"),
            *(
                (
                    str(one.role),
                    f"{one.word}, {minute(one.at, zone)}"
                    + (f" by {one.by}{' (substitute)' if one.substitute else ''}" if one.by else ""),
                )
                for one in decision.said
            ),
            ("needs", ", ".join(decision.missing) if decision.state == "proposed" else None),
            (
                "dpo answers until",
                minute(decision.consult_until, zone)
                if decision.consult_until and decision.state == "proposed"
                else None,
            ),
        )
    )
    for element, text in texts.items():
        page.line(f"{element}: {text}", indent=2)


def told(row: RequestRow) -> list[str]:
    """What the answer says of a decision in force: of a grant in part, each category that was left out and why."""
    if row.decided is None or row.decided.word is not Word.IN_PART:
        return []
    return [f"Not included: {part.category} ({article(part.ground)})." for part in row.decided.parts]
