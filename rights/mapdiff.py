"""What changes between two data maps, said as what would newly be found, erased, kept and exported.

The one rule: it compares effects, not texts: two maps that do the same to everything do not differ, however they are
written.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import partial
from typing import Final

from rights.backups import lives_on
from rights.datamap import Collection, DataMap, Erase, Field, Mode, Retention, Strategy, System
from rights.sharing import named, owners, treatment
from rights.value import Value


class Effect(StrEnum):
    """What a change concerns."""

    FOUND = "found"
    ERASED = "erased"
    KEPT = "kept"
    EXPORTED = "exported"
    OTHER = "other"


class Change(Value):
    """One difference."""

    effect: Effect
    newly: bool
    """True: from the old map to the new one it begins; False: it ends."""
    system: str
    collection: str = ""
    field: str = ""
    text: str
    """The change as a sentence without its place."""


_DONE: Final[Mapping[Strategy, str]] = {
    Strategy.NULL: "emptied",
    Strategy.CONSTANT: "overwritten",
    Strategy.GENERALISE: "made coarser",
    Strategy.ANONYMISE: "made anonymous",
    Strategy.PSEUDONYM: "made pseudonymous",
}
_ROWS: Final[Mapping[Erase, str]] = {
    Erase.DELETE: "rows are deleted",
    Erase.REDACT: "rows stay and their fields are rewritten",
    Erase.RETAIN: "rows stay as they are",
}


_SHARED: Final[Mapping[str | None, str]] = {
    None: "are taken as a whole, or not found",
    "keep": "are kept",
    "redact": "are rewritten for this person's part",
    "ask": "are asked about",
}


def diff(old: DataMap, new: DataMap) -> tuple[Change, ...]:
    """All differences, by system, collection and field."""
    changes: list[Change] = []
    for name in sorted({*old.systems, *new.systems}):
        changes += _system(name, old.systems.get(name), new.systems.get(name))
    return tuple(changes)


def _system(name: str, old: System | None, new: System | None) -> Iterator[Change]:
    if old and new:
        yield from _mode(name, old.mode, new.mode)
        if old.backups != new.backups:
            yield Change(
                effect=Effect.OTHER, newly=True, system=name, text=f"erased rows live on {lives_on(new.backups)}"
            )
        if old.connector != new.connector:
            text = f"it is reached by the connector {new.connector}, no longer by {old.connector}"
            yield Change(effect=Effect.OTHER, newly=True, system=name, text=text)
    elif known := old or new:
        text = "the system is looked at" if new else "the system is not looked at any more"
        yield Change(effect=Effect.FOUND, newly=new is not None, system=name, text=f"{text} (mode {known.mode})")
    before, after = (known.collections if known else {} for known in (old, new))
    for collection in sorted({*before, *after}):
        yield from _collection(name, collection, before.get(collection), after.get(collection))


def _mode(name: str, old: Mode, new: Mode) -> Iterator[Change]:
    if old is new:
        return
    said = {
        Mode.OBSERVE: "nothing is destroyed (mode observe)",
        Mode.APPROVE: "erasures are carried out once approved (mode approve)",
        Mode.AUTO: "erasures are carried out without approval (mode auto)",
    }
    yield Change(effect=Effect.ERASED, newly=new is not Mode.OBSERVE, system=name, text=said[new])


def _collection(system: str, name: str, old: Collection | None, new: Collection | None) -> Iterator[Change]:
    if old is None or new is None:
        known, newly = old or new, new is not None
        if known is None:
            return
        at = partial(Change, system=system, collection=name, newly=newly)
        yield at(effect=Effect.FOUND, text="its rows are found" if newly else "its rows are not found any more")
        rows = _ROWS[known.erase] if newly else "its rows are left as they are"
        yield at(effect=Effect.KEPT if known.erase is Erase.RETAIN else Effect.ERASED, text=rows)
        given = sorted(field for field, about in known.fields.items() if about.export)
        text = f"{', '.join(given)} {'are' if newly else 'are no longer'} given out"
        yield at(effect=Effect.EXPORTED, text=text)
        yield from _duties(system, name, () if newly else known.retention, known.retention if newly else ())
        return
    yield from _ways(system, name, old, new)
    if old.erase is not new.erase or (old.name or name) != (new.name or name):
        effect = Effect.ERASED if new.erase is Erase.DELETE else Effect.KEPT
        table = f", in {new.name or name}" if (old.name or name) != (new.name or name) else ""
        ground = f" ({new.ground})" if new.erase is Erase.RETAIN else ""
        text = f"{_ROWS[new.erase]}{ground}{table}, where before {_ROWS[old.erase]}"
        yield Change(effect=effect, newly=True, system=system, collection=name, text=text)
    yield from _duties(system, name, old.retention, new.retention)
    yield from _beyond(system, name, old, new)
    yield from _parts(system, name, old, new)
    for field in sorted({*old.fields, *new.fields}):
        yield from _field(system, name, field, old, new)


def _beyond(system: str, name: str, old: Collection, new: Collection) -> Iterator[Change]:
    if old.worked_out_from != new.worked_out_from:
        of = ", ".join(new.worked_out_from) or "nothing"
        text = f"it counts as worked out from {of}: a correction there has it made anew"
        yield Change(effect=Effect.OTHER, newly=True, system=system, collection=name, text=text)
    if old.published is not new.published:
        text = "its rows count as made public: others are told to erase links and copies"
        yield Change(effect=Effect.OTHER, newly=new.published, system=system, collection=name, text=text)


def _ways(system: str, name: str, old: Collection, new: Collection) -> Iterator[Change]:
    """By what rows are found: identities and followed links."""
    before, after = _found_by(old), _found_by(new)
    for way in sorted(before ^ after):
        newly = way in after
        text = f"rows are {'' if newly else 'no longer '}found {way}"
        yield Change(effect=Effect.FOUND, newly=newly, system=system, collection=name, text=text)


def _found_by(collection: Collection) -> set[str]:
    links = {f"along {link.field} to {link.to}" for link in collection.links if link.followed}
    identities = {
        f"by {field.identity} in {name} ({field.sharing}, {'any case' if field.casefold else 'exact'})"
        for name, field in collection.identities.items()
        if field.sharing != "hint"
    }
    mentions = {f"by what {field} mentions, once a person has ruled" for field in collection.searched}
    return links | identities | mentions


def _parts(system: str, name: str, old: Collection, new: Collection) -> Iterator[Change]:
    """What becomes of rows that are somebody else's too, and which fields are whose."""
    was, is_ = treatment(old), treatment(new)
    at = partial(Change, newly=True, system=system, collection=name)
    if was != is_:
        text = f"rows that are somebody else's too {_SHARED[is_]}, where before they {_SHARED[was]}"
        yield at(effect=Effect.ERASED if is_ in {None, "redact"} else Effect.KEPT, text=text)
    for field in sorted({*old.fields, *new.fields}) if was and is_ else ():
        before, after = (_whose(collection, field) for collection in (old, new))
        if before != after and field in old.fields and field in new.fields:
            text = f"it is {after} in a row that is somebody else's too, where before it was {before}"
            yield at(effect=Effect.EXPORTED, field=field, text=text)


