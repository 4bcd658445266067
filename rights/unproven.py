"""What becomes of a request whose asker is not proven, and when, under all the laws that it is asked under.

The one rule: nobody loses anything under one law that another still leaves them; what any law gives instead is given.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from rights.identity import Move, Policy, Unreached, identity_law
from rights.letters import TreatedAs
from rights.request import Right
from rights.several import due_first, owed, taken_last
from rights.value import Value

KINDEST: Final = (Unreached.CATEGORIES, Unreached.OPT_OUT, Unreached.LAPSE, Unreached.DENY)
"""What leaves the person most, first."""
GIVEN: Final = frozenset({Unreached.CATEGORIES, Unreached.OPT_OUT})
"""What a law gives instead of what was asked for."""


class Together(Value):
    """How the laws of one request stand to proof, in their order (`rights.several`). At least one."""

    policies: tuple[Policy, ...]

    @property
    def remind_days(self) -> tuple[int, ...]:
        """The reminders that any of the laws wants."""
        return tuple(sorted(owed(policy.remind_days for policy in self.policies)))

    def lapses_at(self, right: Right, received_at: datetime, asked_at: datetime) -> datetime:
        """When a request lapses.

        What a law gives instead (categories, an opt-out) is given as soon as it wants that; else a lapse comes under
        the last of the laws. The term of one that does not wait for proof is seen all the same: the request's clock has
        it, and asks a person for an answer.
        """
        giving = [policy for policy in self.policies if policy.unreached.get(right) in GIVEN]
        if giving:
            return due_first(policy.lapses_at(received_at, asked_at) for policy in giving)
        return taken_last(policy.lapses_at(received_at, asked_at) for policy in self.policies)

    def ends_at(self, right: Right, received_at: datetime, asked_at: datetime, lapsed_at: datetime) -> datetime:
        """Until when a request that lapsed can be taken up again; the lapse itself: it cannot."""
        resting = [policy for policy in self.policies if policy.rests(right)]
        return taken_last(
            [
                lapsed_at,
                *(
                    max(lapsed_at, policy.lapses_at(received_at, asked_at)) + timedelta(days=policy.resume_days)
                    for policy in resting
                ),
            ]
        )

    def becomes(self, right: Right, levels: Iterable[int]) -> Unreached:
        """What becomes of a request, by the level that it has reached under each of the laws: what leaves the person
        most."""
        each = [policy.becomes(right, level) for policy, level in zip(self.policies, levels, strict=True)]
        return min(each, key=KINDEST.index)

    def treated_as(self, right: Right, became: Unreached) -> TreatedAs | None:
        """As what the request is carried out instead, in the words of letters; None: as nothing.

        Source: Cal. 11 CCR 7024(a), (b): categories, and where these are denied too, what the privacy notice says.
        """
        if became in GIVEN:
            return "categories" if became is Unreached.CATEGORIES else "opt_out"
        owed_notice = any(policy.unreached.get(right) is Unreached.CATEGORIES for policy in self.policies)
        return "privacy_notice" if owed_notice else None


def together(regimes: Iterable[str]) -> Together:
    """How some laws stand to proof at once."""
    return Together(policies=tuple(map(identity_law().under, regimes)))


def coming(
    laws: Together,
    right: Right,
    *,
    received_at: datetime,
    asked_at: datetime | None,
    reminded: int,
    lapsed_at: datetime | None,
) -> tuple[tuple[datetime, Move], ...]:
    """What comes by itself while a request waits: the next reminder, the lapse, the end.

    Nothing lapses that was not asked for: without a question to the person there is nothing they have not answered.
    """
    if lapsed_at is not None:
        return ((laws.ends_at(right, received_at, asked_at or lapsed_at, lapsed_at), Move.END),)
    if asked_at is None:
        return ()
    lapse = laws.lapses_at(right, received_at, asked_at)
    remind = [asked_at + timedelta(days=day) for day in laws.remind_days[reminded:]]
    return tuple(sorted([*((at, Move.REMIND) for at in remind if at < lapse), (lapse, Move.LAPSE)]))
