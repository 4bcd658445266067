"""Letters as they are shown: states and times; what they say only on request.

The one rule: an address or a text comes out of the vault for whoever asks for it by name, and goes nowhere else.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from activities.letters import Rendered
from ledger.letters import Channel, Letter, LetterState, said_name, text_name
from rights.letterkinds import OF_DEMANDS
from rights.letters import Particulars
from starter.desk import Desk
from starter.exits import Exit, Failure
from starter.letterpress import kind_of, language_of, of_request, written
from starter.show import Cell, Page, minute

_ID: Final = re.compile(r"[0-9a-z]{26}\.[a-z_]{1,60}\.[0-9]{1,9}\Z")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,60}\Z")
_BAD: Final = {LetterState.BOUNCED, LetterState.REFUSED, LetterState.UNSURE}
_DONE: Final = {LetterState.SENT, LetterState.BOUNCED, LetterState.POSTED}
CODE: Final = "identity_code"
"""The kind of letter that brings a code."""
_WAITS: Final = {LetterState.QUEUED, LetterState.SENDING, LetterState.TO_POST}


def told(at: Desk, letters: Sequence[Letter]) -> list[Letter]:
    """The letters that may be listed: that a code went out tells whether somebody is known, so it is not listed before
    the asker is proven; but one that somebody has to post is."""
    hidden = {
        letter.id
        for letter in letters
        if letter.kind == CODE
        and not _by_post(at, letter)
        and letter.request_id
        and not at.ledger.request(letter.request_id).confirmed
    }
    return [letter for letter in letters if letter.id not in hidden]


def letter_id(text: str) -> str:
    """A letter's id as the ledger writes it.

    Raises:
        Failure: nothing can have this id.
    """
    wanted = text.strip().lower()
    if not _ID.match(wanted):
        raise Failure(Exit.NOT_FOUND, "there is no letter of this id: habeas letter outbox lists them")
    return wanted


def code_word(text: str) -> str:
    """A code that was typed.

    Raises:
        Failure: it is none.
    """
    if not _WORD.match(text):
        raise Failure(Exit.USAGE, "--what is a word such as mandate or identity_document: it is shown and not sealed")
    return text


def letter_document(letter: Letter) -> dict[str, Any]:
    """One letter as JSON: nothing personal."""
    return {
        "id": letter.id,
        "request_id": letter.request_id,
        "kind": letter.kind,
        "number": letter.number,
        "language": letter.language,
        "state": letter.state,
        "code": letter.code,
        "attempts": letter.attempts,
        "queued_at": letter.queued_at,
        "settled_at": letter.settled_at,
        "post_by": letter.post_by,
    }


def letters_page(letters: Sequence[Letter], zone: str) -> Page:
    """Many letters."""
    if not letters:
        return Page().line("no letters yet")
    return Page().grid(
        ("letter", "state", "queued", "settled"),
        (
            (
                letter.id,
                _state(letter),
                minute(letter.queued_at, zone),
                minute(letter.settled_at, zone) or (f"post by {letter.post_by}" if letter.post_by else ""),
            )
            for letter in letters
        ),
    )


def letter_page(letter: Letter, text: str | None, zone: str) -> Page:
    """One letter."""
    page = Page().line(Cell(letter.id, "strong"))
    page.pairs(
        (
            ("state", _state(letter)),
            ("queued", minute(letter.queued_at, zone)),
            ("settled", minute(letter.settled_at, zone) or "not yet"),
            *((("post by", str(letter.post_by)),) if letter.post_by else ()),
        )
    )
    for line in (text or "").splitlines():
        page.line(line)
    return page


def text_of(at: Desk, letter: Letter) -> str:
    """What a letter says and to whom, out of the vault; one that was not sent yet, as it would be now.

    Raises:
        Failure: it cannot be written, or was destroyed.
    """
    _refuse_code(at, letter)
    if letter.kind in OF_DEMANDS:
        raise Failure(Exit.REFUSED, "this is a letter about a demand of an authority: habeas authority letter")
    sealed = at.ledger.unseal(letter.case_id, "file", text_name(letter.kind, letter.number))
    if sealed is not None:
        said = json.loads(sealed)
        return f"To: {said['to']}\nSubject: {said['subject']}\n\n{said['text']}"
    if letter.state in _DONE:
        raise Failure(Exit.NOT_FOUND, "the letter was destroyed on its day, or was not written here")
    rendered = rendered_now(at, letter)
    return f"Subject: {rendered.subject}\n\n{rendered.text}"


def rendered_now(at: Desk, letter: Letter) -> Rendered:
    """A letter of a request as it would be written now.

    Raises:
        Failure: it lacks something that it must say, or is a campaign's.
    """
    _refuse_code(at, letter)
    if letter.request_id is None:
        raise Failure(Exit.REFUSED, "this is a letter of a campaign: habeas campaign status says what it tells")
    said = at.ledger.unseal(letter.case_id, "file", said_name(letter.kind, letter.number))
    facts = of_request(
        at,
        at.ledger.standing(letter.request_id),
        kind_of(letter.kind),
        Particulars.model_validate_json(said) if said else Particulars(),
        language=language_of(letter.language) if letter.language else None,
    )
    return written(facts, at.settings.office)


def _by_post(at: Desk, letter: Letter) -> bool:
    """Whether a letter goes to a postal address, so that somebody has to print it. Where no mail is set up others wait
    for a person, too; but a code for an e-mail address is nobody's to read out."""
    sealed = at.ledger.unseal(letter.case_id, "working", letter.channel) if letter.channel else None
    return sealed is not None and Channel.unsealed(sealed).kind == "post"


def _refuse_code(at: Desk, letter: Letter) -> None:
    if letter.kind == CODE and not _by_post(at, letter):
        raise Failure(Exit.REFUSED, "a code is read by whoever gets the mail, and by nobody here")


def _state(letter: Letter) -> Cell:
    code = f" ({letter.code})" if letter.code else ""
    tone = "bad" if letter.state in _BAD else "warn" if letter.state in _WAITS else "good"
    return Cell(f"{letter.state}{code}", tone)  # type: ignore[arg-type]
