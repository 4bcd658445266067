"""The record of processing activities, drafted from the data map and the register of recipients (GDPR Art. 30(1)).

The one rule: it says what the map says, and of what the map does not say that it does not; nothing is filled in.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from rights.collection import Collection, Erase
from rights.datamap import DataMap, System
from rights.recipients import Mechanism, Recipient, Register
from rights.reports import Stamp
from rights.value import Value

WANTED: Final[Mapping[str, str]] = {
    "purpose": "Art. 30(1)(b)",
    "lawful_basis": "Art. 5(2), 6",
    "people": "Art. 30(1)(c)",
    "categories": "Art. 30(1)(c)",
    "storage": "Art. 30(1)(f)",
    "measures": "Art. 30(1)(g)",
}
"""What the record is to say and a map may leave open, with the provision that asks for it (of the lawful basis, that
somebody can show it)."""


class Controller(Value):
    """Who answers for the data (Art. 30(1)(a))."""

    name: str = ""
    address: tuple[str, ...] = ()
    dpo: str = ""


class MapUse(Value):
    """A data map in use."""

    data_map: str
    first: datetime
    bound: int
    """How often a request was bound to it."""


class Given(Value):
    """A recipient of an activity's data (Art. 30(1)(d), (e))."""

    recipient: str
    name: str
    country: str
    role: str
    mechanism: str
    """By what the data may leave the country."""
    document: str
    """The text of that, or the ground of an exception."""


class Activity(Value):
    """A processing activity: one collection of one system."""

    system: str
    collection: str
    owner: str
    region: str
    purpose: str
    lawful_basis: str
    people: tuple[str, ...]
    """Whose data it is."""
    categories: tuple[str, ...]
    recipients: tuple[Given, ...]
    named_recipients: tuple[str, ...]
    """Those that the map names beside the register."""
    transfers: str
    retention: tuple[str, ...]
    """How long it is kept: duties to keep with their grounds, else what the map says of storage."""
    measures: tuple[str, ...]
    missing: tuple[str, ...]
    """What the map leaves open: names of `WANTED`."""


class Ropa(Value):
    """The record. A draft: what is asked for and missing is named."""

    stamp: Stamp
    controller: Controller
    maps: tuple[MapUse, ...]
    """The data maps that requests were bound to in the period, the first use first: what the record was made from
    then, if it is not `stamp.data_map`."""
    activities: tuple[Activity, ...]
    missing: Mapping[str, int]
    """How many activities lack what; all of `WANTED` are named."""


def ropa(stamp: Stamp, data_map: DataMap, register: Register, controller: Controller, maps: Sequence[MapUse]) -> Ropa:
    """Draft it."""
    activities = tuple(
        _activity(system, name, collection, register)
        for _, system in sorted(data_map.systems.items())
        for name, collection in sorted(system.collections.items())
    )
    return Ropa(
        stamp=stamp,
        controller=controller,
        maps=tuple(maps),
        activities=activities,
        missing={name: sum(name in one.missing for one in activities) for name in WANTED},
    )


def _activity(system: System, name: str, collection: Collection, register: Register) -> Activity:
    categories = collection.categories | {f"identity: {f.identity}" for f in collection.identities.values()}
    said = {
        "purpose": collection.purpose,
        "lawful_basis": collection.lawful_basis,
        "people": system.people,
        "categories": categories,
        "storage": _retention(collection),
        "measures": system.measures,
    }
    given = [
        (handle, one)
        for handle, one in sorted(register.recipients.items())
        if one.has(system.system, name) or handle == system.recipient
    ]
    return Activity(
        system=system.system,
        collection=name,
        owner=system.owner,
        region=system.region,
        purpose=collection.purpose,
        lawful_basis=collection.lawful_basis,
        people=system.people,
        categories=tuple(sorted(categories)),
        recipients=tuple(_given(handle, one) for handle, one in given),
        named_recipients=collection.recipients,
        transfers=collection.transfers,
        retention=_retention(collection),
        measures=system.measures,
        missing=tuple(name for name in WANTED if not said[name]),
    )


def _retention(collection: Collection) -> tuple[str, ...]:
    duties = tuple(
        f"{rule.period} after {rule.after}{', from the end of the year' if rule.from_ else ''}: {rule.ground}"
        for rule in collection.retention
    )
    kept = (f"kept for good: {collection.ground}",) if collection.erase is Erase.RETAIN else ()
    return (*((collection.storage,) if collection.storage else ()), *duties, *kept)


def _given(handle: str, one: Recipient) -> Given:
    transfer = one.transfer
    ground = f"Art. 49(1)({transfer.ground})" if transfer.mechanism is Mechanism.DEROGATION else ""
    return Given(
        recipient=handle,
        name=one.name,
        country=one.country,
        role=one.role,
        mechanism=str(transfer.mechanism),
        document=transfer.document or ground,
    )
