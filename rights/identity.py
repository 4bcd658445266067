"""Identity: how sure the engine has to be of who asks, what each proof is worth, and what becomes of a request without.

The one rule: nothing is looked for, given out or changed before the level that the law and the right need is reached;
what needs no proof is written down in one place (`law/identity.yaml`), with its source.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.regimes import SHIPPED, RegimeName
from rights.request import Right
from rights.value import Value

HIGHEST: Final = 4
"""Levels: 0 nothing; 1 control of a channel; 2 an account, or a channel on file; 3 two of them, or a second factor;
4 a person has seen the person or their document, and so has a second one."""
BY_STEPS: Final = 3
"""The highest level that several proofs reach together; the fourth takes people."""

Level = Annotated[int, Field(ge=0, le=HIGHEST)]


class Rung(StrEnum):
    """The ladder: ways to prove who one is, from the least trouble to the most."""

    SIGNED_IN = "signed_in"
    SECOND_FACTOR = "second_factor"
    """Signed in, and confirmed by a second factor."""
    ADDRESS_GIVEN = "address_given"
    """A code to an address in the request: it proves control of that address, and no more."""
    CHANNEL_ON_FILE = "channel_on_file"
    POST = "post"
    DATA_POINTS = "data_points"
    IN_PERSON = "in_person"
    DOCUMENT = "document"
    ATTESTED = "attested"
    """A system, or a member of staff by role, says how sure they are."""


class Channel(StrEnum):
    """Ways to reach a person."""

    EMAIL = "email"
    PHONE = "phone"
    POST = "post"


class Circumstance(StrEnum):
    """What may make a proof needless."""

    MARKETING = "marketing"
    """An objection to direct marketing, carried out by suppressing alone."""
    SIGNAL = "signal"
    """Sent by the person's browser (GPC)."""
    MINOR = "minor"
    """The data of a child, to be put out of use first."""


class Unreached(StrEnum):
    """What becomes of a request whose asker is not proven in time."""

    LAPSE = "lapse"
    """It rests, and can be taken up again."""
    DENY = "deny"
    CATEGORIES = "categories"
    """It is answered by categories, without a copy."""
    OPT_OUT = "opt-out"
    """It is carried out as an opt-out."""


class Proof(Value):
    """One thing that was proven. No code, no address: `way` is a keyed digest of a channel, or a word."""

    rung: Rung
    at: datetime
    way: str = ""
    """What tells one way to the person from another; two proofs by one way count once."""
    fresh: bool = False
    """The contact was changed a few days before it was read."""
    second: bool = False
    """A second agent has looked as well."""
    matched: int = 0
    """Data points that match."""
    declared: bool = False
    """A signed declaration goes with it."""
    level: Level = 0
    """Attested: what was attested."""
    vouches: tuple[str, ...] = ()
    """Of what is attested by word: keyed digests of the identities that it is of."""


class RungLaw(Strict):
    """What a proof is worth."""

    level: Level
    steps: bool = False
    second_agent: bool = False
    shows: tuple[str, ...] | None = None
    """Kinds of identity that can be read off it; None: it does not say."""


class PointWindow(Strict):
    """How often data points about one person are tried in all requests together."""

    days: Annotated[int, Field(ge=1, le=365)]
    tries: Annotated[int, Field(ge=1, le=50)]


class CodeLaw(Strict):
    """How codes of one channel are made, and how long they are good."""

    digits: Annotated[int, Field(ge=6, le=12)]
    valid: timedelta
    tries: Annotated[int, Field(ge=1, le=10)]


class Free(Strict):
    """A right that needs no proof."""

    right: Right
    when: Circumstance | None = None
    source: str


