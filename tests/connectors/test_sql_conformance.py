"""The SQL connector keeps every promise of a connector, on a real server of each kind, in one transaction and many."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from connectors.conformance import Bench, Conformance
from connectors.conformance.erasing import Erasing
from connectors.conformance.exporting import Exporting
from connectors.conformance.keeping import Keeping
from connectors.conformance.linking import Linking
from connectors.conformance.locating import Locating
from connectors.conformance.rectifying import Rectifying
from connectors.conformance.restricting import Restricting
from connectors.conformance.speaking import Speaking
from connectors.conformance.suite import Trial
from connectors.conformance.suppressing import Suppressing
from connectors.conformance.verifying import Verifying
from starter.stack import Postgres
from tests.conftest import Database
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.memory_bench import BOOKS, OPTING, SHOP
from tests.connectors.sql_bench import RestrictingBench, SqlBench
from tests.connectors.sql_engines import MariaDBBench, SQLiteBench
from tests.connectors.sql_flag_benches import MariaDBFlagBench, PostgresFlagBench

Make = Callable[..., SqlBench]
CHAINED = SHOP.replace(
    """customer: {}, remark: {category: free_text}, amount: {}, scan: {yields: object_key}}
    links: [{field: customer, to: customers.id}]""",
    """customer: {}, previous: {}, remark: {category: free_text}, amount: {}, scan: {yields: object_key}}
    links: [{field: customer, to: customers.id}, {field: previous, to: orders.id}]""",
)
"""Each order hangs on the one before it."""
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDBServer]:
    with MariaDBServer() as server:
        yield server


# PostgreSQL stands for the others in `make test`: statements are compiled anew for each bench, which takes minutes.
@pytest.fixture(
    params=[
        "postgresql",
        pytest.param("mariadb", marks=[needs_mariadb, pytest.mark.soak]),
        pytest.param("sqlite", marks=pytest.mark.soak),
    ]
)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes a bench on one kind of server."""
    if request.param == "postgresql":
        request.getfixturevalue("database")  # asked for now, it outlives the bench
    with ExitStack() as stack:
        yield partial(_made, request, tmp_path, stack)


def _made(request: pytest.FixtureRequest, tmp_path: Path, stack: ExitStack, text: str, **options: int) -> SqlBench:
    bench: SqlBench
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        database: Database = request.getfixturevalue("database")
        bench = SqlBench(postgres, database, text, **options)
    elif request.param == "mariadb":
        server: MariaDBServer = request.getfixturevalue("mariadb")
        name = f"test_{next(_numbers)}"
        server.create_database(name)
        stack.callback(server.drop_database, name)
        bench = MariaDBBench(server, name, text, **options)
    else:
        home = tmp_path / "files"
        home.mkdir()
        bench = SQLiteBench(home / "shop.db", text, **options)
    stack.callback(bench.close)
    return bench


class TestWhatGoes(Conformance):
    @pytest.fixture
    def bench(self, make: Make) -> Bench:
        return make(SHOP)


class TestWhatStays(Locating, Linking, Exporting, Erasing, Keeping, Verifying, Speaking):
    @pytest.fixture
    def bench(self, make: Make) -> Bench:
        return make(BOOKS)


@pytest.mark.soak
class TestWhatHangsTogether(Conformance):
    @pytest.fixture
    def bench(self, make: Make) -> Bench:
        return make(CHAINED)


@pytest.mark.soak
class TestWhatIsRectifiedAndStays(Rectifying):
    @pytest.fixture
    def bench(self, make: Make) -> Bench:
        return make(BOOKS)


@pytest.mark.soak
class TestWhatIsRectifiedInBatches(Rectifying):
    @pytest.fixture
    def bench(self, make: Make) -> Bench:
        return make(SHOP, batch_rows=4)


@pytest.mark.soak
class TestWhatIsRectifiedAndStaysInBatches(Rectifying):
    @pytest.fixture
    def bench(self, make: Make) -> Bench:
        return make(BOOKS, batch_rows=3)


class TestWhatIsStopped(Suppressing):
    @pytest.fixture
    def bench(self, make: Make) -> Bench:
        return make(OPTING)


@pytest.mark.soak
class TestWhatIsStoppedInBatches(Suppressing):
    @pytest.fixture
    def bench(self, make: Make) -> Bench:
        return make(OPTING, batch_rows=4)


@pytest.mark.soak
class TestWhatGoesInBatches(Erasing, Verifying):
    @pytest.fixture
    def bench(self, make: Make) -> Bench:
        return make(SHOP, batch_rows=4)


@pytest.mark.soak
class TestWhatStaysInBatches(Erasing, Keeping, Verifying):
    @pytest.fixture
    def bench(self, make: Make) -> Bench:
        return make(BOOKS, batch_rows=3)


class _Listed(Restricting):
    def state(self, trial: Trial) -> object:
        """What is restricted stands beside the rows."""
        assert isinstance(trial.bench, RestrictingBench)
        return trial.bench.everything(), trial.bench.listed()


@pytest.mark.soak
class TestWhatMayBeRestrictedIsRectified(Rectifying):
    @pytest.fixture
    def bench(self, postgres: Postgres, database: Database) -> Iterator[Bench]:
        with closing(RestrictingBench(postgres, database, SHOP)) as bench:
            yield bench


class TestWhatIsRestricted(_Listed, Erasing, Verifying):
    @pytest.fixture
    def bench(self, postgres: Postgres, database: Database) -> Iterator[Bench]:
        with closing(RestrictingBench(postgres, database, SHOP)) as bench:
            yield bench


@pytest.mark.soak
class TestWhatIsRestrictedAndStays(_Listed, Erasing, Keeping, Verifying):
    @pytest.fixture
    def bench(self, postgres: Postgres, database: Database) -> Iterator[Bench]:
        with closing(RestrictingBench(postgres, database, BOOKS, batch_rows=3)) as bench:
            yield bench


class _Flagged(Restricting):
    def state(self, trial: Trial) -> object:
        """What is restricted bears a flag."""
        return trial.bench.everything()


class TestWhatIsFlagged(_Flagged):
    @pytest.fixture
    def bench(self, postgres: Postgres, database: Database) -> Iterator[Bench]:
        with closing(PostgresFlagBench(postgres, database, SHOP)) as bench:
            yield bench


@pytest.mark.soak
class TestWhatIsFlaggedAndGoesOrStays(_Flagged, Erasing, Keeping, Verifying):
    @pytest.fixture(params=[(SHOP, {}), (BOOKS, {"batch_rows": 3})], ids=["goes", "stays"])
    def bench(self, request: pytest.FixtureRequest, postgres: Postgres, database: Database) -> Iterator[Bench]:
        text, options = request.param
        with closing(PostgresFlagBench(postgres, database, text, **options)) as bench:
            yield bench


@needs_mariadb
@pytest.mark.soak
class TestWhatIsFlaggedOnMariaDB(_Flagged):
    @pytest.fixture
    def bench(self, mariadb: MariaDBServer) -> Iterator[Bench]:
        name = f"flags_{next(_numbers)}"
        mariadb.create_database(name)
        with closing(MariaDBFlagBench(mariadb, name, SHOP)) as bench:
            yield bench
        mariadb.drop_database(name)
