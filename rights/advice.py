"""What a data map that is valid should still be looked at for.

The one rule: nothing here refuses a map; each piece of advice has a code, a place, and says what to write.
"""

from collections.abc import Iterator, Mapping

from rights.datamap import Collection, DataMap, Erase, Mode, Strategy, System
from rights.portable import Why, basis, ported
from rights.suppression import Scope
from rights.value import Value
from rights.withheld import every_item


class Advice(Value):
    """One thing to look at."""

    system: str
    code: str
    what: str
    todo: str


def advice(data_map: DataMap) -> Iterator[Advice]:
    """All there is to say of a map by itself, system by system."""
    for system in data_map.systems.values():
        yield from _of(system)


def _of(system: System) -> Iterator[Advice]:
    if system.mode is not Mode.OBSERVE and system.erases and system.backups and not system.backups.known:
        yield Advice(
            system=system.system,
            code="backups_unknown",
            what="nobody knows how long erased rows live on in backups, and every answer says so",
            todo="ask whoever makes them, and write max_age as ISO 8601, such as P35D",
        )
    for name, collection in system.collections.items():
        yield from _given_out(system, name, collection)
        used = {*collection.uses, *collection.opt_out}
        if {Scope.MARKETING, Scope.PROFILING} <= used and Scope.MARKETING_PROFILING not in used:
            yield Advice(
                system=system.system,
                code="profiling_unsaid",
                what=f"{name} is used for marketing and for profiling, and nothing says whether that profiling is for "
                "marketing; if it is, an objection to marketing does not stop it",
                todo="write marketing_profiling under uses or opt_out for what serves marketing (GDPR Art. 21(2))",
            )
        for target, fields in _twice(system, collection).items():
            yield Advice(
                system=system.system,
                code="two_people",
                what=f"{name} links to {target} by {' and by '.join(fields)}, so a row of two people is taken as a "
                "whole for whoever asks first",
                todo="write kind: shared at each of these links, with shared: keep, redact or ask",
            )
        if others := _told_all_the_same(collection):
            yield Advice(
                system=system.system,
                code="pseudonym_leaves",
                what=f"{name} becomes pseudonymous, and {', '.join(others)} of the same row still tell who it is",
                todo="give them a strategy that takes them away as well",
            )


def _given_out(system: System, name: str, collection: Collection) -> Iterator[Advice]:
    """What copies would hold that they must not, and what a person could not take along."""
    for column, category, regime, says in _unsaid(collection):
        law = f"under {regime}" if regime else "in any copy"
        yield Advice(
            system=system.system,
            code="withheld_unsaid",
            what=f"{name}.{column} looks like {says}, which is not sent {law}, and its category does not say so",
            todo=f"write category: {category}, if that is what it holds; export: false leaves it out as well",
        )
    if basis(collection.lawful_basis) is not None:
        unstated = [one.field for one in ported(system, name).left if one.why is Why.UNSTATED]
        if unstated:
            yield Advice(
                system=system.system,
                code="origin_unsaid",
                what=f"{name} is held on consent or for a contract, and of {', '.join(unstated)} nobody says where it "
                "comes from, so nobody can take it along",
                todo="write origin: provided, observed, derived or third_party, at the collection or at its fields",
            )


def _unsaid(collection: Collection) -> Iterator[tuple[str, str, str, str]]:
    """Columns that are given out and look like what a copy must not hold: name, category to write, law, what it is."""
    for column, field in collection.fields.items():
        for regime, items in every_item().items() if field.export else ():
            found = next((item for item in items if item.looks_like(column)), None)
            if found and not found.covers(field.category):
                yield column, found.categories[0], regime, found.says
                break


def _twice(system: System, collection: Collection) -> Mapping[str, list[str]]:
    """Collections of people that several unique links lead to, with the fields of these."""
    found: dict[str, list[str]] = {}
    for link in collection.links:
        target = link.target[0]
        if link.kind == "unique" and any(a.sharing != "hint" for a in system.collections[target].identities.values()):
            found.setdefault(target, []).append(link.field)
    return {target: fields for target, fields in found.items() if len(fields) > 1}


def _told_all_the_same(collection: Collection) -> tuple[str, ...]:
    """Fields that stay beside a pseudonym and point to the person by themselves."""
    fields = collection.fields
    stays = collection.erase is Erase.REDACT or bool(collection.retention)
    if not stays or not any(field.strategy is Strategy.PSEUDONYM for field in fields.values()):
        return ()
    minimised = {name for duty in collection.retention for name in duty.minimise}
    goes = collection.erase is Erase.REDACT
    return tuple(
        name
        for name, field in fields.items()
        if (field.category or field.identity)
        and not (field.rewritten and (goes or name in minimised))
        and name not in collection.key
    )
