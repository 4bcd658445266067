"""Campaigns: everybody on a list is written to once.

The one rule: whoever is listed is marked, gets a letter and has moved the cursor on in one commit, so that a killed
worker forgets nobody and writes to nobody twice.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import orjson
from sqlalchemy import (
    ARRAY,
    Connection,
    DateTime,
    LargeBinary,
    Text,
    bindparam,
    column,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.letters import Channel, LetterState, call_for_letters, letter_id, message_id
from ledger.models import case_keys, vault
from ledger.models_letters import campaign_people, campaigns, letters
from ledger.notes import by_whom
from ledger.outbox import post
from ledger.store import Store
from ledger.vault import Sealed
from rights.letterkinds import LetterKind
from rights.value import Value

KIND: Final = LetterKind.POLICY_CHANGE
_CURSOR: Final = "cursor"
"""Under which name (`working`) it is sealed how far the list was read: keys may tell of people."""

STOPPED: Final = timedelta(days=30)
"""How long the addresses of a stopped campaign are kept; after that it cannot be gone on with."""

State = Literal["prepared", "running", "listed", "ended", "stopped"]


class Campaign(Value):
    """A campaign as it stands."""

    id: str
    name: str
    notice: str
    """As JSON; what it says is public."""
    state: State
    """prepared; running (people are being listed); listed (letters are on their way); ended; stopped."""
    listed: int
    repeated: int
    """Rows of people who were listed already."""
    unreachable: int
    """Rows without an address that mail can go to."""
    prepared_at: datetime
    started_at: datetime | None
    listed_at: datetime | None
    ended_at: datetime | None


class Listed(NamedTuple):
    """Somebody on the list. Never printed."""

    address: str
    language: str

    def __repr__(self) -> str:
        return "<somebody on the list>"


_columns = [campaigns.c[name] for name in Campaign.model_fields]
_this = (campaigns.c.tenant == bindparam("of"), campaigns.c.id == bindparam("campaign"))
_MARK: Final = (
    upsert(campaign_people)
    .from_select(
        ["tenant", "campaign_id", "digest"],
        select(
            bindparam("tenant", type_=Text),
            bindparam("campaign_id", type_=Text),
            func.unnest(bindparam("digests", type_=ARRAY(LargeBinary))),
        ),
    )
    .on_conflict_do_nothing()
    .returning(campaign_people.c.digest)
)
_rows = (
    func.unnest(
        bindparam("ids", type_=ARRAY(Text)),
        bindparam("numbers", type_=ARRAY(Text)),
        bindparam("languages", type_=ARRAY(Text)),
        bindparam("names", type_=ARRAY(Text)),
        bindparam("marks", type_=ARRAY(Text)),
    )
    .table_valued(*(column(name, Text) for name in ("id", "number", "language", "name", "mark")), name="rows")
    .render_derived()
)
_QUEUE: Final = insert(letters).from_select(
    ["tenant", "id", "case_id", "kind", "number", "language", "channel", "state", "message_id", "queued_at"],
    select(
        bindparam("tenant", type_=Text),
        _rows.c.id,
        bindparam("campaign_id", type_=Text),
        literal(KIND.value),
        _rows.c.number.cast(letters.c.number.type),
        _rows.c.language,
        _rows.c.name,
        literal(LetterState.QUEUED.value),
        _rows.c.mark,
        bindparam("at", type_=DateTime(timezone=True)),
    ),
)
_SEAL: Final = insert(vault).from_select(
    ["tenant", "case_id", "purpose", "name", "sealed", "at"],
    select(
        bindparam("tenant", type_=Text),
        bindparam("campaign_id", type_=Text),
        literal("working"),
        func.unnest(bindparam("names", type_=ARRAY(Text))),
        func.unnest(bindparam("sealed", type_=ARRAY(LargeBinary))),
        bindparam("at", type_=DateTime(timezone=True)),
    ),
)


class Campaigns(Store):
    """The verbs on campaigns."""

    def prepare_campaign(self, name: str, notice: str, *, at: datetime, by: str | None = None) -> Campaign:
        """Write a campaign down; nobody is told yet.

        Raises:
            LedgerRefusal: there is one of this name.
        """
        campaign = new_id(at)

        def commit() -> None:
            key = self._vault.make_key("working", at)
            row = {"id": campaign, "name": name, "notice": notice, "state": "prepared", "prepared_at": at}
            with self._begin() as connection:
                made = upsert(campaigns).on_conflict_do_nothing().returning(campaigns.c.id)
                if connection.scalar(made, {"tenant": self.tenant, **row}) is None:
                    raise LedgerRefusal("there is a campaign of this name: choose another")
                self._vault.add_key(connection, campaign, "working", key)
                body = {"campaign": campaign, **by_whom(by)}
                self._journal(connection, "campaign_prepared", body, at, key=campaign)

        self._with_kek(commit)
        return self.campaign(name)

    def campaign(self, name: str) -> Campaign:
        """A campaign by its name, or its id.

        Raises:
            LedgerRefusal: there is none.
        """
        query = select(*_columns).where(
            campaigns.c.tenant == self.tenant, (campaigns.c.name == name) | (campaigns.c.id == name)
        )
        with self._look() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise LedgerRefusal("there is no campaign of this name")
        return Campaign.model_validate(row._mapping)

    def campaigns(self) -> list[Campaign]:
        """All campaigns, the oldest first."""
        query = select(*_columns).where(campaigns.c.tenant == self.tenant).order_by(campaigns.c.id)
        with self._look() as connection:
            return [Campaign.model_validate(row._mapping) for row in connection.execute(query)]

    def start_campaign(self, name: str, *, at: datetime, by: str | None = None) -> bool:
        """Begin, or go on with one that was stopped while people were being listed; False if it runs.

        Raises:
            LedgerRefusal: there is none of this name, or it is over.
        """
        campaign = self.campaign(name)
        if campaign.state in {"running", "listed"}:
            return False
        if campaign.state != "prepared" and campaign.listed_at:
            raise LedgerRefusal(f"the campaign is {campaign.state}: everybody on its list was seen to")
        with self._begin() as connection:
            self._set(campaign.id, connection, ("prepared", "stopped"), state="running", started_at=at)
            self._keep_until(connection, campaign.id, None)
            back = (letters.c.tenant == self.tenant, letters.c.case_id == campaign.id)
            connection.execute(
                update(letters)
                .where(*back, letters.c.state == LetterState.LEFT.value)
                .values(state=LetterState.QUEUED.value, settled_at=None)
            )
            call_for_letters(self, connection, at)
            post(connection, self.tenant, "campaign", "", at, {"campaign": campaign.id})
            body = {"campaign": campaign.id, **by_whom(by)}
            self._journal(connection, "campaign_started", body, at, key=campaign.id)
        return True

    def stop_campaign(self, name: str, *, at: datetime, by: str | None = None) -> int:
        """Write to nobody else; how many letters were waiting.

        Raises:
            LedgerRefusal: there is none of this name, or it does not run.
        """
        campaign = self.campaign(name)
        with self._begin() as connection:
            if not self._set(campaign.id, connection, ("running", "listed"), state="stopped"):
                raise LedgerRefusal(f"the campaign is {campaign.state}: there is nothing to stop")
            self._keep_until(connection, campaign.id, at + STOPPED)
            left = connection.execute(
                update(letters)
                .where(
                    letters.c.tenant == self.tenant,
                    letters.c.case_id == campaign.id,
                    letters.c.state == LetterState.QUEUED.value,
                )
                .values(state=LetterState.LEFT.value, settled_at=at)
            ).rowcount
            body = {"campaign": campaign.id, "left": left, **by_whom(by)}
            self._journal(connection, "campaign_stopped", body, at, key=campaign.id)
        return left

    def campaign_cursor(self, campaign_id: str) -> tuple[str, ...]:
        """The key of the last row that was listed; empty before the first."""
        with self._look() as connection:
            sealed = self._vault.get(connection, campaign_id, "working", _CURSOR)
        return tuple(orjson.loads(sealed)) if sealed else ()

    def list_people(
        self,
        campaign_id: str,
        people: Sequence[Listed],
        cursor: Sequence[str],
        *,
        unreachable: int,
        last: bool,
        at: datetime,
    ) -> int:
        """Queue a letter for each who was not listed before, and note how far the list was read; how many were new.

        No effect if the campaign does not run (any more).
        """
        marks = {self._people.mark(f"CAMPAIGN\0{one.address.casefold()}"): one for one in people}
        # In the order in which all take their locks, so that two workers who do the same page do not stand in each
        # other's way.
        its = {"tenant": self.tenant, "campaign_id": campaign_id, "digests": sorted(marks), "at": at}
        with self._begin() as connection:
            state = select(campaigns.c.state, campaigns.c.listed).where(*_this).with_for_update()
            row = connection.execute(state, {"of": self.tenant, "campaign": campaign_id}).one()
            if row.state != "running":
                return 0
            new = sorted(connection.scalars(_MARK, its))
            if new:
                self._queue(connection, its, [marks[digest] for digest in new], row.listed)
            key = self._vault.key(connection, campaign_id, "working")
            self._vault.put(connection, campaign_id, key, Sealed("working", _CURSOR, orjson.dumps(list(cursor))), at)
            values: dict[str, object] = {
                "listed": campaigns.c.listed + len(new),
                "repeated": campaigns.c.repeated + len(people) - len(new),
                "unreachable": campaigns.c.unreachable + unreachable,
            }
            if last:
                values |= {"state": "listed", "listed_at": at}
            connection.execute(
                update(campaigns).where(*_this).values(values), {"of": self.tenant, "campaign": campaign_id}
            )
            if new:
                call_for_letters(self, connection, at)
            body = {"campaign": campaign_id, "new": len(new), "rows": len(people) + unreachable, "last": last}
            self._journal(connection, "campaign_listed", body, at, key=campaign_id)
        return len(new)

    def _queue(self, connection: Connection, its: dict[str, object], people: Sequence[Listed], before: int) -> None:
        campaign_id = str(its["campaign_id"])
        key = self._vault.key(connection, campaign_id, "working")
        numbers = range(before, before + len(people))
        ids = [letter_id(campaign_id, KIND, number) for number in numbers]
        names = [f"to/{number}" for number in numbers]
        sealed = [
            self._vault.sealed(campaign_id, key, Sealed("working", name, Channel("email", one.address).sealed()))
            for name, one in zip(names, people, strict=True)
        ]
        rows = {
            **its,
            "ids": ids,
            "numbers": [str(number) for number in numbers],
            "languages": [one.language for one in people],
            "names": names,
            "marks": [message_id(self, one, 0) for one in ids],
            "sealed": sealed,
        }
        connection.execute(_SEAL, rows)
        connection.execute(_QUEUE, rows)

    def campaign_letters(self, campaign_id: str) -> dict[LetterState, int]:
        """How many letters of a campaign are in which state."""
        query = (
            select(letters.c.state, func.count())
            .where(letters.c.tenant == self.tenant, letters.c.case_id == campaign_id)
            .group_by(letters.c.state)
        )
        with self._look() as connection:
            return Counter({LetterState(state): number for state, number in connection.execute(query).all()})

    def end_campaign(self, campaign_id: str, *, at: datetime, working_until: datetime) -> bool:
        """Everybody was written to; their addresses are destroyed on the day named. False if it is over already."""
        with self._begin() as connection:
            if not self._set(campaign_id, connection, ("listed",), state="ended", ended_at=at):
                return False
            self._keep_until(connection, campaign_id, working_until)
            self._journal(connection, "campaign_ended", {"campaign": campaign_id}, at, key=campaign_id)
        return True

    def campaigns_under_way(self) -> list[str]:
        """Ids of campaigns that run."""
        query = select(campaigns.c.id).where(
            campaigns.c.tenant == self.tenant, campaigns.c.state.in_(["running", "listed"])
        )
        with self._look() as connection:
            return list(connection.scalars(query))

    def _keep_until(self, connection: Connection, campaign_id: str, day: datetime | None) -> None:
        connection.execute(
            update(case_keys)
            .where(case_keys.c.tenant == self.tenant, case_keys.c.case_id == campaign_id)
            .values(keep_until=day)
        )

    def _set(self, campaign_id: str, connection: Connection, was: Sequence[str], **values: object) -> bool:
        done = connection.execute(
            update(campaigns).where(*_this, campaigns.c.state.in_(was)).values(**values),
            {"of": self.tenant, "campaign": campaign_id},
        )
        return bool(done.rowcount)
