"""What a duty keeps of a mailbox stays to its last day, on a real Dovecot."""

from collections.abc import Iterator

import pytest

from connectors.conformance import Bench
from connectors.conformance.erasing import Erasing
from connectors.conformance.keeping import Keeping
from connectors.conformance.verifying import Verifying
from tests.connectors.dovecot import Dovecot, needs_dovecot
from tests.connectors.mail_place import shared_dovecot
from tests.connectors.mailbox_bench import STAYS, DovecotBench
from tests.connectors.test_mailbox_conformance import Messages

__all__ = ["shared_dovecot"]

pytestmark = [needs_dovecot, pytest.mark.soak]


class TestWhatStays(Erasing, Keeping, Verifying):
    test_restricted_data_is_still_found = Messages.test_restricted_data_is_still_found

    @pytest.fixture
    def bench(self, dovecot: Dovecot) -> Iterator[Bench]:
        bench = DovecotBench(dovecot, STAYS)
        yield bench
        bench.close()
