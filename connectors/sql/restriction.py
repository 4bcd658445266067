"""Restriction on PostgreSQL: the keys of the person's rows in a table that policies on the mapped tables look into.

The one rule: nothing is entered there before the catalogue has shown that every mapped table has a policy that denies
whatever is listed. For which request a row is restricted stands beside its key, so that a worker that dies in the
middle forgets nothing, and rows themselves are never touched.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    CTE,
    Column,
    Delete,
    FromClause,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import array, insert

from connectors.errors import NeedsHuman
from connectors.finding import Finding
from connectors.protocol import Call
from connectors.sql import later
from connectors.sql.catalogue import Catalogue, read_catalogue
from connectors.sql.catalogue import Table as Mapped
from connectors.sql.fates import Fates
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.statement import Statement, compiled, quoted
from connectors.sql.values import document
from rights.codes import Code
from rights.datamap import System
from rights.receipt import Count, Tally

METHOD: Final = "row_security"
"""What `options.restrict` says, and the state of what was restricted."""
SCHEMA: Final = "public"
NAME: Final = "habeas_restricted"
LISTED: Final = f"{SCHEMA}.{NAME}"
CREATE: Final = (
    f"CREATE TABLE {LISTED} (relation text, key text[], request text, PRIMARY KEY (relation, key, request)); "
    f"GRANT SELECT (relation, key) ON {LISTED} TO PUBLIC"
)
POLICY, OTHERS = f"{NAME}_denied", f"{NAME}_others"
ENTRIES: Final = Table(
    NAME,
    MetaData(),
    Column("relation", Text),
    Column("key", ARRAY(Text)),
    Column("request", Text),
    schema=SCHEMA,
)
_REQUEST: Final = "request"
"""The slot of the document that holds the request's marker."""
# Kept over a crash, read by everybody as it stands, and what is written to it arrives: no rule, no trigger, no policy.
_TABLE: Final = """
SELECT c.oid::bigint,
  c.relkind = 'r' AND c.relpersistence = 'p' AND NOT (c.relrowsecurity OR c.relhasrules OR c.relhastriggers)
    AND ARRAY(SELECT a.attname || ' ' || format_type(a.atttypid, NULL) FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
        = ARRAY['relation text', 'key text[]', 'request text']
    AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnatts = 3),
  has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
    AND has_table_privilege(c.oid, 'DELETE'),
  ARRAY(SELECT DISTINCT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END
        FROM aclexplode(c.relacl) g
        WHERE g.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER') AND g.grantee <> c.relowner
          AND (g.grantee = 0 OR pg_get_userbyid(g.grantee) <> current_user)),
  quote_ident(current_user::text)
FROM pg_class c WHERE c.oid = to_regclass(%s)"""

# A policy of a partitioned table says nothing of its partitions when they are asked for by their own names.
_PARTS: Final = """
WITH RECURSIVE part AS (
  SELECT oid AS root, oid FROM pg_class WHERE oid = ANY(%s::oid[])
  UNION SELECT p.root, i.inhrelid FROM part p JOIN pg_inherits i ON i.inhparent = p.oid)
SELECT p.root::bigint, n.nspname, c.relname, c.relkind IN ('r', 'p'), c.relrowsecurity,
  c.relforcerowsecurity OR pg_get_userbyid(c.relowner) = current_user,
  ARRAY(SELECT concat_ws(';', pg_get_expr(l.polqual, l.polrelid), pg_get_expr(l.polwithcheck, l.polrelid))
        FROM pg_policy l JOIN pg_depend d ON d.objid = l.oid
        WHERE l.polrelid = c.oid AND l.polqual IS NOT NULL
          AND NOT l.polpermissive AND l.polcmd = '*' AND l.polroles = '{0}'
          AND d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = %s::oid),
  ARRAY(SELECT l.polname::text FROM pg_policy l WHERE l.polrelid = c.oid)
FROM part p JOIN pg_class c ON c.oid = p.oid JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY p.root, p.oid <> p.root, p.oid"""


@dataclass(frozen=True, slots=True)
class Gap:
    """Why a restriction would not deny anything, or not all."""

    about: str
    """The collection, or the table of what is restricted."""
    said: str


