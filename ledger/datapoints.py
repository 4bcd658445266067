"""Data points: what the asker says of themselves, compared blindly with what the directory has told.

The one rule: how many fit is counted and never which, and nobody tries until something does: not in one request, and
not about one person in many.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ARRAY, Connection, LargeBinary, Text, bindparam, delete, func, insert, select

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.models_identity import identity_tries
from ledger.notes import by_whom
from ledger.proofs import PROVEN_BEFORE, Proofs
from ledger.reach import REACH, Reached, alike
from rights.identity import Channel as Kind
from rights.identity import Proof, Rung, identity_law
from rights.subject import Identity, comparable

_SHORTEST: Final = 4
"""Characters of a data point that may count; less is guessed."""
_ALIKE: Final = 32
"""What a try is written down under is brought to a multiple of this many: it takes as long for somebody whom the
directory does not know, of whom there is little, as for somebody whom it knows."""
_LOCK_TRIES: Final = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("of"), 0)))
_digests = bindparam("digests", type_=ARRAY(LargeBinary))
_marks = func.unnest(_digests).table_valued("mark").render_derived()
_tries = (
    select(identity_tries.c.id)
    .where(identity_tries.c.tenant == bindparam("of"), identity_tries.c.digest == _marks.c.mark)
    .correlate(_marks)
    .limit(bindparam("most"))
    .lateral("tries")
)
_TRIED: Final = select(
    func.max(select(func.count()).select_from(_tries).correlate(_marks).scalar_subquery())
).select_from(_marks)
"""The most tries of any mark; no more of them are looked at than matter, whoever was tried often."""
_KEEP_TRY: Final = insert(identity_tries).from_select(
    ["tenant", "digest", "id", "at"],
    select(
        bindparam("of", type_=Text),
        func.unnest(_digests),
        bindparam("made", type_=Text),
        bindparam("now", type_=identity_tries.c.at.type),
    ),
)


class DataPoints(Proofs):
    """Verbs on data points."""

    def check_points(
        self,
        request_id: str,
        points: Sequence[tuple[str, str]],
        *,
        at: datetime,
        declared: bool = False,
        by: str | None = None,
    ) -> int:
        """Compare facts with what the directory has, without telling which fit: how many do.

        Nothing fits what was changed a few days ago, and nothing fits any more once data points about any of these
        identities, or about whom the directory knows by them, were tried too often in all requests together: that shows
        to nobody, since it would tell that they are one person's.

        Raises:
            LedgerRefusal: it is no question now, it was tried as often as it may be, or there are too many facts.
        """
        law = identity_law()
        for channel, most in law.points_of_a_try.items():
            if len({value for kind, value in points if kind == channel}) > most:
                raise LedgerRefusal(f"a try takes {most} of {channel} at most: write what the asker says, and no list")
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            if row.confirmed_at:
                raise LedgerRefusal(PROVEN_BEFORE)
            case = self._case_row(connection, request_id)
            if case.point_tries >= law.point_tries:
                raise LedgerRefusal(
                    f"data points were tried {law.point_tries} times: that way is closed for this request; "
                    "use a channel on file, or in person or by a document with a second agent"
                )
            reach = self._vault.get(connection, request_id, "working", REACH)
            given = self._given(connection, request_id)
            ways = alike(reach)
            spent = self._spend_try(connection, given, ways, at)
            matched = _matching(points, [] if spent else [p for p in ways if not p.fresh(at)])
            self._set_case(connection, request_id, point_tries=case.point_tries + 1)
            body = {"try": case.point_tries + 1, **by_whom(by)}
            self._journal(connection, "points_checked", body, at, request_id=request_id)
            proof = Proof(rung=Rung.DATA_POINTS, at=at, matched=matched, declared=declared)
            self._proven(connection, row, proof, at, by=by)
        return matched

    def _spend_try(
        self, connection: Connection, given: Sequence[Identity], points: Sequence[Reached], at: datetime
    ) -> bool:
        """Count a try for each identity that was given and for whom the directory knows by them; whether there were
        too many before it."""
        law, people = identity_law().point_window, self._people
        known = [(one.kind, one.value) for one in given]
        known += [pair for point in points for pair in ((point.channel, point.value), *point.beside)]
        known = list(dict.fromkeys(known))
        nobody = new_id(at)
        known += [("", f"{nobody}/{number}") for number in range(-len(known) % _ALIKE)]
        digests = sorted({people.mark(f"TRY\0{kind}\0{comparable(value, casefold=True)}") for kind, value in known})
        connection.execute(_LOCK_TRIES, {"of": f"{self.tenant}/tries"})
        since = at - timedelta(days=law.days)
        mine = identity_tries.c.tenant == self.tenant
        connection.execute(delete(identity_tries).where(mine, identity_tries.c.at <= since))
        # The same statements, however many there are.
        its = {"of": self.tenant, "digests": digests, "made": new_id(at), "now": at}
        most = connection.scalar(_TRIED, {"most": law.tries, **its})
        connection.execute(_KEEP_TRY, its)
        return (most or 0) >= law.tries


def _matching(said: Sequence[tuple[str, str]], points: Sequence[Reached]) -> int:
    """How many facts fit. Each fact and each contact counts once."""
    left = {
        (point.channel, plain)
        for point in points
        for line in point.value.splitlines()
        if len(plain := _plain(point.channel, line)) >= _SHORTEST
    }
    matched = 0
    for kind, value in dict.fromkeys(said):
        one = (kind, _plain(kind, value))
        if one in left:
            left.discard(one)
            matched += 1
    return matched


def _plain(kind: str, value: str) -> str:
    """A fact as it is compared: of a number the digits, without how it begins abroad."""
    if kind == Kind.PHONE:
        return "".join(char for char in value if char.isdigit())[-9:]
    return (
        "".join(value.casefold().split()) if kind == Kind.EMAIL else "".join(c for c in value.casefold() if c.isalnum())
    )
