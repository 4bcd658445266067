"""The SQL connector keeps every promise of a connector, on a real PostgreSQL, in one transaction and in many."""

from collections.abc import Iterator

import pytest

from connectors.conformance import Bench, Conformance
from connectors.conformance.erasing import Erasing
from connectors.conformance.keeping import Keeping
from connectors.conformance.verifying import Verifying
from starter.stack import Postgres
from tests.conftest import Database
from tests.connectors.memory_bench import BOOKS, SHOP
from tests.connectors.sql_bench import SqlBench


class TestWhatGoes(Conformance):
    @pytest.fixture
    def bench(self, postgres: Postgres, database: Database) -> Iterator[Bench]:
        bench = SqlBench(postgres, database, SHOP)
        yield bench
        bench.close()


class TestWhatStays(Conformance):
    @pytest.fixture
    def bench(self, postgres: Postgres, database: Database) -> Iterator[Bench]:
        bench = SqlBench(postgres, database, BOOKS)
        yield bench
        bench.close()


class TestWhatGoesInBatches(Erasing, Verifying):
    @pytest.fixture
    def bench(self, postgres: Postgres, database: Database) -> Iterator[Bench]:
        bench = SqlBench(postgres, database, SHOP, batch_rows=4)
        yield bench
        bench.close()


class TestWhatStaysInBatches(Erasing, Keeping, Verifying):
    @pytest.fixture
    def bench(self, postgres: Postgres, database: Database) -> Iterator[Bench]:
        bench = SqlBench(postgres, database, BOOKS, batch_rows=3)
        yield bench
        bench.close()
