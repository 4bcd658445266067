"""A draft data map from a database itself: its tables, keys, comments and types, and what they suggest.

The one rule: nothing is changed and nothing that a person's row holds comes out; and the draft validates as it stands.
"""

from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from connectors.errors import ConnectorError
from connectors.sql.discovery.draft import Draft, decide, skeleton
from connectors.sql.discovery.findings import Findings, guess
from connectors.sql.discovery.page import page
from connectors.sql.discovery.reading import Reading, reading
from connectors.sql.discovery.samples import sample
from connectors.sql.discovery.schema import Progress
from connectors.sql.limits import Limits
from connectors.sql.reaching import reach

__all__ = ["Draft", "discover", "draft_from", "page"]


def discover(
    secret: str, *, system: str, reader: str, sampling: bool = False, progress: Progress = lambda _: None
) -> Draft:
    """Read a database and draft its map.

    Args:
        secret: the database's address; the role needs to see the tables, and SELECT where values are sampled.
        system: the system's name in the map.
        reader: where the map finds the address: env:NAME or file:/path.
        sampling: also look at some values of each table.
        progress: told what is being done.

    Raises:
        ValueError: the address is none; the text does not quote it.
        Exception: one of the database's own errors: it cannot be asked.
    """
    database = reach(secret, "url", Limits())
    with reading(database) as opened:
        schema = opened.schema(progress)
        sampled = {}
        if sampling:
            total = len(schema.tables)

            def told(number: int) -> None:
                if number % 100 == 0:
                    progress(f"looking at values: table {number:,} of {total:,}")

            sampled = sample(opened.values, schema.tables.values(), told)
        progress(f"{len(schema.tables):,} tables read, drafting")
        return draft_of(opened, guess(schema, sampled), system, reader, manual=f"{database.engine}.md")


def draft_from(
    secret: str, *, system: str, reader: str, sampling: bool = False, progress: Progress = lambda _: None
) -> Draft:
    """`discover`, with what goes wrong in the contract's words.

    Raises:
        ValueError: the address is none.
        ConnectorError: the database cannot be asked.
    """
    database = reach(secret, "url", Limits())
    errors: tuple[type[Exception], ...] = (*database.errors, SQLAlchemyError)
    try:
        return discover(secret, system=system, reader=reader, sampling=sampling, progress=progress)
    except errors as error:
        trouble: ConnectorError = database.explain(error, system, lambda *_: False)
    raise trouble


def draft_of(opened: Reading, findings: Findings, system: str, reader: str, manual: str) -> Draft:
    """Decide what was found, with the connector's own view of the columns."""
    draft = replace(skeleton(findings, system, reader), manual=manual)
    if not draft.collections:
        return draft
    decided = decide(draft, findings, opened.catalogue(draft.read()), opened)
    decided.read()  # what does not validate is our mistake, and better seen here
    return decided
