"""What a letter says, at the moment it is sent.

The one rule: a letter is written from what the ledger holds and from nothing a workflow remembers.
"""

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from activities.demandletters import House, render_about
from activities.lettering import facts_of, recipients_told
from activities.letters import Rendered, render
from activities.mails import Written, once
from activities.tools import Tools
from ledger.errors import LedgerRefusal
from ledger.letters import Letter, said_name
from rights.campaign import Notice
from rights.demandletters import OF
from rights.letterkinds import OF_DEMANDS, LetterKind
from rights.letters import LANGUAGES, Language, LetterFacts, Links, Particulars

Write = Callable[[Letter, datetime], Written]
"""The letter; raises ValueError where it cannot be written, because something it must say is missing."""


class Writer:
    """Writes the letters of one worker."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._notices: dict[tuple[str, str, date], Written] = {}

    def write(self, letter: Letter, as_of: datetime) -> Written:
        """The letter as a mail.

        Raises:
            ValueError: something that it must say is missing, or must not leave.
        """
        if letter.kind in OF_DEMANDS:
            demand = self._tools.ledger.demand(letter.case_id)
            rendered = render_about(House.of(self._tools), demand, OF[letter.kind], as_of)
            return _mail(rendered, self._language(letter))
        if letter.request_id is None:
            return self._notice(letter, as_of)
        return _mail(self.render(letter, as_of), self._language(letter))

    def render(self, letter: Letter, as_of: datetime) -> Rendered:
        """A letter of a request in its three forms.

        Raises:
            ValueError: something that it must say is missing, or must not leave.
            LedgerRefusal: it is a campaign's.
        """
        if letter.request_id is None:
            raise LedgerRefusal("this is a letter of a campaign: habeas campaign status says what it tells")
        tools, ledger = self._tools, self._tools.ledger
        standing = ledger.standing(letter.request_id)
        zone = ZoneInfo(standing.request.clock.zone)
        digest = standing.plan.map_digest if standing.plan else standing.request.map_digest
        said = ledger.unseal(letter.case_id, "file", said_name(letter.kind, letter.number))
        facts = facts_of(
            standing,
            tools.pinned(digest) if digest else None,
            LetterKind(letter.kind),
            Particulars.model_validate_json(said) if said else Particulars(),
            written_on=as_of.astimezone(zone).date(),
            language=self._language(letter),
            unseal=lambda name: ledger.unseal(letter.case_id, "file", name),
            recipients=recipients_told(ledger.notices(letter.request_id), tools.register, zone),
            register=tools.register,
        )
        return render(facts, tools.office)

    def _language(self, letter: Letter) -> Language:
        return next((name for name in LANGUAGES if name == letter.language), self._tools.office.language)

    def _notice(self, letter: Letter, as_of: datetime) -> Written:
        """What a campaign says: the same to all who read the same language, so it is written once a day."""
        which = letter.case_id, letter.language, as_of.date()
        if which not in self._notices:
            notice = Notice.model_validate_json(self._tools.ledger.campaign(letter.case_id).notice)
            words, language = notice.texts[letter.language], self._language(letter)
            facts = LetterFacts(
                kind=LetterKind.POLICY_CHANGE,
                reference=letter.case_id,
                regime=notice.regime,
                written_on=as_of.date(),
                language=language,
                title=f"{words.title} ({notice.version})",
                changes=words.changes,
                effective_on=notice.effective_on,
                links=Links(notice=notice.link),
            )
            self._notices[which] = once(_mail(render(facts, self._tools.office), language))
        return self._notices[which]


def _mail(rendered: Rendered, language: str) -> Written:
    return Written(rendered.subject, rendered.text, rendered.html, language=language)
