"""Telling the recipients of a person's data what was done with it (GDPR Art. 19).

The one rule: a recipient is told only what it has to act on, about the identities by which it knows the person, and
only while there is a basis for sending it anything.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from temporalio import activity

from activities.opening import Ask
from activities.tools import Tools
from ledger.notices import Answer, Draft, Notice, reached_by
from rights.datamap import DataMap
from rights.letters import Particulars
from rights.plan import Operation
from rights.receipt import Certainty, Outcome, Receipt
from rights.recipients import TOLD, UNPUBLISHED, Recipient, told_act
from rights.reckoning import local_day
from rights.rectification import Disputed, Noted
from rights.request import Phase, may_move
from rights.subject import Identity


class TellingActivities:
    """Tells recipients."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="tell_recipients", no_thread_cancel_exception=True)
    def tell(self, ask: Ask) -> int:
        """Queue a notice to every recipient that has data of a collection in which something was changed; how many were
        not told before. What there is no basis for sending becomes a task."""
        tools, ledger = self._tools, self._tools.ledger
        row = ledger.request(ask.request_id)
        act = told_act(row.right)
        if act is None:
            return 0
        every = ledger.receipts(ask.request_id)
        receipts = [r for r in every if r.step.operation in {act, Operation.VERIFY}]
        data_map = tools.pinned(row.map_digest)
        changed = _opted_out(receipts, data_map) if act is Operation.SUPPRESS else _changed(every, act, data_map)
        public = _published(changed, data_map) if act is Operation.ERASE else {}
        remade = data_map.worked_out_from(changed) if act is Operation.RECTIFY else []
        concerned, shown = tools.register.told_of(changed), tools.register.shown_by(public)
        if not (concerned or public or remade):
            return 0
        if may_move(row.phase, Phase.TELLING):
            ledger.move(ask.request_id, Phase.TELLING, at=ask.as_of)
        day = local_day(ask.as_of, row.clock.zone)
        people = ledger.identities(ask.request_id)
        noted = ledger.disputes_of(ask.request_id, data_map.shared_kinds) if act in _GOES_ON else ()
        drafts = []
        for handle, recipient in concerned.items():
            own = recipient.told_by.system is not None
            if not own and tools.register.refuses(handle, day, row.regimes):
                due = day + timedelta(days=recipient.answers_within_days)
                drafts.append(Draft(handle, TOLD[act], "blocked", due))
                continue
            about = [one for one in people if one.kind in recipient.knows_by]
            categories = sorted(_categories(recipient, changed, data_map))
            beside = _disputed(recipient, noted, data_map)
            drafts.append(_draft(handle, recipient, act, day, receipts, about, categories, beside))
        were = _named(public, data_map)
        drafts += [self._of_links(handle, shown[handle], day, row.regimes, people, were) for handle in sorted(shown)]
        if public:
            places = sorted(f"{system}.{name}" for system, names in public.items() for name in names)
            ledger.note_published(ask.request_id, places, were, due_on=day + _ANSWERS, at=ask.as_of)
        if remade:
            ledger.note_worked_out(ask.request_id, remade, due_on=day + _ANSWERS, at=ask.as_of)
        return ledger.tell(ask.request_id, drafts, at=ask.as_of)

    def _of_links(
        self,
        handle: str,
        recipient: Recipient,
        day: date,
        regimes: Collection[str],
        people: Iterable[Identity],
        were: list[str],
    ) -> Draft:
        """What another controller is told of what had been made public."""
        due = day + timedelta(days=recipient.answers_within_days)
        if self._tools.register.refuses(handle, day, regimes):
            return Draft(handle, UNPUBLISHED, "blocked", due)
        about = [one for one in people if one.kind in recipient.knows_by]
        return _letter(handle, recipient, UNPUBLISHED, due, about, were)

    @activity.defn(name="tell_recipients_of_lifting", no_thread_cancel_exception=True)
    def tell_of_lifting(self, ask: Ask) -> int:
        """Tell every recipient that was told of a restriction that it is lifted; how many were not told before.

        Who was also told of another one that is still in force hears nothing: it may not use the data again yet.
        """
        tools, ledger = self._tools, self._tools.ledger
        told = _told_of_restriction(ledger.notices(ask.request_id))
        for other in ledger.restricting_too(ask.request_id) if told else ():
            told -= _told_of_restriction(ledger.notices(other))
        if not told:
            return 0
        row = ledger.request(ask.request_id)
        receipts = ledger.receipts(ask.request_id)
        data_map = tools.pinned(row.map_digest)
        changed = _changed(receipts, Operation.RESTRICT, data_map)
        lifts = [r for r in receipts if r.step.operation is Operation.LIFT]
        day, people = local_day(ask.as_of, row.clock.zone), ledger.identities(ask.request_id)
        noted = ledger.disputes_of(ask.request_id, data_map.shared_kinds)
        drafts = []
        for handle in sorted(told):
            recipient = tools.register.recipients.get(handle)
            own = recipient is not None and recipient.told_by.system is not None
            if recipient is None or (not own and tools.register.refuses(handle, day, row.regimes)):
                drafts.append(Draft(handle, TOLD[Operation.LIFT], "blocked", day + _ANSWERS))
                continue
            about = [one for one in people if one.kind in recipient.knows_by]
            categories = sorted(_categories(recipient, changed, data_map))
            beside = _disputed(recipient, noted, data_map)
            drafts.append(_draft(handle, recipient, Operation.LIFT, day, lifts, about, categories, beside))
        return ledger.tell(ask.request_id, drafts, at=ask.as_of)