def gaps(connection: Any, system: System, catalogue: Catalogue) -> Iterator[Gap]:
    """What the operator has yet to set up, over the writer's own connection.

    Raises:
        psycopg.Error: the database cannot be asked.
    """
    row = connection.execute(_TABLE, [LISTED]).fetchone()
    relation = row[0] if row else 0
    yield from _listing(row)
    collections = {table.relation: name for name, table in catalogue.tables.items()}
    for name, table in catalogue.tables.items():
        yield from _keys(system, name, table)
    for root, schema, part, able, on, forced, denying, policies in connection.execute(
        _PARTS, [list(collections), relation]
    ).fetchall():
        name = collections[root]
        table, written = catalogue.tables[name], quoted(schema, part)
        own, more = condition(system, name, table, part), _later(system, catalogue, name, part)
        if not able:
            said = f"{written} is no table, so no policy can deny its rows: restrict what lies behind it, or leave out "
            yield Gap(name, f"{said}options.restrict")
            continue
        missing = []
        # A policy that knows nothing of later rows denies what is listed all the same; a look finds those then.
        whole = " AND ".join((own, *more))
        wanted = {_plain(own), _plain(whole), _plain(f"{whole};{own}")}
        if wanted.isdisjoint(map(_plain, denying)):
            check = f" WITH CHECK ({own})" if more else ""
            drop = f"DROP POLICY {POLICY} ON {written}; " if POLICY in policies else ""
            missing.append(f"{drop}CREATE POLICY {POLICY} ON {written} AS RESTRICTIVE USING ({whole}){check}")
        if not on:
            # Policies deny whatever none of them permits; so far there was nothing that was not permitted.
            if OTHERS not in policies:
                missing.append(f"CREATE POLICY {OTHERS} ON {written} USING (true)")
            missing.append(f"ALTER TABLE {written} ENABLE ROW LEVEL SECURITY")
        if not forced:
            missing.append(f"ALTER TABLE {written} FORCE ROW LEVEL SECURITY")
        if missing:
            yield Gap(name, f"no policy denies rows of {written} that are restricted: {'; '.join(missing)}")


def require(connection: Any, system: System, catalogue: Catalogue) -> None:
    """Refuse to list what nobody is denied.

    Raises:
        NeedsHuman: NOT_DENIED, with the collection, or the table of what is restricted.
        psycopg.Error: the database cannot be asked.
    """
    for gap in gaps(connection, system, catalogue):
        raise NeedsHuman(Code.NOT_DENIED, gap.about)


def findings(system: System, writer: Any) -> list[Finding]:
    """The gaps as findings, each with the statements that close it.

    Raises:
        psycopg.Error: the database cannot be asked.
    """
    with writer.plain() as connection:
        return [Finding("not_denied", g.said) for g in gaps(connection, system, read_catalogue(connection, system))]


def condition(system: System, name: str, table: Mapped, part: str) -> str:
    """What the policy of a collection's table, or of one of its partitions, demands of a row."""
    place = quoted(part)
    return _not_listed(_relation(table), [f"{place}.{quoted(column)}::text" for column in system.collections[name].key])


def _later(system: System, catalogue: Catalogue, name: str, part: str) -> tuple[str, ...]:
    """What the policy demands as well, so that rows that are written later are denied: that they do not point to what
    is restricted. They may be stored, which the policy's check says: it knows of keys alone."""
    table = catalogue.tables[name]
    return tuple(
        _not_listed(later.listed_as(table, field), [f"{quoted(part)}.{quoted(field)}::text"])
        for field in later.fields(system, catalogue.tables, name)
    )


def _not_listed(relation: str, key: Sequence[str]) -> str:
    named = relation.replace("'", "''")
    listed = f"{LISTED} WHERE {NAME}.relation = '{named}' AND {NAME}.key = ARRAY[{', '.join(key)}]"
    return f"NOT EXISTS (SELECT 1 FROM {listed})"  # noqa: S608 - names of the catalogue


class Statements:
    """The statements that restrict and lift, each made on first use."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @cached_property
    def due(self) -> Statement:
        return compiled(_due(self.scope))

    @cached_property
    def enter(self) -> Statement:
        return compiled(_enter(self.scope))

    @cached_property
    def entered(self) -> Statement:
        return compiled(_entered(self.scope))

    @cached_property
    def take_out(self) -> Statement:
        return compiled(_take_out(self.scope))


def _due(scope: Scope) -> Select[Any]:
    """For each entry of `listed`, how many of the person's keys are not listed for this request yet."""
    counts: list[Sql] = []
    for number, (_, keys) in enumerate(_located(scope)):
        listed = and_(
            ENTRIES.c.relation == keys.c.relation, ENTRIES.c.key == keys.c.key, ENTRIES.c.request == keys.c.request
        )
        new = select(func.count()).select_from(keys).where(~exists().where(listed))
        counts.append(new.scalar_subquery().label(f"new_{number}"))
    return select(*counts)


def _enter(scope: Scope) -> Select[Any]:
    """List all rows that are the person's: one row with how many are new."""
    every = union_all(*(select(keys) for _, keys in _located(scope))).subquery("keys")
    entered = (
        insert(ENTRIES)
        .from_select(["relation", "key", "request"], select(every))
        .on_conflict_do_nothing(index_elements=["relation", "key", "request"])
        .returning(ENTRIES.c.relation)
        .cte("entered")
    )
    return select(func.count()).select_from(entered)


def _entered(scope: Scope) -> Select[Any]:
    """One row with the entries of a request, by relation."""
    mine = select(ENTRIES.c.relation, func.count().label("rows")).where(_of_request(scope)).group_by(ENTRIES.c.relation)
    rows = mine.subquery("mine")
    return select(func.coalesce(func.json_object_agg(rows.c.relation, rows.c.rows), func.json_build_object()))


def _take_out(scope: Scope) -> Select[Any]:
    """Take a request's entries away; those of other requests stay."""
    gone = delete(ENTRIES).where(_of_request(scope)).returning(ENTRIES.c.relation).cte("gone")
    return select(func.count()).select_from(gone)


