"""Past requests carried out anew, in a system that was restored from a backup or is new to the map.

The one rule: everything goes through a request, with its fence, holds, looks and books: one that still knows whom it is
about is opened again, and where the vault is shredded the people are read from the restored system itself and
recognised by token. What cannot be told is counted as such, and nobody hears that it was done.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.calls import Beat, beating
from activities.pastacts import PastActs
from activities.rollcall import Found, RollCall
from activities.tools import Tools
from connectors.errors import ConnectorError
from connectors.traits import Quarantines
from ledger.erasures import EVER, PastErasure
from ledger.errors import LedgerRefusal
from ledger.remembering import Decided
from ledger.replays import Replay, anew_key
from rights.codes import Code
from rights.course import COURSES
from rights.datamap import DataMap, Mode, System, stricter
from rights.deadlines import start_clock
from rights.detail import Details
from rights.journal import REPLAYED
from rights.plan import Operation
from rights.receipt import Certainty, vouching
from rights.regimes import regime
from rights.request import Conclusion, Right
from rights.subject import Identity
from rights.value import Value

SOON: Final = timedelta(seconds=2)
LATER: Final = timedelta(minutes=1)
"""How long to wait for the requests that carry it out: a person's erasure takes seconds, and a person's word longer."""


class Replaying(Value):
    """A replay, and the workflow's time."""

    replay_id: str
    as_of: datetime


class Advanced(Value):
    """How far it is."""

    state: str
    over: bool
    next_in_seconds: float = 0


