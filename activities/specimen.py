"""A specimen of each letter: everything that a kind can say, made up.

The one rule: nobody in it exists; it is printed so that an operator sees a letter before a person gets one.
"""

from datetime import UTC, date, datetime
from typing import Final

from rights.audience import Answered, Lingering, State
from rights.demanddays import Days
from rights.letterkinds import ANSWERS, LetterKind, Result
from rights.letters import Corrected, Language, LetterFacts, Links, Locked, Party, Processing, Recipient, Withheld
from rights.receipt import Certainty, Kept
from rights.request import Right

REFERENCE: Final = "01kb000000000000000000anna"
_RIGHTS: Final = {kind: right for right, kind in ANSWERS.items()} | {
    LetterKind.ANSWER_CATEGORIES: Right.ACCESS,
    LetterKind.TRANSMISSION_DONE: Right.PORTABILITY,
    LetterKind.FORWARDED_REQUEST: Right.ACCESS,
    LetterKind.PASSED_ON: Right.ACCESS,
    LetterKind.RESTRICTION_TO_BE_LIFTED: Right.RESTRICTION,
    LetterKind.MINOR_RESTRICTED: Right.RESTRICTION,
    LetterKind.MINOR_CLEARED: Right.RESTRICTION,
}

_GROUNDS: Final = {
    LetterKind.ANSWER_RESTRICTION: "accuracy",
    LetterKind.RESTRICTION_TO_BE_LIFTED: "verified",
    LetterKind.LAPSE: "identity_not_proven",
    LetterKind.EXTENSION_NOTICE: "complexity",
}


def specimen(
    kind: LetterKind,
    regime: str,
    *,
    language: Language = "en",
    child: bool = False,
    right: Right | None = None,
    result: Result | None = None,
) -> LetterFacts:
    """Everything that a letter of this kind can say."""
    right = right or _RIGHTS.get(kind, Right.ERASURE)
    done = kind in ANSWERS.values() or kind in {LetterKind.INTERIM_ANSWER, LetterKind.WITHDRAWN}
    part = result is not Result.DONE
    return LetterFacts(
        kind=kind,
        reference=REFERENCE,
        regime=regime,
        written_on=date(2026, 11, 26),
        language=language,
        child=child,
        right=right,
        received=date(2026, 11, 2),
        zone="Europe/Berlin",
        due=date(2026, 12, 2),
        to=Party(name="Anna Berg", address=("1 Example Street", "12345 Berlin")),
        systems=_systems(right, part) if done else (),
        result=result,
        ground=_GROUNDS.get(kind),
        provision="Section 1 of the Example Act" if regime == "ca-qc" else None,
        reason="This is the place of the reason that whoever decides has written." if part else None,
        abuse_objective="This is the place of the circumstances.",
        abuse_subjective="This is the place of what they show of the intention.",
        fee="EUR 12.50",
        question="This is the place of the question.",
        asked=("channel_on_file", "second_factor"),
        code="4711 0815",
        code_minutes=1440,
        statement="This is the place of what whoever decides has to say.",
        disputed_note=True,
        not_looked=("archive",),
        treated_as="categories",
        respond_by=date(2026, 12, 10),
        extended_due=date(2027, 2, 2),
        stop_until=datetime(2026, 11, 29, 9, 30, tzinfo=UTC),
        review_on=date(2027, 1, 15),
        lift_on=date(2026, 12, 20),
        available_until=date(2026, 12, 16),
        effective_on=date(2027, 1, 1),
        appeal_due=date(2027, 1, 25),
        links=Links(
            stop="https://example.com/stop",
            reply="https://example.com/reply",
            parcel="https://example.com/parcel",
            status="https://example.com/status",
            notice="https://example.com/privacy",
        ),
        withheld=(Withheld(item="credentials", system="shop"),),
        redacted=3,
        corrected=(Corrected(system="shop", collection="customers", fields=("email", "city")),),
        locked=(Locked(system="shop", collections=("orders",), beyond=(("orders", ("payment", "other")),)),),
        processing=(
            Processing(
                system="shop",
                collection="orders",
                purpose="to deliver what was ordered",
                lawful_basis="contract",
                categories=("contact", "payment"),
                recipients=("Example Carrier",),
                storage=("ten years",),
                source="the person",
                transfers="none",
            ),
        ),
        recipients=(
            Recipient(name="Example Carrier", contact="privacy@carrier.example", country="DE", categories=("contact",),
                      told_on=date(2026, 11, 20), answer="confirmed"),
            Recipient(name="Example Mailer"),
        ),
        suppressed=True,
        categories=("contact", "payment"),
        about=(("email", "anna@example.org"),),
        disputed=("contact",),
        disputed_statement="This is the place of what the person has to say of it.",
        contract="Agreement 17",
        ends_on=date(2026, 12, 31),
        choice="erase",
        processors=("Example Hosting",),
        proof="certificate",
        operation="erased",
        made_public=("reviews",),
        purposes=("direct marketing",),
        controller="Example Provider",
        requester="Example Police (DE)",
        demand_kind="production_order",
        demanded=("contact", "payment"),
        demand_basis="This is the place of the provision that the authority names.",
        response="examined",
        demanded_days=Days(since=date(2026, 1, 1), until=date(2026, 6, 30)),
        disclosed=("contact",),
        disclosed_days=Days(since=date(2026, 3, 1)),
        disclosed_undated=True,
        disclosed_rows=4,
        disclosed_on=date(2026, 11, 20),
        was_forbidden=True,
        title="Privacy notice, version 4",
        changes=("We use another carrier.",),
    )  # fmt: skip


def _systems(right: Right, part: bool) -> tuple[Answered, ...]:
    erased = right is Right.ERASURE
    kept = (Kept(ground="§ 257 HGB: invoices", until=date(2033, 12, 31), rows=2),) if part and erased else ()
    sure = Certainty.COMPLETED if right.copies else Certainty.VERIFIED
    return (
        Answered(
            system="shop",
            state=State.DONE,
            certainty=sure,
            found=14,
            erased=12 if erased else 0,
            kept=kept,
            backups=Lingering(until=date(2026, 12, 31), beyond_use="not restored without erasing again")
            if erased
            else None,
        ),
        Answered(system="newsletter", state=State.ACCEPTED, certainty=Certainty.ACCEPTED, ask_again=date(2026, 12, 1)),
        Answered(system="archive", state=State.NOTHING_FOUND),
    )
