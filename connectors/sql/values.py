"""Values of people on their way into a statement: fitted to the columns they are compared with.

The one rule: a value never becomes part of a statement's text. All values of a call travel as one JSON document, which
a setting of the transaction holds and every statement reads; a value that a column cannot hold is left out: it matches
nothing, and it is no error.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.anchors import key_name
from connectors.protocol import Call, Correction, Key
from connectors.sharing import anchor_name
from connectors.sql.catalogue import Column, Table
from connectors.sql.dialects import Engine
from connectors.sql.dialects.dialect import CASELESS, EXACT, LOWERED
from connectors.sql.dialects.postgresql import PADS
from connectors.sql.scope import Scope
from connectors.words import POSIX, PYTHON, Words, words_of
from rights.datamap import Collection, System, Telling
from rights.subject import Sharing

NEVER: Final = "(?!)"
"""An expression that nothing matches."""
_WILD: Final = re.compile(r"[%_\\]")
_ESCAPED: Final = r"\\\g<0>"
_HASH_BLOCK: Final = 64
"""Bytes that SHA-256 takes at a time; a key is filled up to it."""


def fit(column: Column, text: str) -> str | None:
    """A value as the column's type takes it; None if it cannot be one of the column's values."""
    if "\0" in text or (not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)):
        return None
    return column.dialect.fit(column, text)


def slot(kind: str, collection: str, field: str = "") -> str:
    """The name of a list in the document: i identities, s shared ones, a anchors, k keys, m mine, x others,
    w keys of shared rows by a link that may be cut, c the cutoff of a duty to keep, t its last day;
    and, of earlier steps of a look,
    l rows that others link to (while a circle is followed, those of it that were found last), n keys of those that are
    the person's alone, f rows that stay, h and d rows of a subject collection that are the person's and of which it is
    open, r rows of a circle that are the person's, b rows of a batch or, of a collection, a list of its keys;
    and, of the correction whose turn it is, v the new values and e the key of the one row."""
    return f"{kind}:{collection}:{field}"


def document(call: Call, scope: Scope) -> dict[str, object]:
    """The document of a call: every value that a statement compares with, by slot; empty lists are left out."""
    values: dict[str, object] = dict(_pads(call.pseudonym_key))
    for name in scope.system.collections:
        values.update(_lists(call, scope, name))
    if scope.system.searches:
        values.update(searched_for(words_of(call), scope.catalogue.engine))
    for work in call.work:
        for number, keep in enumerate(work.keeps):
            if keep.begins:
                values[slot("c", work.collection, str(number))] = keep.cutoff.date().isoformat()
            if keep.last:
                values[slot("t", work.collection, str(number))] = keep.last.isoformat()
    return values


def searched_for(words: Words, engine: Engine) -> dict[str, object]:
    """What texts are searched for, as a server has it: lists of expressions, or one that holds them all."""
    exact, caseless = words.patterns(PYTHON if engine is Engine.SQLITE else POSIX)
    if engine is Engine.POSTGRESQL:
        lowered = [f"%{_WILD.sub(_ESCAPED, word)}%" for word in words.lowered]
        return {LOWERED: lowered, EXACT: exact, CASELESS: caseless}
    return {EXACT: "|".join(exact) or NEVER, CASELESS: f"(?i){'|'.join(caseless) or NEVER}"}


def corrected(correction: Correction, scope: Scope) -> Iterator[tuple[str, str | None]]:
    """The values of a correction, by slot; what does not fit has been refused before."""
    name = correction.collection
    for field, text in correction.values.items():
        fitted = None if text is None else fit(scope.catalogue.tables[name].columns[field], text)
        yield slot("v", name, field), fitted
    if correction.key is not None:
        for field, part in zip(scope.system.collections[name].key, correction.key, strict=True):
            yield slot("e", name, field), part


def _lists(call: Call, scope: Scope, name: str) -> Iterator[tuple[str, Sequence[object]]]:
    collection, table = scope.system.collections[name], scope.catalogue.tables[name]
    for field, about in collection.identities.items():
        for kind, sharing in (("i", Sharing.UNIQUE), ("s", Sharing.SHARED)):
            if found := _identities(call, scope.column(name, field), about, sharing):
                yield slot(kind, name, field), found
    anchors = call.anchors.get(name, {})
    for field in scope.targets[name] if anchors else ():
        if values := anchors.get(field):
            bases = collection.bases(field)
            if len(bases) == 1:
                yield slot("a", name, field), _fitted(scope.column(name, field), values)
            else:
                parts = [tuple(json.loads(text)) for text in values]
                yield slot("a", name, field), _keys(table, bases, parts)
    if anchors:
        yield from _anchored(anchors, collection, table, name)
    for kind, ruled in (("m", call.rulings.mine), ("x", call.rulings.others)):
        if rows := ruled.get(name):
            yield slot(kind, name), _keys(table, collection.key, rows)


def _anchored(
    anchors: Mapping[str, Sequence[str]], collection: Collection, table: Table, name: str
) -> Iterator[tuple[str, Sequence[object]]]:
    """The keys of rows that are kept, and of shared rows by the links that an erasure may cut."""
    places = {key_name(collection): slot("k", name)}
    places |= {anchor_name(link): slot("w", name, anchor_name(link)) for link in collection.shares}
    for anchor, place in places.items():
        if keys := anchors.get(anchor):
            single = len(collection.key) == 1
            parts = [(text,) if single else tuple(json.loads(text)) for text in keys]
            yield place, _keys(table, collection.key, parts)


def sharing_of(about: Telling, given: Sharing) -> Sharing:
    """How far an identity tells people apart in a field: the weaker word of the map and of the asker."""
    both = {Sharing(about.sharing), given}
    return next(level for level in (Sharing.HINT, Sharing.SHARED, Sharing.UNIQUE) if level in both)


def _identities(call: Call, column: Column, about: Telling, sharing: Sharing) -> list[str]:
    """Identities for a field, in both forms of Unicode: a database keeps whichever it was given."""
    texts = [
        identity.value
        for identity in call.identities
        if identity.kind == about.identity and sharing_of(about, identity.sharing) is sharing
    ]
    forms = [
        form for text in texts for form in (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
    ]
    return _fitted(column, dict.fromkeys(forms))


def _fitted(column: Column, texts: Iterable[str]) -> list[str]:
    """Those that fit, without the empty text: else all who have nothing there would be one person."""
    return [value for text in texts if text and (value := fit(column, text)) is not None]


def _keys(table: Table, fields: Sequence[str], rows: Iterable[Key]) -> list[str] | list[list[str]]:
    columns = [table.columns[field] for field in fields]
    if len(columns) == 1:
        return [value for (text,) in rows if (value := fit(columns[0], text)) is not None]
    fitted = [[fit(column, text) for column, text in zip(columns, row, strict=True)] for row in rows]
    whole = [[part for part in row if part is not None] for row in fitted]
    return [row for row in whole if len(row) == len(columns)]


def _pads(key: bytes) -> Mapping[str, str]:
    if not key:
        return {}
    if len(key) > _HASH_BLOCK:
        key = hashlib.sha256(key).digest()
    block = key.ljust(_HASH_BLOCK, b"\0")
    return {name: bytes(byte ^ pad for byte in block).hex() for name, pad in zip(PADS, (0x36, 0x5C), strict=True)}


Listed = Sequence[Sequence[str | None]]
"""Rows of one collection: of each its key, and what its links hold, as texts."""


def narrowed(document: Mapping[str, Any], system: System, name: str) -> dict[str, Any]:
    """What can decide on a collection's rows: their own lists and those of all that they hang on, but not by what
    others hang on them."""
    above = [name]
    for one in above:
        above += {link.target[0] for link in system.collections[one].links} - set(above)
    own = slot("a", name)
    return {
        key: value
        for key, value in document.items()
        if key in {*PADS, LOWERED, EXACT, CASELESS} or (key.split(":")[1] in above and not key.startswith(own))
    }


class Leads:
    """The document of a call, of which each list of a collection's rows takes what can decide on them.

    Args:
        document: as it is for all rows.
        system: the system.
        name: the collection.
    """

    def __init__(self, document: Mapping[str, Any], system: System, name: str) -> None:
        collections = system.collections
        places = [(slot("k", name), 0)]
        for place, link in enumerate(collections[name].links, start=1):
            parent, field = link.target
            places.append((slot("a", parent, field), place))
            if collections[parent].key == (field,):
                places.append((slot("k", parent), place))
        # A list of keys of several columns is left as it is.
        self._places = [
            (key, place) for key, place in places if document.get(key) and isinstance(document[key][0], str)
        ]
        self._whole = {key: frozenset(document[key]) for key, _ in self._places}
        self._rest = {key: value for key, value in narrowed(document, system, name).items() if key not in self._whole}
        self._keys = slot("b", name)

    def document(self, rows: Listed) -> dict[str, Any]:
        """With the keys of these rows, and of the anchors only those that lead to them."""
        found: dict[str, dict[str, None]] = {key: {} for key in self._whole}
        for key, place in self._places:
            whole = self._whole[key]
            found[key].update((value, None) for row in rows if (value := row[place]) in whole and value is not None)
        return self._rest | {key: list(values) for key, values in found.items()} | {self._keys: [r[0] for r in rows]}
