"""What other rights than erasure have had done in a system, and how it is done once more after a restore.

The one rule: nothing is passed over silently. What still knows whom it is about is opened again; what is remembered by
token is opened anew for whoever the system itself has; and what nobody can do again is counted, and asked of a person.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from activities.corrections import kept_corrections
from activities.rollcall import Found, RollCall
from activities.tools import Tools
from connectors.protocol import Correction
from ledger.remembering import Decided
from ledger.replays import PastAct, Replay
from rights.codes import Code
from rights.course import COURSES
from rights.datamap import System
from rights.detail import Details
from rights.details import details_of
from rights.objections import is_weighed, stop_of
from rights.plan import Operation
from rights.rectification import Accuracy, RectificationDetails, Wanted
from rights.request import Right
from rights.restriction import RestrictionDetails
from rights.subject import Identity
from rights.suppression import comparables


class Anew(NamedTuple):
    """A past request that is to be carried out by a new one."""

    request_id: str
    people: set[Identity]
    details: Details
    decided: Decided | None


class Corrected(NamedTuple):
    """What a past request has corrected."""

    act: PastAct
    people: set[Identity]
    forms: set[str]
    """By which the person is told from all others."""
    made: tuple[Correction, ...]


class Lasting(NamedTuple):
    """What of an act is done once more."""

    corrections: tuple[Correction, ...]
    some: bool
    """Whether some of it was corrected once more since."""
    unclear: bool
    """Of all rows it was, and of one of them since: what the others are to say cannot be told apart."""


class PastActs:
    """Those of one replay."""

    def __init__(
        self, tools: Tools, replay: Replay, system: System, at: datetime, unclear: Counter[str], roll: RollCall
    ) -> None:
        """`unclear` counts what cannot be told, by why."""
        self._tools, self._ledger, self._replay, self._system = tools, tools.ledger, replay, system
        self._at, self._unclear, self._roll = at, unclear, roll
        past = tools.ledger.other_acts(replay.id, system.system, replay.since) if replay.since else []
        self._acts = [act for act in past if act.in_force]

    def again(self) -> list[str]:
        """Closed requests that still know whom they are about, to be opened again."""
        self._unclear.update(f"open_{act.right}" for act in self._acts if not act.closed)
        overtaken = {act.request_id for act, _ in self._overtaken}
        closed = [act for act in self._acts if act.closed and act.known and act.request_id not in overtaken]
        return [act.request_id for act in closed if self._stands(act, *self._said(act))]

    def anew(self) -> list[Anew]:
        """Those of which only tokens are left, and whom the system has of them."""
        for act in self._shredded:
            if not self._ledger.remembered_details(act.request_id):
                self._undone(act)
            elif not self._roll.listed:
                self._undone(act, "cannot_be_listed")
        found: list[Anew] = []
        for act, people in self._overtaken:
            found += self._corrected(act, people)
        for act, people, details in self._recognised():
            if self._roll.several(people):
                self._undone(act, "several_match")
            elif act.right is not Right.RECTIFICATION:
                found.append(Anew(act.request_id, people, details, _decided(details)))
            elif self._corrections[act.request_id].made:
                found += self._corrected(act, people)
            else:
                # Who it is about is there again, and nobody knows what was right.
                self._undone(act)
        return found

    def left(self) -> int:
        """How many of these have somebody in the system and are not seen to: they have come there since it was read."""
        rest = [act for act, _, _ in self._recognised() if act.right is not Right.RECTIFICATION]
        return sum(self._ledger.opened_anew(self._replay.id, act.request_id) is None for act in rest)

    @property
    def _shredded(self) -> list[PastAct]:
        return [act for act in self._acts if act.closed and not act.known]

    def _recognised(self) -> list[tuple[PastAct, set[Identity], Details]]:
        """Shredded acts whose people the system has, and what is to be done for them."""
        remembered = [
            (act, said) for act in self._shredded if (said := self._ledger.remembered_details(act.request_id))
        ]
        if not (remembered and self._roll.listed):
            return []
        found = []
        for act, said in remembered:
            people = self._here.get(act.request_id)
            # Of a correction nothing is said: that there was one is all that is kept.
            details = Details() if act.right is Right.RECTIFICATION else details_of(act.right, said.encode())
            if people and self._stands(act, details, people):
                found.append((act, people, self._reviewed(act, details)))
        return found

    def _said(self, act: PastAct) -> tuple[Details | None, tuple[Identity, ...]]:
        return self._ledger.details(act.request_id, act.right), self._ledger.identities(act.request_id)

    def _stands(self, act: PastAct, details: Details | None, people: Iterable[Identity]) -> bool:
        """Whether it binds still: what a consent has ended since is not stopped once more."""
        if details is None or COURSES[act.right].act is not Operation.SUPPRESS:
            return True
        wanted = stop_of(details).remembered
        named = wanted if act.right is Right.OPT_OUT else wanted[:1]
        return not {one.scope for one in self._ledger.suppressed(people, at=self._at)}.isdisjoint(named)

    def _reviewed(self, act: PastAct, details: Details) -> Details:
        """A restriction is reviewed when the past one was to be."""
        stands = self._ledger.restriction(act.request_id) if isinstance(details, RestrictionDetails) else None
        return details.model_copy(update={"review_on": stands.review_on.date()}) if stands else details

    @cached_property
    def _here(self) -> Found:
        """Whom the system has of past acts. It is read once for all of them."""
        return self._roll.recognised(self._ledger.acts_of) if self._roll.listed else {}

    @cached_property
    def _corrections(self) -> dict[str, Corrected]:
        """What was corrected here, by request, in the order in which it was done; nothing of one whose values are
        destroyed, since it may not be disputed any more."""
        found = {}
        for act in sorted(self._acts, key=lambda one: (one.acted_at, one.request_id)):
            if act.right is Right.RECTIFICATION:
                people = self._ledger.identities(act.request_id) if act.known else self._here.get(act.request_id, ())
                made = kept_corrections(self._ledger, act.request_id, self._system.system)
                found[act.request_id] = Corrected(act, set(people), self._forms(people), made)
        return found

    @cached_property
    def _overtaken(self) -> list[tuple[PastAct, set[Identity]]]:
        """Closed corrections that know whom they are about, of which something was corrected once more since: the whole
        of such a one, done again, might write its old value over the newer one."""
        known = [one for one in self._corrections.values() if one.act.closed and one.act.known]
        return [(one.act, one.people) for one in known if self._lasting(one.act).some]

    def _lasting(self, act: PastAct) -> Lasting:
        mine, all_ = self._corrections[act.request_id], list(self._corrections.values())
        after = all_[all_.index(mine) + 1 :]
        later = [done for one in after if not mine.forms.isdisjoint(one.forms) for done in one.made]
        return _lasting(mine.made, later)

    def _forms(self, people: Iterable[Identity]) -> set[str]:
        """By which one person is told from all others here."""
        return {form for one in people if one.kind in self._roll.kinds for form in comparables(one).values()}

    def _corrected(self, act: PastAct, people: set[Identity]) -> list[Anew]:
        name, lasting = self._system.system, self._lasting(act)
        if lasting.unclear:
            self._undone(act, "overtaken_in_part")
        if not lasting.corrections:
            return []
        details = RectificationDetails(
            corrections=tuple(
                Wanted(system=name, collection=one.collection, values=dict(one.values), key=one.key)
                for one in lasting.corrections
            )
        )
        accepted = Accuracy(accepted=tuple(one.number for one in details.fields))
        return [Anew(act.request_id, people, details, Decided(accepted=accepted, systems=(name,)))]

    def _undone(self, act: PastAct, why: str = "") -> None:
        """Count what nobody can do again, and ask a person about it."""
        self._unclear[why or f"shredded_{act.right}"] += 1
        if not self._replay.report.get("dry"):
            key = f"{act.request_id}/{self._system.system}/{COURSES[act.right].act}/0"
            self._ledger.open_task(act.request_id, key, Code.UNDONE, self._system.system, at=self._at)


def _lasting(corrections: Iterable[Correction], later: Sequence[Correction]) -> Lasting:
    """What stands of some corrections beside later ones of the same person."""
    left, some, unclear = [], False, False
    for one in corrections:
        over = [
            two
            for two in later
            if two.collection == one.collection
            and (two.key is None or one.key in {None, two.key})
            and not one.values.keys().isdisjoint(two.values)
        ]
        gone = {name for two in over for name in two.values}
        left.append(replace(one, values={name: to for name, to in one.values.items() if name not in gone}))
        some = some or bool(over)
        unclear = unclear or (one.key is None and any(two.key is not None for two in over))
    return Lasting(tuple(one for one in left if one.values), some, unclear)


def _decided(details: Details) -> Decided | None:
    """What nobody is asked again: an objection that was carried out had been upheld."""
    return Decided(upheld=True) if is_weighed(details) else None
