"""How rows belong to people: which foreign keys, and which columns that only look like one, lead from rows to them.

The one rule: a link that is proposed must not take other people's rows along; where that may be, it is written as one
that is not followed, or as a question. No two links make a circle.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from connectors.sql.discovery.categories import EMAIL
from connectors.sql.discovery.lexicon import JOINT
from connectors.sql.discovery.people import Guesses, Person, Rank
from connectors.sql.discovery.schema import Name, Reference, Schema, TableFacts
from connectors.sql.discovery.words import noun, words


@dataclass(frozen=True, slots=True)
class Path:
    """A link of the draft."""

    table: Name
    column: str
    to: Name
    to_column: str
    followed: bool
    reason: str
    enforced: bool = True
    """Whether the database has a foreign key for it."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A link that is not proposed, and why."""

    table: Name
    text: str


@dataclass
class Paths:
    """What leads to people."""

    links: list[Path] = field(default_factory=list)
    asides: list[Aside] = field(default_factory=list)
    reached: dict[Name, int] = field(default_factory=dict)
    """By table, how many links it lies away from people."""
    roots: dict[Name, set[Name]] = field(default_factory=dict, repr=False)
    """By table, the people whose its rows are."""
    named: dict[str, list[tuple[Name, str]]] = field(default_factory=dict, repr=False)
    """Every column that is part of no foreign key, by the words of its name."""

    def of(self, table: Name) -> list[Path]:
        """The links of one table."""
        if self._counted != len(self.links):
            self._by_table = {}
            for link in self.links:
                self._by_table.setdefault(link.table, []).append(link)
            self._counted = len(self.links)
        return self._by_table.get(table, [])

    @cached_property
    def pointed(self) -> Mapping[tuple[Name, str], tuple[Path, ...]]:
        """The links to each column; to be asked once all are there."""
        found: dict[tuple[Name, str], tuple[Path, ...]] = {}
        for link in self.links:
            at = (link.to, link.to_column)
            found[at] = (*found.get(at, ()), link)
        return found

    _by_table: dict[Name, list[Path]] = field(default_factory=dict, repr=False)
    _counted: int = 0

    def follows(self, table: Name, reference: Reference) -> bool:
        """Whether a followed link goes along a foreign key."""
        return any(
            link.followed
            and link.to == reference.to
            and (link.column, link.to_column) in zip(reference.columns, reference.to_columns, strict=True)
            for link in self.of(table)
        )


_ROLE: Final = re.compile(
    r"(?:^|_)(?:creat(?:or|ed)|updat(?:or|ed)|modified|changed|approv(?:er|ed)|assign(?:ee|ed)|manag(?:er|ed)|review(?:er|ed)"
    r"|support|sales|rep|agent|operator|handled|processed|entered|deleted|referr?(?:er|ed|al)|invit(?:er|ed)|parent"
    r"|report(?:er|s)|supervisor|editor|moderator|resolver|closed|verified|admin|owner|erstellt|geaendert|bearbeiter)(?:_|$)"
)
"""A column so named says who has dealt with a row, not whose it is."""


_OTHER_SIDE: Final = re.compile(
    r"(?:^|_)(?:to|recipient|receiver|target|friend|followed|followee|payee|partner|other|second|empfaenger|destinataire)(?:_|$)"
)
"""Of two columns that point to people, the one so named is the other side of what happened between them."""


def paths(schema: Schema, found: Mapping[Name, Person], guesses: Guesses) -> Paths:
    """Propose how every other table hangs on people, breadth first."""
    made = Paths(reached=dict.fromkeys(sorted(found), 0), roots={name: {name} for name in found})
    _index(schema, made)
    level = sorted(found, key=lambda name: (found[name].rank, -found[name].score, name))
    _between_people(schema, found, made)
    distance = 0
    while level:
        distance += 1
        fresh: set[Name] = set()
        for parent in level:
            for table, reference in schema.pointing[parent]:
                if table in found or table == parent:
                    continue
                if path := _along(schema, made, found, table, reference):
                    made.links.append(path)
                    if path.followed:
                        fresh.add(table)
            fresh |= _soft(schema, made, found, guesses, parent)
        fresh = {table for table in fresh if table not in made.reached and schema.tables[table].key}
        made.reached |= dict.fromkeys(sorted(fresh), distance)
        for table in fresh:
            made.roots[table] = {root for link in made.of(table) if link.followed for root in made.roots[link.to]}
        level = sorted(fresh)
    _settle(schema, made)
    return made