class Policy(Strict):
    """How one law stands to proof, with what it leaves to the default filled in."""

    source: str
    confidence: Confidence
    needs: Mapping[Right, Level]
    point_levels: Mapping[int, Level] = {}
    """What so many matching data points are worth here; from level 3 on a signed declaration goes with them."""
    remind_days: tuple[int, ...]
    lapse_days: int
    resume_days: int
    answer_by_days: int | None = None
    """Where the clock does not wait: by how many days after receipt it is said what becomes of an unproven request."""
    unreached: Mapping[Right, Unreached] = {}
    categories_need: Level = HIGHEST

    def lapses_at(self, received_at: datetime, asked_at: datetime) -> datetime:
        """When a request lapses whose person has not answered the newest question."""
        lapse = asked_at + timedelta(days=self.lapse_days)
        if self.answer_by_days is None:
            return lapse
        return min(lapse, received_at + timedelta(days=self.answer_by_days))

    def becomes(self, right: Right, level: int) -> Unreached:
        """What becomes of a request that has reached no more than a level.

        Source: Cal. 11 CCR 7024(a), (b) for the categories; the others as `law/identity.yaml` says.
        """
        become = self.unreached.get(right, Unreached.LAPSE)
        if become is Unreached.CATEGORIES and level < self.categories_need:
            return Unreached.DENY
        return become

    def rests(self, right: Right) -> bool:
        """Whether a request that lapsed can be taken up again."""
        return self.unreached.get(right, Unreached.LAPSE) is Unreached.LAPSE


class _Section(Strict):
    """One law's differences from the default."""

    of: tuple[RegimeName, ...] = ()
    source: str
    confidence: Confidence
    needs: Mapping[Right, Level] = {}
    point_levels: Mapping[int, Level] = {}
    remind_days: tuple[int, ...] | None = None
    lapse_days: int | None = None
    resume_days: int | None = None
    answer_by_days: int | None = None
    unreached: Mapping[Right, Unreached] = {}
    categories_need: Level = HIGHEST

    @model_validator(mode="after")
    def _sure(self) -> Self:
        if self.confidence == "low" and Unreached.DENY in self.unreached.values():
            raise ValueError("a reading of low confidence denies nobody anything: leave 'deny' out, or look it up")
        return self


class MandateLaw(Strict):
    """How far a mandate of a kind goes by itself."""

    source: str
    confirmed: bool
    """Whether the person has to confirm it, over a channel that is on file."""


class Minors(Strict):
    """From which age on children act in their own name."""

    own_name_from: int
    of_age: int
    source: str
    confidence: Confidence


class IdentityLaw(Strict):
    """The whole file."""

    version: str
    rungs: Mapping[Rung, RungLaw]
    fresh_days: int
    codes: Mapping[Channel, CodeLaw]
    point_tries: Annotated[int, Field(ge=1, le=3)]
    point_window: PointWindow
    points_of_a_try: Mapping[Channel, Annotated[int, Field(ge=1, le=10)]]
    default: Policy
    without_proof: tuple[Free, ...]
    regimes: Mapping[str, _Section]
    mandates: Mapping[str, MandateLaw]
    minors: Minors

    @model_validator(mode="after")
    def _whole(self) -> Self:
        rungs = [rung for rung in Rung if rung is not Rung.ATTESTED]
        for where, names, said in (
            ("rungs", rungs, self.rungs),
            ("codes", list(Channel), self.codes),
            ("points_of_a_try", list(Channel), self.points_of_a_try),
            ("default.needs", list(Right), self.default.needs),
        ):
            if missing := sorted(str(name) for name in names if name not in said):
                raise ValueError(f"{where}: '{missing[0]}' is missing: add it")
        for name, section in self.regimes.items():
            if not section.of and name not in SHIPPED:
                raise ValueError(f"regimes.{name}: '{name}' is no regime that ships with the engine: name them by of")
        if self.default.point_levels:
            raise ValueError("default.point_levels: data points alone never release a copy: leave it out")
        return self

    def under(self, regime: str) -> Policy:
        """The policy of a regime."""
        for name, section in self.regimes.items():
            if regime in (section.of or (name,)):
                said = section.model_dump(exclude={"of", "needs"}, exclude_unset=True)
                needs = {**self.default.needs, **section.needs}
                return Policy.model_validate({**self.default.model_dump(), **said, "needs": needs})
        return self.default

    def needed(self, right: Right, regime: str, circumstances: Iterable[Circumstance] = ()) -> int:
        """The level that a right needs under a law, in some circumstances."""
        given = set(circumstances)
        if any(free.right is right and (free.when is None or free.when in given) for free in self.without_proof):
            return 0
        return self.under(regime).needs[right]

    def needed_under(self, right: Right, regimes: Iterable[str], circumstances: Iterable[Circumstance] = ()) -> int:
        """The level that a right needs where several laws apply: the highest of them."""
        given = tuple(circumstances)
        return max(self.needed(right, regime, given) for regime in regimes)

    def enough(self, proofs: Iterable[Proof], right: Right, regimes: Iterable[str]) -> bool:
        """Whether proofs reach what a right needs under each of some laws."""
        kept = tuple(proofs)
        return all(self.reached(kept, regime) >= self.needed(right, regime) for regime in regimes)

    def reached(self, proofs: Iterable[Proof], regime: str) -> int:
        """The level that proofs reach together.

        A proof through a contact that was changed a few days ago is worth what one through an address in the request
        is, and two proofs by one way count once.
        """
        policy, best, ways = self.under(regime), 0, set()
        for proof in proofs:
            if proof.rung is Rung.ATTESTED:
                # The fourth level takes a second agent, whatever one role says.
                best = max(best, proof.level if proof.second else min(proof.level, BY_STEPS))
                continue
            if proof.rung is Rung.DATA_POINTS:
                best = max(best, self._points(proof, policy))
                continue
            law = self.rungs[Rung.ADDRESS_GIVEN if proof.fresh else proof.rung]
            if law.second_agent and not proof.second:
                continue
            best = max(best, law.level)
            if law.steps:
                ways.add(proof.way or "account")
        return best + 1 if len(ways) > 1 and 0 < best < BY_STEPS else best

    def _points(self, proof: Proof, policy: Policy) -> int:
        worth = [
            level
            for points, level in policy.point_levels.items()
            if proof.matched >= points and (level < BY_STEPS or proof.declared)
        ]
        own = self.rungs[Rung.DATA_POINTS].level if proof.matched else 0
        return max([own, *worth])


