"""Letters, written: what one says in the words of a language, as a document that is then laid out.

The one rule: each element that the law asks for is in the letter, or there is no letter and its error says what is
missing.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from jinja2.runtime import Context

from activities.catalogue import BREAK, END, LINK, VALUE, Catalogue, NoWords, Words, catalogue, clean
from activities.layout import Block, Document, Shape, Span, html_of, text_of
from rights.audience import PSEUDONYM, Answered, State, internal_ids
from rights.deferred import comes_back
from rights.holdlaw import provision_in
from rights.letterkinds import LetterKind
from rights.letterlaw import authorities, lacking, sayings
from rights.letters import LetterFacts, Office
from rights.receipt import Kept
from rights.request import Right

MAX_SUBJECT: Final = 200
"""Characters; a header line may have 998 octets (RFC 5322), and four octets are the longest character."""


class LetterIncomplete(ValueError):
    """A letter that would lack what it must say. Names elements and needs, never what was given."""

    def __init__(self, kind: LetterKind, missing: Mapping[str, list[str]]) -> None:
        self.kind, self.missing = kind, missing
        told = "; ".join(f"{element} needs {', '.join(needs)}" for element, needs in missing.items())
        super().__init__(f"the letter {kind} cannot be written: {told}")

    @property
    def settings(self) -> list[str]:
        """The settings under [letters] that would help."""
        needs = (need for needs in self.missing.values() for need in needs)
        return sorted(
            {need.removeprefix("office.") for need in needs if need.startswith("office.") or need == "authority"}
        )


class LetterRefused(ValueError):
    """A letter that must not leave as it is; one sentence, without what it says."""


class Rendered:
    """A letter in its three forms. The subject is one line."""

    def __init__(self, document: Document, fonts: tuple[str, ...]) -> None:
        self.document, self._fonts = document, fonts
        self.subject = document.subject

    @cached_property
    def text(self) -> str:
        """Plain text."""
        return text_of(self.document)

    @cached_property
    def html(self) -> str:
        """A page of its own: nothing is loaded from elsewhere."""
        return html_of(self.document)

    @cached_property
    def pdf(self) -> bytes:
        """A4, with the address in the window. Takes most of a second of CPU, so it is made when it is asked for."""
        from activities.pdf import pdf_of

        return pdf_of(self.document, self._fonts)

    @property
    def boxes(self) -> int:
        """How many characters are boxes on paper, since no font has them."""
        from activities.pdf import unprintable

        return unprintable(self.document, self._fonts)


def render(facts: LetterFacts, office: Office) -> Rendered:
    """Write a letter.

    Raises:
        LetterIncomplete: something that it must say is missing, or a code has no words in its language.
        LetterRefused: a text in it names something that is kept inside.
    """
    _check_inside(facts)
    facts = _with_links(facts, office)
    words = _words(facts)
    values = _values(facts, office)
    blocks: list[Block] = []
    missing: dict[str, list[str]] = {}
    try:
        for saying in sayings(facts.kind, facts.laws, facts.right, facts.result):
            named = authorities(saying, office)
            # What may be left out is said of the authorities that are known.
            known = saying.laws if saying.must else tuple(law for law in saying.laws if law in office.authorities)
            lacks = lacking(saying.element, facts, office, known if named else saying.laws)
            if lacks and saying.must:
                missing[saying.element] = lacks
            elif not lacks:
                for authority in named:
                    blocks += _blocks(_said(words, saying.element, values | {"authority": authority}))
        if not office.controller.strip():
            missing["letterhead"] = ["office.controller"]
    except ValueError as error:
        raise LetterIncomplete(facts.kind, {"the answer": [str(error)]}) from None
    except NoWords as error:
        raise LetterIncomplete(facts.kind, {error.args[0]: [f"words in {facts.language}"]}) from None
    if missing:
        raise LetterIncomplete(facts.kind, missing)
    return Rendered(_document(words, facts, office, blocks), office.fonts)


def _with_links(facts: LetterFacts, office: Office) -> LetterFacts:
    """The same, with a link to the page that takes the token, where the office has one."""
    if not (office.stop_page and facts.stop_token):
        return facts
    link = f"{office.stop_page.rstrip('/')}/{facts.stop_token}"
    return facts.model_copy(update={"links": facts.links.model_copy(update={"stop": link})})


def _words(facts: LetterFacts) -> Catalogue:
    words = catalogue(facts.language, facts.child)
    words.add_filter("standing", _standing)
    return words


def _said(words: Catalogue, element: str, values: Mapping[str, Any]) -> Words:
    said = words.element(element, values)
    if not said.strip():
        raise ValueError(f"{element} says nothing")
    return said


def _check_inside(facts: LetterFacts) -> None:
    """Whatever a person has typed goes through the audience: no id of a hold, a matter or a task leaves the house."""
    for name in (
        "reason",
        "statement",
        "question",
        "provision",
        "abuse_objective",
        "abuse_subjective",
        "disputed_statement",
        "demand_basis",
    ):
        if internal_ids(getattr(facts, name) or "", facts.reference):
            raise LetterRefused(f"{name} names an id of this engine other than the request's: take it out of the text")


def _values(facts: LetterFacts, office: Office) -> dict[str, Any]:
    """What elements can put in."""
    return {
        **{name: getattr(facts, name) for name in type(facts).model_fields},
        "catalogue": _words(facts),
        "office": office,
        "authority": office.authorities.get(facts.regime),
        "something_done": any(one.erased for one in facts.systems),
        "something_found": any(one.found for one in facts.systems),
    }


def _document(words: Catalogue, facts: LetterFacts, office: Office, blocks: list[Block]) -> Document:
    name = clean(facts.to.name)
    greeting = words.say("frame.salutation", name=name) if name else words.say("frame.salutation_unnamed")
    lead = _blocks(greeting)
    if facts.on_behalf_of and facts.on_behalf_of.name:
        lead += _blocks(words.say("frame.behalf", name=facts.on_behalf_of.name))
    signed = Block(Shape.PARAGRAPH, (Span(clean(office.controller), value=True),))
    end = [*_blocks(words.say("frame.closing")), signed]
    subject = clean(_bare(words.say(f"subjects.{facts.kind}")))
    return Document(
        language=facts.language,
        subject=f"{subject} ({clean(facts.reference)})"[:MAX_SUBJECT],
        heading=subject,
        controller=clean(office.controller),
        letterhead=tuple(filter(None, map(clean, office.address))),
        addressee=tuple(filter(None, map(clean, (facts.to.name, *facts.to.address)))),
        written_on=facts.written_on,
        date=_bare(words.day(facts.written_on)),
        reference=f"{_bare(words.say('frame.reference'))}: {clean(facts.reference)}",
        blocks=(*lead, *blocks, *end),
        page=_bare(words.say("frame.page", page=Words("{page}"), pages=Words("{pages}"))),
    )


_ACTS: Final[Mapping[str, str]] = {
    "objection": "suppression",
    "opt-out": "suppression",
    "consent-withdrawal": "suppression",
}
"""Rights whose work is not named like them in the catalogues' table `done`."""


