"""What a trigger would do to an erasure, read as a person would read it: by its text.

The one rule: what the text does not show is said to be unknown, never taken to be harmless.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from connectors.finding import Finding, Severity
from rights.datamap import Erase, Mode, System
from rights.plan import Work

_NAME: Final = r'((?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$]+)(?:\s?\.\s?(?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$]+))?)'
_HOW: Final = r"(?:(?:or\s+\w+|ignore|low_priority|high_priority|delayed|quick|only)\s+)*"
INSERTS: Final = re.compile(rf"\b(?:insert|replace)\s+{_HOW}into\s+{_HOW}{_NAME}", re.IGNORECASE)
DELETES: Final = re.compile(rf"\bdelete\s+{_HOW}from\s+{_HOW}{_NAME}", re.IGNORECASE)
UPDATES: Final = re.compile(rf"\bupdate\s+{_HOW}(?!set\b){_NAME}\s+(?:as\s+)?(?!as\b)(?:\w+\s+)?set\b", re.IGNORECASE)
_OLD: Final = re.compile(r"\bold\b", re.IGNORECASE)
_PART: Final = re.compile(r'"[^"]+"|`[^`]+`|\[[^\]]+\]|[^.\s]+')


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger of a table of the map."""

    name: str
    deletes: bool
    """Whether it fires when rows are deleted."""
    updates: bool
    text: str
    """What it runs, without comments."""
    hidden: str = ""
    """What it runs that its text does not show, as the end of a sentence; empty: nothing."""
    skips: str = ""
    """The words by which it can keep a row from being deleted, without an error; empty: none."""
    writes: tuple[tuple[str, str], ...] = ()
    """Changes in other words than SQL's own, such as a search index's: a verb and the table's name."""


def concerned(work: Work, *, deletes: bool, updates: bool) -> bool:
    """Whether an erasure of a collection does what a trigger or rule waits for."""
    rewrites = bool(work.writes or any(keep.writes for keep in work.keeps))
    return (deletes and work.erase is Erase.DELETE) or (updates and work.erase is not Erase.RETAIN and rewrites)


def findings(
    system: System, work: Work, trigger: Trigger, collection_of: Callable[[str], str | None]
) -> Iterator[Finding]:
    """What one trigger does beside the plan. `collection_of` knows the collection of a table by the name written."""
    if not concerned(work, deletes=trigger.deletes, updates=trigger.updates):
        return
    who = f"the trigger {trigger.name} of {work.collection}"
    apart = {name for _, name in trigger.writes}
    copies = _OLD.search(trigger.text) is not None
    for target in dict.fromkeys(INSERTS.findall(trigger.text)):
        if target in apart:
            continue
        mapped = collection_of(target)
        if not copies:
            said = f"{who} adds rows to {target}: see that they hold nothing of the person"
            yield Finding("trigger_writes", said, Severity.WARNING)
        elif mapped is None:
            # Nothing is destroyed in mode observe; in the others the copy would stay and nobody look for it.
            bad = Severity.WARNING if system.mode is Mode.OBSERVE else Severity.ERROR
            said = (
                f"{who} copies deleted or changed rows into {target}, which is not in the map, so an erasure leaves a "
                f"copy behind: add {target} to the map, or drop the trigger"
            )
            yield Finding("trigger_copies", said, bad)
        else:
            said = (
                f"{who} copies deleted or changed rows into {mapped} while they are erased: see that the map deletes "
                f"{mapped} after {work.collection}, or drop the trigger"
            )
            yield Finding("trigger_copies", said, Severity.WARNING)
    others = (
        *(("deletes from", target) for target in DELETES.findall(trigger.text)),
        *(("changes", target) for target in UPDATES.findall(trigger.text)),
        *trigger.writes,
    )
    for verb, target in dict.fromkeys(others):
        said = f"{who} {verb} {target}, uncounted: see that the map says what becomes of {target}"
        yield Finding("trigger_writes", said, Severity.WARNING)
    if trigger.hidden:
        yield Finding("trigger_unknown", f"{who} {trigger.hidden}: read it", Severity.WARNING)
    if trigger.skips and trigger.deletes and work.erase is Erase.DELETE:
        said = f"{who} can keep rows from being deleted, without an error ({trigger.skips}): see that it lets them go"
        yield Finding("trigger_skips", said, Severity.WARNING)


def name_parts(written: str) -> list[str]:
    """The parts of a table's name as a statement writes it, each without its quotes, the table's own last."""
    return [part.strip('"`[]') for part in _PART.findall(written)]
