"""A draft from a Fides dataset: the file in which Fides describes a database.

The one rule: what the file says is taken over; what it does not say (which columns may be NULL, what the database
enforces) is marked. Its keys are those of fideslang 3: fides_meta with primary_key, references, identity, data_type and
masking_strategy_override, and data_categories.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.sql.discovery.categories import SECRETS
from connectors.sql.discovery.draft import KEY_GROUND, CollectionDraft, Draft, FieldDraft
from connectors.sql.discovery.paths import Path
from connectors.sql.discovery.schema import Name
from connectors.sql.discovery.treatment import OPEN_GROUND
from rights.datamap import Erase
from rights.subject import KIND
from rights.yamlfile import FileError, FileErrors, Lines, load

_STRATEGIES: Final[Mapping[str, dict[str, Any]]] = {
    "null_rewrite": {"strategy": "null"},
    "string_rewrite": {"strategy": "constant", "value": "MASKED"},
    "random_string_rewrite": {"strategy": "anonymise"},
    "hmac": {"strategy": "pseudonym"},
    "hash": {"strategy": "anonymise"},
    "aes_encrypt": {"strategy": "anonymise"},
    "preserve": {"strategy": "retain", "ground": OPEN_GROUND},
}
_UNLIKE: Final = {
    "hash": "Fides hashes it, which can be undone by trying",
    "aes_encrypt": "Fides encrypts it, under a key that stays",
    "preserve": "Fides keeps it",
}


@dataclass
class _Table:
    """One collection of the file."""

    name: str
    fields: dict[str, Mapping[str, Any]]
    key: tuple[str, ...]
    notes: list[str] = field(default_factory=list)


def from_fides(file: str, text: str, *, system: str, reader: str) -> Draft:
    """Draft a map from a dataset file.

    Args:
        file: its name, for errors.
        text: its YAML.
        system: the system's name in the map; also the dataset's key, where the file has several.
        reader: where the map finds the database's address.

    Raises:
        FileErrors: it is no such file; the errors name line and path.
    """
    dataset, lines = _dataset(file, text, system)
    tables = dict(_tables(dataset))
    links, asides = _links(dataset, tables)
    subjects = {name for name, table in tables.items() if any(_meta(f).get("identity") for f in table.fields.values())}
    reached = _reached(subjects, links)
    if not reached:
        said = "no field has fides_meta: identity, so nobody can be found: add one"
        raise FileErrors([FileError(file, lines.at(("dataset",)), "dataset", said)])
    collections = tuple(
        _collection(tables[name], links, asides.get(name, []), name in subjects) for name in sorted(reached)
    )
    out = [f"{name}: no reference of the file leads to it" for name in sorted(tables.keys() - reached)]
    return Draft(
        system=system,
        reader=reader,
        description=str(dataset.get("name") or ""),
        collections=collections,
        unreached=(),
        notes=tuple(out),
    )


def _dataset(file: str, text: str, system: str) -> tuple[Mapping[str, Any], Lines]:
    lines = Lines()
    body = load(file, text, lines, "a Fides dataset file begins with dataset:")
    found = body.get("dataset") if isinstance(body, dict) else None
    found = [found] if isinstance(found, dict) else found
    usable = isinstance(found, list) and all(
        isinstance(d, dict) and isinstance(d.get("collections"), list) for d in found
    )
    if not found or not usable:
        said = "this is no Fides dataset: it has dataset:, with collections: below"
        raise FileErrors([FileError(file, 1, "dataset", said)])
    chosen = found if len(found) == 1 else [d for d in found if d.get("fides_key") == system]
    if len(chosen) != 1:
        keys = ", ".join(str(d.get("fides_key")) for d in found)
        said = f"the file has several datasets: give one of their keys as the system's name: {keys}"
        raise FileErrors([FileError(file, lines.at(("dataset",)), "dataset", said)])
    return chosen[0], lines


def _tables(dataset: Mapping[str, Any]) -> Iterator[tuple[str, _Table]]:
    for collection in dataset["collections"]:
        name, listed = str(collection.get("name") or ""), collection.get("fields") or []
        fields: dict[str, Mapping[str, Any]] = {
            str(f["name"]): f for f in listed if isinstance(f, dict) and f.get("name")
        }
        key = tuple(column for column, about in fields.items() if _meta(about).get("primary_key"))
        table = _Table(name, fields, key)
        if not name or not fields:
            continue
        if not key:
            guessed = next(
                (c for c in ("id", f"{name}_id", f"{name.rstrip('s')}_id") if c in fields), next(iter(fields))
            )
            table.key = (guessed,)
            table.notes.append(f"the file names no primary_key; {guessed} is a guess")
        yield name, table


def _links(dataset: Mapping[str, Any], tables: Mapping[str, _Table]) -> tuple[list[Path], dict[str, list[str]]]:
    """The references of the file, each from the row that belongs to the row it belongs to."""
    links: list[Path] = []
    asides: dict[str, list[str]] = {}
    for name, table in tables.items():
        for column, about in table.fields.items():
            for reference in _meta(about).get("references") or ():
                to, _, to_column = str(reference.get("field") or "").partition(".")
                if reference.get("dataset") != dataset.get("fides_key") or to not in tables:
                    said = f"{column} refers to {reference.get('dataset')}.{reference.get('field')}, another system"
                    asides.setdefault(name, []).append(f"{said}: give it an identity there and here")
                    continue
                if to_column not in tables[to].fields:
                    asides.setdefault(name, []).append(f"{column} refers to {to}.{to_column}, which is no column there")
                    continue
                # Fides' "from" says that values come from there; "to", that they go there; without one, both ways.
                there: tuple[Name, str, Name, str] = (("", name), column, ("", to), to_column)
                if reference.get("direction") == "to":
                    there = (("", to), to_column, ("", name), column)
                links.append(Path(*there, followed=True, reason="a reference of the Fides dataset", enforced=False))
    kept: list[Path] = []
    for link in sorted(links, key=lambda link: (link.table, link.column, link.to)):
        if link.table == link.to or link.table in _above(kept, link.to):
            asides.setdefault(link.table[1], []).append(f"{link.column} refers to {link.to[1]}, which closes a circle")
        elif link not in kept:
            kept.append(link)
    return kept, asides


def _above(links: list[Path], start: Name) -> set[Name]:
    above, waiting = set[Name](), [start]
    while waiting:
        name = waiting.pop()
        if name not in above:
            above.add(name)
            waiting += [link.to for link in links if link.table == name]
    return above


def _reached(subjects: set[str], links: list[Path]) -> set[str]:
    reached, size = set(subjects), -1
    while size != len(reached):
        size = len(reached)
        reached |= {link.table[1] for link in links if link.to[1] in reached}
    return reached


def _collection(table: _Table, links: list[Path], asides: list[str], subject: bool) -> CollectionDraft:
    own = [link for link in links if link.table[1] == table.name]
    masked = any(_meta(about).get("masking_strategy_override") for about in table.fields.values())
    pointed = any(link.to[1] == table.name for link in links)
    linking = {link.column for link in own}
    fields = {
        column: _field(column, about, table.key, stays=masked, treated=masked or pointed, linking=column in linking)
        for column, about in table.fields.items()
    }
    return CollectionDraft(
        name=table.name,
        key=table.key,
        about="the Fides dataset names an identity here" if subject else "the Fides dataset refers from here",
        fields=fields,
        links=tuple((link, link.to[1]) for link in own),
        erase=Erase.REDACT if masked else Erase.DELETE,
        why_erase="Fides masks fields here" if masked else "",
        retain_after="",
        asides=tuple(sorted({*asides, *table.notes})),
    )


def _field(
    column: str, about: Mapping[str, Any], key: tuple[str, ...], *, stays: bool, treated: bool, linking: bool
) -> FieldDraft:
    meta, body, doubt = _meta(about), dict[str, Any](), ""
    kind = re.sub(r"[^a-z0-9_]", "_", str(meta.get("identity") or "").lower())
    if kind and KIND.match(kind):
        body["identity"] = kind
    categories = [str(c) for c in about.get("data_categories") or ()]
    personal = [c for c in categories if c.startswith("user") and c != "user.unique_id"]
    if personal and not (linking and not kind):
        body["category"] = personal[0]
        if personal[0] in SECRETS:
            body["export"] = False
    if treated and body:
        override = str((meta.get("masking_strategy_override") or {}).get("strategy") or "")
        if column in key:
            body |= {"strategy": "retain", "ground": KEY_GROUND}
        elif override in _STRATEGIES:
            body |= _STRATEGIES[override]
            doubt = _UNLIKE.get(override, "")
        elif override:
            body |= {"strategy": "null"}
            doubt = f"Fides' strategy {override} is not known here"
        elif stays or personal:
            body |= {"strategy": "null"}
            doubt = "the file does not say whether it may be NULL: habeas map check --live does"
    return FieldDraft(body, "its data_categories" if "category" in body else "its identity" if body else "", doubt)


def _meta(about: Mapping[str, Any]) -> Mapping[str, Any]:
    found = about.get("fides_meta") or about.get("fidesops_meta") or {}
    return found if isinstance(found, dict) else {}
