"""The HTTP connector keeps the promises of a connector, at three vendors of the fake."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from connectors.conformance import Bench, Conformance, Crash, Gate, Trial
from connectors.conformance.erasing import Erasing
from connectors.conformance.locating import Locating
from connectors.conformance.outlook import found
from connectors.conformance.rectifying import Rectifying
from connectors.conformance.speaking import Speaking
from connectors.conformance.verifying import Verifying
from connectors.protocol import Restricted, Restricts
from starter.stack.vendors import Vendors
from tests.connectors.http_bench import AmplitudeBench, MailchimpBench, StripeBench, ZendeskBench


class _Vendor(Conformance):
    def test_a_restriction_cut_short_is_finished_or_lifted(self, trial: Trial) -> None:
        """Differs: a vendor has no place to write down what a row was before. What a killed worker could not tell of
        stays locked, which harms nobody, and is never taken for not restricted."""
        anna = trial.seeded()
        before = trial.bench.everything()
        assert isinstance(trial.connector, Restricts)
        with suppress(Crash):
            trial.connector.restrict(trial.call(anna, fence=Gate(crash_at=1)))
        cut = trial.bench.everything()
        assert cut != before

        again = trial.connector.restrict(trial.call(anna))

        assert isinstance(again, Restricted)
        assert found(again.tally)
        assert trial.bench.everything() == cut, "it is restricted, and is not restricted twice"
        trial.connector.lift(replace(trial.call(anna), restricted=again.state))
        assert trial.bench.everything() == cut, "what it was is not guessed"


class TestMailchimp(_Vendor):
    @pytest.fixture
    def bench(self, vendors: Vendors) -> Iterator[Bench]:
        bench = MailchimpBench(vendors)
        yield bench
        bench.connector.close()


@pytest.mark.soak
class TestZendesk(_Vendor):
    @pytest.fixture
    def bench(self, vendors: Vendors) -> Iterator[Bench]:
        bench = ZendeskBench(vendors)
        yield bench
        bench.connector.close()


@pytest.mark.soak
class TestStripe(Locating, Rectifying):
    """Those of looking and correcting: what it redacts stands for the other promises elsewhere."""

    @pytest.fixture
    def bench(self, vendors: Vendors) -> Iterator[Bench]:
        bench = StripeBench(vendors)
        yield bench
        bench.connector.close()


@pytest.mark.soak
class TestAmplitude(Locating, Erasing, Verifying, Speaking):
    """Without the promises about exports: a row here has no text, and what there is of the person is in files."""

    @pytest.fixture
    def bench(self, vendors: Vendors) -> Iterator[Bench]:
        bench = AmplitudeBench(vendors)
        yield bench
        bench.connector.close()