_ANSWERS: Final = timedelta(days=30)
"""Until when somebody sees to a recipient that cannot be written to: as long as one has to answer."""


def _told_of_restriction(notices: Iterable[Notice]) -> set[str]:
    """Who knows of a restriction, and of nothing that has ended it."""
    told: set[str] = set()
    for notice in notices:
        if notice.operation == TOLD[Operation.RESTRICT] and notice.how != "blocked":
            told.add(notice.recipient)
        elif notice.operation == TOLD[Operation.LIFT] and notice.how != "blocked":
            told.discard(notice.recipient)
    return told


def _opted_out(receipts: Iterable[Receipt], data_map: DataMap) -> dict[str, set[str]]:
    """The collections of each system in which an opt-out took hold. All of them: it is about what was given away of the
    person, not about the row that says so."""
    return {
        receipt.step.system: set(data_map.systems[receipt.step.system].collections)
        for receipt in receipts
        if receipt.step.operation is Operation.SUPPRESS
        and receipt.outcome is Outcome.DONE
        and receipt.step.system in data_map.systems
    }


def _changed(receipts: Iterable[Receipt], act: Operation, data_map: DataMap) -> dict[str, set[str]]:
    """The collections in which something was changed, by system. Where a person says that it is done, or a call was cut
    before it could count, all that was found counts as changed; and where nobody has counted, all that the system has
    of people. Of a correction by hand it is not known where it was one."""
    changed: defaultdict[str, set[str]] = defaultdict(set)
    found: defaultdict[str, set[str]] = defaultdict(set)
    by_hand = set()
    for receipt in receipts:
        system, counts = receipt.step.system, receipt.tally.counts
        if receipt.step.operation is Operation.LOCATE:
            found[system] |= {count.collection for count in counts if count.found}
        if receipt.step.operation is not act:
            continue
        blind = receipt.certainty is Certainty.ATTESTED
        if blind and not counts and receipt.outcome is Outcome.DONE and act is not Operation.RECTIFY:
            by_hand.add(system)
        for count in counts:
            done = count.rectified if act is Operation.RECTIFY else (count.changed or count.found)
            if done or blind:
                changed[system].add(count.collection)
    for system in by_hand:
        mapped = data_map.systems[system].collections if system in data_map.systems else ()
        changed[system] |= found[system] or set(mapped)
    return changed


