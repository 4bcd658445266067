"""The residue: what a person is known by, searched for after an erasure in every text of the schemas that the map is
about, in tables that are in the map and in those that are not.

The one rule: what is found is counted by column and never read; a table that could not be searched is named, and never
taken to be clean.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, LiteralString

import psycopg
from sqlalchemy import Column as SqlColumn
from sqlalchemy import FromClause, MetaData, Select, Text, and_, cast, false, func, not_, or_, select
from sqlalchemy import Table as SqlTable
from sqlalchemy.sql.elements import quoted_name

from connectors.errors import NeedsHuman
from connectors.protocol import Call, Candidate, Look
from connectors.sql.asking import Asking
from connectors.sql.fates import Fates
from connectors.sql.programme import Programme
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.server import Mode
from connectors.sql.session import Database
from connectors.sql.statement import compiled
from connectors.sql.values import document, searched_for
from connectors.words import words_of
from rights.codes import Code
from rights.datamap import Strategy
from rights.receipt import Count, Kept, Tally

# Places have three parts, so that none has the name of a collection: schema.table.column, or schema.table.*
GROUND: Final = "left there by a person's ruling on what a search still found"
"""Why rows of a residue stay that a person has ruled may stay."""
UNSEARCHED: Final = "not searched"

# Each stored row once: partitions with the table they are parts of, views with the tables they show. What lies beneath
# domains and lists counts.
TABLES: Final[LiteralString] = """
WITH RECURSIVE base AS (
  SELECT a.attrelid, a.attname, a.attnum, a.atttypid AS type
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY(%s::text[]) AND c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition
    AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT b.attrelid, b.attname, b.attnum, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
  FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0)),
texts AS (
  SELECT DISTINCT b.attrelid, b.attname, b.attnum FROM base b JOIN pg_type t ON t.oid = b.type
  WHERE t.typtype = 'c' OR (t.typcategory = 'S' AND t.typtype <> 'd')
    OR t.typname IN ('json', 'jsonb', 'xml', 'uuid', 'hstore', 'tsvector', 'ltree'))
SELECT n.nspname, c.relname, c.oid::bigint, c.relkind::text, t.attname::text,
  has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, t.attnum, 'SELECT')
FROM texts t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY n.nspname, c.relname, t.attnum"""


@dataclass(frozen=True, slots=True)
class Texts:
    """A table's columns that hold texts."""

    schema: str
    name: str
    relation: int
    kind: str
    """As the catalogue has it: r table, p partitioned table, m materialised view, f foreign table."""
    columns: tuple[str, ...]
    """Those that the role may read."""
    hidden: bool
    """Whether there are others."""

    @property
    def place(self) -> str:
        return f"{self.schema}.{self.name}"


def texts_of(connection: Any, schemas: Sequence[str]) -> Iterator[Texts]:
    """All texts of some schemas.

    Raises:
        psycopg.Error: the database cannot be asked.
    """
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in connection.execute(TABLES, [list(schemas)]).fetchall():
        found.setdefault(row[2], []).append(row)
    for rows in found.values():
        schema, name, relation, kind, *_ = rows[0]
        readable = tuple(column for *_, column, may in rows if may)
        yield Texts(schema, name, relation, kind, readable, len(readable) < len(rows))


def question(scope: Scope, texts: Texts) -> Select[Any]:
    """Of each column, in how many rows it says what the person is known by; but for what the map says is kept, and for
    rows that a person has ruled to be somebody else's."""
    mapped = [name for name, table in scope.catalogue.tables.items() if table.relation == texts.relation]
    keys = (field for name in mapped for field in scope.system.collections[name].key)
    fields = dict.fromkeys((*texts.columns, *keys))
    table = SqlTable(
        quoted_name(texts.name, True),
        MetaData(),
        *(SqlColumn(quoted_name(field, True)) for field in fields),
        schema=quoted_name(texts.schema, True),
    )
    rows: FromClause = table
    accounted: dict[str, list[Sql]] = {field: [] for field in texts.columns}
    for name in mapped:
        rows = _account(scope, name, table, rows, accounted)
    # Letter by letter: not every collation knows expressions, and this one is the quickest.
    said = {field: scope.dialect.mentions(cast(table.c[field], Text).collate("C")) for field in texts.columns}
    hits = [and_(said[field], *(not_(func.coalesce(one, false())) for one in accounted[field])) for field in said]
    counts: list[Sql] = [func.count().filter(hit) for hit in hits]
    asked = select(*counts).select_from(rows).where(or_(*hits))
    return asked.with_hint(table, "ONLY", "postgresql") if texts.kind == "r" else asked


