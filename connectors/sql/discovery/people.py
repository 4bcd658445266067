"""Which tables are people: one row, one person.

The one rule: a table is taken for people only on several signs, and each is said. Customers and the like come first;
staff and suppliers are people too, but the rows they have dealt with are mostly somebody else's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from connectors.sql.discovery.categories import EMAIL, NAME, PHONE, Guess
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


OWNERS: Final = frozenset(
    "customer user person member client patient student pupil subscriber guest contact lead account passenger donor "
    "applicant candidate participant attendee tenant resident visitor buyer shopper player citizen individual party "
    "kunde benutzer nutzer mitglied patient schueler abonnent bewerber gast kontakt teilnehmer spender "
    "client utilisateur personne membre abonne eleve adherent".split()
)
HANDLERS: Final = frozenset(
    "staff employee supplier vendor admin administrator operator agent driver teacher doctor physician author courier "
    "mitarbeiter angestellter lieferant fahrer lehrer arzt personal employe fournisseur seller merchant instructor".split()
)
_ENOUGH: Final = 4
_NAME: Final = "user.name"


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
    signs: list[tuple[int, str]] = []
    if called:
        signs.append((3, f"its name is a word for people ('{noun(table.name[1])}')"))
    if EMAIL in held:
        sole = table.unique(held[EMAIL]) or table.key == (held[EMAIL],)
        signs.append((4 if sole else 3, f"{'a unique' if sole else 'an'} e-mail address ({held[EMAIL]})"))
    if {"user.name.first", "user.name.last"} <= held.keys() or NAME in held:
        signs.append((2, "a person's name"))
    if PHONE in held:
        signs.append((1, "a telephone number"))
    if "user.demographic.date_of_birth" in held:
        signs.append((2, "a date of birth"))
    if any(category.startswith("user.government_id") for category in held):
        signs.append((2, "an official number"))
    if "user.authorization.password" in held:
        signs.append((2, "a password"))
    if "user.contact.address.street" in held:
        signs.append((1, "a postal address"))
    pointing = {other for other, _ in schema.pointing[table.name] if other != table.name}
    if pointing:
        signs.append((1, f"{len(pointing)} table{'s point' if len(pointing) > 1 else ' points'} to it"))
    score = sum(points for points, _ in signs)
    personal = any(category.startswith("user") for category in held)
    if score < _ENOUGH or not personal or (called is None and _things(table)):
        return None
    rank = called or Rank.OWNER
    return Person(table.name, rank, score, "; ".join(reason for _, reason in signs))


def _things(table: TableFacts) -> bool:
    """Whether a table is named after things that have an e-mail address or a contact: branches, shops, logs."""
    spoken = {*words(table.name[1]), *noun(table.name[1]).split("_")}
    return bool(
        spoken
        & set(
            "store shop branch office company organization organisation department location warehouse setting config "
            "template queue log event audit history order invoice payment message mail email outbox job filiale firma "
            "abteilung bestellung rechnung magasin commande facture shipper carrier brand address adresse anschrift "
            "session ticket booking reservation delivery shipment address".split()
        )
    )