class ReplayActivities:
    """The work of the `replay` workflow."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="advance_replay", no_thread_cancel_exception=True)
    def advance(self, replaying: Replaying) -> Advanced:
        """Do the next part of a replay.

        Raises:
            ApplicationError: the system cannot be read, or nobody can be kept out of it, for now.
        """
        ledger = self._tools.ledger
        replay = ledger.replay(replaying.replay_id)
        if not replay.over:
            code: Code | None = None
            try:
                with beating() as beat:
                    self._next(replay, replaying.as_of, beat)
            except ConnectorError as error:
                code = error.code
            if code:
                # Out here, so that the driver's own error does not hang on ours: it may quote a value.
                ledger.note_replay(replay.id, replay.state, {"trouble": code}, at=replaying.as_of)
                raise ApplicationError(code, type="Retryable")
        after = ledger.replay(replay.id)
        young = replaying.as_of - after.begun_at < timedelta(minutes=5)
        pause = (SOON if young else LATER) if after.state == "waiting" else timedelta(0)
        return Advanced(state=after.state, over=after.over, next_in_seconds=pause.total_seconds())

    def _next(self, replay: Replay, at: datetime, beat: Beat) -> None:
        tools = self._tools
        system = tools.data_map.systems.get(replay.system)
        if system is None:
            raise ApplicationError(Code.MAP_CHANGED, type="Retryable")
        if replay.state == "quarantining":
            said = self._quarantine(system, replay)
            tools.ledger.note_replay(replay.id, "applying", {"quarantine": said, "trouble": ""}, at=at)
        elif replay.state == "applying":
            self._apply(replay, system, at, beat)
        else:
            self._see_whether_done(replay, system, at, beat)

    def _quarantine(self, system: System, replay: Replay) -> str:
        connector = self._tools.connectors.get(system.system)
        if replay.report.get("dry") or replay.since is None:
            return "not asked for"
        if not system.quarantine or not isinstance(connector, Quarantines):
            return "not configured"
        connector.shut()
        return "in force"

    def _apply(self, replay: Replay, system: System, at: datetime, beat: Beat) -> None:
        ledger = self._tools.ledger
        work = _Work(self._tools, replay, system, at, beat)
        report = work.carry_out()
        state = "waiting" if not replay.report.get("dry") else "dry"
        ledger.note_replay(replay.id, state, {**report, "trouble": ""}, at=at)

    def _see_whether_done(self, replay: Replay, system: System, at: datetime, beat: Beat) -> None:
        tools, ledger = self._tools, self._tools.ledger
        children = ledger.replay_children(replay.id)
        counts = {
            "open": sum(child.open for child in children),
            "waiting_for_a_person": sum(child.open and child.waits for child in children),
        }
        if counts["open"]:
            ledger.note_replay(replay.id, "waiting", counts, at=at)
            return
        ended = Counter(self._how(child.request_id, child.conclusion, replay.system) for child in children)
        work = _Work(tools, replay, system, at, beat)
        left = work.left()
        unsure = bool(replay.report.get("indeterminate")) or bool(ended["not_done"]) or bool(left)
        state = "unsure" if unsure else "clean"
        report = {**counts, "ended": dict(ended), "still_there": left}
        if replay.report.get("quarantine") == "in force" and not unsure:
            connector = tools.connectors.get(system.system)
            if isinstance(connector, Quarantines):
                connector.admit()
                report["quarantine"] = "lifted"
        ledger.note_replay(replay.id, state, report, at=at)
        log = structlog.get_logger()
        (log.error if unsure else log.info)("replay_ended", replay=replay.id, system=replay.system, state=state)

    def _how(self, request_id: str, conclusion: str | None, system: str) -> str:
        """How a request that carries something out anew has ended: done, kept in part on a ground, or not done."""
        if conclusion in {Conclusion.ANSWERED, Conclusion.NOTHING_HELD}:
            return "done"
        ledger = self._tools.ledger
        act = COURSES[ledger.request(request_id).right].act
        receipts = [r for r in vouching(ledger.receipts(request_id), act) if r.step.system == system]
        newest = {r.step.operation: r for r in receipts}
        done, seen = newest.get(act) if act else None, newest.get(Operation.VERIFY)
        if conclusion != Conclusion.IN_PART or done is None or not done.outcome.settled:
            return "not_done"
        if seen is not None:
            return "kept_in_part" if seen.outcome.settled and seen.certainty is Certainty.VERIFIED else "not_done"
        # An erasure or a correction is done once it was looked at, or somebody vouches for it.
        looked_at = act in {Operation.ERASE, Operation.RECTIFY} and done.certainty is not Certainty.ATTESTED
        return "not_done" if looked_at else "done"


class _Work:
    """What one replay comes to."""

    def __init__(self, tools: Tools, replay: Replay, system: System, at: datetime, beat: Beat) -> None:
        self._tools, self._ledger, self._replay, self._system = tools, tools.ledger, replay, system
        self._at = at
        self._dry = bool(replay.report.get("dry"))
        self._unclear: Counter[str] = Counter()
        """What cannot be told, by why: counts."""
        self._roll = RollCall(tools, system, beat)
        self._acts = PastActs(tools, replay, system, at, self._unclear, self._roll)

    def carry_out(self) -> dict[str, object]:
        """Open again, or anew, all that matters; in numbers what it comes to."""
        since = self._replay.since
        past = self._past()
        if since:
            # Half of what was under way at that moment may be in the backup, without the path that led to the rest.
            self._count("under_way_at_the_time", self._ledger.erasures_within(self._system.system, since))
            # Erasures are looked for whatever the system was called; the rest goes by its name.
            names = self._tools.data_map.systems
            self._count("in_a_system_that_is_gone", self._ledger.acts_in_systems_gone(since, names))
        known = [one for one in past if self._opened_again_by_itself(one)]
        rest = {one.request_id: one for one in past if one not in known}
        again = sum(self._again(one.request_id) for one in known)
        anew = self._those_at_work() if since else 0
        anew += self._recognised(rest)
        again += sum(self._again(request_id) for request_id in self._acts.again())
        anew += sum(self._open_anew(*act) for act in self._acts.anew())
        return {
            "erasures": len(past),
            "opened_again": again,
            "opened_anew": anew,
            "indeterminate": {why: number for why, number in self._unclear.items() if number},
        }

    def left(self) -> int:
        """How many past requests have somebody in the system whom they were not done for: erasures of whom somebody is
        there again and nobody has said now that they have come back by themselves, and others that were not opened."""
        kept = {
            child.request_id
            for child in self._ledger.replay_children(self._replay.id)
            if child.conclusion not in {Conclusion.ANSWERED, Conclusion.NOTHING_HELD}
        }
        if not self._roll.listed:
            # Then the looks of the requests are all there is to go by.
            return 0
        past = {one.request_id: one for one in self._past()}
        here = self._scan(past)
        since = self._replay.begun_at
        kept |= {one for one in here if self._ledger.came_back(one, self._system.system, since=since)}
        carried = {self._ledger.opened_anew(self._replay.id, one) or one for one in here}
        return len(carried - kept) + self._acts.left()

    def _past(self) -> list[PastErasure]:
        """The erasures that matter, without those that this replay has opened anew itself."""
        mine = {one.request_id for one in self._ledger.replay_children(self._replay.id) if not one.again}
        since = self._replay.since or EVER
        return [one for one in self._ledger.erasures_since(since) if one.request_id not in mine]

    def _opened_again_by_itself(self, one: PastErasure) -> bool:
        """Whether a past erasure still knows whom it was about, and this system."""
        if not one.known or self._replay.since is None:
            return False
        row = self._ledger.request(one.request_id)
        return self._system.system in self._tools.pinned(row.map_digest).systems

    def _again(self, request_id: str) -> bool:
        """Open a closed request again, to do in this system what it did."""
        if self._dry:
            return True
        name = self._system.system
        # Who has come back since may be in the backup with what they have given anew: a person says what goes.
        code = Code.RETURNED if self._ledger.came_back(request_id, name) else Code.RESTORED
        try:
            opened = self._ledger.reopen(request_id, {name: code}, at=self._at)
        except LedgerRefusal:
            self._count("shredded_meanwhile")
            return False
        already = {} if opened else self._ledger.reopenings(request_id)
        if not opened and already.get(name) is not code:
            # It is open already, for another reason. If that concerns another system it counts as one that is at work;
            # here a person is asked, and may say that what is there has come back by itself.
            if name in already or request_id not in self._ledger.running_erasures(name):
                self._count("open_already")
            return False
        self._ledger.note_replayed(self._replay.id, request_id, request_id, at=self._at)
        return True

    def _those_at_work(self) -> int:
        """Erasures that are open and have destroyed here: what they have done is undone, and they may be past it."""
        made = 0
        for request_id in self._ledger.running_erasures(self._system.system):
            row = self._ledger.request(request_id)
            if row.decided and row.decided.parts:
                self._count("open_and_in_part")
                continue
            made += self._open_anew(request_id, set(self._ledger.identities(request_id)))
        return made

    def _recognised(self, past: dict[str, PastErasure]) -> int:
        """Erasures of which only tokens are left, and all of them where the system is new: opened anew by whom the
        system itself has."""
        for one in past.values():
            if not one.tokens and not one.known:
                self._count("nothing_to_recognise_by")
        found: Found = {}
        if self._roll.listed:
            found = self._scan(past)
        elif past:
            # A bucket or a mailbox has no list of people: whom no vault knows cannot be looked for.
            self._count("cannot_be_listed", sum(not one.known for one in past.values()))
            found = {name: set(self._ledger.identities(name)) for name, one in past.items() if one.known}
        made = 0
        for request_id, people in found.items():
            if not past[request_id].whole:
                # What was left out of it by a decision would go with the rest.
                self._count("in_part_and_shredded")
            elif self._roll.listed and self._roll.several(people):
                # Whose it was, nobody can tell.
                self._count("several_match")
            else:
                made += self._open_anew(request_id, people)
        return made

    def _scan(self, past: dict[str, PastErasure]) -> Found:
        """Who of past erasures is in the system, by every field that tells one person from all others."""

        def among(people: Sequence[Identity]) -> list[list[str]]:
            return [[was.request_id for was in erased] for erased in self._ledger.erased(people)]

        found = self._roll.recognised(among) if past else {}
        return {request_id: people for request_id, people in found.items() if request_id in past}

    def _open_anew(
        self, request_id: str, people: set[Identity], details: Details | None = None, decided: Decided | None = None
    ) -> bool:
        """Open a request that carries a past one out in this system alone, about whom the system itself has."""
        if self._dry:
            return True
        ledger, replay = self._ledger, self._replay
        made = ledger.opened_anew(replay.id, request_id)
        if made is None:
            row = ledger.request(request_id)
            zone, holidays = row.clock.zone, row.clock.holidays
            clock, *further = (start_clock(regime(law), self._at, zone, holidays, row.right) for law in row.regimes)
            made = ledger.open_request(
                row.right,
                clock.regime,
                sorted(people, key=lambda one: (one.kind, one.value)),
                clock,
                further=further,
                received_at=self._at,
                idempotency_key=anew_key(replay.id, request_id),
                confirmed=True,
                details=details.model_dump_json().encode() if details else None,
                # By which it is its own wish, too: it is joined to no other request of the same person.
                assurance=REPLAYED,
                ground=REPLAYED if row.right is Right.ERASURE else "",
                second_factor=True,
                data_map=self._map(request_id),
                decided=decided,
            ).request_id
        ledger.note_replayed(replay.id, request_id, made, at=self._at)
        return True

    def _map(self, request_id: str) -> DataMap:
        """This system alone. Where it is new to the map, or somebody who was erased is known to have come back since, a
        person sees first who would go."""
        asks = self._replay.since is None or self._ledger.came_back(request_id, self._system.system)
        system = stricter(self._system, Mode.APPROVE) if asks else self._system
        return DataMap.of({system.system: system})

    def _count(self, why: str, number: int = 1) -> None:
        self._unclear[why] += number