def _published(changed: Mapping[str, set[str]], data_map: DataMap) -> dict[str, set[str]]:
    """Of changed collections, those that had been made public."""
    found = {
        system: {name for name in names if data_map.systems[system].collections[name].published}
        for system, names in changed.items()
        if system in data_map.systems
    }
    return {system: names for system, names in found.items() if names}


def _named(public: Mapping[str, set[str]], data_map: DataMap) -> list[str]:
    """The categories of published collections; of one without any, its name."""
    found: set[str] = set()
    for system, names in public.items():
        for name in names:
            found |= data_map.systems[system].collections[name].categories or {name}
    return sorted(found)


def _categories(recipient: Recipient, changed: Mapping[str, set[str]], data_map: DataMap) -> set[str]:
    """The categories that a notice names; of a collection without any, its name."""
    found: set[str] = set()
    for system, names in changed.items():
        for name in names:
            if recipient.has(system, name) and system in data_map.systems:
                found |= data_map.systems[system].collections[name].categories or {name}
    return found


def _named_field(one: Disputed, data_map: DataMap) -> str:
    """The category of a field; of one without any, or that has left the map, its name."""
    system = data_map.systems.get(one.system)
    collection = system.collections.get(one.collection) if system else None
    field = collection.fields.get(one.field) if collection else None
    return (field.category if field else None) or one.field


_GOES_ON: Final = frozenset({Operation.RECTIFY, Operation.RESTRICT})
"""Acts after which whoever is told of them still has the data, and may use it one day."""


def _disputed(recipient: Recipient, noted: Iterable[Noted], data_map: DataMap) -> dict[str, object]:
    """What a recipient hears of what the person disputes in data that it has and that was not corrected."""
    places: list[str] = []
    said: list[str] = []
    for one in noted:
        theirs = [field for field in one.fields if recipient.has(field.system, field.collection)]
        places += [_named_field(field, data_map) for field in theirs]
        if theirs and one.statement:
            said.append(one.statement)
    if not places:
        return {}
    return {"disputed": sorted(set(places)), "disputed_statement": "\n\n".join(said) or None}


def _draft(
    handle: str,
    recipient: Recipient,
    act: Operation,
    day: date,
    receipts: Iterable[Receipt],
    about: list[Identity],
    categories: list[str],
    beside: Mapping[str, object],
) -> Draft:
    due = day + timedelta(days=recipient.answers_within_days)
    told_by = recipient.told_by
    if told_by.system:
        last = [r for r in receipts if r.step.system == told_by.system]
        # A correction that found no row has corrected nothing.
        ends = {Outcome.DONE} if act is Operation.RECTIFY else {Outcome.DONE, Outcome.NOTHING_HELD}
        done = bool(last) and last[-1].outcome in ends
        # What we have looked at ourselves needs no other proof; what its own processors have, nobody here can look at.
        alone = act is Operation.ERASE and recipient.processors
        word = Answer.CONFIRMED_ALONE if alone else Answer.CONFIRMED
        of_it = ("processors",) if alone else ()
        return Draft(handle, TOLD[act], "system", due, answer=word if done else None, owes=of_it)
    return _letter(
        handle,
        recipient,
        TOLD[act],
        due,
        about,
        categories,
        owes=recipient.owes if act is Operation.ERASE else (),
        beside=beside,
    )


def _letter(
    handle: str,
    recipient: Recipient,
    told: str,
    due: date,
    about: list[Identity],
    categories: list[str],
    *,
    owes: tuple[str, ...] = (),
    beside: Mapping[str, object] = MappingProxyType({}),
) -> Draft:
    """What is told by letter."""
    said = Particulars.model_validate(
        {
            "operation": told,
            "categories": categories,
            "about": [(one.kind, one.value) for one in about],
            "respond_by": due,
            "processors": [one.name for one in recipient.processors] if "processors" in owes else [],
            "proof": recipient.proof if recipient.proof in owes else None,
            **beside,
        }
    )
    channel = reached_by(recipient)
    return Draft(handle, told, channel.kind, due, channel=channel, said=said.model_dump_json().encode(), owes=owes)
