"""Letters before they are sent: printed for a look, checked against the settings.

The one rule: nothing here sends anything; what is printed of a request is personal, and goes where the caller says.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from activities.lettering import STATES, facts_of, recipients_told
from activities.letters import LetterIncomplete, Rendered, render
from activities.specimen import specimen
from ledger.standing import Standing
from rights.letterkinds import LetterKind, Result
from rights.letterlaw import results_of, sayings
from rights.letters import LANGUAGES, Language, LetterFacts, Office, Particulars
from rights.regimes import SHIPPED, regime
from rights.request import Right
from rights.value import Value
from starter.exits import Exit, Failure
from starter.revealing import own_file
from starter.show import Page

if TYPE_CHECKING:
    from starter.desk import Desk

Form = Literal["text", "html", "pdf"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)

_AUTHORITY: Final = "The authority of your state"
SETTING: Final = {"authority": "authorities"}
"""Needs of letters that a setting of another name fills."""


def kind_of(text: str) -> LetterKind:
    """The kind of letter that was typed.

    Raises:
        Failure: there is none.
    """
    try:
        return LetterKind(text.replace("-", "_"))
    except ValueError:
        raise Failure(Exit.USAGE, "that is no kind of letter: habeas letter list shows them") from None


def language_of(text: str) -> Language:
    """The language that was typed.

    Raises:
        Failure: letters are not written in it.
    """
    for language in LANGUAGES:
        if language == text:
            return language
    raise Failure(Exit.USAGE, f"letters are written in {', '.join(LANGUAGES)}: give --language one of them")


def form_of(text: str) -> Form:
    """The form that was typed.

    Raises:
        Failure: letters do not come in it.
    """
    for form in FORMS:
        if form == text:
            return form
    raise Failure(Exit.USAGE, f"--format: write one of {', '.join(FORMS)}")


def written(facts: LetterFacts, office: Office) -> Rendered:
    """The letter.

    Raises:
        Failure: it lacks something; the sentence says what to set, or what the decision has to say.
    """
    try:
        return render(facts, office)
    except LetterIncomplete as error:
        unnamed = (law for law in facts.laws if law not in office.authorities)
        raise Failure(Exit.USAGE, advice(error, next(unnamed, facts.regime))) from None
    except ValueError as error:
        raise Failure(Exit.USAGE, str(error)) from None


def advice(error: LetterIncomplete, regime_name: str) -> str:
    """What to do about a letter that cannot be written."""
    names = error.settings
    others = sorted({n for needs in error.missing.values() for n in needs if not _is_setting(n)})
    told = [f"the letter {error.kind} cannot be written"]
    if names:
        told.append(f"set {', '.join(map(_setting, names))} (habeas letter check --regime {regime_name} shows how)")
    if others:
        told.append(f"say {', '.join(others)} in --details FILE")
    return ": ".join((told[0], "; ".join(told[1:])))


def _is_setting(need: str) -> bool:
    return need.startswith("office.") or need == "authority"


def _setting(name: str) -> str:
    return f"letters.{SETTING.get(name, name)}"


def example(name: str, regime_name: str) -> str:
    """How a setting of `[letters]` is written in habeas.toml."""
    if name == "authority":
        return f'[letters.authorities.{regime_name}]\nname = "{_AUTHORITY}"\ncontact = "its address and web page"'
    found = Office.model_fields[name].examples
    value = found[0] if found else ""
    written_out = "[" + ", ".join(f'"{one}"' for one in value) + "]" if isinstance(value, list) else f'"{value}"'
    return f"[letters]\n{name} = {written_out}"


def of_request(
    at: "Desk",
    standing: Standing,
    kind: LetterKind,
    said: Particulars,
    *,
    language: Language | None = None,
    child: bool = False,
) -> LetterFacts:
    """The facts of a letter about a request, as of today."""
    from starter.desk import now

    row, zone = standing.request, ZoneInfo(standing.request.clock.zone)
    digest = standing.plan.map_digest if standing.plan else row.map_digest
    notices = at.ledger.notices(row.id)
    return facts_of(
        standing,
        at.ledger.pinned_map(digest) if digest else None,
        kind,
        said,
        written_on=now().astimezone(zone).date(),
        language=language or at.settings.office.language,
        child=child,
        unseal=lambda name: at.ledger.unseal(row.id, "file", name),
        recipients=recipients_told(notices, at.register, zone) if notices else None,
        register=at.register if kind in STATES else None,
    )


def read_said(path: Path | None) -> Particulars:
    """What a decision gives a letter, from a YAML file.

    Raises:
        Failure: it cannot be read.
        FileErrors: something in it cannot stand.
    """
    from rights.letterlaw import read_particulars

    if path is None:
        return Particulars()
    try:
        return read_particulars(path.name, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise Failure(Exit.USAGE, "--details: name a YAML file in UTF-8") from None


def put_letter(letter: Rendered, form: Form, out: Path | None) -> str | None:
    """Write a letter to a file that only its owner reads; or, without one, give back what to print.

    Raises:
        Failure: a PDF without a file, or a file that cannot be written.
    """
    if form == "pdf":
        if out is None:
            raise Failure(Exit.USAGE, "a PDF is no text: name a file with --out")
        content = letter.pdf
    else:
        text = letter.html if form == "html" else f"Subject: {letter.subject}\n\n{letter.text}"
        if out is None:
            return text
        content = text.encode()
    try:
        with os.fdopen(own_file(out), "wb") as file:
            file.write(content)
    except OSError:
        raise Failure(Exit.USAGE, "--out: the file cannot be written there") from None
    return None


class Lack(Value):
    """What keeps letters from being written."""

    need: str
    """As `rights/law/letters.yaml` calls it, or the code that has no words."""
    setting: str
    """The setting that fills it; empty where none does."""
    letters: tuple[str, ...]
    """Kinds."""
    regimes: tuple[str, ...]
    example: str = ""
    """The lines of habeas.toml that fill it."""

    @property
    def told(self) -> str:
        """The letters, as a person reads them."""
        return "every letter" if len(self.letters) == len(LetterKind) else ", ".join(self.letters)


def enabled_regimes() -> list[str]:
    """The regimes that requests can be opened under."""
    return sorted(name for name in SHIPPED if regime(name).enabled)


def variants(kind: LetterKind, regime_name: str) -> Iterator[tuple[Right | None, Result | None]]:
    """The rights and results under which a kind says different things."""
    seen = set()
    for right in (None, *Right):
        for result in results_of(kind):
            said = tuple(sayings(kind, regime_name, right, result))
            if said not in seen:
                seen.add(said)
                yield right, result


def check_letters(
    office: Office, regimes: list[str], languages: tuple[Language, ...] = LANGUAGES
) -> tuple[int, list[Lack]]:
    """Write every letter in each language and regime, in plain and in simple words; how many were, and what lacks."""
    written_out, lacks = 0, dict[str, tuple[set[str], set[str]]]()
    for kind in LetterKind:
        for name in regimes:
            for right, result in variants(kind, name):
                for language in languages:
                    for child in (False, True) if kind.to_person else (False,):
                        facts = specimen(kind, name, language=language, child=child, right=right, result=result)
                        try:
                            render(facts, office)
                        except LetterIncomplete as error:
                            for need in {n for needs in error.missing.values() for n in needs}:
                                kinds, under = lacks.setdefault(need, (set(), set()))
                                kinds.add(kind)
                                under.add(name)
                        else:
                            written_out += 1
    return written_out, [_lack(need, *of) for need, of in sorted(lacks.items())]


def _lack(need: str, kinds: set[str], regimes: set[str]) -> Lack:
    names, short = tuple(sorted(regimes)), need.removeprefix("office.")
    if not _is_setting(need):
        return Lack(need=need, setting="", letters=tuple(sorted(kinds)), regimes=names)
    return Lack(need=need, setting=_setting(short), letters=tuple(sorted(kinds)), regimes=names,
                example=example(short, names[0]))  # fmt: skip


def list_document(regime_name: str) -> list[dict[str, Any]]:
    """Each kind, and what it says under a regime."""
    return [
        {
            "kind": kind,
            "to": "person" if kind.to_person else "recipient",
            "says": {
                str(result or "always"): [
                    one.element + ("" if one.must else "?") for one in sayings(kind, regime_name, None, result)
                ]
                for result in results_of(kind)
            },
        }
        for kind in LetterKind
    ]


def list_page(regime_name: str) -> Page:
    """The same for people."""
    page = Page().line(f"Under {regime_name}; what ends in ? is said where there is something to say.")
    for one in list_document(regime_name):
        page.heading(str(one["kind"]))
        for result, says in one["says"].items():
            page.line((f"{result}: " if result != "always" else "") + ", ".join(says), indent=2)
    return page
