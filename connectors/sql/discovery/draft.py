"""A draft of a data map: what was found, put together so that it validates as it stands.

The one rule: what is a guess says so and why; what could not be guessed is a question. The same database gives the
same draft.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.sql.catalogue import Catalogue
from connectors.sql.discovery.categories import EMAIL, PERSON, SECRETS, Guess, may_be_a_thing
from connectors.sql.discovery.findings import Findings
from connectors.sql.discovery.lexicon import RECORDS, TECHNICAL
from connectors.sql.discovery.paths import Path, Paths
from connectors.sql.discovery.schema import Name, TableFacts
from connectors.sql.discovery.treatment import OPEN_GROUND, Treatment, Trial, treat
from connectors.sql.discovery.words import noun, words
from rights.datamap import Erase, Strategy, System
from rights.subject import KIND

KEY_GROUND: Final = "where the row stays, this is its key"
BACKUPS: Final = {"max_age": "unknown", "beyond_use": "not known yet"}
_PLACES: Final = frozenset(
    {
        "user.contact.address.city", "user.contact.address.country", "user.contact.address.state",
        "user.contact.address.postal_code", "user.demographic.language", "user.device",
    }
)  # fmt: skip
"""Alone, in a table that no person's rows lead to, they are a list of places."""
_DATES: Final = (
    "invoice", "invoiced", "order", "ordered", "payment", "paid", "placed", "purchase", "purchased", "booking",
    "transaction", "rental", "billed", "issued", "rechnung", "bestell", "zahlung", "datum", "date", "created", "at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldDraft:
    """One column."""

    body: Mapping[str, Any]
    """As the map takes it."""
    reason: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class CollectionDraft:
    """One table."""

    name: str
    key: tuple[str, ...]
    about: str
    """Why it is here."""
    fields: Mapping[str, FieldDraft]
    links: tuple[tuple[Path, str], ...]
    """Each link, with the collection it leads to."""
    erase: Erase
    why_erase: str
    retain_after: str
    """The column that a term would be counted from; empty: no question."""
    asides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole draft."""

    system: str
    reader: str
    description: str
    collections: tuple[CollectionDraft, ...]
    unreached: tuple[str, ...]
    """Tables with what looks like personal data that no link leads to, and what can be done, a line each."""
    notes: tuple[str, ...] = ()
    owner: str = "to-be-named"
    manual: str = "postgresql.md"
    """The page of docs/ on this kind of server."""

    def body(self) -> dict[str, Any]:
        """The map as YAML would be read."""
        return {
            "system": self.system,
            "owner": self.owner,
            "connector": "sql",
            "mode": "observe",
            "backups": BACKUPS,
            "connection": {"reader": self.reader},
            **({"description": self.description} if self.description else {}),
            "collections": {c.name: _body(c) for c in self.collections},
        }

    def read(self) -> System:
        """The map as the engine takes it."""
        return System.model_validate(self.body())


def _body(collection: CollectionDraft) -> dict[str, Any]:
    links = [link_body(link, to) for link, to in collection.links]
    return {
        "key": list(collection.key),
        **({"links": links} if links else {}),
        **({"erase": str(collection.erase)} if collection.erase is not Erase.DELETE else {}),
        "fields": {name: dict(about.body) for name, about in collection.fields.items()},
    }


def link_body(link: Path, to: str) -> dict[str, str]:
    """A link as the map takes it."""
    kind = {} if link.followed else {"kind": "shared"}
    return {"field": link.column, "to": f"{to}.{link.to_column}", **kind}


def skeleton(findings: Findings, system: str, reader: str) -> Draft:
    """The draft without strategies: enough to ask the database about its columns."""
    schema, made = findings.schema, findings.paths
    collections = []
    for name in _ordered(made):
        table = schema.tables[name]
        links = tuple((link, schema.said(link.to)) for link in made.of(name))
        collections.append(
            CollectionDraft(
                name=schema.said(name),
                key=table.key,
                about=_about(findings, name),
                fields={column: FieldDraft({}) for column in table.columns},
                links=links,
                erase=Erase.DELETE,
                why_erase="",
                retain_after="",
                asides=tuple(aside.text for aside in made.asides if aside.table == name),
            )
        )
    for number, collection in enumerate(collections):
        identities = _identities(findings, _ordered(made)[number])
        fields = {c: FieldDraft({"identity": identities[c]} if c in identities else {}) for c in collection.fields}
        collections[number] = replace(collection, fields=fields)
    return Draft(
        system=system,
        reader=reader,
        description="",
        collections=tuple(collections),
        unreached=tuple(unreached(findings)),
        notes=tuple(sorted((*findings.unusable, *schema.left_out))),
    )


def _ordered(made: Paths) -> list[Name]:
    return sorted(made.reached, key=lambda name: (made.reached[name], name))


def _about(findings: Findings, name: Name) -> str:
    if person := findings.people.get(name):
        return f"people: {person.reason}"
    links = [link for link in findings.paths.of(name) if link.followed]
    return "rows of " + ", ".join(dict.fromkeys(findings.schema.said(link.to) for link in links))


def _identities(findings: Findings, name: Name) -> dict[str, str]:
    """By column, the kind of identity that it holds; only tables of people have any."""
    if name not in findings.people:
        return {}
    table, known = findings.schema.tables[name], findings.guesses[name]
    kinds: dict[str, str] = {}
    mails = [column for column, about in known.items() if about.category == EMAIL]
    if mails:
        kinds[min(mails, key=lambda column: (not table.unique(column), len(column), column))] = "email"
    if len(table.key) == 1 and table.key[0] not in kinds:
        kind = f"{noun(name[1])}_id"
        kinds[table.key[0]] = kind if KIND.match(kind) else "person_id"
    return kinds


def unreached(findings: Findings) -> Iterable[str]:
    """Tables outside the draft that hold what looks like personal data."""
    schema, made = findings.schema, findings.paths
    for name, table in schema.tables.items():
        if name in made.reached:
            continue
        # What fits a product as well as a person says nothing in a table that no person's rows lead to.
        held = sorted(
            column
            for column, about in findings.guesses[name].items()
            if column in table.columns and not may_be_a_thing(about.category)
        )
        if not held or only_places(findings.guesses[name][column].category for column in held):
            continue
        outward = [
            f"{schema.said(other)}.{reference.columns[0]}"
            for other, reference in schema.pointing[name]
            if other in made.reached
        ]
        ways = f"; reached from {', '.join(sorted(set(outward)))}, perhaps for several people" if outward else ""
        no_key = "; no key tells its rows apart" if not table.key else ""
        said = [aside.text for aside in made.asides if aside.table == name]
        yield f"{schema.said(name)} ({', '.join(held)}){ways}{no_key}{'; ' if said else ''}{'; '.join(said)}"


def only_places(categories: Iterable[str]) -> bool:
    """Whether categories say no more than a list of towns or countries would."""
    return all(category in _PLACES for category in categories)


def decide(draft: Draft, findings: Findings, catalogue: Catalogue, trial: Trial) -> Draft:
    """Choose what an erasure does, and what becomes of each field."""
    names = {findings.schema.said(name): name for name in findings.paths.reached}
    erase = {c.name: _erase(findings, names[c.name]) for c in draft.collections}
    parents = {link.to for link in findings.paths.links}
    decided = []
    for collection in draft.collections:
        name = names[collection.name]
        kind, why = erase[collection.name]
        stays = kind is Erase.REDACT
        fields = {
            column: _field(
                findings, name, column, about, catalogue, trial, stays=stays, treated=stays or name in parents
            )
            for column, about in collection.fields.items()
        }
        after = _date(findings, name) if kind is Erase.DELETE else ""
        if any(link.to_column not in findings.schema.tables[link.to].key for link, _ in collection.links):
            after = ""  # kept rows would hang on a field that is to go
        decided.append(replace(collection, erase=kind, why_erase=why, fields=fields, retain_after=after))
    return replace(draft, collections=tuple(decided))


def _erase(findings: Findings, name: Name) -> tuple[Erase, str]:
    """Delete, unless a foreign key that no link follows would block it, or carry it to rows nobody has counted."""
    schema, made = findings.schema, findings.paths
    others = sorted(
        {
            f"{schema.said(other)} ({', '.join(reference.columns)})"
            for other, reference in findings.pointing[name]
            if not made.follows(other, reference)
        }
    )
    if not others:
        return Erase.DELETE, ""
    shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    return (
        Erase.REDACT,
        f"{shown} point{'s' if len(others) == 1 else ''} here and {'is' if len(others) == 1 else 'are'} not followed",
    )


def _field(
    findings: Findings,
    name: Name,
    column: str,
    about: FieldDraft,
    catalogue: Catalogue,
    trial: Trial,
    *,
    stays: bool,
    treated: bool,
) -> FieldDraft:
    table = findings.schema.tables[name]
    known = findings.guesses[name].get(column)
    referring = any(column in reference.columns for reference in table.references)
    linking = any(link.column == column for link in findings.paths.of(name))
    pointed = (name, column) in findings.paths.pointed
    if known is None and name in findings.people and stays and _unknown_text(table, column) and not referring:
        known = Guess(PERSON, "text of no known kind in a person's row, which stays")
    body: dict[str, Any] = dict(about.body)
    seen = catalogue.tables[findings.schema.said(name)].columns[column]
    if seen.generated or ((referring or linking) and known and known.category != EMAIL):
        known = None  # it changes with what it is made from, or says what it belongs to
    if known:
        body["category"] = known.category
        if known.category in SECRETS:
            body["export"] = False
    doubt = ""
    if (known or "identity" in body) and treated:
        fixed = KEY_GROUND if column in table.key else ""
        if not fixed and pointed and not linking and _kept_children(findings, name, column):
            fixed = "rows that stay are found by it"
        category = known.category if known else PERSON
        chosen = treat(table, seen, category, trial, fixed=fixed, referring=referring)
        body |= _strategy(chosen)
        doubt = "" if chosen.doubt == KEY_GROUND else chosen.doubt
    return FieldDraft(body, reason=_why(table, column, known, body), doubt=doubt)


def _kept_children(findings: Findings, name: Name, column: str) -> bool:
    """Whether rows that are not deleted are found by a column that is no key."""
    return any(
        _erase(findings, link.table)[0] is Erase.REDACT and findings.guesses[link.table].get(link.column) is None
        for link in findings.paths.pointed[name, column]
    )


def _strategy(chosen: Treatment) -> dict[str, Any]:
    body: dict[str, Any] = {"strategy": str(chosen.strategy)}
    if chosen.strategy is Strategy.CONSTANT:
        body["value"] = chosen.value
    if chosen.to:
        body["to"] = chosen.to
    if chosen.strategy is Strategy.RETAIN:
        body["ground"] = KEY_GROUND if chosen.doubt == KEY_GROUND else OPEN_GROUND
    return body


def _why(table: TableFacts, column: str, known: Guess | None, body: Mapping[str, Any]) -> str:
    if known:
        return known.reason
    if "identity" in body:
        return "the key by which other systems may know the person"
    facts = table.columns[column]
    if facts.generated:
        return "made by the database from other columns"
    return ""


def _unknown_text(table: TableFacts, column: str) -> bool:
    facts = table.columns[column]
    return facts.kind in {"text", "json"} and column not in table.key and not _technical(column)


def _technical(column: str) -> bool:
    return not TECHNICAL.isdisjoint(words(column))


def _date(findings: Findings, name: Name) -> str:
    """The date that a duty to keep would be counted from; empty if the table does not look like records."""
    table = findings.schema.tables[name]
    spoken = {*words(name[1]), *noun(name[1]).split("_")}
    if not spoken & RECORDS:
        return ""
    dates = [c for c, facts in table.columns.items() if facts.kind in {"date", "timestamp"} and not facts.generated]

    def rank(column: str) -> tuple[int, str]:
        own = words(column)
        return next((n for n, word in enumerate(_DATES) if word in own), len(_DATES)), column

    never = {"updated", "modified", "changed", "deleted", "birth", "geburt", "expires", "due", "required", "last"}
    dates = [column for column in dates if not never & set(words(column))]
    return min(dates, key=rank, default="")
