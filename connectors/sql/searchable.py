"""Checking what searching texts will cost, and what a search for a residue cannot see.

The one rule: a finding is a sentence: what is the matter, a colon, what to do about it.
"""

from collections.abc import Iterator
from typing import Final

from connectors.finding import Finding, Severity
from connectors.sql.catalogue import read_catalogue
from connectors.sql.families import TEXTS
from connectors.sql.residue import texts_of
from connectors.sql.session import Database
from connectors.sql.statement import quoted
from rights.datamap import System

_SHOWN: Final = 20
"""Names in one finding; a longer list is not read."""
_TRIGRAMS: Final = """
SELECT pg_get_indexdef(i.indexrelid, k.place::int, true)
FROM pg_index i CROSS JOIN LATERAL unnest(i.indclass::oid[]) WITH ORDINALITY AS k(class, place)
JOIN pg_opclass o ON o.oid = k.class
WHERE i.indrelid = %s AND i.indisvalid AND i.indpred IS NULL AND o.opcname IN ('gin_trgm_ops', 'gist_trgm_ops')"""


def findings(system: System, reader: Database, *, residue: bool) -> Iterator[Finding]:
    """What does not fit searching.

    Raises:
        psycopg.Error: the database cannot be asked.
    """
    with reader.plain() as connection:
        catalogue = read_catalogue(connection, system)
        for name, table in catalogue.tables.items():
            indexed = {text for (text,) in connection.execute(_TRIGRAMS, [table.relation]).fetchall()}
            for field in system.collections[name].searched:
                column, as_written = table.columns.get(field), quoted(field)
                served = not indexed.isdisjoint({f"lower({as_written})", f"lower({as_written}::text)"})
                if column is not None and column.family in TEXTS and not served:
                    where = quoted(table.schema, table.name)
                    said = (
                        f"no index of trigrams serves the search of {name}.{field}, so each reads all of its texts; in "
                        "a large table, with the extension pg_trgm: "
                        f"CREATE INDEX ON {where} USING gin (lower({as_written}::text) gin_trgm_ops)"
                    )
                    yield Finding("no_search_index", said, Severity.NOTE)
        if residue:
            schemas = sorted({table.schema for table in catalogue.tables.values()})
            unread = [texts.place for texts in texts_of(connection, schemas) if texts.hidden]
            if unread:
                more = f" and {len(unread) - _SHOWN} more" if len(unread) > _SHOWN else ""
                said = (
                    f"connection.reader may not read all texts of {', '.join(unread[:_SHOWN])}{more}, so a residue "
                    "there is not found: grant SELECT, or see to these by other means"
                )
                yield Finding("residue_unread", said, Severity.WARNING)
