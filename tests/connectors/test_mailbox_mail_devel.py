"""The mailbox connector on the development server: a second server, so that what is learnt from Dovecot is not all.

It takes no keywords, so nothing can be locked away there.
"""

from collections.abc import Iterator

import pytest

from connectors.conformance import Bench, Trial, needs
from connectors.conformance.erasing import Erasing
from connectors.conformance.keeping import Keeping
from connectors.conformance.locating import Locating
from connectors.conformance.verifying import Verifying
from connectors.errors import Unsupported
from connectors.protocol import Restricts
from rights.plan import Operation
from tests.connectors.mail_place import Account, shared_mail
from tests.connectors.mailbox_bench import STAYS, MailboxBench

__all__ = ["shared_mail"]


@pytest.mark.soak
class TestOnTheDevelopmentServer(Erasing, Keeping, Locating, Verifying):
    @pytest.fixture
    def bench(self, mail: Account) -> Iterator[Bench]:
        bench = MailboxBench(mail, STAYS, ("INBOX", "Sent", "Kunden/Ängste & Co"))
        yield bench
        bench.close()

    @needs(Operation.RESTRICT)
    def test_restricted_data_is_still_found(self, trial: Trial) -> None:
        """Not here: without a keyword nobody could say for which request a message is locked away."""
        anna = trial.seeded()
        before = trial.bench.everything()
        assert isinstance(trial.connector, Restricts)

        with pytest.raises(Unsupported):
            trial.connector.restrict(trial.call(anna))

        assert trial.bench.everything() == before
