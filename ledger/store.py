"""What all verbs share: connections to PostgreSQL, the tenant, the vault and the index of people.

The one rule: a transaction takes its locks in one order: people, rows, and last of all the head of the journal.
"""

import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import orjson
import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Connection, Engine, Row, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, InvalidatePoolError
from sqlalchemy.pool import PoolProxiedConnection

from ledger import chain
from ledger.checkpoints import Checkpoints
from ledger.claims import refuse_lost
from ledger.errors import AddressError
from ledger.keks import IN_FORCE
from ledger.keys import KeyProvider
from ledger.people import People
from ledger.vault import Vault
from ledger.versions import refuse_changed

T = TypeVar("T")
AnyRow = Row[*tuple[Any, ...]]
"""A row of whatever columns."""

_STATEMENT_MS: Final = 30_000
"""A verb takes milliseconds; what takes this long waits for a lock that somebody has forgotten."""
_IDLE_MS: Final = 10_000
"""A worker frozen inside a verb holds the journal's head, for which all others wait. The server ends its session after
this time, and nothing of it is kept."""
_CONNECT_S: Final = 5
_RETIRED_AT_MOST: Final = 5
"""How often in a row a verb may find its key-encryption keys retired. They are retired hourly, and one that was put in
force just now is not."""


def connect(url: str, *, pool_size: int = 10) -> Engine:
    """Connections to the ledger: at most `pool_size`, made when first needed.

    `url` is a PostgreSQL address with everything the driver is to know (sslmode, sslrootcert ...); TLS is up to it.

    Raises:
        AddressError: it is none.
    """
    address = _address(url)
    given = address.query.get("options", "")
    options = (
        f"-c statement_timeout={_STATEMENT_MS} -c idle_in_transaction_session_timeout={_IDLE_MS} "
        f"-c timezone=UTC {given}"
    )
    engine = create_engine(
        address.difference_update_query(["options"]),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_STATEMENT_MS / 1000,
        hide_parameters=True,
        # Verbs tell by it whether an INSERT .. ON CONFLICT DO NOTHING did something.
        execution_options={"preserve_rowcount": True},
        json_serializer=lambda value: orjson.dumps(value, default=plain).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "options": options.strip(),
            "connect_timeout": _CONNECT_S,
            "application_name": "habeas-ledger",
        },
    )
    event.listen(engine, "checkout", _refuse_dead)
    return engine


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        # Parameters that libpq does not know would come up as an error of the first statement.
        make_conninfo("", **{name: str(value) for name, value in address.query.items()})
    except (ArgumentError, ValueError, psycopg.ProgrammingError):
        raise AddressError from None
    if address.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise AddressError
    return address.set(drivername="postgresql+psycopg")


def _refuse_dead(connection: Any, record: object, proxy: PoolProxiedConnection) -> None:
    """Throw a connection away that the server has ended while it lay in the pool.

    An idle connection has nothing to read; one that has was ended, and its like in the pool with it. It costs
    microseconds, where a ping costs a round trip.
    """
    probe = select.poll()
    probe.register(connection.fileno(), select.POLLIN | select.POLLHUP)
    if connection.closed or probe.poll(0):
        raise InvalidatePoolError("the server has ended this connection")


def plain(value: Any) -> Any:
    """How JSON shows one of our values."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"a {type(value).__name__} cannot be written down")


def written(body: Mapping[str, object]) -> str:
    """The body of an entry as it is written down."""
    return orjson.dumps(body, default=plain, option=orjson.OPT_SORT_KEYS).decode()


class Store:
    """A tenant's part of a ledger."""

    def __init__(
        self,
        engine: Engine,
        tenant: str,
        keys: KeyProvider,
        *,
        backup_max_age: timedelta,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        """`backup_max_age` is after how long the last backup that holds a row is gone."""
        self.tenant: Final = tenant
        self._engine = engine
        # A single statement needs no BEGIN and COMMIT of its own.
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._frozen = engine.execution_options(isolation_level="REPEATABLE READ")
        self._keys = keys
        self._vault = Vault(engine, tenant, keys)
        self._people = People(self._vault)
        self._backup_max_age = backup_max_age
        self._checkpoints = checkpoints
        self._kept_maps: set[str] = set()
        self._kept_rulesets: set[str] = set()
        self._bell: psycopg.Connection[Any] | None = None

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, undone by an error.

        Raises:
            Changed: the caller has named the version of a request (`ledger.versions`), and it has gone on.
            InProgress: it is carried out for a call (`ledger.claims`) that another has claimed since.
        """
        with self._engine.begin() as connection:
            yield connection
            refuse_changed(connection, self.tenant)
            refuse_lost(connection, self.tenant)

    def _look(self) -> AbstractContextManager[Connection]:
        """A connection for single reads."""
        return self._reader.connect()

    def _journal(
        self,
        connection: Connection,
        kind: str,
        body: Mapping[str, object],
        at: datetime,
        *,
        request_id: str | None = None,
        key: str | None = None,
    ) -> None:
        """Append to the journal: the last thing a transaction does, since all others wait for its head."""
        chain.append(connection, self.tenant, kind, written(body), at, request_id=request_id, key=key)

    def _with_kek(self, verb: Callable[[], T]) -> T:
        """Run a verb that makes data keys; again if a key-encryption key was retired under its feet."""
        for _ in range(_RETIRED_AT_MOST):
            try:
                return verb()
            except IntegrityError as error:
                if IN_FORCE not in str(error.orig):
                    raise
            self._vault.keks.forget()
        return verb()
