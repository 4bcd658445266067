"""Uses of restricted data: asked for, approved by a second person, sealed, told, handed over, ended.

The one rule: nothing is sealed before two people have said so, and nothing handed over of which the person is to hear
and has not. No verb here changes a restriction.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, literal, select, update

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.models import case_keys, tasks
from ledger.models_uses import restriction_uses
from ledger.outbox import post
from ledger.restrictions import lock_restriction, note_restriction
from ledger.stopped import stands_still
from ledger.store import AnyRow, Store
from ledger.tasks import put_task, settle_tasks
from rights.approvers import same_person
from rights.codes import Code
from rights.uses import Use, UseEnded, UseGround

_ALL: Final = select(restriction_uses).where(restriction_uses.c.tenant == bindparam("of"))
_ONE: Final = _ALL.where(restriction_uses.c.id == bindparam("id"))


class Uses(Store):
    """Verbs on uses. `by` is a person, as an opaque staff id or a role."""

    def ask_to_use(
        self,
        request_id: str,
        ground: UseGround,
        covers: Sequence[str],
        *,
        article: str,
        until: date,
        zone: str,
        recipient: str,
        new_purpose: bool,
        evidence: str,
        by: str,
        at: datetime,
    ) -> Use:
        """Ask for a use of what a request restricts; what shows the ground is sealed in the request's file.

        Raises:
            LedgerRefusal: no restriction of this id is in force, or it is being lifted.
        """
        with self._begin() as connection:
            if lock_restriction(self, connection, request_id).lifting_at:
                raise LedgerRefusal("the restriction is being lifted: what it was about can be used as ever after that")
            use = Use(
                id=new_id(at),
                request_id=request_id,
                ground=ground,
                article=article,
                covers=tuple(covers),
                until=until,
                zone=zone,
                recipient=recipient,
                new_purpose=new_purpose,
                asked_at=at,
                asked_by=by,
            )
            named = ("id", "request_id", "ground", "article", "until", "zone", "recipient", "new_purpose", "asked_by")
            row = {name: getattr(use, name) for name in named} | {"covers": list(covers), "asked_at": at}
            connection.execute(insert(restriction_uses), {**row, "tenant": self.tenant})
            body = {"ground": ground, "article": article, "covers": list(covers), "until": until, "to": recipient}
            self._note_use(connection, use, "asked", {**body, "new_purpose": new_purpose, "by": by}, at, evidence)
        return use

    def approve_use(self, use_id: str, *, by: str, note: str | None, at: datetime) -> Use:
        """Say, as a second person, that it may be used so; False words are `end_use`. No effect if that was said.

        Raises:
            LedgerRefusal: there is none, it is over, the same person speaks twice, or the restriction is lifted.
        """

        def commit() -> None:
            key = self._vault.make_key("parcel", at)
            with self._begin() as connection:
                use = self._lock_use(connection, use_id, at)
                if lock_restriction(self, connection, use.request_id).lifting_at:
                    raise LedgerRefusal("the restriction is being lifted: no use of it is needed after that")
                if same_person(by) == same_person(use.asked_by):
                    raise LedgerRefusal("it takes two people: whoever asked for a use does not approve it")
                if use.approved_at:
                    return
                self._vault.add_key(connection, use.id, "parcel", key)
                self._set_key_day(connection, use.id, use.over_at)
                self._change_use(connection, use, approved_at=at, approved_by=by)
                if use.owes_notice:
                    put_task(self, connection, use.request_id, _task(use), Code.USE_TOLD, use.id, at)
                # What looks again for the restriction makes the copy, once it has locked away what came since.
                post(connection, self.tenant, "look", use.request_id, at)
                self._note_use(connection, use, "approved", {"by": by}, at, note)

        self._with_kek(commit)
        return self.use(use_id)

    def told_of_use(self, use_id: str, *, by: str, text: str, at: datetime) -> Use:
        """Note that the person was told of a use, in these words, which are sealed; the first time counts.

        Raises:
            LedgerRefusal: there is none, or it is over.
        """
        with self._begin() as connection:
            use = self._lock_use(connection, use_id, at)
            if use.told_at is None:
                self._change_use(connection, use, told_at=at)
                self._off_desk(connection, use, at)
                self._note_use(connection, use, "told", {"by": by}, at, text)
        return self.use(use_id)

    def keep_used(self, use_id: str, digest: str, size: int, rows: Mapping[str, int], *, at: datetime) -> None:
        """Note what was sealed; no effect if it is noted.

        Raises:
            LedgerRefusal: it is not approved, or over.
        """
        with self._begin() as connection:
            use = self._lock_use(connection, use_id, at)
            if use.approved_at is None:
                raise LedgerRefusal("no second person has approved this use")
            if use.sealed_at is None:
                values = {"sealed_at": at, "digest": digest, "size": size, "rows": dict(rows)}
                self._change_use(connection, use, **values, trouble="", trouble_at="")
                body = {"digest": digest, "size": size, "rows": dict(rows)}
                self._note_use(connection, use, "sealed", body, at)

    def note_use_trouble(self, use_id: str, code: str, system: str, *, at: datetime) -> None:
        """Note why nothing could be sealed; no effect if that is noted, or it is over."""
        with self._begin() as connection:
            use = _use(connection.execute(_ONE.with_for_update(), self._of_use(use_id)).first())
            if not use.over(at) and (use.trouble, use.trouble_at) != (code, system):
                self._change_use(connection, use, trouble=code, trouble_at=system)
                self._note_use(connection, use, "trouble", {"code": code, "system": system}, at)

    def hand_over_used(self, use_id: str, *, by: str, at: datetime) -> Use:
        """Note that the sealed copy was taken out, by whom and for whom; each time is on record.

        Raises:
            LedgerRefusal: nothing is sealed, it is over, the person is to be told first, or the request stands still.
        """
        with self._begin() as connection:
            use = self._lock_use(connection, use_id, at)
            if connection.scalar(select(stands_still(literal(self.tenant), literal(use.request_id)))):
                raise LedgerRefusal("the request stands still for an incident: habeas request show says for which")
            if use.sealed_at is None:
                raise LedgerRefusal("nothing is sealed for this use yet: habeas restriction uses says why")
            if use.owes_notice:
                raise LedgerRefusal("the person is to be told first (habeas restriction use-told)")
            if use.handed_at is None:
                self._change_use(connection, use, handed_at=at)
            body = {"by": by, "to": use.recipient, "digest": use.digest, "rows": dict(use.rows)}
            self._note_use(connection, use, "handed_over", body, at)
        return self.use(use_id)

    def end_use(self, use_id: str, why: UseEnded, *, by: str, note: str | None, at: datetime) -> Use:
        """End a use before its last day: the key of its copy is destroyed by the next upkeep, and nothing is taken out
        from now on. No effect if it was ended.

        Raises:
            LedgerRefusal: there is none, or no consent was its ground and it is said to be withdrawn.
        """
        with self._begin() as connection:
            use = _use(connection.execute(_ONE.with_for_update(), self._of_use(use_id)).first())
            if why is UseEnded.CONSENT_WITHDRAWN and use.ground is not UseGround.CONSENT:
                raise LedgerRefusal("this use does not stand on consent: say done, once it is not needed any more")
            if use.ended_at is None:
                self._change_use(connection, use, ended_at=at, ended=why.value)
                self._set_key_day(connection, use.id, min(at, use.over_at))
                self._off_desk(connection, use, at)
                self._note_use(connection, use, "ended", {"why": why, "by": by}, at, note)
        return self.use(use_id)

    def use(self, use_id: str) -> Use:
        """A use as it stands.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        with self._look() as connection:
            return _use(connection.execute(_ONE, self._of_use(use_id)).first())

    def uses(self, request_id: str | None = None) -> list[Use]:
        """All uses, or those of one restriction, the oldest first."""
        query = _ALL if request_id is None else _ALL.where(restriction_uses.c.request_id == request_id)
        with self._look() as connection:
            rows = connection.execute(query.order_by(restriction_uses.c.id), {"of": self.tenant})
            return [_use(row) for row in rows]

    def _of_use(self, use_id: str) -> dict[str, str]:
        return {"of": self.tenant, "id": use_id}

    def _lock_use(self, connection: Connection, use_id: str, at: datetime) -> Use:
        use = _use(connection.execute(_ONE.with_for_update(), self._of_use(use_id)).first())
        if use.over(at):
            why = f"ended ({use.ended})" if use.ended else f"had its last day on {use.until:%Y-%m-%d}"
            raise LedgerRefusal(f"this use {why}: ask for another one")
        return use

    def _change_use(self, connection: Connection, use: Use, **values: Any) -> None:
        ours = restriction_uses.c.tenant == self.tenant, restriction_uses.c.id == use.id
        connection.execute(update(restriction_uses).where(*ours).values(**values))

    def _set_key_day(self, connection: Connection, use_id: str, day: datetime) -> None:
        ours = case_keys.c.tenant == self.tenant, case_keys.c.case_id == use_id, case_keys.c.purpose == "parcel"
        connection.execute(update(case_keys).where(*ours).values(keep_until=day))

    def _off_desk(self, connection: Connection, use: Use, at: datetime) -> None:
        settle_tasks(self, connection, at, tasks.c.step_key == _task(use))

    def _note_use(
        self,
        connection: Connection,
        use: Use,
        what: str,
        body: Mapping[str, object],
        at: datetime,
        note: str | None = None,
    ) -> None:
        said = {"use": use.id, **body}
        note_restriction(self, connection, use.request_id, f"restriction_use_{what}", said, at, note)


def _task(use: Use) -> str:
    """The key of the task to tell the person: of no system, and of this use alone."""
    return f"{use.request_id}/restriction/use-{use.id}/0"


def _use(row: AnyRow | None) -> Use:
    if row is None:
        raise LedgerRefusal("there is no use of this id: habeas restriction uses lists them")
    return Use.model_validate(dict(row._mapping))