def _account(
    scope: Scope, name: str, table: FromClause, rows: FromClause, accounted: Mapping[str, list[Sql]]
) -> FromClause:
    """Say which hits of a mapped table are accounted for: fields of rows that a duty keeps, retained fields, and rows
    that a person has ruled to be somebody else's."""
    collection, fates = scope.system.collections[name], Fates(scope)
    others = fates.traversal.ruled_others(name, table)
    mapped = [field for field in collection.fields if field in accounted]
    for field in mapped:
        accounted[field].append(others)
    if not fates.may_stay(name):
        return rows
    fate = fates.of(name)
    staying = select(*fates.traversal.key(name, fate.rows), fate.duty.label("=duty")).where(fate.stays).subquery()
    pairs = zip(fates.traversal.key(name, table), fates.traversal.key(name, staying), strict=True)
    for field in mapped:
        retained = staying.c[collection.key[0]].is_not(None)
        by_strategy = collection.fields[field].strategy is Strategy.RETAIN
        accounted[field].append(retained if by_strategy else staying.c["=duty"])
    return rows.outerjoin(staying, and_(*(mine == theirs for mine, theirs in pairs)))


class Residue:
    """Searches what is left of people in one database."""

    def __init__(self, asking: Asking, reader: Database) -> None:
        self._asking, self._reader = asking, reader

    def refuse(self, call: Call, look: Look) -> Tally:
        """Put on a person's desk where the person still stands; the look's tally, with what was ruled may stay.

        Raises:
            NeedsHuman: RESIDUE, with a candidate for each column and each table that could not be searched.
        """
        found = list(self._search(replace(call, identities=(*call.identities, *look.links), anchors=look.anchors)))
        open_ = [one for one in found if not _ruled(call, one)]
        if open_:
            raise NeedsHuman(Code.RESIDUE, open_[0].collection, tally=look.tally, candidates=tuple(open_))
        left = []
        for one in found:
            rows = int(one.key[0]) if one.key[0] != UNSEARCHED else 0
            kept = (Kept(ground=GROUND, rows=rows),) if rows else ()
            left.append(Count(collection=one.collection, found=rows, kept=kept, searched=bool(rows)))
        return Tally(counts=(*look.tally.counts, *left))

    def _search(self, call: Call) -> Iterator[Candidate]:
        words = words_of(call)
        if not words and not words.too_many:
            return
        asking, reader = self._asking, self._reader
        programme = asking.explained(reader, lambda: asking.programme(reader, call))
        if not isinstance(programme, Programme):
            raise TypeError("a residue is searched for on PostgreSQL alone")
        scope = programme.scope
        schemas = sorted({table.schema for table in scope.catalogue.tables.values()})
        every = asking.explained(reader, lambda: self._texts(schemas))
        given = document(call, scope) | searched_for(words, reader.engine)
        text = json.dumps(given, ensure_ascii=False)
        for texts in every:
            call.beat()
            searching = texts.columns and not words.too_many
            counts = self._counts(call, text, scope, texts) if searching else None
            if counts is None or texts.hidden:
                yield Candidate(f"{texts.place}.*", (UNSEARCHED,), shown={"rows": UNSEARCHED})
            for field, rows in zip(texts.columns, counts, strict=True) if counts is not None else ():
                if rows:
                    yield Candidate(f"{texts.place}.{field}", (str(rows),), shown={"rows": rows})

    def _texts(self, schemas: Sequence[str]) -> list[Texts]:
        with self._reader.plain() as connection:
            return list(texts_of(connection, schemas))

    def _counts(self, call: Call, text: str, scope: Scope, texts: Texts) -> tuple[int, ...] | None:
        """Rows by column; None: the table could not be searched."""
        reader, statement = self._reader, compiled(question(scope, texts)).text.decode()
        alive = False
        try:
            with reader.transaction(Mode.LOOK, call.session, text) as session:
                try:
                    (counts,) = session.ask(statement)
                except psycopg.Error:
                    alive = not session.connection.broken
                    raise
                session.commit()
        except reader.errors as error:
            trouble = error
        else:
            return tuple(counts)
        if alive:
            return None  # the server has said no to this table: its time, a lock, row security, a foreign server
        raise self._asking.problem(reader, trouble)


def _ruled(call: Call, found: Candidate) -> bool:
    """Whether a person has ruled that a place may stay as it is: unsearched, or with as many rows as it has at most."""
    for (said,) in call.rulings.others.get(found.collection, frozenset()):
        if said == found.key[0] or (UNSEARCHED not in {said, found.key[0]} and int(said) >= int(found.key[0])):
            return True
    return False
