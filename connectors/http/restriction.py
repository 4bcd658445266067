"""Locking a person's rows away at a vendor, putting them back, and stopping the vendor from collecting more.

The one rule: what is locked is written down with what it was, and lifting puts back just that.
"""

import json
from collections import Counter
from collections.abc import Mapping

from connectors.errors import NeedsHuman, Unsupported
from connectors.fates import Row
from connectors.http.exchange import Exchange
from connectors.http.schema import Act, Suppress
from connectors.http.sight import ALREADY, STOPPED, Eye, Sight
from connectors.http.walk import walk
from connectors.protocol import Call, Key, Restricted
from rights.codes import Code
from rights.receipt import Count, Tally
from rights.suppression import Scope


class Restriction:
    """Restricts, lifts and suppresses in one system."""

    def __init__(self, exchange: Exchange, eye: Eye) -> None:
        self._exchange, self._eye = exchange, eye

    def restrict(self, call: Call, environment: str) -> Restricted:
        """Lock away what is not yet; what an earlier attempt has locked keeps what it was then.

        A vendor has no place to write down what a row was before, nor for whom it is locked: what a killed worker has
        locked and could not tell of stays locked until a person lifts it there (docs/http.md), and a row that was
        locked before is noted without what it was, so that whoever has locked it does not open it under us.
        """
        if not call.environment or environment != call.environment:
            raise NeedsHuman(Code.ENVIRONMENT, call.system.system)
        sight = self._eye.see(call)
        sight.refuse_doubt()
        look = sight.tally()
        state = _state(call.restricted)
        found: Counter[str] = Counter()
        wanted = {work.collection for work in call.work if work.locks}
        for name, rows in sight.certain.items():
            if name not in wanted:
                continue
            rules = self._eye.vendor.collections[name].restrict
            for row in rows if rules else ():
                assert rules  # noqa: S101 - by the line above
                key = json.dumps([name, *self._eye.key(name, row)])
                found[name] += 1
                if row[ALREADY]:
                    state.setdefault(key, None)
                else:
                    kept = {*rules.keeps, *self._eye.vendor.collections[name].key}
                    state.setdefault(key, {column: row.get(column) for column in kept})
                    with call.fence({name: 1}, look) as intent:
                        self._take(call, rules, name, row, "restrict")
                        intent.done(_found({name: 1}))
        without = sorted(n for n in wanted if sight.certain.get(n) and not self._eye.vendor.collections[n].restrict)
        return Restricted(_found(found), {"rows": json.dumps(state)}, tuple(without))

    def lift(self, call: Call) -> Tally:
        """Put back what was locked away; what was locked by others stays so, and what is open already is left alone.

        A row that an erasure has taken is put back nowhere, and is not locked either: only where a look after it has
        found nothing (`Work.gone`), since elsewhere a row that is not found may be one that its lock hides.

        Raises:
            NeedsHuman: STILL_LOCKED, another request keeps rows locked that we have locked first: they are put back
                once that one is over, by what we know of them. The others are by then.
        """
        lifted: Counter[str] = Counter()
        state = {key: row for key, row in _state(call.restricted).items() if row is not None}
        if not state:
            return _found(lifted)
        theirs = {key for other in call.restricted_too for key in _state(other)}
        waiting: set[str] = set()
        sight = self._eye.see(call)
        look = sight.tally()
        open_ = {
            json.dumps([name, *self._eye.key(name, row)])
            for name, rows in sight.certain.items()
            for row in rows
            if ALREADY in row and not row[ALREADY]
        }
        gone = {work.collection for work in call.work if work.gone}
        for key, row in state.items():
            name, *of_row = json.loads(key)
            if name in gone and tuple(of_row) not in self._there(call, sight, name):
                continue
            rules = self._eye.vendor.collections[name].lift
            if rules is None:
                raise NeedsHuman(Code.UNSUPPORTED, name)
            if key in theirs and key not in open_:
                waiting.add(name)
                continue
            lifted[name] += 1
            if key not in open_:
                with call.fence({name: 1}, look) as intent:
                    self._take(call, rules, name, row, "lift")
                    intent.done(_found({name: 1}))
        if waiting:
            raise NeedsHuman(Code.STILL_LOCKED, ", ".join(sorted(waiting)), tally=_found(lifted))
        return _found(lifted)

    def _there(self, call: Call, sight: Sight, name: str) -> set[Key]:
        """The keys of rows that are found, whosever they are said to be."""
        found = (*sight.certain.get(name, ()), *sight.doubtful.get(name, ()))
        return {self._eye.key(name, row) for row in found} | call.rulings.others.get(name, frozenset())

    def suppress(self, call: Call) -> Tally:
        """Stop the vendor from using the person's rows for what is to stop, or from collecting more; and look again
        where it can be asked."""
        wanted = {work.collection: work.stops for work in call.work}
        sight = self._eye.see(call)
        sight.refuse_doubt()
        look = sight.tally()
        done: Counter[str] = Counter()
        for name, rows in sight.certain.items():
            if (rules := self._rules(wanted, name)) is None:
                continue
            for row in rows:
                if not row.get(STOPPED):
                    with call.fence({name: 1}, look) as intent:
                        self._take(call, rules, name, row, "suppress")
                        intent.done(_found({name: 1}))
                done[name] += 1
        tally = _found(done)
        self._refuse_unstopped(call, wanted, tally)
        for name, rows in sight.certain.items():
            if rows and self._unstopped(wanted, name):
                raise Unsupported(Code.UNSUPPORTED, name, tally=tally)
        return tally

    def _rules(self, wanted: Mapping[str, tuple[Scope, ...] | None], name: str) -> Suppress | None:
        """How it is stopped in a collection; None where nothing is to be, or there is no way to."""
        rules, stops = self._eye.vendor.collections[name].suppress, wanted.get(name)
        if rules is None or stops is None:
            return rules
        return rules if {*rules.stops, Scope.CONSENT} & set(stops) else None

    def _unstopped(self, wanted: Mapping[str, tuple[Scope, ...] | None], name: str) -> bool:
        """Whether something is to stop in a collection that the vendor has no way to stop."""
        stops, rules = wanted.get(name), self._rules(wanted, name)
        if not stops:
            return False
        return rules is None or not {*rules.stops, Scope.CONSENT}.issuperset(stops)

    def _refuse_unstopped(self, call: Call, wanted: Mapping[str, tuple[Scope, ...] | None], tally: Tally) -> None:
        """Look again: a vendor that says yes and goes on is not believed."""
        asked = [name for name in wanted if (rules := self._rules(wanted, name)) and rules.already]
        if not (asked and tally.found):
            return
        again = self._eye.see(call)
        for name in asked:
            if not all(row[STOPPED] for row in again.certain.get(name, ())):
                raise NeedsHuman(Code.CHANGED_BACK, name, tally=tally)

    def _take(self, call: Call, rules: Act, name: str, row: Row, what: str) -> None:
        scope = self._exchange.scope(call, row=row)
        for _ in walk(self._exchange, call, rules.steps, scope, {}, f"collections.{name}.{what}.steps"):
            pass


def _state(restricted: Mapping[str, str]) -> dict[str, Row | None]:
    """Rows that are locked away, by collection and key, with the values that lifting puts back; None of one that was
    locked before."""
    state: dict[str, Row | None] = json.loads(restricted.get("rows", "{}"))
    return state


def _found(rows: Mapping[str, int]) -> Tally:
    return Tally(counts=tuple(Count(collection=name, found=number) for name, number in rows.items()))
