"""Finding a person at a vendor: by identities, by links from what is found, and by anchors where the path is cut.

The one rule: a vendor's search is not believed. A row counts if the field that it was searched by holds the very value.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection as Several
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from connectors.errors import NeedsHuman
from connectors.fates import Row, key_of
from connectors.http.exchange import Exchange
from connectors.http.schema import Collection, Find
from connectors.http.walk import walk
from connectors.links import Links
from connectors.protocol import Anchors, Call, Candidate, Key
from connectors.strategies import text
from rights.codes import Code
from rights.datamap import Field, System
from rights.receipt import Count, Tally
from rights.subject import Identity, Sharing, comparable

_GOOGLE_MAIL: Final = ("gmail.com", "googlemail.com")


@dataclass(frozen=True, slots=True)
class Sight:
    """The rows that a look found, by collection."""

    certain: dict[str, list[Row]] = field(default_factory=dict, repr=False)
    doubtful: dict[str, list[Row]] = field(default_factory=dict, repr=False)

    def tally(self) -> Tally:
        """Rows found, those of which it is open whose they are among them."""
        return Tally(
            counts=tuple(
                Count(collection=name, found=len(rows) + len(self.doubtful[name]))
                for name, rows in self.certain.items()
            )
        )

    def refuse_doubt(self) -> None:
        """Nothing is disclosed or destroyed while it is open whose rows these are."""
        for name, rows in self.doubtful.items():
            if rows:
                raise NeedsHuman(Code.SEVERAL_PEOPLE, name)


class _Way(NamedTuple):
    """One value that rows are found by."""

    value: str
    sharing: Sharing | None
    """None: by a link or an anchor, and so surely the person's."""


class Eye:
    """Looks for people in one system."""

    def __init__(self, exchange: Exchange, system: System) -> None:
        self.exchange, self.system, self.vendor = exchange, system, exchange.vendor

    @property
    def leaves(self) -> frozenset[str]:
        """Collections that hang on others, and nothing on them: their rows can be read as they come."""
        parents = {link.target[0] for c in self.system.collections.values() for link in c.links}
        return frozenset(
            name for name, c in self.system.collections.items() if not c.identities and name not in parents
        )

    def see(self, call: Call, without: Several[str] = ()) -> Sight:
        """Find the person's rows, parents before children."""
        sight = Sight()
        for name in self.system.parents_first:
            if name in without:
                continue
            mine = call.rulings.mine.get(name, frozenset())
            others = call.rulings.others.get(name, frozenset())
            certain: dict[Key, Row] = {}
            matched: dict[Key, tuple[Row, Sharing]] = {}
            for row, sharing in self.rows(call, name, sight):
                key = self.key(name, row)
                if sharing is None:
                    certain[key] = row
                elif key not in matched or matched[key][1] is Sharing.SHARED:
                    matched[key] = (row, sharing)
            spec = self.vendor.collections[name]
            several = spec.several or spec.blind or len(matched) == 1
            undecided: dict[Key, Row] = {}
            for key, (row, sharing) in matched.items():
                sure = key in mine or (sharing is Sharing.UNIQUE and several)
                (certain if sure else undecided).setdefault(key, row)
            sight.certain[name] = [row for key, row in certain.items() if key not in others]
            sight.doubtful[name] = [row for key, row in undecided.items() if key not in {*others, *certain}]
        return sight

    def rows(self, call: Call, name: str, sight: Sight) -> Iterator[tuple[Row, Sharing | None]]:
        """Rows of a collection as they are found, and how surely they are the person's (None: surely)."""
        spec, known = self.vendor.collections[name], self.system.collections[name]
        anchored = bool(call.anchors.get(name))
        seen: set[str] = set()
        # By their keys last: anchors are for what no other way leads to any more.
        for number, find in sorted(enumerate(spec.find), key=lambda item: (item[1].by,) == spec.key):
            about = known.fields.get(find.by)
            for value, sharing in dict.fromkeys(self._ways(call, name, find.by, sight)):
                if (find.by,) == spec.key and sharing is None and value in seen:
                    continue
                if spec.blind:
                    if sharing is not None:
                        yield _blind(spec, find, value), sharing
                    continue
                where = f"collections.{name}.find[{number}].steps"
                scope = self.exchange.scope(call, by=_by(find, value))
                told = nameless = False
                for entry in walk(self.exchange, call, find.steps, scope, {}, where):
                    row = self._row(name, entry, scope)
                    if row is not None and _same(about, row.get(find.by), value):
                        if anchored:
                            seen.add(self.key(name, row)[0])
                        yield row, sharing
                    told |= row is not None and row.get(find.by) not in (None, "")
                    nameless |= row is not None
                if nameless and not told:
                    # The search by a field has found something, and nothing of it has the field.
                    raise NeedsHuman(Code.SHAPE, f"collections.{name}.fields.{find.by}")

    def again(self, call: Call, name: str, row: Row) -> tuple[Row, ...]:
        """The row as it stands at this moment, by its key; as it was given, where the file has no way to ask by that;
        none if it is gone."""
        number = self.by_key(name)
        if number is None:
            return (row,)
        find = self.vendor.collections[name].find[number]
        scope = self.exchange.scope(call, by=_by(find, text(row[find.by])))
        entries = walk(self.exchange, call, find.steps, scope, {}, f"collections.{name}.find[{number}].steps")
        read = (self._row(name, entry, scope) for entry in entries)
        return tuple(one for one in read if one is not None and self.key(name, one) == self.key(name, row))[:1]

    def by_key(self, name: str) -> int | None:
        """Which of a collection's finds asks by the key; None if none does."""
        spec = self.vendor.collections[name]
        ways = (number for number, find in enumerate(spec.find) if (find.by,) == spec.key and not spec.blind)
        return next(ways, None)

    def key(self, name: str, row: Row) -> Key:
        return key_of(self.system.collections[name].key, row)

    def anchors(self, call: Call, sight: Sight) -> Anchors:
        """The keys that rows can be found by, and what links point to. A later look forgets no anchor."""
        found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        for name, columns in call.anchors.items():
            for column, values in columns.items():
                found[name, column].update(dict.fromkeys(values))
        wanted = {link.target for c in self.system.collections.values() for link in c.links if link.kind == "unique"}
        for name, spec in self.vendor.collections.items():
            wanted |= {(name, find.by) for find in spec.find if (find.by,) == spec.key and not spec.blind}
        for name, column in sorted(wanted):
            for row in sight.certain.get(name, ()):
                if value := text(row.get(column)):
                    found[name, column][value] = None
        anchors: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for (name, column), known in found.items():
            if known:
                anchors[name][column] = tuple(known)
        return dict(anchors)

    def candidates(self, sight: Sight) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(
                name, self.key(name, row), {n: row.get(n) for n, f in c.fields.items() if f.category or f.identity}
            )
            for name, c in self.system.collections.items()
            for row in sight.doubtful.get(name, ())
        )

    def links(self, call: Call, sight: Sight) -> tuple[Identity, ...]:
        """What the person's rows say that other systems may know them by."""
        links = Links(call)
        for name, rows in sight.certain.items():
            if self.vendor.collections[name].blind:
                continue
            for row in rows:
                links.add_row(name, row)
        return links.found

    def _ways(self, call: Call, name: str, by: str, sight: Sight) -> Iterator[_Way]:
        """The values that rows of a collection are found by in a field."""
        known = self.system.collections[name]
        sure = list(call.anchors.get(name, {}).get(by, ())) if (by,) == known.key else []
        for link in known.links:
            if link.field == by and link.kind == "unique":
                parent, column = link.target
                sure += [text(row.get(column)) for row in sight.certain.get(parent, ())]
                sure += call.anchors.get(parent, {}).get(column, ())
        yield from (_Way(value, None) for value in sure if value)
        about = known.fields.get(by)
        for identity in call.identities if about and about.identity else ():
            kinds = {Sharing(about.sharing), identity.sharing} if about else set()
            if about and identity.kind == about.identity and Sharing.HINT not in kinds and identity.value:
                yield _Way(identity.value, Sharing.SHARED if Sharing.SHARED in kinds else Sharing.UNIQUE)

    def _row(self, name: str, entry: Any, scope: Mapping[str, Mapping[str, object]]) -> Row | None:
        """An entry as a row; None if it tells nothing of anybody any more."""
        spec = self.vendor.collections[name]
        place = f"collections.{name}"
        if not isinstance(entry, Mapping):
            raise NeedsHuman(Code.SHAPE, f"{place}: an entry without names")
        row = {
            column: self.exchange.sought(expression, entry, scope, f"{place}.fields.{column}")
            for column, expression in spec.fields.items()
        }
        for column in spec.key:
            if row[column] in (None, ""):
                raise NeedsHuman(Code.SHAPE, f"{place}.fields.{column}")
        if spec.clean and self.exchange.sought(spec.clean, entry, scope, f"{place}.clean"):
            return None
        if spec.restrict is not None:
            row[ALREADY] = bool(self.exchange.sought(spec.restrict.already, entry, scope, f"{place}.restrict.already"))
        if spec.suppress is not None and spec.suppress.already:
            row[STOPPED] = bool(self.exchange.sought(spec.suppress.already, entry, scope, f"{place}.suppress.already"))
        return row


