"""The ledger: all its verbs in one place.

Each group of verbs stands in a module of its own, by the noun it is about; here they come together. The one rule: every
verb is one transaction, and time is an argument.
"""

from ledger.accesstokens import AccessTokens
from ledger.answers import Answers
from ledger.appeals import Appeals
from ledger.arrivals import Arrivals
from ledger.attesting import Attesting
from ledger.beginning import Beginning
from ledger.campaigns import Campaigns
from ledger.cases import Cases
from ledger.categories import Categories
from ledger.clocks import Clocks
from ledger.contracts import Contracts
from ledger.cooling import Cooling
from ledger.datapoints import DataPoints
from ledger.decisions import Decisions
from ledger.deferrals import Deferrals
from ledger.demandletters import DemandLetters
from ledger.disputes import Disputes
from ledger.due import DueDates
from ledger.erasures import Erasures
from ledger.evidence import Evidences
from ledger.fees import Fees
from ledger.fence import Fence
from ledger.following import Following
from ledger.followups import FollowUps
from ledger.gates import Gates
from ledger.heldback import HoldPlaces
from ledger.holddesk import HoldDesk
from ledger.holds import Holds
from ledger.incidents import Incidents
from ledger.letterdesk import LetterDesk
from ledger.liftings import Liftings
from ledger.linking import Linking
from ledger.mailroom import Mailroom
from ledger.mapchecks import MapChecks
from ledger.minors import Minors
from ledger.minorwatch import MinorWatch
from ledger.nearing import Nearing
from ledger.notices import Notices
from ledger.opening import Opening
from ledger.outbox import Outbox
from ledger.passing import Passing
from ledger.plans import Plans
from ledger.preserving import Preserving
from ledger.publishing import Publishing
from ledger.quotas import Quotas
from ledger.receipts import Receipts
from ledger.rectifications import Rectifications
from ledger.relooks import Relooks
from ledger.remaking import Remaking
from ledger.replays import Replays
from ledger.reporting import Reporting
from ledger.requests import Requests
from ledger.restrictions import Restrictions
from ledger.rests import Rests
from ledger.restwords import RestWords
from ledger.reveals import Reveals
from ledger.reviews import Reviews
from ledger.sessions import Sessions
from ledger.standing import Standings
from ledger.steps import Steps
from ledger.store import connect
from ledger.suppression import Suppressions
from ledger.sweeps import Sweeps
from ledger.told import Told
from ledger.transmissions import Transmissions
from ledger.uses import Uses
from ledger.verify import Verification
from ledger.vitals import Vitals
from ledger.webhooks import Webhooks
from ledger.weighings import Weighings

__all__ = ["Ledger", "connect"]


class Ledger(
    Opening,
    Beginning,
    Disputes,
    Requests,
    Cases,
    Linking,
    Fees,
    Cooling,
    Minors,
    MinorWatch,
    Restrictions,
    Liftings,
    Attesting,
    DataPoints,
    Categories,
    Arrivals,
    Weighings,
    Reviews,
    Passing,
    Notices,
    Publishing,
    Preserving,
    Remaking,
    Contracts,
    Decisions,
    Nearing,
    Appeals,
    Standings,
    DueDates,
    Following,
    Answers,
    Steps,
    Receipts,
    Plans,
    Fence,
    Holds,
    HoldDesk,
    HoldPlaces,
    Gates,
    Rectifications,
    FollowUps,
    Outbox,
    Sweeps,
    Transmissions,
    Quotas,
    MapChecks,
    Reporting,
    Suppressions,
    Replays,
    DemandLetters,
    Uses,
    Incidents,
    Mailroom,
    LetterDesk,
    Campaigns,
    Webhooks,
    Told,
    Verification,
    Vitals,
    Clocks,
    Evidences,
    Erasures,
    Relooks,
    Deferrals,
    Rests,
    RestWords,
    AccessTokens,
    Sessions,
    Reveals,
):
    """What the engine remembers of one tenant. Safe to use from several threads."""

    def close_connections(self) -> None:
        """Give all connections back to the server."""
        self.stop_waiting()
        self._engine.dispose()
