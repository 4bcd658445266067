"""Which tables are people: one row, one person.

The one rule: a table is taken for people only on several signs, and each is said. Customers and the like come first;
staff and suppliers are people too, but the rows they have dealt with are mostly somebody else's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from connectors.sql.discovery.categories import EMAIL, NAME, PASSWORD, PHONE, Guess
from connectors.sql.discovery.lexicon import HANDLERS, OWNERS, THINGS
from connectors.sql.discovery.schema import Name, Schema, TableFacts
from connectors.sql.discovery.words import noun, words

Guesses = Mapping[Name, Mapping[str, Guess]]
"""What each column of each table holds."""


class Rank(IntEnum):
    """How much of what points to a table is that person's own."""

    OWNER = 1
    """Customers, users, patients: what points to them is theirs."""
    HANDLER = 2
    """Staff, suppliers: what points to them is mostly about others."""


@dataclass(frozen=True, slots=True)
class Person:
    """A table of people."""

    table: Name
    rank: Rank
    score: int
    reason: str


_ENOUGH: Final = 4


def people(schema: Schema, guesses: Guesses) -> dict[Name, Person]:
    """The tables of people, by name."""
    found = {name: person for name, table in schema.tables.items() if (person := _person(schema, table, guesses[name]))}
    # An address or a profile of a customer has a name and an e-mail address too: what points to people, and is not
    # itself called people, hangs on them.
    return {
        name: person
        for name, person in found.items()
        if _called(name[1]) or not any(ref.to in found and ref.to != name for ref in schema.tables[name].references)
    }


def _called(table: str) -> Rank | None:
    last = noun(table).rpartition("_")[2]
    whole = noun(table)
    for rank, known in ((Rank.OWNER, OWNERS), (Rank.HANDLER, HANDLERS)):
        if whole in known:
            return rank
    # app_user, shop_customer; but not customer_address. `user_account`, `customer_contact` are ambiguous: by signs.
    if last in OWNERS and last not in {"account", "contact", "party", "participant", "member", "lead", "guest"}:
        return Rank.OWNER
    return Rank.HANDLER if last in HANDLERS else None


def _person(schema: Schema, table: TableFacts, guesses: Mapping[str, Guess]) -> Person | None:
    if not table.key:
        return None
    held = {guess.category: column for column, guess in sorted(guesses.items(), reverse=True)}
    called = _called(table.name[1])
    signs = list(_signs(schema, table, held))
    if called:
        signs.insert(0, (3, f"its name is a word for people ('{noun(table.name[1])}')"))
    score = sum(points for points, _ in signs)
    personal = any(category.startswith("user") for category in held)
    if score < _ENOUGH or not personal or (called is None and _things(table)):
        return None
    rank = called or Rank.OWNER
    return Person(table.name, rank, score, "; ".join(reason for _, reason in signs))


def _signs(schema: Schema, table: TableFacts, held: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """What speaks for people, with its weight. `held` are columns by the category they hold."""
    if EMAIL in held:
        sole = table.unique(held[EMAIL]) or table.key == (held[EMAIL],)
        yield 4 if sole else 3, f"{'a unique' if sole else 'an'} e-mail address ({held[EMAIL]})"
    named = {"user.name.first", "user.name.last"} <= held.keys() or NAME in held
    official = any(category.startswith("user.government_id") for category in held)
    for weight, there, what in (
        (2, named, "a person's name"),
        (1, PHONE in held, "a telephone number"),
        (2, "user.demographic.date_of_birth" in held, "a date of birth"),
        (2, official, "an official number"),
        (2, PASSWORD in held, "a password"),
        (1, "user.contact.address.street" in held, "a postal address"),
    ):
        if there:
            yield weight, what
    if pointing := {other for other, _ in schema.pointing[table.name] if other != table.name}:
        yield 1, f"{len(pointing)} table{'s point' if len(pointing) > 1 else ' points'} to it"


def _things(table: TableFacts) -> bool:
    """Whether a table is named after things that have an e-mail address or a contact: branches, shops, logs."""
    spoken = {*words(table.name[1]), *noun(table.name[1]).split("_")}
    return bool(spoken & THINGS)
