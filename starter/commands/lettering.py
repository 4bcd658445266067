"""`habeas letter preview`, `list` and `check`: letters before anybody gets one.

The one rule: they send nothing and change nothing; that one of a request was looked at is on record.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.letter import letters
from starter.commands.options import Json, MaybeBy, OfRequest, Out, WhyShown
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from activities.letters import Rendered
    from rights.letterkinds import LetterKind, Result
    from rights.letters import Language, LetterFacts

LanguageOption = Annotated[
    str | None,
    typer.Option(
        "--language", metavar="LANGUAGE", help="en, de, fr or es; else that of the settings.", show_default=False
    ),
]
ChildOption = Annotated[bool, typer.Option("--child", help="In simple words, for a child or a teenager.")]
SaidOption = Annotated[
    Path | None,
    typer.Option(
        "--details",
        metavar="FILE",
        help="What the decision gives the letter, as YAML, from a file.",
        show_default=False,
    ),
]
FormOption = Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, html or pdf.")]
RegimeOption = Annotated[
    str | None,
    typer.Option("--regime", metavar="REGIME", help="A regime; else that of the settings.", show_default=False),
]


@letters.command()
def preview(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="A kind that habeas letter list shows.", show_default=False)
    ],
    language: LanguageOption = None,
    regime: RegimeOption = None,
    right: Annotated[
        str | None, typer.Option("--right", metavar="RIGHT", help="Of the specimen.", show_default=False)
    ] = None,
    result: Annotated[
        str | None, typer.Option("--result", metavar="RESULT", help="done, in_part or refused.", show_default=False)
    ] = None,
    child: ChildOption = False,
    request: OfRequest = None,
    said: SaidOption = None,
    form: FormOption = "text",
    out: Out = None,
    reason: WhyShown = "handling",
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Print a letter as it would be sent: of a request, or a specimen.

    It sends nothing. What the decision gives a letter, such as its reason, stands in --details FILE. Exit 2 if the
    letter lacks something that it must say.

    Example: habeas letter preview refusal --regime eu-gdpr --language fr
    """
    from rights.reveals import Revealed
    from starter.desk import desk, load_settings
    from starter.inputs import ledger_id
    from starter.letterpress import kind_of, language_of, of_request, read_said, written
    from starter.revealing import on_record

    known = kind_of(kind)
    chosen = language_of(language) if language else None
    if request is None:
        office, facts = load_settings().office, _specimen(known, chosen, regime, right, result, child)
    else:
        if regime or right:
            raise Failure(Exit.USAGE, "a request has its regime and its right: leave --regime and --right out")
        with desk() as at:
            office, more = at.settings.office, read_said(said)
            if result:
                more = more.model_copy(update={"result": _result(result)})
            standing = at.ledger.standing(ledger_id(request, "request"))
            on_record(at, standing.request.id, Revealed.LETTER, reason, by)
            facts = of_request(at, standing, known, more, language=chosen, child=child)
    put(written(facts, office), form, out, as_json=as_json)


def put(letter: "Rendered", form: str, out: Path | None, *, as_json: bool = False) -> None:
    """Print a letter, or write it to a file; say so where the fonts lack characters."""
    from starter.letterpress import form_of, put_letter
    from starter.show import out_json

    text = put_letter(letter, form_of(form), out)
    if as_json:
        out_json({"subject": letter.subject, "format": form, "letter": text, "file": str(out) if out else None})
    elif text is not None:
        sys.stdout.write(text)
    if form == "pdf" and letter.boxes:
        sys.stderr.write(f"{letter.boxes} characters are boxes, since no font has them: name one in letters.fonts\n")


@letters.command("list")
def list_(regime: RegimeOption = None, as_json: Json = False) -> None:
    """List the kinds of letters, and what each says under a regime.

    Example: habeas letter list --regime us-ca-ccpa
    """
    from starter.letterpress import list_document, list_page
    from starter.show import answer

    name = _regime(regime)
    answer({"regime": name, "letters": list_document(name)}, list_page(name), as_json=as_json)


@letters.command()
def check(
    regime: RegimeOption = None,
    every: Annotated[bool, typer.Option("--all", help="Under every regime that is enabled.")] = False,
    as_json: Json = False,
) -> None:
    """Write every letter in every language, and say what the settings lack.

    Under the regime of the settings, of --regime, or all of them. Exit 1 if a letter could not be written.

    Example: habeas letter check --all
    """
    from starter.desk import load_settings
    from starter.letterpress import check_letters, enabled_regimes
    from starter.show import Page, answer

    office = load_settings().office
    regimes = enabled_regimes() if every else [_regime(regime)]
    written, lacks = check_letters(office, regimes)
    page = Page().line(
        f"{written} letters written, under {', '.join(regimes) if len(regimes) < 4 else f'{len(regimes)} regimes'}"
    )
    for lack in lacks:
        page.line(f"{lack.setting or lack.need} is missing, for {lack.told}")
        for line in lack.example.splitlines():
            page.line(line, indent=4)
    answer({"ok": not lacks, "written": written, "missing": [one.model_dump() for one in lacks]}, page, as_json=as_json)
    if lacks:
        raise typer.Exit(Exit.BAD)


def _regime(name: str | None) -> str:
    from rights.regimes import SHIPPED
    from starter.desk import load_settings

    if name is None:
        return load_settings().regime
    if name not in SHIPPED:
        raise Failure(Exit.USAGE, "--regime: habeas deadline --list shows those that there are")
    return name


def _result(text: str) -> "Result":
    from rights.letterkinds import Result

    try:
        return Result(text.replace("-", "_"))
    except ValueError:
        raise Failure(Exit.USAGE, f"--result: write one of {', '.join(Result)}") from None


def _specimen(
    kind: "LetterKind",
    language: "Language | None",
    regime: str | None,
    right: str | None,
    result: str | None,
    child: bool,
) -> "LetterFacts":
    from activities.specimen import specimen
    from rights.letterlaw import results_of
    from rights.request import Right
    from starter.desk import load_settings

    try:
        about = Right(right) if right else None
    except ValueError:
        raise Failure(Exit.USAGE, f"--right: write one of {', '.join(Right)}") from None
    known = results_of(kind)
    chosen = _result(result) if result else known[0]
    if chosen not in known:
        raise Failure(Exit.USAGE, f"--result: a letter {kind} has {', '.join(filter(None, known)) or 'none'}")
    return specimen(
        kind,
        _regime(regime),
        language=language or load_settings().office.language,
        child=child and kind.to_person,
        right=about,
        result=chosen,
    )
