"""What requests have stopped, restricted or corrected, remembered by token when all else of them is shredded; and what
was decided on a past one, taken over by the request that carries it out anew.

The one rule: it is remembered in the commit that closes the request, by what tells one person from all others.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from pydantic import Field
from sqlalchemy import (
    ARRAY,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    Text,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.models_remembered import act_tokens, remembered_acts
from ledger.models_suppression import weighings
from ledger.store import Store
from ledger.tokens import Tokens
from rights.rectification import Accuracy
from rights.subject import Identity, Sharing
from rights.value import Value
from rights.weighing import Matter, Outcome

_remembered = (
    upsert(remembered_acts)
    .values(
        tenant=bindparam("tenant", type_=Text),
        request_id=bindparam("id", type_=Text),
        closed_at=bindparam("at", type_=DateTime(timezone=True)),
        details=bindparam("details", type_=Text),
    )
    .on_conflict_do_update(
        index_elements=[remembered_acts.c.tenant, remembered_acts.c.request_id],
        set_={"closed_at": bindparam("at", type_=DateTime(timezone=True))},
    )
    .returning(remembered_acts.c.tenant, remembered_acts.c.request_id)
    .cte("remembered")
)
_REMEMBER: Final = (
    upsert(act_tokens)
    .from_select(
        ["tenant", "request_id", "key_version", "token", "version"],
        select(
            _remembered,
            bindparam("key_version", type_=Integer),
            func.unnest(bindparam("tokens", type_=ARRAY(LargeBinary))),
            func.unnest(bindparam("versions", type_=ARRAY(Integer))),
        ),
    )
    .on_conflict_do_nothing()
)
_ACTS: Final = select(act_tokens.c.token, act_tokens.c.request_id).where(
    act_tokens.c.tenant == bindparam("of"),
    act_tokens.c.token == func.any(bindparam("tokens", type_=ARRAY(LargeBinary))),
)


class Remembered(Value):
    """What is kept of a request when the person is forgotten."""

    people: tuple[Identity, ...] = Field(repr=False)
    details: str
    """As JSON, without the person."""


class Decided(Value):
    """What was decided on a past request, and counts for the one that carries it out anew."""

    upheld: bool = False
    """objection: it was weighed, and upheld."""
    accepted: Accuracy | None = None
    """rectification: the fields that are corrected."""
    systems: tuple[str, ...] = ()
    """Of those fields."""


class Remembering(Tokens):
    """Verbs on them."""

    def remembered_details(self, request_id: str) -> str | None:
        """What a request asked for, without the person; None if nothing is remembered, or nobody to recognise by it."""
        somebody = select(act_tokens.c.token).where(
            act_tokens.c.tenant == remembered_acts.c.tenant, act_tokens.c.request_id == remembered_acts.c.request_id
        )
        query = select(remembered_acts.c.details).where(
            remembered_acts.c.tenant == self.tenant, remembered_acts.c.request_id == request_id, somebody.exists()
        )
        with self._look() as connection:
            found: str | None = connection.scalar(query)
        return found

    def acts_of(self, identities: Sequence[Identity]) -> list[tuple[str, ...]]:
        """The remembered requests that each of many identities was the subject of, in their order."""
        mine = self._whose(identities)
        found: defaultdict[int, set[str]] = defaultdict(set)
        with self._look() as connection:
            for row in connection.execute(_ACTS, {"of": self.tenant, "tokens": list(mine)}):
                for number in mine[row.token]:
                    found[number].add(row.request_id)
        return [tuple(sorted(found[number])) for number in range(len(identities))]

    def _remember_act(
        self, connection: Connection, request_id: str, act: Remembered, keys: Sequence[bytes], at: datetime
    ) -> None:
        """Remember what a request has had done, in the transaction that closes it."""
        tokens = self._newest_tokens(_unique(act.people), keys)
        connection.execute(
            _REMEMBER,
            {
                "tenant": self.tenant,
                "id": request_id,
                "at": at,
                "details": act.details,
                "key_version": len(keys),
                "tokens": list(tokens),
                "versions": list(tokens.values()),
            },
        )


def take_over(store: Store, connection: Connection, request_id: str, decided: Decided | None, at: datetime) -> None:
    """Enter what was decided on a past request for the one that carries it out anew, in the commit that opens it: so
    nobody is asked for it again."""
    if decided and decided.upheld:
        row = {"matter": Matter.OBJECTION.value, "outcome": Outcome.UPHELD.value}
        days = dict.fromkeys(("opened_at", "due_at", "decided_at"), at)
        connection.execute(
            upsert(weighings).on_conflict_do_nothing(),
            {"tenant": store.tenant, "request_id": request_id, **row, **days},
        )
        body = {"outcome": Outcome.UPHELD, "ground": "", "approved": False}
        store._journal(connection, "weighed", body, at, request_id=request_id)
    if decided and decided.accepted is not None:
        word = {"decided": decided.accepted.model_dump(mode="json"), "systems": sorted(set(decided.systems))}
        store._journal(connection, "accuracy", word, at, request_id=request_id)


def _unique(identities: Iterable[Identity]) -> Iterable[Identity]:
    return (one for one in identities if one.sharing is Sharing.UNIQUE)