def _index(schema: Schema, made: Paths) -> None:
    for name, facts in schema.tables.items():
        for column in facts.columns:
            if not _referring(facts, column):
                made.named.setdefault("_".join(words(column)), []).append((name, column))


def _between_people(schema: Schema, found: Mapping[Name, Person], made: Paths) -> None:
    for name in found:
        for reference in schema.tables[name].references:
            over = ", ".join(reference.columns)
            if reference.to == name:
                text = f"{over} points back to {schema.said(name)} itself; such a link is not followed"
                made.asides.append(Aside(name, text))
            elif reference.to in found:
                text = (
                    f"{over} points to {schema.said(reference.to)}, who are people of their own: followed, "
                    "it would take other people's rows along"
                )
                made.asides.append(Aside(name, text))


def _along(schema: Schema, made: Paths, found: Mapping[Name, Person], table: Name, reference: Reference) -> Path | None:
    """The link along a foreign key; what it says of it otherwise goes to the asides."""
    facts, said = schema.tables[table], schema.said(reference.to)
    over = ", ".join(reference.columns)
    if not facts.key:
        made.asides.append(Aside(table, f"{over} points to {said}, but no key tells the rows of this table apart"))
        return None
    pairs = list(zip(reference.columns, reference.to_columns, strict=True))
    if len(pairs) > 1:
        sure = [(own, theirs) for own, theirs in pairs if (theirs,) in schema.tables[reference.to].uniques]
        if not sure:
            made.asides.append(Aside(table, f"({over}) points to {said} by several columns together"))
            return None
        pairs = sure[:1]
    ((column, to_column),) = pairs
    why_not = _not_theirs(schema, made, found, facts, reference, column)
    reason = why_not or f"foreign key {reference.name}".strip()
    return Path(table, column, reference.to, to_column, followed=not why_not, reason=reason)


def _not_theirs(
    schema: Schema,
    made: Paths,
    found: Mapping[Name, Person],
    facts: TableFacts,
    reference: Reference,
    column: str,
) -> str:
    """Why rows behind a foreign key may be somebody else's; empty if they seem to be the person's own."""
    person, name = found.get(reference.to), "_".join(words(column))
    said = schema.said(reference.to)
    if person and _ROLE.search(name) and column not in facts.primary:
        return f"'{column}' says who has dealt with the row, not whose it is"
    twice = sum(ref.to == reference.to for ref in facts.references) > 1
    if person and twice and _OTHER_SIDE.search(name):
        return f"'{column}' is the other side of a row between two people"
    part_of = noun(facts.name[1]).startswith(noun(reference.to[1]) + "_")
    if person and person.rank is Rank.HANDLER and not (column in facts.primary or part_of):
        return f"rows that {said} have dealt with are mostly about others"
    own = [
        ref
        for ref in facts.references
        if ref.to in found and found[ref.to].rank is Rank.OWNER and not _ROLE.search("_".join(words(ref.columns[0])))
    ]
    if not person and own:
        whose = ", ".join(dict.fromkeys(ref.columns[0] for ref in own))
        if not made.roots.get(reference.to, set()) & {ref.to for ref in own}:
            return f"{whose} says whose the row is; {said} leads to others"
        spoken = {*words(facts.name[1]), *noun(facts.name[1]).split("_")}
        if spoken & JOINT and column not in facts.primary:
            return f"others may have added rows to somebody's {said}; {whose} says whose"
    return ""


def _soft(schema: Schema, made: Paths, found: Mapping[Name, Person], guesses: Guesses, parent: Name) -> set[Name]:
    """Links that only names and types suggest: customer_id where no foreign key stands, an address in a log."""
    links = [*_named_alike(schema, made, found, parent)]
    if parent in found and parent == _first(found):
        known = {*made.reached, *(link.table for link in links)}
        links += _by_address(schema, guesses, parent, known)
    made.links += links
    return {link.table for link in links if link.followed}


