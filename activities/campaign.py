"""A campaign, carried on: people are listed page by page, and each is queued one letter.

The one rule: an address goes from the system into the vault and is seen nowhere else.
"""

from datetime import timedelta
from typing import Final

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.calls import Beat, beating
from activities.mailsetup import LIFE
from activities.opening import Ask
from activities.smtp import deliverable
from activities.tools import Tools
from connectors.errors import ConnectorError
from connectors.rolls import Roll, Rolls
from ledger.campaigns import Campaign, Listed
from ledger.letters import LetterState
from rights.campaign import Notice
from rights.codes import Code
from rights.value import Value

PAGE: Final = 500
"""People listed in one transaction: some tens of milliseconds in which the journal waits."""
PAGES: Final = 20
"""Pages in one activity: some seconds, so that a stop is heeded soon and the history stays small."""
AHEAD: Final = 20_000
"""Letters queued at most: so many are listed ahead of what is sent, and stay in the list if it is stopped."""
AGAIN: Final = timedelta(seconds=5)
"""How long to wait while as many as that are queued, or the last letters are on their way."""
_WAITING: Final = (LetterState.QUEUED, LetterState.SENDING)


class Carried(Value):
    """How a campaign stands after a round, in numbers."""

    listed: int
    waiting: int
    """Letters that are queued or on their way."""
    over: bool
    next_in_seconds: float = 0


class CampaignActivities:
    """The work of the `campaign` workflow."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="carry_on", no_thread_cancel_exception=True)
    def carry_on(self, ask: Ask) -> Carried:
        """List more people, unless enough are waiting; end the campaign once nobody waits. `request_id` names it.

        Raises:
            ApplicationError: the system cannot be read for now.
        """
        ledger = self._tools.ledger
        campaign = ledger.campaign(ask.request_id)
        if campaign.state == "running":
            with beating() as beat:
                self._list(campaign, ask, beat)
            campaign = ledger.campaign(ask.request_id)
        counts = ledger.campaign_letters(campaign.id)
        waiting = sum(counts.get(state, 0) for state in _WAITING)
        if campaign.state == "listed" and not waiting:
            # Until then a letter may come back, and be sent again by somebody's word.
            ledger.end_campaign(campaign.id, at=ask.as_of, working_until=ask.as_of + LIFE)
            structlog.get_logger().info("campaign_ended", campaign=campaign.id, listed=campaign.listed)
        over = campaign.state in {"ended", "stopped"} or (campaign.state == "listed" and not waiting)
        patient = waiting >= AHEAD or campaign.state == "listed"
        return Carried(
            listed=campaign.listed,
            waiting=waiting,
            over=over,
            next_in_seconds=AGAIN.total_seconds() if patient and not over else 0,
        )

    def _list(self, campaign: Campaign, ask: Ask, beat: Beat) -> None:
        ledger, notice = self._tools.ledger, Notice.model_validate_json(campaign.notice)
        for _ in range(PAGES):
            counts = ledger.campaign_letters(campaign.id)
            if counts.get(LetterState.QUEUED, 0) >= AHEAD:
                return
            beat()
            if self._list_page(campaign.id, notice, ask):
                return

    def _list_page(self, campaign_id: str, notice: Notice, ask: Ask) -> bool:
        """List a page; whether it was the last, or the campaign was stopped."""
        ledger, audience = self._tools.ledger, notice.audience
        system = self._tools.data_map.systems.get(audience.system)
        connector = self._tools.connectors.get(audience.system)
        if system is None or audience.collection not in system.collections or not isinstance(connector, Rolls):
            raise ApplicationError(Code.MAP_CHANGED, type="Retryable")
        fields = (audience.address, *((audience.language,) if audience.language else ()))
        cursor = ledger.campaign_cursor(campaign_id)
        try:
            page = connector.roll(Roll(system, audience.collection, fields, PAGE, cursor))
        except ConnectorError as error:
            code = error.code
        else:
            found = [_listed(row.get(audience.address), row.get(audience.language), notice) for row in page.rows]
            people = [one for one in found if one]
            ledger.list_people(
                campaign_id,
                people,
                page.last,
                unreachable=len(found) - len(people),
                last=page.over,
                at=ask.as_of,
            )
            return page.over or ledger.campaign(campaign_id).state != "running"
        raise ApplicationError(code, type="Retryable")


def _listed(address: str | None, language: str | None, notice: Notice) -> Listed | None:
    """Somebody who can be written to; None of an address that is none, or that an erasure has left (RFC 2606)."""
    wanted = (address or "").strip()
    if not deliverable(wanted) or wanted.casefold().endswith((".invalid", "@invalid")):
        return None
    return Listed(wanted, notice.language(language or ""))