def _standing(context: Context, told: Answered) -> Words:
    """How one system stands: its name, what was done, how certain that is, what stays and until when."""
    words: Catalogue = context["catalogue"]
    lines = [f"{words.listed([told.system])}: {_state(words, context['right'], context['kind'], told)}"]
    if told.state is State.ACCEPTED and told.ask_again:
        lines.append(words.say("states.ask_again", day=words.day(told.ask_again)))
    lines += [_kept(words, kept) for kept in told.kept]
    if told.locked and (told.kept or told.held):
        ends = all(map(comes_back, told.kept))
        lines.append(words.say("states.locked" if ends else "states.locked_asked"))
    elif told.opened and told.kept:
        lines.append(words.say("states.opened"))
    if told.backups is not None:
        until = told.backups.until
        lines.append(words.say("states.backups", day=words.day(until)) if until else words.say("states.backups_open"))
        if told.backups.beyond_use:
            lines.append(words.say("states.beyond_use", text=told.backups.beyond_use))
    return Words("\n  ".join(lines))


def _state(words: Catalogue, right: Right | None, kind: LetterKind, told: Answered) -> str:
    found = f" ({words.say('states.found', n=words.count(told.found, 'record'))})" if told.found else ""
    erased = words.say("states.erased", n=words.count(told.erased, "record")) if told.erased else ""
    match told.state:
        case State.NOTHING_FOUND:
            return words.say("states.nothing_found")
        case State.ACCEPTED:
            return words.say("states.accepted") + found
        case State.OUTSTANDING:
            yet = "outstanding_yet" if kind is LetterKind.INTERIM_ANSWER else "outstanding"
            held = f": {_ground(words, told.held)}" if told.held else ""
            return words.say(f"states.{yet}") + found + (f"; {erased}" if erased else "") + held
        case State.DONE:
            kept = f", {words.say('states.but_kept')}" if told.kept else ""
            return _done(words, right, told) + kept + (f" ({erased})" if erased else found)


