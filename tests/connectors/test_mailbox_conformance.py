"""The mailbox connector keeps every promise of a connector, on a real Dovecot, as far as messages can."""

from collections.abc import Iterator

import pytest

from connectors.conformance import Bench, Conformance, Trial, needs
from rights.plan import Operation
from tests.connectors.dovecot import Dovecot, needs_dovecot
from tests.connectors.mail_place import shared_dovecot
from tests.connectors.mailbox_bench import GOES, DovecotBench, everywhere

__all__ = ["shared_dovecot"]

pytestmark = [needs_dovecot, pytest.mark.soak]


class Messages(Conformance):
    """Where messages differ from rows."""

    def state(self, trial: Trial) -> object:
        """A message that is moved away and back has another number, as every move in IMAP gives it one. So what is
        compared are the messages with their folders, flags and times."""
        return everywhere(trial.bench.everything())


class TestWhatGoes(Messages):
    @needs(Operation.EXPORT)
    def test_export_streams_in_flat_memory_and_beats(self, trial: Trial) -> None:
        """Half a minute, most of it in the measuring of memory; a large message is measured in test_mailbox.py."""
        super().test_export_streams_in_flat_memory_and_beats(trial)

    @pytest.fixture
    def bench(self, dovecot: Dovecot) -> Iterator[Bench]:
        bench = DovecotBench(dovecot, GOES)
        yield bench
        bench.close()
