"""What rows tell that others hang on, or by which other systems know the person: in a look, and as a change takes them.

The one rule: a change commits only when what its rows tell is kept. Between a look and the statement that changes, a
row may come in; it may go, but nothing that hangs on it is left without a path, and nothing it says is forgotten.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ARRAY, JSON, FromClause, Text, cast, column, distinct, func, literal_column, null, select, true
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from connectors.errors import Retryable
from connectors.links import MOST
from connectors.protocol import Anchors, Call
from connectors.sharing import anchor_name
from connectors.sql.fates import LINK, telling
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.sharing import MINE
from rights import sharing
from rights.codes import Code
from rights.datamap import Link
from rights.subject import Identity

Seen = Mapping[str, Mapping[str, Any]]
"""By collection, what was seen there, as a look has it."""
AGAIN: Final = 5
"""Times that a change is begun anew because its rows told something new, until the step as a whole is."""


class News(Retryable):
    """The rows that a change took told of another identity of the person: nothing was changed, and it is known now.
    The fence is to be entered with it, for a hold may be on it."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a change did."""

    changes: list[tuple[Any, tuple[int, int]]]
    """For each kind of change the rows, and how many of them are kept on a ground."""
    told: Seen = field(default_factory=dict, repr=False)
    """What the rows said before they changed, of collections that others hang on or that tell more."""


def tells(scope: Scope, name: str) -> bool:
    """Whether rows of a collection tell anything that has to be kept when they go."""
    return bool(scope.targets[name] or telling(scope, name) or cuts(scope, name))


def cuts(scope: Scope, name: str) -> list[tuple[int, Link]]:
    """The links by which rows are shared and that an erasure may cut, each with its place among the owners."""
    collection = scope.system.collections[name]
    owners = enumerate(sharing.owners(collection))
    return [(number, link) for number, link in owners if link.shared and sharing.cut(collection, link)]


def columns(scope: Scope, name: str, given: Any) -> list[Sql]:
    """The columns of changed rows that tell it, by the names that `said` reads; `given` has them by name."""
    if not tells(scope, name):
        return []
    names = [*scope.system.collections[name].key, *scope.targets[name]]
    names += [f"{LINK}{field}" for field in telling(scope, name)]
    names += [f"{MINE}{number}" for number, _ in cuts(scope, name)]
    return [given[one] for one in dict.fromkeys(names)]


def said(scope: Scope, name: str, rows: FromClause) -> Sql:
    """One JSON object with what rows tell; NULL where it is nothing."""
    if not tells(scope, name):
        return cast(null(), JSON)
    counts: dict[str, Sql] = dict(owned(scope, name, rows))
    if scope.targets[name]:
        counts |= {"keys": func.json_agg(key(scope, name, rows)), **dict(pointed(scope, name, rows))}
    counts |= {f"link:{field}": links(scope, rows, name, field) for field in telling(scope, name)}
    pairs = [part for label, value in counts.items() for part in (literal_column(f"'{label}'"), value)]
    told: Sql = func.json_build_object(*pairs)
    # Links are a question of their own each; what is gathered from the rows makes one row of them.
    gathered = scope.targets[name] or cuts(scope, name)
    return select(told).select_from(rows).scalar_subquery() if gathered else told


def owned(scope: Scope, name: str, rows: FromClause) -> Iterator[tuple[str, Sql]]:
    """The keys of shared rows that are the person's by a link which an erasure may cut, by label."""
    for number, link in cuts(scope, name):
        yield anchor_name(link), func.json_agg(key(scope, name, rows)).filter(rows.c[f"{MINE}{number}"])


def key(scope: Scope, name: str, rows: FromClause) -> Sql:
    """A row's key: a text, or a JSON list of them."""
    parts = [cast(rows.c[field], Text) for field in scope.system.collections[name].key]
    return parts[0] if len(parts) == 1 else func.json_build_array(*parts)


def pointed(scope: Scope, name: str, rows: FromClause) -> Iterator[tuple[str, Sql]]:
    """What links compare with beside the key, by label."""
    for target in scope.targets[name]:
        if (target,) != scope.system.collections[name].key:
            value: Sql = cast(rows.c[target], Text)
            yield f"to:{target}", func.json_agg(distinct(value)).filter(value.is_not(None))


def links(scope: Scope, rows: FromClause, name: str, field: str) -> Sql:
    """What a field of the person's rows holds, each value once, to one more than may be told."""
    value: Sql = rows.c[f"{LINK}{field}"]
    single: Sql = true()
    if scope.column(name, field).several:
        # A value that stands alone counts as a list of one, and a list in a list as its values.
        paths = func.jsonb_path_query(value, literal_column("'lax $[*][*]'", JSONPATH))
        each = paths.table_valued(column("=element", JSONB)).render_derived(name="each")
        rows = rows.join(each, true())
        single = func.jsonb_typeof(each.c["=element"]) != "object"
        value = each.c["=element"].op("#>>")(literal_column("'{}'", ARRAY(Text)))
    # By bytes: a collation may take two keys that differ in case for one.
    text = cast(value, Text).collate("C")
    told = select(text.label("=value")).select_from(rows).where(single, text != "").distinct().limit(MOST + 1)
    values = told.subquery()
    return select(func.json_agg(values.c["=value"])).select_from(values).scalar_subquery()


class Kept:
    """What is kept of a person's rows, in one erasure.

    Args:
        call: the erasure.
        anchors, links: what its look has found, and what was given away to be kept.
    """

    def __init__(self, call: Call, anchors: Anchors, links: Sequence[Identity]) -> None:
        self._call, self._anchors = call, (call.anchors, anchors)
        self._values: dict[tuple[str, str], set[str]] = {}
        self._links = set(links)

    def keep(self, anchors: Anchors, links: Sequence[Identity]) -> None:
        """Give away what is new of what changed rows tell, before they are committed.

        Raises:
            News: they told of an identity that was not known when the fence was entered.
        """
        new = {name: dict(self._new(name, fields)) for name, fields in anchors.items()}
        if any(new.values()):
            self._call.remember({name: fields for name, fields in new.items() if fields})
        if unknown := tuple(link for link in links if link not in self._links):
            self._call.learn(unknown)
            self._links.update(unknown)
            raise News(Code.BUSY, self._call.system.system)

    def _new(self, name: str, fields: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for place, values in fields.items():
            if (known := self._values.get((name, place))) is None:
                known = {value for some in self._anchors for value in some.get(name, {}).get(place, ())}
                self._values[name, place] = known
            if fresh := tuple(value for value in values if value not in known):
                known.update(fresh)
                yield place, fresh
