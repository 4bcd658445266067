"""Reports that data is a child's, as time passes: every channel on file is told, and what is late is put on a desk.

The one rule: whoever uses an account hears of it on each channel that is on file, so that a false report cannot be
made behind their back; and no term passes unseen.
"""

from collections.abc import Set
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, or_, select, update

from ledger.minorletters import tell_of_report
from ledger.minors import ruling_key
from ledger.models import requests, tasks
from ledger.models_identity import identity_cases
from ledger.models_minors import minor_reports
from ledger.store import AnyRow, Store
from ledger.tasks import put_task, settle_tasks
from rights.codes import Code
from rights.minors import LaneLaw, minors_law
from rights.request import Conclusion

_OUT_OF_USE: Final = frozenset({Conclusion.ANSWERED.value, Conclusion.NOTHING_HELD.value})
"""How a restriction ends that has put everything out of use."""

_its_erasure = requests.alias("its_erasure")
_its_restriction = requests.alias("its_restriction")
_LATE: Final = (Code.MINOR_IN_USE, Code.MINOR_NOT_GONE)
_lying = (tasks.c.tenant == bindparam("of"), tasks.c.code.in_(_LATE), tasks.c.settled_at.is_(None))
_on_desk = select(tasks.c.id).where(*_lying, tasks.c.request_id == minor_reports.c.request_id)
_DESK: Final = select(tasks.c.request_id, tasks.c.code).where(*_lying)
_STANDING: Final = (
    select(
        minor_reports,
        identity_cases.c.read_at,
        _its_erasure.c.closed_at.label("erased_at"),
        _its_erasure.c.confirmed_at,
        _its_restriction.c.conclusion.label("restricted"),
    )
    .join(
        _its_erasure,
        and_(_its_erasure.c.tenant == minor_reports.c.tenant, _its_erasure.c.id == minor_reports.c.request_id),
    )
    .join(
        _its_restriction,
        and_(
            _its_restriction.c.tenant == minor_reports.c.tenant,
            _its_restriction.c.id == minor_reports.c.restriction_id,
        ),
    )
    .outerjoin(
        identity_cases,
        and_(
            identity_cases.c.tenant == minor_reports.c.tenant, identity_cases.c.request_id == minor_reports.c.request_id
        ),
    )
    .where(
        minor_reports.c.tenant == bindparam("of"),
        or_(
            _its_erasure.c.closed_at.is_(None),
            # Gone as it may be, whoever used it hears of it.
            and_(minor_reports.c.told_at.is_(None), minor_reports.c.word.is_distinct_from("not_child")),
            # What is over may still have a task about it on the desk.
            _on_desk.correlate(minor_reports).exists(),
        ),
    )
    .order_by(minor_reports.c.request_id)
)
_LOCK: Final = (
    select(minor_reports)
    .where(minor_reports.c.tenant == bindparam("of"), minor_reports.c.request_id == bindparam("id"))
    .with_for_update()
)


class Late(NamedTuple):
    """What is late of a report, and was noticed now."""

    request_id: str
    code: Code
    level: int = 0
    """Of a ruling: how often it was asked for in vain."""


class MinorWatch(Store):
    """Verbs on reports as time passes."""

    def mind_reports(self, *, at: datetime, sms: str = "", mail: bool = True, directory: bool = False) -> list[Late]:
        """Tell the channels on file of each report, and put on the desk what is late; what is so anew. Safe to repeat.

        Args:
            sms: the address of a gateway from mail to text messages, with {digits} for the number.
            mail: whether letters are sent; without, a person posts them.
            directory: whether a system is asked how the person is reached. What it says is waited for, no longer than
                putting the data out of use may take; what comes later is written to then.
        """
        law, late = minors_law().lane, []
        with self._look() as connection:
            standing = connection.execute(_STANDING, {"of": self.tenant}).all()
            desk = {(row.request_id, Code(row.code)) for row in connection.execute(_DESK, {"of": self.tenant})}
        for row in standing:
            if row.told_at is None and row.word != "not_child":
                # Whom somebody has proven, or ruled on, the directory is not asked about any more.
                whole = not directory or row.read_at is not None or row.confirmed_at is not None
                if whole or at >= row.reported_at + law.restrict_within:
                    self._tell_of_report(row.request_id, whole, at, sms, mail)
            late += self._see_to_report(row, law, desk, at)
        return late

    def puts_out_of_use(self, restriction_id: str) -> bool:
        """Whether a restriction is that of a report."""
        its = (minor_reports.c.tenant == self.tenant, minor_reports.c.restriction_id == restriction_id)
        with self._look() as connection:
            return connection.execute(select(minor_reports.c.request_id).where(*its)).first() is not None

    def _tell_of_report(self, request_id: str, whole: bool, at: datetime, sms: str, mail: bool) -> None:
        """Write to the channels on file that were not written to yet; `whole`: there will be no more of them."""
        with self._begin() as connection:
            row = connection.execute(_LOCK, {"of": self.tenant, "id": request_id}).one()
            if row.word != "not_child":
                tell_of_report(self, connection, row, at, whole=whole, sms=sms, mail=mail)

    def _see_to_report(self, row: AnyRow, law: LaneLaw, desk: Set[tuple[str, Code]], at: datetime) -> list[Late]:
        """Put on the desk what is late of a report, and take off what no longer is."""
        over = row.erased_at is not None or row.word == "not_child"
        in_use = not over and row.restricted not in _OUT_OF_USE and at >= row.reported_at + law.restrict_within
        not_gone = not over and row.word == "child" and at >= row.ruled_at + law.purge_within
        late: list[Late] = []
        for code, is_late, about in (
            (Code.MINOR_IN_USE, in_use, row.restriction_id),
            (Code.MINOR_NOT_GONE, not_gone, "erasure"),
        ):
            lies = (row.request_id, code) in desk
            if is_late and not lies:
                late += self._put_late(row, code, about, at)
            elif lies and not is_late:
                self._settle_late(row, code, at)
        level = law.asked_in_vain(row.reported_at, at)
        if not over and row.word is None and level > row.level:
            late += self._ask_again(row.request_id, level, at)
        return late

    def _put_late(self, row: AnyRow, code: Code, about: str, at: datetime) -> list[Late]:
        with self._begin() as connection:
            made = put_task(self, connection, row.request_id, f"{row.request_id}/minor/{code}/0", code, about, at)
        return [Late(row.request_id, code)] if made else []

    def _settle_late(self, row: AnyRow, code: Code, at: datetime) -> None:
        its = (tasks.c.request_id == row.request_id, tasks.c.code == code.value)
        with self._begin() as connection:
            settle_tasks(self, connection, at, *its)

    def _ask_again(self, request_id: str, level: int, at: datetime) -> list[Late]:
        """Ask for a ruling one level up: the task says how often it was asked for in vain."""
        with self._begin() as connection:
            row = connection.execute(_LOCK, {"of": self.tenant, "id": request_id}).one()
            if row.word is not None or row.level >= level:
                return []
            connection.execute(
                update(minor_reports)
                .where(minor_reports.c.tenant == self.tenant, minor_reports.c.request_id == request_id)
                .values(level=level)
            )
            its = (tasks.c.request_id == request_id, tasks.c.step_key == ruling_key(request_id))
            connection.execute(
                update(tasks)
                .where(tasks.c.tenant == self.tenant, tasks.c.settled_at.is_(None), *its)
                .values(about=f"asked for {level} times in vain" if level > 1 else "asked for once in vain")
            )
            self._journal(connection, "minor_unruled", {"level": level}, at, request_id=request_id)
        return [Late(request_id, Code.MINOR, level)]