def _first(found: Mapping[Name, Person]) -> Name | None:
    """The people that rows without a key of anybody most likely speak of."""
    owners = (person for person in found.values() if person.rank is Rank.OWNER)
    best = min(owners, key=lambda person: (-person.score, person.table), default=None)
    return best.table if best else None


def _named_alike(schema: Schema, made: Paths, found: Mapping[Name, Person], parent: Name) -> Iterator[Path]:
    facts = schema.tables[parent]
    if len(facts.key) != 1:
        return
    (key,) = facts.key
    plain_key = "_".join(words(key))
    names = {f"{noun(parent[1])}_{plain_key}", f"{noun(parent[1])}_id"}
    if noun(parent[1]) in plain_key:  # customer_id; but `no` or `code` alone may be anybody's
        names.add(plain_key)
    said = f"named and typed like {schema.said(parent)}.{key}; no foreign key says so"
    for name, column in sorted(at for plain in names for at in made.named.get(plain, ())):
        table = schema.tables[name]
        if name == parent or name in found or not table.key:
            continue
        if table.columns[column].kind == facts.columns[key].kind:
            why_not = _not_theirs(schema, made, found, table, Reference("", (column,), parent, (key,)), column)
            yield Path(name, column, parent, key, not why_not, why_not or said, enforced=False)


def _by_address(schema: Schema, guesses: Guesses, parent: Name, known: Container[Name]) -> Iterator[Path]:
    facts = schema.tables[parent]
    mail = next((c for c, guess in sorted(guesses[parent].items()) if guess.category == EMAIL), None)
    if mail is None or not facts.unique(mail):
        return
    reason = f"holds an e-mail address like {schema.said(parent)}.{mail}, as long as it is written the same way"
    for name, table in schema.tables.items():
        if name in known or not table.key or table.references:
            continue
        kind = facts.columns[mail].kind
        held = (c for c, g in sorted(guesses[name].items()) if g.category == EMAIL and table.columns[c].kind == kind)
        if column := next(held, None):
            yield Path(name, column, parent, mail, True, reason, enforced=False)


def _referring(table: TableFacts, column: str) -> bool:
    return any(column in reference.columns for reference in table.references)


def _settle(schema: Schema, made: Paths) -> None:
    """Take out what is not reached, is there twice, or would close a circle."""
    kept: list[Path] = []
    parents: dict[Name, set[Name]] = {}
    seen: set[tuple[Name, str]] = set()
    # Followed before not followed, near before far: what has to go from a circle is what matters least.
    ordered = sorted(
        (link for link in made.links if link.table in made.reached),
        key=lambda link: (not link.followed, made.reached[link.to], not link.enforced, link.table, link.column),
    )
    for link in ordered:
        if (link.table, link.column) in seen:
            continue
        over, said = link.column, schema.said(link.to)
        if link.table == link.to or link.table in _above(parents, link.to):
            made.asides.append(Aside(link.table, f"{over} points to {said}, which would close a circle of links"))
            continue
        seen.add((link.table, link.column))
        parents.setdefault(link.table, set()).add(link.to)
        if link.followed and not made.reached[link.to] and any(link.to == k.to for k in kept if k.table == link.table):
            reason = f"a second link to {said}: a row of two of them, if not of one twice (docs/data-map.md, shared)"
            link = replace(link, followed=False, reason=reason)
        kept.append(link)
    for name in made.reached:
        made.asides += [
            Aside(
                name, f"{', '.join(ref.columns)} points back to {schema.said(name)} itself; such a link is not followed"
            )
            for ref in schema.tables[name].references
            if ref.to == name and not any(aside.table == name and "itself" in aside.text for aside in made.asides)
        ]
    made.links = sorted(kept, key=lambda link: (link.table, link.column))
    made._counted = -1
    made.asides = sorted(set(made.asides), key=lambda aside: (aside.table, aside.text))


def _above(parents: Mapping[Name, Iterable[Name]], start: Name) -> set[Name]:
    above: set[Name] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in above:
            above.add(name)
            waiting += parents.get(name, ())
    return above