def _done(words: Catalogue, right: Right | None, told: Answered) -> Words:
    act = _ACTS.get(right or "", right or "")
    try:
        return words.say(f"done.{act}.{told.certainty}")
    except NoWords:
        return words.say("done.other")


def _kept(words: Catalogue, kept: Kept) -> Words:
    ground = words.say("states.pseudonym") if kept.ground == PSEUDONYM else _ground(words, kept.ground)
    rows = words.count(kept.rows, "record")
    if kept.until:
        return words.say("states.kept", n=rows, day=words.day(kept.until), ground=ground)
    return words.say("states.kept_open", n=rows, ground=ground)


def _ground(words: Catalogue, ground: str) -> str:
    """A ground in the letter's language, if it is a hold's: of that no more than the provision is told."""
    provision = provision_in(ground)
    if provision is None:
        return ground
    return words.say("states.held") + (f" ({provision})" if provision else "")


_MARKED: Final = re.compile(f"([{VALUE}{LINK}])([^{END}]*){END}")


def _spans(text: str) -> Iterator[Span]:
    """Words and values, in their order."""
    at = 0
    for found in _MARKED.finditer(text):
        if before := text[at : found.start()]:
            yield Span(before)
        yield Span(found[2].replace(BREAK, "\n"), value=True, link=found[1] == LINK)
        at = found.end()
    if rest := text[at:]:
        yield Span(rest)


def _bare(text: str) -> str:
    """A text without its marks."""
    return "".join(span.text for span in _spans(text))


def _blocks(text: str) -> list[Block]:
    """Paragraphs, headings and items, as the catalogues write them; a value is never read as one of these."""
    blocks: list[tuple[Shape, list[str]]] = []
    fresh = True
    for line in text.split("\n"):
        if not line.strip():
            fresh = True
        elif line.startswith("## "):
            blocks.append((Shape.HEADING, [line[3:].strip()]))
            fresh = True
        elif line.startswith("- "):
            blocks.append((Shape.ITEM, [line[2:].strip()]))
            fresh = False
        elif line.startswith("  ") and blocks and blocks[-1][0] is Shape.ITEM:
            blocks[-1][1].append("\n" + line.strip())
        elif fresh or not blocks or blocks[-1][0] is not Shape.PARAGRAPH:
            blocks.append((Shape.PARAGRAPH, [line.strip()]))
            fresh = False
        else:
            blocks[-1][1].append(" " + line.strip())
    return [Block(shape, tuple(_spans("".join(lines)))) for shape, lines in blocks]