ALREADY: Final = "restricted?"
"""Under which a row says whether it is locked away; no field can be called that."""
STOPPED: Final = "suppressed?"
"""The same, for whether the vendor has been stopped from using it."""


def _by(find: Find, value: str) -> dict[str, object]:
    """The value as the vendor wants it, and in quotes, for a search that has a language of its own."""
    text_ = written(find, value)
    return {"value": text_, "quoted": '"' + text_.replace("\\", "\\\\").replace('"', '\\"') + '"'}


def written(find: Find, value: str) -> str:
    """A value in the form in which the vendor wants it."""
    match find.form:
        case "lower":
            return value.lower()
        case "md5":
            return hashlib.md5(value.lower().encode(), usedforsecurity=False).hexdigest()
        case "sha256":
            return hashlib.sha256(value.lower().encode()).hexdigest()
        case "google":
            return _google(value)
        case _:
            return value


def _google(value: str) -> str:
    """User-provided data as Google wants it: an address in small letters, a number as + and digits."""
    local, at, domain = "".join(value.lower().split()).rpartition("@")
    if not at:
        return "+" + re.sub(r"\D", "", value)
    return (local.replace(".", "") if domain in _GOOGLE_MAIL else local) + "@" + domain


def _blind(spec: Collection, find: Find, value: str) -> Row:
    """What would be submitted, as a row. Its key is the field and a digest, so that it names nobody."""
    digest = hashlib.sha256(f"{find.by}\0{value}".encode()).hexdigest()[:16]
    return {spec.key[0]: f"{find.by}:{digest}", find.by: written(find, value)}


def _same(about: Field | None, held: object, wanted: str) -> bool:
    casefold = about is not None and about.identity is not None and about.casefold
    return comparable(text(held), casefold=casefold) == comparable(wanted, casefold=casefold)
