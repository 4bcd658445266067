"""What `habeas doctor` asks the ledger of itself: its clock, the end of its journal, its keys, its backups.

The one rule: nothing is changed, and nothing of a person is read.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from settings import Settings
from starter.checks import Check, NotSo, checked, silent
from starter.show import age, plural

if TYPE_CHECKING:
    from ledger.ledger import Ledger

SKEWED: Final = timedelta(seconds=5)
"""A clock that differs by more is worth a look: times in journal and log do not fit together any more."""
WRONG: Final = timedelta(seconds=60)
"""One that differs by more is wrong: codes and links would end too early, or too late."""
SIGNED_WITHIN: Final = timedelta(hours=2)
"""A checkpoint is signed each hour, and whenever a request closes."""


def ledger_checks(settings: Settings) -> Iterator[Check]:
    """Everything about a ledger that answers and whose tables are of this version."""
    from starter.desk import open_ledger

    ledger = open_ledger(settings)
    try:
        yield silent(checked("clock of the ledger", lambda: _clock(ledger), "see that the database answers"))
        yield silent(checked("journal", lambda: _journal(ledger), "see that the database answers"))
        away = f"see that the keys of {settings.keys} can be used from here"
        yield checked("keys in use", lambda: _keys(ledger, settings), away)
        yield silent(checked("log archive", lambda: _archive(ledger), "see that the role may read pg_stat_archiver"))
        if settings.backups is not None:
            yield checked("backups", lambda: _backups(settings), "see that the directory of backups can be read")
        else:
            yield Check(
                name="backups",
                ok=True,
                about="nobody is told where they lie, so how old they are is not known",
                advice='write backups = "/where/they/lie" into habeas.toml, one file or directory each',
                severity="note",
            )
    finally:
        ledger.close_connections()


def skew(theirs: datetime, before: datetime, after: datetime, whose: str) -> str:
    """How far a clock is from ours, given when we asked and when it had answered.

    Raises:
        NotSo: it is too far.
    """
    # Where in between it was read is not known: it gets the benefit of that.
    off = timedelta(0)
    if theirs < before:
        off = before - theirs
    elif theirs > after:
        off = theirs - after
    if off > SKEWED:
        way = "behind" if theirs < before else "ahead of"
        raise NotSo(
            f"it is {off.total_seconds():.0f} seconds {way} this machine's",
            f"set both clocks by NTP, this machine's and {whose}",
            warning=off <= WRONG,
        )
    return f"it agrees with this machine's to {max(off, after - before).total_seconds():.1f} seconds"


def _clock(ledger: "Ledger") -> str:
    ledger.backlog()  # connects, which is not to count
    before = datetime.now(UTC)
    theirs = ledger.clock()
    return skew(theirs, before, datetime.now(UTC), "the database's")


def _journal(ledger: "Ledger") -> str:
    end = ledger.journal_end()
    if end.wrong:
        raise NotSo(end.wrong, "keep ledger and checkpoints as they are, and run habeas ledger verify")
    if not end.seq:
        return "nothing has been written yet"
    if end.signed_at is None:
        raise NotSo(
            f"{plural(end.seq, 'entry', 'entries')}, and no checkpoint has signed any",
            "start a worker: it signs each hour, where the setting checkpoints says",
            warning=True,
        )
    old = datetime.now(UTC) - end.signed_at
    if end.signed < end.seq and old > SIGNED_WITHIN:
        raise NotSo(
            f"the newest checkpoint is {age(old)} old, and more was written since",
            "see that a worker runs, and that it can write the file of the setting checkpoints",
            warning=True,
        )
    return f"its end is sound: entry {end.seq}, signed up to {end.signed} {age(old)} ago"


def _keys(ledger: "Ledger", settings: Settings) -> str:
    found = ledger.keys_in_use()
    if found.lost:
        raise NotSo(
            f"{len(found.lost)} of {plural(found.number, 'key')} cannot be used: {', '.join(found.lost)}",
            f"bring them back from the backup of {settings.keys}, or give back the right to use them; "
            "what lies under them cannot be read without",
        )
    return f"{plural(found.number, 'key')} in use, each tried"


def _archive(ledger: "Ledger") -> str:
    found = ledger.archiving()
    if found.on and found.failing:
        raise NotSo("the database cannot archive its log", "read its log, and mend archive_command")
    if not found.on:
        return "the database keeps none: a restore loses what came after the last backup"
    return f"last archived {age(datetime.now(UTC) - found.last)} ago" if found.last else "on, and empty yet"


def _backups(settings: Settings) -> str:
    folder = settings.backups
    if folder is None or not folder.is_dir():
        raise NotSo("the directory of the setting backups is not there", "name the one in which the backups lie")
    now = datetime.now(UTC)
    ages = sorted(now - datetime.fromtimestamp(entry.stat().st_mtime, UTC) for entry in folder.iterdir())
    if not ages:
        raise NotSo("there is no backup of the ledger", f"make one, each {age(settings.backup_every)}")
    most = timedelta(days=settings.backup_max_age_days)
    if ages[-1] > most:
        over = sum(one > most for one in ages)
        raise NotSo(
            f"{plural(over, 'backup')} older than {settings.backup_max_age_days} days (backup_max_age_days): "
            "what people were told is out of backups can be read from them",
            "destroy them, or raise backup_max_age_days for what is promised from now on",
        )
    if ages[0] > 2 * settings.backup_every:
        raise NotSo(
            f"the newest backup is {age(ages[0])} old, and one is due each {age(settings.backup_every)}",
            "see why none is made any more",
        )
    return f"{plural(len(ages), 'backup')}, the newest {age(ages[0])} old, the oldest {age(ages[-1])}"
