"""What a data map that is valid should still be looked at for.

The one rule: nothing here refuses a map; each piece of advice has a code, a place, and says what to write.
"""

from collections.abc import Iterator

from rights.datamap import Collection, DataMap, Erase, Mode, Strategy, System
from rights.value import Value


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
        if others := _told_all_the_same(collection):
            yield Advice(
                system=system.system,
                code="pseudonym_leaves",
                what=f"{name} becomes pseudonymous, and {', '.join(others)} of the same row still tell who it is",
                todo="give them a strategy that takes them away as well",
            )


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
