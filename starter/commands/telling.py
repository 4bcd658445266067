"""`habeas request show`, `preview`, `interim` and `answer`: what may be told of a request, and to whom.

The one rule: they change nothing and send nothing; what goes to the person is told by `rights/audience.py`.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.lettering import ChildOption, FormOption, LanguageOption, SaidOption
from starter.commands.lettering import put as put_letter
from starter.commands.options import Json, MaybeBy, Out, RequestId, WhyShown
from starter.commands.request import requests
from starter.exits import Exit, Failure

LetterFlag = Annotated[bool, typer.Option("--letter", help="As a whole letter, in a language of the person's.")]

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.standing import Standing
    from rights.request import Conclusion
    from rights.restriction import Extent
    from starter.desk import Desk


@requests.command()
def show(request: RequestId, as_json: Json = False) -> None:
    """Show how a request stands.

    What was done in each system, what waits for a person, and until when what is kept.

    Example: habeas request show 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id
    from starter.pages import show_document, show_page
    from starter.show import answer
    from starter.standing import as_it_stands

    with desk() as at:
        moment = now()
        standing, candidates, pinned = as_it_stands(at, ledger_id(request, "request"), moment)
        answer(
            show_document(standing, candidates, moment, pinned),
            show_page(standing, candidates, moment, at.zone, pinned),
            as_json=as_json,
        )


