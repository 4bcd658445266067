"""Receiving a request: the one function behind every door.

The one rule: one commit in the ledger receives it; the door answers then, even while Temporal is down, and the time of
that commit is the time of receipt.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from ledger.ledger import Ledger
from ledger.letters import Channel
from ledger.minors import MinorReport
from ledger.requests import Opened
from rights.datamap import DataMap
from rights.deadlines import start_clock
from rights.details import MODELS, Details, needs_details
from rights.erasing import stated_ground
from rights.identity import Proof, Rung, circumstances_of, identity_law
from rights.objections import (
    OPT_OUT_LAW,
    ConsentWithdrawalDetails,
    OptOutDetails,
    is_immediate,
    needs_parent,
    source_of,
    stop_of,
)
from rights.recognition import recognise
from rights.regimes import SHIPPED, Regime, regime
from rights.request import Right
from rights.subject import Identity, Sharing, parse_identities
from rights.suppression import Scope, stops_in
from rights.tying import VouchError, chosen, vouched
from rights.value import Value

MAX_TEXT: Final = 100_000
"""Characters of free text with a request; a long letter has a tenth of that."""


class SubmissionError(ValueError):
    """Something in a new request cannot stand. One sentence that says what to do, without any value that was typed."""


class Lane(NamedTuple):
    """What is said to be a child's data goes a way of its own (`starter.minors`)."""

    within: timedelta
    """What the engine works towards, from the receipt on."""
    report: MinorReport | None = None
    """With the erasure: it does not wait to be thought over, but for a second person's ruling."""


class Rules(Value):
    """What the settings say about every new request."""

    regime: str
    zone: str
    holidays: tuple[date, ...] = ()
    letters: bool = False
    """Whether letters are sent: then a request is acknowledged to the address it names, and answered there."""


def submit(
    ledger: Ledger,
    data_map: DataMap,
    rules: Rules,
    right: str,
    identities: Iterable[tuple[str, str]],
    *,
    received_at: datetime,
    confirmed: bool = False,
    idempotency_key: str | None = None,
    text: str | None = None,
    details: Details | None = None,
    proof: Proof | None = None,
    proves: Sequence[str] = (),
    regimes: Sequence[str] = (),
    lane: Lane | None = None,
    asked: bytes | None = None,
    by: str = "",
) -> Opened:
    """Check what was typed and commit it to the ledger.

    Args:
        identities: pairs of kind and value.
        confirmed: whether the caller attests that the asker is the person, by all identities that they give.
        details: what the asker says beyond who they are; of the model of this right.
        proof: what a system says of the asker (signed in, or how sure it is), which may be enough.
        proves: names of the identities that this is of (`rights.tying.names_of`); may be left out where one is given.
        regimes: the laws it is asked under, where that is not the one of the settings; the clocks of all of them run.
        idempotency_key: the caller's name for this request; given again, it finds the same request.
        asked: with the idempotency key, a keyed digest of all that the caller said (`Ledger.asked_mark`): another call
            under it is told from a repetition.
        by: who of the controller's staff opens it, by an opaque id.
        lane: a report that it is a child's data; nobody is written to as the asker.

    Raises:
        SubmissionError: something cannot stand; nothing was started.
        KeyReused: the idempotency key belongs to another request.
    """
    known = known_right(right)
    people = parse_identities(identities)
    kinds = data_map.identity_kinds
    # Whoever opts out may be known to nobody but a browser.
    if known is not Right.OPT_OUT and {i.kind for i in people} - set(kinds):
        raise SubmissionError(f"no system of the data map knows that identity kind: use one of {', '.join(kinds)}")
    if text is not None:
        if len(text) > MAX_TEXT:
            raise SubmissionError(f"the text is longer than {MAX_TEXT:,} characters: shorten it")
        if "\0" in text:
            raise SubmissionError("the text holds a NUL byte: save it as plain text and try again")
    if idempotency_key is not None and not 1 <= len(idempotency_key) <= 200:
        raise SubmissionError("an idempotency key has 1 to 200 characters")
    if details is None and needs_details(known):
        raise SubmissionError(f"a request about {known} says more than who asks: give its details")
    _refuse_strange(data_map, known, details)
    laws = [_law(name) for name in dict.fromkeys(regimes or (_usual_law(rules, details),))]
    if regimes:
        _refuse_unknown_to_all(laws, known)
    clocks = [start_clock(law, received_at, rules.zone, rules.holidays, known) for law in laws]
    clock, *further = (one.hurried(lane.within) for one in clocks) if lane else clocks
    written_to = None if lane else _reply(people)
    under = [law.regime for law in laws]
    level = identity_law().needed_under(known, under, circumstances_of(details))
    by_parent = needs_parent(details)
    if by_parent and confirmed:
        raise SubmissionError(
            "only a parent refuses further collection: leave --confirmed-by out, and keep their mandate once it is "
            "open (habeas identity mandate)"
        )
    of = _proven(proof, people, proves, free=level == 0)
    whole = len(of) == len(people)
    enough = proof is not None and whole and not by_parent and identity_law().enough([proof], known, under)
    opened = ledger.open_request(
        known,
        laws[0].regime,
        people,
        clock,
        further=further,
        received_at=received_at,
        idempotency_key=idempotency_key,
        asked=asked,
        confirmed=confirmed or enough or level == 0,
        free_text=text,
        proof=proof,
        proves=of,
        assurance="attested" if confirmed else "proven" if enough else "none_needed" if level == 0 else "",
        details=None if details is None else details.model_dump_json(exclude_none=True).encode(),
        ground=stated_ground(known, details),
        reply=written_to if rules.letters else None,
        # Whoever is signed in as one person does not hurry an erasure along that is about another as well.
        second_factor=proof is not None and proof.rung is Rung.SECOND_FACTOR and whole,
        minor=lane.report if lane else None,
        by_parent=by_parent,
        also=recognise(text).beyond(known) if text else (),
        by=by,
    )
    if details is not None and is_immediate(known, details):
        # Before anything else, and again by the run: the door may die between its two commits.
        scopes = stop_of(details).remembered
        ledger.suppress(opened.request_id, people, scopes, source=source_of(details), at=received_at)
    return opened


