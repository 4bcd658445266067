"""The HTTP connector keeps the promises of a connector, at three vendors of the fake."""

from collections.abc import Iterator

import pytest

from connectors.conformance import Bench, Conformance
from connectors.conformance.erasing import Erasing
from connectors.conformance.locating import Locating
from connectors.conformance.speaking import Speaking
from connectors.conformance.verifying import Verifying
from starter.stack.vendors import Vendors
from tests.connectors.http_bench import AmplitudeBench, MailchimpBench, ZendeskBench


class TestMailchimp(Conformance):
    @pytest.fixture
    def bench(self, vendors: Vendors) -> Iterator[Bench]:
        bench = MailchimpBench(vendors)
        yield bench
        bench.connector.close()


class TestZendesk(Conformance):
    @pytest.fixture
    def bench(self, vendors: Vendors) -> Iterator[Bench]:
        bench = ZendeskBench(vendors)
        yield bench
        bench.connector.close()


class TestAmplitude(Locating, Erasing, Verifying, Speaking):
    """Without the promises about exports: a row here has no text, and what there is of the person is in files."""

    @pytest.fixture
    def bench(self, vendors: Vendors) -> Iterator[Bench]:
        bench = AmplitudeBench(vendors)
        yield bench
        bench.connector.close()