def entry(scope: Scope, name: str, rows: FromClause) -> Sql:
    """A row's key, as it is listed."""
    return array([cast(rows.c[field], Text) for field in scope.system.collections[name].key], type_=Text)


def forget(scope: Scope, name: str, keys: CTE, column: str) -> Delete:
    """Take the entries of rows that are deleted away, whichever request's they are: the key may be somebody else's
    one day. Those go as well that deny what points to them."""
    relations = [_relation(scope.catalogue.tables[name]), *later.pointing_to(scope, name)]
    return delete(ENTRIES).where(
        or_(*(ENTRIES.c.relation == one for one in relations)), ENTRIES.c.key == keys.c[column]
    )


def state_of(call: Call) -> dict[str, str]:
    """How the person's rows are restricted."""
    return {"method": METHOD, "request": call.session}


def asked(call: Call, scope: Scope) -> str:
    """The document of a restriction."""
    marker = call.restricted.get("request") or call.session
    return json.dumps({**document(call, scope), _REQUEST: marker}, ensure_ascii=False)


def tally(system: System, found: Mapping[str, int]) -> Tally:
    """Counts of rows by collection, and nothing else."""
    return Tally(counts=tuple(Count(collection=name, found=found.get(name, 0)) for name in system.collections))


def by_collection(scope: Scope, entries: Mapping[str, int]) -> dict[str, int]:
    """The collections of a request's entries. One whose table has left the map is lifted, and not counted."""
    relations = {_relation(table): name for name, table in scope.catalogue.tables.items()}
    return {relations[relation]: rows for relation, rows in entries.items() if relation in relations}


def _listing(row: tuple[Any, ...] | None) -> Iterator[Gap]:
    if row is None:
        yield Gap(NAME, f"there is no table {LISTED}, in which restricted rows are listed: {CREATE}")
        return
    _, fits, able, strangers, role = row
    if not fits:
        said = f"{LISTED} is not the table in which restricted rows are listed: move it away, and {CREATE}"
        yield Gap(NAME, said)
    if not able:
        grant = f"GRANT SELECT, INSERT, DELETE ON {LISTED} TO {role}"
        yield Gap(NAME, f"the role {role} may not list what is restricted: {grant}")
    if strangers:
        who = ", ".join(strangers)
        revoke = f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER ON {LISTED} FROM {who}"
        yield Gap(NAME, f"{who} could lift restrictions: {revoke}")


def _keys(system: System, name: str, table: Mapped) -> Iterator[Gap]:
    for field in system.collections[name].key:
        column = table.columns.get(field)
        if column and column.family not in later.STEADY:
            said = (
                f"the key {column.about} is of type {column.internal}, whose text differs from session to session, so "
                "no policy can tell its rows: leave out options.restrict, or name another key"
            )
            yield Gap(name, said)


def locked(scope: Scope) -> tuple[str, ...]:
    """The collections whose rows are to be listed."""
    return tuple(name for name in scope.system.collections if scope.works[name].locks)


def due_of(scope: Scope, row: Sequence[int]) -> dict[str, int]:
    """What `Statements.due` has counted, by collection: rows that are new; where none is, keys that later rows would
    point to."""
    due = dict.fromkeys(locked(scope), 0)
    for name, new in zip(_listed(scope), row, strict=True):
        due[name] = due[name] or new
    return due


def _listed(scope: Scope) -> list[str]:
    """The collections of `_located`, in its order."""
    return [name for name, _ in _located(scope)]


def _located(scope: Scope) -> Iterator[tuple[str, CTE]]:
    """For each collection that is restricted the entries of the rows that are the person's, and of what rows of theirs
    that are written later point to."""
    fates = Fates(scope)
    tables = scope.catalogue.tables

    def entries(relation: str, name: str, called: str) -> CTE:
        rows = fates.traversal.located(name)
        request = scope.dialect.given(_REQUEST, Text())
        keys = select(
            literal(relation, Text).label("relation"), entry(scope, name, rows).label("key"), request.label("request")
        )
        return keys.select_from(rows).cte(called)

    for number, name in enumerate(locked(scope)):
        yield name, entries(_relation(tables[name]), name, f"keys_{number}")
    for number, name in enumerate(locked(scope)):
        pairs = [(f, to) for f, targets in later.fields(scope.system, tables, name).items() for to in targets]
        for which, (field, to) in enumerate(pairs):
            yield name, entries(later.listed_as(tables[name], field), to, f"later_{number}_{which}")


def _of_request(scope: Scope) -> Sql:
    return ENTRIES.c.request == scope.dialect.given(_REQUEST, Text())


def _relation(table: Mapped) -> str:
    """A table's name as it is listed."""
    return quoted(table.schema, table.name)


def _plain(expression: str) -> str:
    """A condition without what the server writes differently: blanks, brackets, casts to text, and the schema, which it
    leaves out where it is looked through anyway. The table itself is known by its number."""
    bare = re.sub(r"::text\b|[\s()]", "", expression)
    return bare.replace(f"FROM{LISTED}WHERE", f"FROM{NAME}WHERE")