def read_identity_law(file: str, text: str) -> IdentityLaw:
    """Read a file of this law.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read_law(IdentityLaw, file, text)


@cache
def identity_law() -> IdentityLaw:
    """The law that ships with the engine."""
    return read_identity_law("identity.yaml", shipped("identity.yaml"))


def circumstances_of(details: object) -> frozenset[Circumstance]:
    """What the details of a request say that may make a proof needless."""
    said = {
        Circumstance.MARKETING: getattr(details, "absolute", False),
        Circumstance.SIGNAL: getattr(details, "source", None) == "gpc",
        Circumstance.MINOR: getattr(details, "ground", None) == "minor",
    }
    return frozenset(circumstance for circumstance, is_so in said.items() if is_so)


# What is due while a request waits for proof.


class Move(StrEnum):
    """What the engine does by itself while a request waits for proof."""

    READ = "read"
    """Read the contact points in the directory."""
    SEND = "send"
    """Send a code that somebody has asked for."""
    REMIND = "remind"
    LAPSE = "lapse"
    """Say that nothing came, and what becomes of the request."""
    END = "end"
    """Close it: it can no longer be taken up again."""


class Waiting(Value):
    """How far the proof of a request is, as far as a workflow needs to know. The same for people who are known and for
    people who are not."""

    needed: Level = 0
    directory: str = ""
    """The system that may be asked for contact points; empty: there is none."""
    read: bool = False
    unsent: int = 0
    """Codes that were asked for and not sent yet."""
    alone: bool = False
    """All that the asker gave is proven, and the directory knows nobody by it: only these may be looked for."""
    categories: bool = False
    """Proven surely enough for the categories of what is held, and not told of these yet."""
    due: tuple[tuple[datetime, Move], ...] = ()
    """What comes by itself, and when, the earliest first."""

    def move(self, now: datetime) -> Move | None:
        """What is to be done now; None: wait."""
        if self.directory and not self.read:
            return Move.READ
        if self.unsent:
            return Move.SEND
        return next((move for at, move in self.due[:1] if at <= now), None)

    @property
    def wake_at(self) -> datetime | None:
        """Until when there is nothing to do by itself."""
        return self.due[0][0] if self.due else None
