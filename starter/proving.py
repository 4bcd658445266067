"""Who asks, as an agent sees it: proven or not, what may be asked next, and what to say on the telephone.

The one rule: nothing here depends on whether anybody is known by what was given.
"""

from typing import Any

from ledger.proofcodes import LADDER, MOST_CODES, GoesTo, next_step
from ledger.proofs import IdentityState
from ledger.requestrow import RequestRow
from rights.datamap import DataMap
from rights.identity import BY_STEPS, Rung, identity_law
from starter.exits import Exit, Failure
from starter.show import Cell, Page, minute

POINTS = {
    "email": "an e-mail address you have with us",
    "phone": "a telephone number you have with us",
    "post": "a line of your postal address",
}
"""What is asked for as data points, in words; by kind of channel."""
_SCRIPT = (
    "Thank you for calling. I have written your request down; it counts from today.",
    "Before I look at anything I have to be sure that it is you. I see nothing of your data now.",
    "I have a code sent to an address we have on file, if we have one. I do not see which.",
    "    habeas identity send-code {request} --to file",
    "Please look there and read the code back to me. I will wait.",
    "    habeas identity check-code {request}",
    "If it says 'proven': thank you, that is all I need. You will have our answer in writing.",
    "If it says 'not proven', whatever the reason: I need one step more. I do not know why, and cannot tell.",
    "    habeas identity send-code {request} --to another      then --to post, then in person with a colleague",
    "If no code reaches you: your request stays open. We write to what we have on file, or come to our desk with",
    "a document. I cannot say whether we have anything on you before I know that it is you.",
    "If they want to stop advertising or the sale of their data: no proof is needed. Open an opt-out instead.",
)


def status_document(row: RequestRow, state: IdentityState) -> dict[str, Any]:
    """How far it is: what was asked, never what came of one step."""
    return {
        "request_id": row.id,
        "proven": row.confirmed,
        "needed": identity_law().needed_under(row.right, row.regimes),
        "asked": list(state.asked),
        "codes_left": max(0, MOST_CODES - len(state.asked)),
        "next": None if row.confirmed else next_step(state.asked) or "attest",
        "point_tries_left": max(0, identity_law().point_tries - state.point_tries),
        "mandate_needed": state.mandate_needed,
        "mandate": state.mandate_kind or None,
        "second_look": any(
            (p.rung in {Rung.DOCUMENT, Rung.IN_PERSON} or (p.rung is Rung.ATTESTED and p.level > BY_STEPS))
            and not p.second
            for p in state.proofs
        ),
        "given": list(state.given),
        "loose": list(state.loose),
        "lapsed_at": state.lapsed_at,
    }


def code_goes(state: IdentityState, to: str | None) -> GoesTo:
    """Where the next code goes: where it was asked to, else the next step of the ladder.

    Raises:
        Failure: the ladder is used up.
    """
    goes = next((place for place in LADDER if place == to), None) or next_step(state.asked)
    if goes is None:
        raise Failure(
            Exit.REFUSED, "the ladder of codes is used up: attest in person or a document, with a second agent"
        )
    return goes


def status_page(document: dict[str, Any], zone: str) -> Page:
    """The same, for a person."""
    page = Page().line(verdict(proven=document["proven"]))
    lapsed = document["lapsed_at"]
    page.pairs(
        (
            ("level needed", str(document["needed"])),
            ("given", ", ".join(document["given"]) or None),
            ("codes asked for", ", ".join(document["asked"]) or "none"),
            ("next step", _next(document)),
            ("data points", f"{document['point_tries_left']} tries left"),
            ("for somebody else", _mandate(document)),
            ("second agent", "has to look" if document["second_look"] else None),
            ("not tied to who was proven", _loose(document)),
            ("lapsed", f"{minute(lapsed, zone)}; any proof takes it up again" if lapsed else None),
        )
    )
    return page


def verdict(*, proven: bool) -> Cell:
    """All that an agent is told of a step."""
    return Cell("proven", "good") if proven else Cell("not proven", "warn")


def points_asked(data_map: DataMap) -> list[str]:
    """The kinds of data points that can be compared: those of the directory, whoever asks."""
    system = data_map.directory
    fields = (f for c in system.collections.values() for f in c.fields.values()) if system else ()
    return sorted({field.channel for field in fields if field.channel})


def script(row: RequestRow) -> Page:
    """What to say on the telephone."""
    page = Page()
    for line in _SCRIPT:
        page.line(line.format(request=row.id))
    return page


def _next(document: dict[str, Any]) -> str | None:
    if document["proven"]:
        return None
    if document["next"] == "attest":
        return "in person or a document, with a second agent (identity attest)"
    return f"send-code --to {document['next']}"


def _loose(document: dict[str, Any]) -> str | None:
    if not document["loose"]:
        return None
    kinds = ", ".join(document["loose"])
    return f"{kinds}: prove it, vouch for it (identity attest --proves), or leave it out (identity leave-out)"


def _mandate(document: dict[str, Any]) -> str | None:
    if not document["mandate_needed"]:
        return None
    return document["mandate"] or "a mandate is needed (identity mandate)"
