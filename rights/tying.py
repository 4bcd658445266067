"""What a proof proves: which of the identities that were given it is of, and what the directory ties to those.

The one rule: a proof counts for what it is of, and for what a row of the directory says is the same person's; what
stands beside it in a request is nobody's until that is proven too.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rights.identity import HIGHEST, IdentityLaw, Level, Proof, Rung
from rights.request import Right
from rights.subject import Identity
from rights.value import Value

ALL: Final = "all"
"""Written for every identity that was given."""
TIES: Final = 2
"""The level from which on somebody's word for several identities says that they are one person's."""
BY_WORD: Final = frozenset({Rung.SIGNED_IN, Rung.SECOND_FACTOR, Rung.IN_PERSON, Rung.DOCUMENT, Rung.ATTESTED})
ON_FILE: Final = frozenset({Rung.CHANNEL_ON_FILE, Rung.POST})


_UNNAMED: Final = ""
"""A person whose rows say nothing that tells them from all others, such as an address that a family shares."""


class VouchError(ValueError):
    """It is not said what a proof is of; one sentence that says what to write, without any value."""


class Given(Value):
    """One identity that was given, as keyed digests."""

    name: str
    """Its kind, and its number where several of a kind were given: email, customer_id/2."""
    mark: str
    way: str
    """What a code to it has as `Proof.way`."""


class Row(Value):
    """One row of the directory, as keyed digests: what tells its person from all others, and the ways to reach them.
    What was changed a few days ago is left out: it may be that of whoever has taken the account over."""

    marks: frozenset[str] = frozenset()
    ways: frozenset[str] = frozenset()


class Standing(Value):
    """What proofs come to for all that was given."""

    best: Level
    """The highest level that any identity has reached."""
    levels: tuple[Level, ...] = ()
    """The level that each of them has reached, under each law."""
    enough: bool
    loose: tuple[str, ...] = ()
    """Names of those that are short of it while another one is proven well enough."""

    @property
    def level(self) -> Level:
        """The level that each of them has reached under all of the laws."""
        return min(self.levels, default=0)


def names_of(given: Sequence[Identity]) -> dict[str, Identity]:
    """What was given, by names that can be said aloud: the kind, and a number where several of a kind were given."""
    kinds = [one.kind for one in given]
    seen: dict[str, int] = {}
    named = {}
    for one in given:
        seen[one.kind] = number = seen.get(one.kind, 0) + 1
        named[one.kind if kinds.count(one.kind) == 1 else f"{one.kind}/{number}"] = one
    return named


def chosen(given: Sequence[Identity], said: Iterable[str]) -> tuple[Identity, ...]:
    """The identities that some names mean; a kind means all of that kind, `all` means every one.

    Raises:
        VouchError: nothing of that name was given.
    """
    named = names_of(given)
    found: dict[str, Identity] = {}
    for name in said:
        meant = {own: one for own, one in named.items() if name in {ALL, own, one.kind}}
        if not meant:
            raise VouchError(f"nothing of that name was given: write one of {', '.join([*named, ALL])}")
        found |= meant
    return tuple(found.values())


def vouched(law: IdentityLaw, rung: Rung, given: Sequence[Identity], said: Iterable[str]) -> tuple[Identity, ...]:
    """The identities that somebody's word is of: those that they name, or else what can be read off such a proof.

    Raises:
        VouchError: they name none, and nothing can be read off it.
    """
    if found := chosen(given, said):
        return found
    shows = law.rungs[rung].shows if rung in law.rungs else None
    if shows is None:
        if len(given) == 1:
            return tuple(given)
        raise VouchError(f"several identities were given: say which of them it is of ({_which(given)})")
    if readable := tuple(one for one in given if one.kind in shows):
        return readable
    raise VouchError(
        f"{rung} by itself shows nothing of what was given: compare each with what we hold, and say for which it "
        f"stands ({_which(given)})"
    )


def standing(
    law: IdentityLaw,
    right: Right,
    regimes: Sequence[str],
    given: Sequence[Given],
    rows: Sequence[Row],
    proofs: Sequence[Proof],
) -> Standing:
    """What proofs come to: each identity has reached what the proofs of its own person reach together.

    Source: GDPR Art. 5(1)(f), 12(6), Recital 64: the request has to be the data subject's, for all that it is about.
    """
    people = _People(law, regimes, rows, proofs)
    reached, good = {}, {}
    levels = [HIGHEST if given else 0 for _ in regimes]
    for one in given:
        mine = [proof for proof in proofs if people.is_of(proof, one)]
        under = [law.reached(mine, regime) for regime in regimes]
        levels = list(map(min, levels, under))
        reached[one.name] = min(under)
        good[one.name] = law.enough(mine, right, regimes)
    short = tuple(sorted(name for name, is_good in good.items() if not is_good))
    return Standing(
        best=max(reached.values(), default=0),
        levels=tuple(levels),
        enough=bool(given) and not short,
        loose=short if any(good.values()) else (),
    )


class _People:
    """Which identities are one person's, by the directory and by people's word."""

    def __init__(self, law: IdentityLaw, regimes: Sequence[str], rows: Sequence[Row], proofs: Sequence[Proof]) -> None:
        self._one: dict[str, str] = {}
        self._rows = rows
        for row in rows:
            self._join(row.marks)
        for proof in proofs:
            if proof.rung in BY_WORD and all(law.reached([proof], regime) >= TIES for regime in regimes):
                self._join(proof.vouches)
        named = {self._person(min(row.marks)) for row in rows if row.marks}
        only = next(iter(named)) if len(named) == 1 else None
        self._only = _UNNAMED if rows and not named else only
        """The one person whom the directory knows; None: it knows nobody, or several."""

    def is_of(self, proof: Proof, one: Given) -> bool:
        """Whether a proof is of an identity, or of the person whose it is."""
        if proof.rung in BY_WORD:
            return bool({self._person(mark) for mark in proof.vouches} & self._whose(one))
        if proof.rung is Rung.DATA_POINTS:
            return proof.matched > 0 and self._only is not None and self._only in self._whose(one)
        if proof.way and proof.way == one.way:
            return True
        if proof.rung not in ON_FILE or proof.fresh:
            # It proves control of an address, and no more.
            return False
        return bool(self._reached_by(proof.way) & self._whose(one))

    def _whose(self, one: Given) -> set[str]:
        """Whose an identity is. By a contact alone only where the directory knows nobody by it otherwise, and one
        person is reached by it."""
        by_way = self._reached_by(one.way)
        if len(by_way) == 1 and not any(one.mark in row.marks for row in self._rows):
            return {self._person(one.mark)} | by_way
        return {self._person(one.mark)}

    def _reached_by(self, way: str) -> set[str]:
        """The people whom a way leads to. A row that names nobody is that of the one person whom the others name."""
        rows = [row for row in self._rows if way in row.ways]
        found = {self._person(min(row.marks)) for row in rows if row.marks}
        unnamed = self._only is not None and any(not row.marks for row in rows)
        return found | ({self._only} if unnamed and self._only is not None else set())

    def _join(self, marks: Iterable[str]) -> None:
        first, *others = sorted(marks) or (_UNNAMED,)
        for other in others:
            self._one[self._person(other)] = self._person(first)

    def _person(self, mark: str) -> str:
        while mark in self._one and self._one[mark] != mark:
            mark = self._one[mark]
        return mark


def _which(given: Sequence[Identity]) -> str:
    named: Mapping[str, Identity] = names_of(given)
    return ", ".join(f"--proves {name}" for name in [*named, ALL])
