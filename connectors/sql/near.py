"""What a batch of rows hangs on: conditions by which nothing else is read to tell whose these rows are.

The one rule: they leave out only rows that no row of the batch can hang on, so what is the person's and what is not
stays as it is without them.
"""

from collections.abc import Sequence

from sqlalchemy import FromClause, cast, or_, select

from connectors.sql.comparing import Arm, bridge, comparable
from connectors.sql.reading import table_of
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.values import slot
from rights.datamap import Link


class Near:
    """The rows near a batch of one collection, whose keys stand in the document.

    Args:
        scope: the system and its tables.
        batch: the collection; its key is one column.
    """

    def __init__(self, scope: Scope, batch: str) -> None:
        self._scope, self._batch = scope, batch

    def condition(self, name: str, table: FromClause) -> Sql | None:
        """What rows of a collection's table are near the batch; None if that cannot be told by an index, or must not be
        asked: whether a row of a subject collection is the person's hangs on the others there."""
        scope = self._scope
        if name == self._batch:
            (field,) = scope.system.collections[name].key
            left, type_ = comparable(scope.column(name, field), table.c[field])
            keys = scope.dialect.elements(slot("b", name))
            right = keys.with_only_columns(cast(keys.selected_columns[0], type_))
            return Arm(left, right, True).condition(indexed=True)
        if scope.subject(name) or name in scope.circles or scope.system.collections[name].shares:
            return None
        ways: list[Sql] = []
        for child in self._above():
            for link in scope.system.collections[child].links:
                if link.target[0] == name and link.kind == "unique":
                    way = self._way(child, link, name, table)
                    if way is None:
                        return None
                    ways.append(way)
        return or_(*ways) if ways else None

    def _way(self, child: str, link: Link, name: str, table: FromClause) -> Sql | None:
        """Whether a row is one that rows of a collection near the batch point to by a link."""
        scope, target = self._scope, link.target[1]
        derived = {**scope.system.collections[name].derived, **scope.system.collections[child].derived}
        if target in derived or link.field in derived or not scope.served(name, target):
            return None
        below = table_of(scope, child).alias(f"near_{list(scope.system.collections).index(child)}")
        inside = self.condition(child, below)
        mine, theirs = scope.column(name, target), scope.column(child, link.field)
        left, convert, native = bridge(mine, table.c[target], theirs)
        # Of one family, both sides of a link say the same of what is equal.
        if inside is None or not native or mine.family is not theirs.family:
            return None
        right = select(convert(below.c[link.field])).where(inside).distinct()
        return Arm(left, right, True).condition(indexed=True)

    def _above(self) -> Sequence[str]:
        """The batch's collection, and all that it hangs on."""
        found = [self._batch]
        for name in found:
            links = self._scope.system.collections[name].links
            found += [parent for parent in {link.target[0] for link in links} if parent not in found]
        return found
