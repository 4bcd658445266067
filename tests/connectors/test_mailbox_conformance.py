"""The mailbox connector keeps every promise of a connector, on a real Dovecot, as far as messages can."""

from collections.abc import Iterator

import pytest

from connectors.conformance import Bench, Conformance
from tests.connectors.dovecot import Dovecot, needs_dovecot
from tests.connectors.mail_place import shared_dovecot
from tests.connectors.mailbox_bench import GOES, STAYS, DovecotBench

__all__ = ["shared_dovecot"]

pytestmark = needs_dovecot


class TestWhatGoes(Conformance):
    @pytest.fixture
    def bench(self, dovecot: Dovecot) -> Iterator[Bench]:
        bench = DovecotBench(dovecot, GOES)
        yield bench
        bench.close()


class TestWhatStays(Conformance):
    @pytest.fixture
    def bench(self, dovecot: Dovecot) -> Iterator[Bench]:
        bench = DovecotBench(dovecot, STAYS)
        yield bench
        bench.close()