def _whose(collection: Collection, field: str) -> str:
    links = [owners(collection)[number].field for number in named(collection, field)]
    return f"of whom {' and '.join(links)} leads to" if links else "nobody's"


def _duties(system: str, name: str, old: tuple[Retention, ...], new: tuple[Retention, ...]) -> Iterator[Change]:
    before, after = {_duty(rule) for rule in old}, {_duty(rule) for rule in new}
    for duty in sorted(before ^ after):
        newly = duty in after
        text = f"rows are {'' if newly else 'no longer '}kept: {duty}"
        yield Change(effect=Effect.KEPT, newly=newly, system=system, collection=name, text=text)


def _duty(rule: Retention) -> str:
    end = " and the end of its year" if rule.from_ else ""
    where = f" under {', '.join(rule.regimes)}" if rule.regimes else ""
    but = f", but for {', '.join(rule.minimise)}" if rule.minimise else ""
    return f"{rule.ground}, {rule.period} after {rule.after}{end}{where}{but}"


def _field(system: str, name: str, field: str, old: Collection, new: Collection) -> Iterator[Change]:
    before, after = old.fields.get(field), new.fields.get(field)
    at = partial(Change, system=system, collection=name, field=field)
    given = [bool(about and about.export) for about in (before, after)]
    if given[0] != given[1]:
        text = "it is given out" if given[1] else "it is no longer given out"
        yield at(effect=Effect.EXPORTED, newly=given[1], text=text)
    was, is_ = _fate(old, before), _fate(new, after)
    if was != is_:
        # What a field becomes where its row stays; where rows are deleted it is what a kept row's shell keeps.
        effect = Effect.ERASED if after and after.rewritten else Effect.KEPT
        yield at(effect=effect, newly=True, text=f"{is_}, where before {was}")


def _fate(collection: Collection, field: Field | None) -> str:
    stays = "where a row stays" if collection.erase is Erase.DELETE else "in the row that stays"
    if collection.erase is Erase.RETAIN or field is None or field.strategy in {None, Strategy.DELETE}:
        return f"it is left as it is {stays}" if collection.erase is not Erase.DELETE else "it goes with its row"
    if field.strategy is Strategy.RETAIN:
        return f"it is kept {stays} ({field.ground})"
    to = f" to {field.to}" if field.to else f" by {field.value!r}" if field.strategy is Strategy.CONSTANT else ""
    return f"it is {_DONE[field.strategy]}{to} {stays}"
