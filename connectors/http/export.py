"""A person's rows as the vendor has them, and the files that the vendor makes of the rest.

The one rule: what was asked for can expire. Files are fetched in the call that finds the work done, and what is gone by
then is asked for again.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.errors import NeedsHuman, Retryable
from connectors.fates import Row
from connectors.http.erasure import SOON, states_of
from connectors.http.errand import Errand, Progress
from connectors.http.exchange import Exchange
from connectors.http.sight import Eye, Sight
from connectors.http.steps import Download, Poll, Step
from connectors.http.template import MissingError, Scope, inserted, typed
from connectors.http.walk import walk
from connectors.protocol import Call, Export, Key, Pending
from connectors.strategies import text
from rights.codes import Code
from rights.plan import Work

PAGE: Final = 64 * 1024
"""Bytes after which a page of an export ends."""


class Exporter:
    """Exports from one system."""

    def __init__(self, exchange: Exchange, eye: Eye, every: timedelta | None = None) -> None:
        self._exchange, self._eye, self._every = exchange, eye, every

    def export(self, call: Call) -> Iterator[Export] | Pending:
        """The rows, and the files once they are all made."""
        sight = self._eye.see(call, without=self._eye.leaves)
        sight.refuse_doubt()
        progress = Progress.of(call.job) if call.job else self._asked_for(sight)
        waits: list[timedelta] = []
        moved = False
        for errand in progress.errands:
            before = errand.step
            try:
                wait = self._on(call, errand)
            except Retryable as error:
                if not (moved or errand.step != before):
                    raise
                wait = error.after or SOON
            moved = moved or errand.step != before
            waits += [wait] if wait is not None else []
        if waits:
            return Pending(min(waits), sight.tally(), progress.job())
        return self._all(call, sight, progress)

    def _asked_for(self, sight: Sight) -> Progress:
        """What the vendor has to make files of."""
        specs = self._eye.vendor.collections
        rows = [Errand(name, row) for name, rows in sight.certain.items() if specs[name].export for row in rows]
        return Progress(rows, {})

    def _steps(self, errand: Errand) -> tuple[Step, ...]:
        export = self._eye.vendor.collections[errand.collection].export
        return export.steps if export else ()

    def _on(self, call: Call, errand: Errand) -> timedelta | None:
        """Take one row as far as its files; how long to wait if they are not made yet."""
        steps = self._steps(errand)
        turns = errand.turn
        while errand.step < len(steps) and not isinstance(step := steps[errand.step], Download):
            where = f"collections.{errand.collection}.export.steps[{errand.step}]"
            scope = self._scope(call, errand)
            if isinstance(step, Poll):
                wait = self._poll(call, step, errand, scope, where)
                # What is gone is asked for again at once, but only once in a call.
                if wait is not None and (errand.step != 0 or errand.turn > turns + 1):
                    return wait
            else:
                for _ in walk(self._exchange, call, [step], scope, errand.saved, where):
                    pass
                errand.step += 1
                errand.since = errand.since or call.as_of.astimezone(UTC).isoformat()
        return None

    def _poll(self, call: Call, step: Poll, errand: Errand, scope: Scope, where: str) -> timedelta | None:
        """How long to wait; None if it is done. What is gone begins again at the first step."""
        answer = self._exchange.ask(call, step, step.poll, scope, where)
        words = states_of(self._exchange, step, answer.body, scope, where, absent=answer.absent)
        if words & set(step.states.failed):
            raise NeedsHuman(Code.FAILED, errand.collection)
        gone = bool(words & set(step.states.again))
        if not gone and words <= set(step.states.done):
            expires = (
                self._exchange.sought(step.expires, answer.body, scope, f"{where}.expires") if step.expires else ""
            )
            if not expires or not has_passed(expires, call.as_of):
                errand.saved.update(self._exchange.saved(step, answer, scope, where))
                errand.step += 1
                return None
            gone = True
        if gone:
            errand.step, errand.saved, errand.since, errand.turn = 0, {}, "", errand.turn + 1
        elif errand.age(call.as_of) >= step.deadline:
            raise NeedsHuman(Code.LATE, errand.collection)
        return self._every or step.every

    def _all(self, call: Call, sight: Sight, progress: Progress) -> Iterator[Export]:
        for work in call.work:
            rows = sight.certain.get(work.collection)
            found = self._as_found(call, work.collection, sight) if rows is None else iter(rows)
            yield Export(work.collection, "application/x-ndjson", _pages(call, work, found))
        numbers: dict[str, int] = {}
        for errand in progress.errands:
            for step in self._steps(errand)[errand.step :]:
                if isinstance(step, Download):
                    yield from self._files(call, step, errand, numbers)

    def _as_found(self, call: Call, name: str, sight: Sight) -> Iterator[Row]:
        """Rows of a leaf collection, none of them kept here but by key, where several ways may lead to one."""
        several = len(self._eye.vendor.collections[name].find) > 2 or len(self._eye.system.collections[name].links) > 1
        seen: set[Key] = set()
        for row, _ in self._eye.rows(call, name, sight):
            key = self._eye.key(name, row)
            if key not in seen:
                yield row
            if several:
                seen.add(key)

    def _files(self, call: Call, step: Download, errand: Errand, numbers: dict[str, int]) -> Iterator[Export]:
        where = f"collections.{errand.collection}.export.steps.download"
        scope = self._scope(call, errand)
        urls: object = None
        with suppress(MissingError):
            urls = typed(step.download, scope)
        if not isinstance(urls, list):
            raise NeedsHuman(Code.SHAPE, where)
        for url in urls:
            number = numbers[errand.collection] = numbers.get(errand.collection, 0) + 1
            name = inserted(step.name, {**scope, "file": {"number": number}})
            pages = self._exchange.download(call, step, text(url), scope, where)
            yield Export(errand.collection, step.media_type, pages, name)

    def _scope(self, call: Call, errand: Errand) -> Scope:
        return self._exchange.scope(call, row=errand.row, saved=errand.saved)


def has_passed(moment: object, now: datetime) -> bool:
    """Whether a moment that the vendor wrote (ISO 8601; a day is its beginning) is over; True if it is none."""
    try:
        until = datetime.fromisoformat(str(moment))
    except ValueError:
        return True
    return now >= (until if until.tzinfo else until.replace(tzinfo=UTC))


def _pages(call: Call, work: Work, rows: Iterable[Row]) -> Iterator[bytes]:
    page = bytearray()
    for row in rows:
        page += json.dumps({column: row.get(column) for column in work.export}).encode() + b"\n"
        if len(page) >= PAGE:
            call.beat()
            yield bytes(page)
            page.clear()
    yield bytes(page)
