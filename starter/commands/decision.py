"""`habeas decision`: what is decided on a request, and by whom.

The one rule: whoever proposes does not approve; codes are typed, texts come from files and are sealed.
"""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from starter.commands.options import Json, MaybeBy, NoteFile, OfRequest, RequestId, Seat, WhyShown
from starter.commands.setup import deployed
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from ledger.proposals import Decision
    from rights.decision import Element, Role

decisions = typer.Typer(no_args_is_help=True, help="Decide on a request: grant, in part, refuse; by four eyes.")

DecisionId = Annotated[str, typer.Argument(metavar="DECISION", help="The decision's id.", show_default=False)]


@decisions.command()
def grounds(
    request: OfRequest = None,
    as_json: Json = False,
) -> None:
    """List the coded grounds, with what each needs and who approves it.

    Example: habeas decision grounds --request 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from rights.decision import grounds_for, law
    from starter.deciding import grounds_document, grounds_page
    from starter.desk import desk, load_law
    from starter.show import answer

    if request is None:
        if settings := deployed():  # none is needed to read what ships
            load_law(settings)
        found = dict(law().grounds)
    else:
        with desk() as at:
            row = at.ledger.request(_request(request))
        found = grounds_for(row.right, row.regimes)
    answer(grounds_document(found), grounds_page(found), as_json=as_json)


@decisions.command()
def propose(
    request: RequestId,
    word: Annotated[str, typer.Argument(metavar="WORD", help="grant, in_part, refuse or fee.", show_default=False)],
    by: Seat,
    ground: Annotated[
        str,
        typer.Option("--ground", metavar="GROUND", help="grant, refuse, fee: the coded ground.", show_default=False),
    ] = "",
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out",
            metavar="CATEGORY=GROUND",
            help="in_part: a category of the data map, and the ground on which it is left out. May be given again.",
            show_default=False,
        ),
    ] = None,
    evidence: Annotated[
        list[str] | None,
        typer.Option(
            "--evidence",
            metavar="ELEMENT=FILE",
            help="A text that the ground needs: reason (the person is told it), objective, subjective, law; from a "
            "file, kept sealed. May be given again.",
            show_default=False,
        ),
    ] = None,
    fee: Annotated[
        str | None,
        typer.Option(
            "--fee", metavar="AMOUNT", help="fee: what is asked for, such as 'EUR 12.50'.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Propose a decision.

    While it is weighed nothing of the request is destroyed. A grant is in force at once; what takes something from the
    person needs the approval of somebody else, and some grounds the word of the data protection officer first.

    Example: habeas decision propose 01kap2v7q4m8w3x9yd5tgh6jzr refuse --ground gdpr_12_5_excessive --by s-31
    --evidence reason=why.txt --evidence objective=o.txt --evidence subjective=s.txt
    """
    from rights.decision import Decided, Exempt, Word
    from rights.fees import read_fee
    from starter.desk import desk, now
    from starter.proposing import proposed

    if word not in set(Word):
        raise Failure(Exit.USAGE, f"WORD is one of {', '.join(Word)}")
    parts = tuple(Exempt(category=name, ground=code) for name, code in _pairs(leave_out or (), "--leave-out"))
    try:
        amount = read_fee(fee) if fee else None
    except ValueError as error:
        raise Failure(Exit.USAGE, f"--fee: {error}") from None
    decided = Decided(word=Word(word), ground=ground, parts=parts, fee=amount)
    with desk() as at:
        staff = _staff(by)
        request_id, texts = _request(request), _evidence(evidence or ())
        decision = proposed(at, request_id, decided, texts, by=staff, moment=now())
        _show(decision, at.zone, as_json)


