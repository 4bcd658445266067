"""Contracts with processors that end: everything is to be erased or given back, and the answer is waited for.

The one rule: it counts as settled only once the processor has confirmed it, with all that it owes (GDPR Art. 28(3)(g)).
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Final, Literal

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.models_contracts import contract_ends
from ledger.notices import Answer
from ledger.store import AnyRow, Store
from rights.value import Value

Choice = Literal["erase", "return"]
"""The controller's: everything is erased, or given back and then erased."""
ANSWERS: Final = (Answer.CONFIRMED, Answer.CONFIRMED_ALONE, Answer.REFUSED, Answer.NO_ANSWER)

_PUT: Final = upsert(contract_ends).on_conflict_do_nothing().returning(contract_ends.c.recipient)
_mine = contract_ends.c.tenant == bindparam("of")
_NEWEST: Final = (
    select(contract_ends)
    .where(_mine, contract_ends.c.recipient == bindparam("whose"))
    .order_by(contract_ends.c.ends_on.desc())
    .limit(1)
    .with_for_update()
)
_ALL: Final = select(contract_ends).where(_mine).order_by(contract_ends.c.recipient, contract_ends.c.ends_on)


class ContractEnd(Value):
    """What a processor was asked at the end of its contract."""

    recipient: str
    ends_on: date
    choice: Choice
    asked_at: datetime
    due_on: date
    owes: tuple[str, ...] = ()
    answer: Answer | None = None
    answered_on: date | None = None

    @property
    def settled(self) -> bool:
        return self.answer is Answer.CONFIRMED


class Contracts(Store):
    """Verbs on the ends of contracts."""

    def end_contract(
        self,
        recipient: str,
        ends_on: date,
        choice: Choice,
        *,
        due_on: date,
        owes: Collection[str],
        at: datetime,
        by: str,
    ) -> ContractEnd:
        """Note that a processor is asked to erase everything or give it back; as it was noted, if it was asked before.

        Raises:
            LedgerRefusal: it was asked before, and for the other thing.
        """
        with self._begin() as connection:
            row = {"tenant": self.tenant, "recipient": recipient, "ends_on": ends_on, "choice": choice}
            row |= {"asked_at": at, "due_on": due_on, "owes": " ".join(owes)}
            made = connection.scalar(_PUT, row)
            ours = contract_ends.c.recipient == recipient, contract_ends.c.ends_on == ends_on
            found = _read(connection.execute(select(contract_ends).where(_mine, *ours), {"of": self.tenant}).one())
            if found.choice != choice:
                raise LedgerRefusal(f"it was asked to {found.choice} everything on {found.asked_at:%Y-%m-%d}")
            if made:
                body = {"ends_on": ends_on, "choice": choice, "due_on": due_on, "owes": list(owes), "by": by}
                self._journal(connection, "contract_ended", body, at, key=recipient)
        return found

    def contract_answered(
        self,
        recipient: str,
        answer: Answer,
        *,
        on: date,
        at: datetime,
        by: str,
        of_processors: bool = False,
        with_proof: bool = False,
    ) -> None:
        """Note what a processor has answered at the end of its newest contract.

        Raises:
            LedgerRefusal: it was asked nothing, cannot have answered then, or has not given what it owes.
        """
        if answer not in ANSWERS:
            raise LedgerRefusal(f"at the end of a contract the answer is one of {', '.join(ANSWERS)}")
        with self._begin() as connection:
            row = connection.execute(_NEWEST, {"of": self.tenant, "whose": recipient}).first()
            if row is None:
                raise LedgerRefusal("this recipient was asked nothing: habeas recipient end asks it")
            found = _read(row)
            # The day is one of the operator's zone, which may be behind.
            if on < (found.asked_at - timedelta(days=1)).date():
                raise LedgerRefusal("it cannot have answered before it was asked")
            lacks = {*(() if of_processors else ("processors",)), *(() if with_proof else ("certificate", "report"))}
            if answer is Answer.CONFIRMED and (missing := lacks.intersection(found.owes)):
                raise LedgerRefusal(
                    f"it owes more than its word ({', '.join(sorted(missing))}): say that it has given it "
                    "(--with-processors, --with-proof), or confirmed_alone"
                )
            connection.execute(
                update(contract_ends)
                .where(_mine, contract_ends.c.recipient == recipient, contract_ends.c.ends_on == found.ends_on)
                .values(answer=answer.value, answered_on=on),
                {"of": self.tenant},
            )
            said = {"ends_on": found.ends_on, "answer": answer, "on": on, "by": by}
            gave = {"of_processors": of_processors, "with_proof": with_proof}
            self._journal(connection, "contract_answered", {**said, **gave}, at, key=recipient)

    def contract_ends(self) -> list[ContractEnd]:
        """All of them, by recipient and day."""
        with self._look() as connection:
            return [_read(row) for row in connection.execute(_ALL, {"of": self.tenant})]


def _read(row: AnyRow) -> ContractEnd:
    said = {name: row._mapping[name] for name in ContractEnd.model_fields}
    return ContractEnd.model_validate(said | {"owes": tuple(row.owes.split())})
