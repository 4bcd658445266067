"""What becomes of a letter about an authority's demand, noted where the demand is.

The one rule: once the person may not be told, no letter that has not gone out goes out.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select, update

from ledger.letters import Letter, LetterState
from ledger.models_authorities import demands
from ledger.models_letters import letters
from ledger.outbox import post
from ledger.store import Store
from rights.authorities import Demand
from rights.demandletters import KINDS, OF, Whom

BY_LETTER: Final = "letter"
"""Who told the person, where a letter of ours did."""
_GONE: Final = {LetterState.SENDING, LetterState.SENT, LetterState.POSTED, LetterState.LEFT}


def lock_demand_of(store: Store, connection: Connection, letter: Letter) -> Demand:
    """Take the demand's row first, as whoever changes its gag does; how it stands."""
    its = (demands.c.tenant == store.tenant, demands.c.id == letter.case_id)
    return Demand.model_validate(connection.execute(select(demands).where(*its).with_for_update()).one()._asdict())


def demand_letter_settled(
    store: Store, connection: Connection, letter: Letter, state: LetterState, code: str, at: datetime
) -> None:
    """Note how a letter stands: the person is told by one that the mail server took on, and is not by one that came
    back."""
    whom = OF[letter.kind]
    values: dict[str, object] = {"letters": func.jsonb_set(demands.c.letters, [whom.value], func.to_jsonb(state.value))}
    if whom is Whom.PERSON:
        if state is LetterState.SENT:
            values |= {"told_at": at, "told_by": BY_LETTER}
        elif state is LetterState.BOUNCED:
            values |= {"told_at": None, "told_by": ""}
    connection.execute(
        update(demands).where(demands.c.tenant == store.tenant, demands.c.id == letter.case_id).values(**values)
    )
    post(connection, store.tenant, "demand", "", at, {"demand": letter.case_id})
    body = {"demand": letter.case_id, "letter": letter.id, "state": state, "code": code}
    store._journal(connection, "demand_letter", body, at, key=letter.case_id)


def withhold_letters(store: Store, connection: Connection, demand_id: str, at: datetime, *whom: Whom) -> list[str]:
    """Take back all letters about a demand that have not gone out, or those to `whom`; their ids. Under the demand's
    lock."""
    named = whom or tuple(Whom)
    taken = connection.execute(
        update(letters)
        .where(
            letters.c.tenant == store.tenant,
            letters.c.case_id == demand_id,
            letters.c.kind.in_([KINDS[one].value for one in named]),
            letters.c.state.not_in([one.value for one in _GONE]),
        )
        .values(state=LetterState.LEFT.value, settled_at=at, due_at=None)
        .returning(letters.c.id, letters.c.kind)
    ).all()
    its = (demands.c.tenant == store.tenant, demands.c.id == demand_id)
    for kind in {kind for _, kind in taken}:
        connection.execute(update(demands).where(*its).values(letters=demands.c.letters.op("-")(OF[kind].value)))
    return sorted(name for name, _ in taken)


def keep_back_forbidden(store: Store, connection: Connection, demand: Demand, code: str, at: datetime) -> None:
    """Take back what the mail server has put off, where a gag has come while it had the letter: it is not tried again,
    and is written anew once the gag is over. Under the demand's lock."""
    if demand.may_tell(at):
        return
    for letter in withhold_letters(store, connection, demand.id, at):
        body = {"demand": demand.id, "letter": letter, "state": LetterState.LEFT, "code": code}
        store._journal(connection, "demand_letter", body, at, key=demand.id)
    post(connection, store.tenant, "demand", "", at, {"demand": demand.id})