@decisions.command()
def approve(decision: DecisionId, by: Seat, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Approve a decision, as counsel or delegate, or who stands in for them.

    Example: habeas decision approve 01kap30c2m6n8r1v5t9w4x7yzb --by s-04
    """
    from rights.decision import Role

    _speak(decision, by, "approve", (Role.COUNSEL, Role.DELEGATE), note_file, as_json)


@decisions.command()
def agree(decision: DecisionId, by: Seat, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Agree to a decision, as data protection officer.

    Example: habeas decision agree 01kap30c2m6n8r1v5t9w4x7yzb --by s-18
    """
    from rights.decision import Role

    _speak(decision, by, "agree", (Role.DPO,), note_file, as_json)


@decisions.command()
def dissent(decision: DecisionId, by: Seat, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Dissent on record, as data protection officer. It keeps nobody from approving.

    Example: habeas decision dissent 01kap30c2m6n8r1v5t9w4x7yzb --by s-18 --note-file why.txt
    """
    from rights.decision import Role

    if note_file is None:
        raise Failure(Exit.USAGE, "a dissent says why: give --note-file FILE")
    _speak(decision, by, "dissent", (Role.DPO,), note_file, as_json)


@decisions.command()
def drop(decision: DecisionId, by: Seat, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Take a proposed decision off the table; the request goes on as if it had not been made.

    Example: habeas decision drop 01kap30c2m6n8r1v5t9w4x7yzb --by s-31
    """
    from starter.desk import desk, now
    from starter.inputs import read_text

    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        dropped = at.ledger.drop_decision(_decision(decision), by=_staff(by), at=now(), note=note)
        _show(dropped, at.zone, as_json)


@decisions.command()
def show(
    request: RequestId,
    texts: Annotated[bool, typer.Option("--text", help="Also print the sealed texts of the evidence.")] = False,
    reason: WhyShown = "handling",
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Show the decisions on a request: codes, who has said what, and what is missing.

    Example: habeas decision show 01kap2v7q4m8w3x9yd5tgh6jzr --text
    """
    from rights.reveals import Revealed
    from starter.deciding import decision_document, decisions_page
    from starter.desk import desk
    from starter.revealing import on_record
    from starter.show import answer

    with desk() as at:
        row = at.ledger.request(_request(request))
        found = at.ledger.decisions_of(row.id)
        if texts and found:
            on_record(at, row.id, Revealed.REASONS, reason, by)
        said = {one.id: at.ledger.evidence(one) for one in found} if texts else {}
        linked = at.ledger.answered_with(row.id)
        document = {
            "request_id": row.id,
            "answered_with": row.lead,
            "answers_too": [one.request_id for one in linked],
            "decisions": [decision_document(one, said.get(one.id, {})) for one in found],
        }
        answer(document, decisions_page(row, found, said, linked, at.zone), as_json=as_json)


# Small things.


def _speak(
    decision: str,
    by: str,
    word: Literal["approve", "agree", "dissent"],
    roles: "tuple[Role, ...]",
    note_file: str | None,
    as_json: bool,
) -> None:
    from starter.desk import desk, now
    from starter.inputs import read_text
    from starter.proposing import spoken_of

    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        staff, decision_id = _staff(by), _decision(decision)
        spoken = spoken_of(at, decision_id, word, roles, by=staff, note=note, moment=now())
        _show(spoken, at.zone, as_json)


def _show(decision: "Decision", zone: str, as_json: bool) -> None:
    from starter.deciding import decision_document, decision_page
    from starter.show import answer

    answer(decision_document(decision, {}), decision_page(decision, zone), as_json=as_json)


def _evidence(options: "list[str] | tuple[str, ...]") -> "dict[Element, str]":
    from rights.decision import Element
    from starter.inputs import read_text
    from starter.submit import MAX_TEXT

    texts = {}
    for name, source in _pairs(options, "--evidence"):
        if name not in set(Element):
            raise Failure(Exit.USAGE, f"--evidence takes one of {', '.join(Element)} before the =")
        text = read_text(source, "--evidence").strip()
        if not text or len(text) > MAX_TEXT:
            raise Failure(Exit.USAGE, f"the text of --evidence {name} is empty, or longer than {MAX_TEXT:,} characters")
        texts[Element(name)] = text
    return texts


def _pairs(options: "list[str] | tuple[str, ...]", option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in options:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise Failure(Exit.USAGE, f"{option} is written NAME=VALUE: habeas decision propose --help shows it")
        pairs.append((name.strip(), value.strip()))
    return pairs


def _staff(text: str) -> str:
    from starter.inputs import staff_id

    return staff_id(text)


def _request(text: str) -> str:
    from starter.inputs import ledger_id

    return ledger_id(text, "request")


def _decision(text: str) -> str:
    from starter.inputs import ledger_id

    return ledger_id(text, "decision")
