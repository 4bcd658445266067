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
from datetime import datetime
from ipaddress import ip_interface
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from connectors.protocol import Anchors, Call, Key
from connectors.sql.catalogue import Column, Family, Table
from connectors.sql.scope import Scope
from rights.datamap import Collection, Telling
from rights.subject import Sharing

SETTING: Final = "habeas.who"
"""The setting, local to a transaction, in which the document lies."""
WHO: Final = select(cast(func.current_setting(SETTING), JSONB).label("doc")).cte("who")
PADS: Final = ("pad:inner", "pad:outer")
"""The two paddings of the pseudonym key (RFC 2104), in hexadecimal."""
_HASH_BLOCK: Final = 64
"""Bytes that SHA-256 takes at a time; a key is filled up to it."""

BIGGEST: Final = 2**63 - 1
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,30}\Z")
_NUMERIC: Final = re.compile(r"[+-]?[0-9]{1,1000}(\.[0-9]{0,1000})?\Z")
_BYTES: Final = re.compile(r"\\x([0-9a-f]{2})*\Z")
_TIME: Final = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)?"
_MOMENT: Final = re.compile(rf"\d{{4}}-\d\d-\d\d([ T]{_TIME})?\Z", re.ASCII)
# What only the database itself can have written: Python's calendar does not know it.
_DAY: Final = r"(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])"
_FAR: Final = re.compile(
    rf"(-?infinity|1?\d{{5}}-{_DAY}( {_TIME})?|(?!0000)[0-3]\d{{3}}-{_DAY}( {_TIME})? BC)\Z", re.ASCII
)
_NETWORK: Final = re.compile(r"[0-9a-fA-F:.]+(/[0-9]{1,3})?\Z")


def fit(column: Column, text: str) -> str | None:
    """A value as the column's type takes it; None if it cannot be one of the column's values."""
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        return None
    match column.family:
        case Family.INTEGER:
            fits = _INTEGER.match(text) is not None and -BIGGEST - 1 <= int(text) <= BIGGEST
        case Family.NUMERIC:
            fits = _NUMERIC.match(text) is not None or text == "NaN"
        case Family.UUID:
            try:
                return str(UUID(text))
            except ValueError:
                return None
        case Family.DATE | Family.TIMESTAMP:
            fits = _is_moment(text)
        case Family.BYTES:
            fits = _BYTES.match(text) is not None
        case Family.INET:
            fits = _is_address(text)
        case _:
            fits = True
    return text if fits else None


def _is_moment(text: str) -> bool:
    if not _MOMENT.match(text):
        return _FAR.match(text) is not None
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    if not _NETWORK.match(text):
        return False
    try:
        ip_interface(text)
    except ValueError:
        return False
    return True


def key_name(collection: Collection) -> str:
    """Under which name a collection's keys stand among its anchors; several columns make one name."""
    return ",".join(collection.key)


def key_text(key: Iterable[str]) -> str:
    """A key as an anchor has it: the value itself, or a JSON list of several."""
    values = list(key)
    return values[0] if len(values) == 1 else json.dumps(values)


def slot(kind: str, collection: str, field: str = "") -> str:
    """The name of a list in the document: i identities, s shared ones, a anchors, k keys, m mine, x others,
    c the cutoff of a duty to keep."""
    return f"{kind}:{collection}:{field}"


def given(name: str, type_: TypeEngine[Any]) -> ColumnElement[Any]:
    """One value of the document, as SQL."""
    value = cast(literal_column(f"doc ->> '{name}'"), type_)
    return select(value).select_from(WHO).scalar_subquery()


def listed(name: str) -> ColumnElement[Any]:
    """One list of the document, as SQL; NULL if it was empty."""
    return select(literal_column(f"doc -> '{name}'", JSONB)).select_from(WHO).scalar_subquery()


def document(call: Call, scope: Scope) -> str:
    """The JSON document of a call: every value that a statement compares with, by slot; empty lists are left out."""
    values: dict[str, object] = dict(_pads(call.pseudonym_key))
    for name in scope.system.collections:
        values.update(_lists(call, scope, name))
    for work in call.work:
        for number, keep in enumerate(work.keeps):
            values[slot("c", work.collection, str(number))] = keep.cutoff.date().isoformat()
    return json.dumps(values, ensure_ascii=False)


def _lists(call: Call, scope: Scope, name: str) -> Iterator[tuple[str, Sequence[object]]]:
    collection, table = scope.system.collections[name], scope.catalogue.tables[name]
    for field, about in collection.identities.items():
        for kind, sharing in (("i", Sharing.UNIQUE), ("s", Sharing.SHARED)):
            if found := _identities(call, scope.column(name, field), about, sharing):
                yield slot(kind, name, field), found
    anchors = call.anchors.get(name, {})
    for field in scope.targets[name]:
        if values := anchors.get(field):
            bases = collection.bases(field)
            if len(bases) == 1:
                yield slot("a", name, field), _fitted(scope.column(name, field), values)
            else:
                parts = [tuple(json.loads(text)) for text in values]
                yield slot("a", name, field), _keys(table, bases, parts)
    if keys := anchors.get(key_name(collection)):
        single = len(collection.key) == 1
        parts = [(text,) if single else tuple(json.loads(text)) for text in keys]
        yield slot("k", name), _keys(table, collection.key, parts)
    for kind, ruled in (("m", call.rulings.mine), ("x", call.rulings.others)):
        if rows := ruled.get(name):
            yield slot(kind, name), _keys(table, collection.key, rows)


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
    fitted = [[fit(column, text) for column, text in zip(columns, row, strict=True)] for row in rows]
    whole = [[part for part in row if part is not None] for row in fitted]
    keys = [row for row in whole if len(row) == len(columns)]
    return [row[0] for row in keys] if len(columns) == 1 else keys


def _pads(key: bytes) -> Mapping[str, str]:
    if not key:
        return {}
    if len(key) > _HASH_BLOCK:
        key = hashlib.sha256(key).digest()
    block = key.ljust(_HASH_BLOCK, b"\0")
    return {name: bytes(byte ^ pad for byte in block).hex() for name, pad in zip(PADS, (0x36, 0x5C), strict=True)}


def merged(old: Anchors, new: Anchors) -> Anchors:
    """Anchors of two looks: a later look forgets none."""
    return {
        name: {
            field: tuple(dict.fromkeys((*old.get(name, {}).get(field, ()), *new.get(name, {}).get(field, ()))))
            for field in dict.fromkeys((*old.get(name, {}), *new.get(name, {})))
        }
        for name in dict.fromkeys((*old, *new))
    }