def _proven(
    proof: Proof | None, people: Sequence[Identity], said: Sequence[str], *, free: bool
) -> tuple[Identity, ...]:
    """The identities that a system's word is of. Where nobody has to prove anything (`free`), it need not say."""
    try:
        if proof is None:
            if said:
                raise SubmissionError("what is proven is said with how: --proves goes with --signed-in or --assurance")
            return ()
        return chosen(people, said) if free else vouched(identity_law(), proof.rung, people, said)
    except VouchError as error:
        raise SubmissionError(str(error)) from None


def _refuse_strange(data_map: DataMap, right: Right, details: Details | None) -> None:
    """Refuse details of another right, and names that are not in the data map."""
    if details is None:
        return
    if type(details) is not MODELS.get(right):
        raise SubmissionError(f"these are no details of a request about {right}")
    try:
        details.require(data_map)
    except ValueError as error:
        raise SubmissionError(str(error)) from None
    if isinstance(details, ConsentWithdrawalDetails):
        _refuse_unknown_consent(data_map, details)


def _usual_law(rules: Rules, details: Details | None) -> str:
    """The law of the settings; but for an opt-out of sale or sharing, or a limit on sensitive data, the one with the
    shortest term, since nobody may be asked where they live before it is carried out."""
    wanted = {Scope.SALE, Scope.SHARING, Scope.SENSITIVE}
    if isinstance(details, OptOutDetails) and wanted & set(details.of):
        return OPT_OUT_LAW
    return rules.regime


def _refuse_unknown_consent(data_map: DataMap, details: ConsentWithdrawalDetails) -> None:
    resting = [c for system in data_map.systems.values() for c in system.collections.values() if c.rests_on_consent]
    if not any(stops_in(system, stop_of(details)) for system in data_map.systems.values()):
        known = "; ".join(sorted({c.purpose for c in resting if c.purpose})) or "none says so: write lawful_basis"
        raise SubmissionError(f"nothing in the data map rests on such a consent; what does is for: {known}")


def _reply(people: Sequence[Identity]) -> Channel | None:
    """Where the asker is written to: the first e-mail address that the request names."""
    addresses = (person.value for person in people if person.kind == "email" and person.sharing is not Sharing.HINT)
    return next((Channel("email", address) for address in addresses), None)


def _law(name: str) -> Regime:
    if name not in SHIPPED or not regime(name).enabled:
        raise SubmissionError("that is no law the engine goes by: habeas deadline --list shows those that are enabled")
    return regime(name)


def _refuse_unknown_to_all(laws: Sequence[Regime], right: Right) -> None:
    """Refuse laws that were named for a right that none of them gives. Under the law of the settings everything is
    received: whether the person may ask for it is for people to say, on the record (habeas decision)."""
    if not any(right in law.rights for law in laws):
        given = "; ".join(f"{law.regime} gives {', '.join(law.rights)}" for law in laws)
        raise SubmissionError(
            f"no law that was named gives a right of '{right}': {given}. "
            "Ask for one of these, or name no law: then the one of the settings counts"
        )


def known_right(text: str) -> Right:
    """The right of a name.

    Raises:
        SubmissionError: there is none of this name.
    """
    try:
        return Right(text)
    except ValueError:
        known = ", ".join(sorted(Right))
        raise SubmissionError(f"that is no right the engine knows: write one of {known}") from None