@requests.command()
def preview(
    request: RequestId,
    attempt: Annotated[
        bool, typer.Option("--try", help="Also try an erasure in each database, and take it back.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what would be done, before it is.

    Per system and collection: what would be exported, erased and kept, on which ground and until when. With --try,
    exit 1 if a database would refuse it, or do more than the plan says.

    Example: habeas request preview 01kap2v7q4m8w3x9yd5tgh6jzr --try
    """
    from rights.request import Right
    from starter.desk import desk, now
    from starter.preview import preview_document, preview_page
    from starter.show import answer
    from starter.tried import add_trial, surprising, trial_document, try_all

    with desk() as at:
        standing = _standing(at, request)
        if standing.plan is None:
            raise Failure(Exit.REFUSED, "there is no preview yet: it is made once every system was looked at")
        if attempt and standing.request.right is not Right.ERASURE:
            raise Failure(Exit.USAGE, "--try is for erasures: this request erases nothing")
        told_map = at.ledger.pinned_map(standing.plan.map_digest)
        about = _extent(at, standing)
        document, page = preview_document(standing, told_map, about), preview_page(standing, told_map, about)
        trials = dict(try_all(at, standing, now())) if attempt else {}
        for name, trial in trials.items():
            add_trial(page, name, trial)
        for system in document["systems"]:
            if system["system"] in trials:
                system["trial"] = trial_document(trials[system["system"]])
        answer(document, page, as_json=as_json)
    if any(map(surprising, trials.values())):
        raise typer.Exit(Exit.BAD)


@requests.command()
def interim(
    request: RequestId,
    letter: LetterFlag = False,
    language: LanguageOption = None,
    child: ChildOption = False,
    said: SaidOption = None,
    form: FormOption = "text",
    out: Out = None,
    reason: WhyShown = "handling",
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Print the interim answer to send to the person.

    What is done and how certain, what is accepted, what is kept and why, and what is outstanding, as of now. It sends
    nothing: rule 'done' on the task once it is sent. With --letter it is a whole letter, ready to go.

    Example: habeas request interim 01kap2v7q4m8w3x9yd5tgh6jzr --letter --language de
    """
    from rights.audience import hears_of_systems
    from rights.audience import interim as told_of
    from rights.portable import looked_into
    from rights.reveals import Revealed
    from starter.desk import desk
    from starter.interim import interim_document, interim_page
    from starter.revealing import on_record
    from starter.show import answer

    with desk() as at:
        standing = _standing(at, request)
        row = standing.request
        if not row.phase.open:
            raise Failure(Exit.REFUSED, "the request is closed: habeas request answer prints its whole answer")
        if letter:
            on_record(at, row.id, Revealed.LETTER, reason, by)
            _put_letter(at, standing, None, said, language, child, form, out, as_json=as_json)
            return
        systems = at.ledger.pinned_map(row.map_digest).systems.values() if row.map_digest else ()
        names = [system.system for system in systems if looked_into(row.right, system)]
        if not hears_of_systems(row.right, proven=standing.proven):
            names = []
        told = told_of(row.right, names, standing.receipts)
        asked = any(event.kind == "interim" for event in standing.events)
        answer(interim_document(row, told, asked), interim_page(row, told), as_json=as_json)


def _extent(at: "Desk", standing: "Standing") -> "Extent | None":
    """What a request about restriction is about; None of others, and once that is destroyed."""
    from rights.details import details_of
    from rights.request import Right
    from rights.restriction import RestrictionDetails

    if standing.request.right is not Right.RESTRICTION:
        return None
    sealed = at.ledger.unseal(standing.request.id, "working", "details")
    details = details_of(Right.RESTRICTION, sealed) if sealed else None
    return details.extent if isinstance(details, RestrictionDetails) else None


@requests.command()
def answer(
    request: RequestId,
    letter: LetterFlag = False,
    language: LanguageOption = None,
    child: ChildOption = False,
    said: SaidOption = None,
    form: FormOption = "text",
    out: Out = None,
    reason: WhyShown = "handling",
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Print the answer to send to the person.

    Per system what was erased or handed over and how certain that is, what is kept and why, what is not done, and by
    which day what was erased is out of backups. It sends nothing. Before the request is closed there is none. With
    --letter it is a whole letter, ready to go.

    Example: habeas request answer 01kap2v7q4m8w3x9yd5tgh6jzr --letter --format pdf --out answer.pdf
    """
    from activities.lettering import told_in_the_end
    from rights.letterkinds import LetterKind
    from rights.letters import Particulars
    from rights.request import Conclusion, Right
    from rights.reveals import Revealed
    from starter.desk import desk
    from starter.letter import answer_document, answer_page, beside, category_lines, not_corrected_lines
    from starter.letterpress import of_request
    from starter.revealing import on_record
    from starter.show import answer as put
    from starter.standing import worked_on

    with desk() as at:
        standing = _standing(at, request)
        row = standing.request
        if row.phase.open:
            raise Failure(
                Exit.REFUSED, "the request is not closed yet: habeas request interim prints how it stands, to be sent"
            )
        if letter:
            on_record(at, row.id, Revealed.LETTER, reason, by)
            _put_letter(at, standing, row.conclusion, said, language, child, form, out, as_json=as_json)
            return
        told = told_in_the_end(standing, worked_on(at, standing))
        also = beside(at.ledger, standing)
        if row.conclusion is Conclusion.CATEGORIES:
            facts = of_request(at, standing, LetterKind.ANSWER_CATEGORIES, Particulars())
            told, also = (), also._replace(stopped=tuple(category_lines(facts)))
        elif row.right is Right.RECTIFICATION and row.conclusion in {Conclusion.IN_PART, Conclusion.REFUSED}:
            facts = of_request(at, standing, LetterKind.ANSWER_RECTIFICATION, Particulars())
            also = also if row.declined else also._replace(stopped=tuple(not_corrected_lines(facts)))
        put(answer_document(row, told, also), answer_page(row, told, also), as_json=as_json)


def _put_letter(
    at: "Desk",
    standing: "Standing",
    conclusion: "Conclusion | None",
    said: "Path | None",
    language: str | None,
    child: bool,
    form: str,
    out: "Path | None",
    *,
    as_json: bool,
) -> None:
    """Print the interim answer, or the one of a conclusion, as a letter."""
    from rights.letterkinds import LetterKind, answer_kind
    from starter.letterpress import language_of, of_request, read_said, written

    row = standing.request
    kind = LetterKind.INTERIM_ANSWER
    if conclusion:
        ends = answer_kind(row.right, conclusion, decided=row.declined)
        if ends is None:
            raise Failure(
                Exit.REFUSED, f"it was answered with request {row.lead}: the letter of that one tells of both"
            )
        kind = ends
    chosen = language_of(language) if language else None
    facts = of_request(at, standing, kind, read_said(said), language=chosen, child=child)
    put_letter(written(facts, at.settings.office), form, out, as_json=as_json)


def _standing(at: "Desk", request: str) -> "Standing":
    from starter.inputs import ledger_id

    return at.ledger.standing(ledger_id(request, "request"))
