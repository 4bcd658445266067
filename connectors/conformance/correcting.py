"""What the promises about correcting are tried with: corrections for a person, and who keeps the old values."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from connectors.conformance.bench import Dump, Person, Writes
from connectors.conformance.suite import Trial
from connectors.protocol import Call, Correction, Key, OldValues, Rectifies
from connectors.strategies import text
from rights.receipt import Tally

Place = tuple[str, Key]


@dataclass
class Kept:
    """Keeps old values as the engine does: what was kept first stays the first.

    Args:
        watch: dumps the system; asked each time, whether what is kept still stands there.
    """

    watch: Callable[[], Dump] = dict
    first: dict[Place, dict[str, str | None]] = field(default_factory=dict)
    there_when_kept: bool = True

    def __call__(self, old: OldValues) -> None:
        now = self.watch()
        for name, rows in old.items():
            for key, values in rows.items():
                row = self.first.setdefault((name, key), {})
                for column, value in values.items():
                    row.setdefault(column, value)
                    if now:
                        self.there_when_kept &= text(now[name][key][column]) == (value or "")


def rectify(trial: Trial, call: Call) -> Tally:
    """Rectify, and wait until it is done."""
    assert isinstance(trial.connector, Rectifies)
    return trial.waited(trial.connector.rectify, call)


def corrections_for(trial: Trial, person: Person) -> list[Correction]:
    """For each collection one field of free text in which the person's rows have some, and a text that is new."""
    dump, new, chosen = trial.bench.everything(), trial.person().text, []
    for name, keys in trial.bench.rows(person).items():
        for column, about in trial.system.collections[name].fields.items():
            free = about.category and not about.identity and not about.yields and column not in joining(trial, name)
            if (
                keys
                and free
                and _writable(trial, name, column)
                and all(person.text in str(dump[name][key][column]) for key in keys)
            ):
                chosen.append(Correction(name, {column: new}))
                break
    if not chosen:
        pytest.skip("no field of the map holds free text")
    return chosen


def joining(trial: Trial, name: str) -> set[str]:
    """What tells rows apart or joins them."""
    collection = trial.system.collections[name]
    return {*collection.key, *(base for link in collection.links for base in collection.bases(link.field))}


def an_identity(trial: Trial) -> tuple[str, str, str]:
    """A field by which people are found, one for addresses if there is any: collection, field and kind."""
    fields = [
        (name, column, about.identity)
        for name, collection in trial.system.collections.items()
        for column, about in collection.fields.items()
        if about.identity and about.sharing == "unique" and column not in joining(trial, name)
        if _writable(trial, name, column)
    ]
    if not fields:
        pytest.skip("no identity of the map can be rectified")
    return min(fields, key=lambda one: one[2] != "email")


def _writable(trial: Trial, name: str, column: str) -> bool:
    return not isinstance(trial.bench, Writes) or column in trial.bench.writable.get(name, ())


def with_corrections(trial: Trial, before: Dump, person: Person, corrections: list[Correction]) -> Dump:
    """What the system must be after corrections of a person's rows."""
    after = {name: {key: dict(row) for key, row in rows.items()} for name, rows in before.items()}
    for one in corrections:
        for key in trial.bench.rows(person)[one.collection] if one.key is None else [one.key]:
            after[one.collection][key].update(one.values)
    return after


def old_values_of(
    trial: Trial, before: Dump, person: Person, corrections: list[Correction]
) -> dict[Place, dict[str, str | None]]:
    """What stood in the fields that are corrected."""
    return {
        (one.collection, key): {column: text(before[one.collection][key][column]) for column in one.values}
        for one in corrections
        for key in trial.bench.rows(person)[one.collection]
    }


def rectified_in(tally: Tally) -> dict[str, int]:
    """How many rows were changed, by collection."""
    return {part.collection: part.rectified for part in tally.counts if part.rectified}
