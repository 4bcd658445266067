"""Correcting what a vendor says of a person, in the fields that its file can write.

The one rule: a row is read by its key, where the file can, before it is written and again after: what is kept is what
stood there, and what the vendor says afterwards counts, not that it said yes. A search may lag behind both.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from connectors.corrections import Mend, corrected, foreseen, found_of, mends, names, old_values, require, told
from connectors.errors import ConnectorError, NeedsHuman, Unsupported
from connectors.fates import Place, Row
from connectors.http.exchange import Exchange
from connectors.http.schema import Rectify
from connectors.http.sight import Eye, Sight
from connectors.protocol import Call, Correction
from connectors.strategies import text
from rights.codes import Code
from rights.receipt import Tally
from rights.subject import Sharing, comparable


class Rectification:
    """Corrects in one system."""

    def __init__(self, exchange: Exchange, eye: Eye) -> None:
        self._exchange, self._eye = exchange, eye

    @property
    def longest(self) -> timedelta:
        """How long the requests that write one row may take together."""
        specs = self._eye.vendor.collections.values()
        return max((self._span(spec.rectify) for spec in specs if spec.rectify), default=timedelta(0))

    def rectify(self, call: Call, environment: str) -> Tally:
        """Write what the corrections say, each row behind a fence of its own, the old values given away before.

        Raises:
            Unsupported: a field has no way in the vendor's file. Nothing was changed.
            NeedsHuman: as `connectors.protocol.Rectifies` says; REFUSED, the vendor will not.
        """
        system = self._eye.system
        if not call.environment or environment != call.environment:
            raise NeedsHuman(Code.ENVIRONMENT, system.system)
        require(system, call.corrections)
        call = replace(call, corrections=tuple(self._offered(one) for one in call.corrections))
        known = foreseen(call)
        sight = self._eye.see(known)
        sight.refuse_doubt()
        due = self._due(known, sight)
        look = found_of(system, call.corrections, sight.certain)
        for mend in due:
            self._refuse_loss(known, sight, mend)
        if not due:
            return look
        call.learn((*self._eye.links(known, sight), *told(call)))
        # All of them first: a look that must change nothing comes no further, and has to be told of every row.
        call.keep(old_values(due))
        done: list[Mend] = []
        try:
            for mend in due:
                call.beat()
                if self._carry_out(call, mend, sight, look):
                    done.append(mend)
            self._look_again(known, sight, [mend.place for mend in due if mend not in done])
        except ConnectorError as error:
            error.tally = self._tally(done, look)
            raise
        return self._tally(done, look)

    def _offered(self, one: Correction) -> Correction:
        """The correction as rows are compared with it: an empty text is nothing. Refused where the file has no way."""
        rules = self._eye.vendor.collections[one.collection].rectify
        if rules is None:
            raise Unsupported(Code.UNSUPPORTED, one.collection)
        if not set(one.values) <= set(rules.fields):
            raise Unsupported(Code.UNSUPPORTED, names(one))
        values = {name: value or None for name, value in one.values.items()}
        if rules.empty is None and None in values.values():
            raise NeedsHuman(Code.VALUE, names(one))
        return replace(one, values=values)

    def _due(self, call: Call, sight: Sight) -> list[Mend]:
        """The rows that do not say yet what they are to say. What a search shows of them is read again by the key, and
        stands so in `sight` from then on."""
        self._level(sight)
        corrections, certain = call.corrections, sight.certain
        for mend in list(mends(self._eye.system, corrections, certain)):
            name, key = mend.place
            certain[name] = [
                fresh
                for row in certain[name]
                for fresh in (self._eye.again(call, name, row) if self._eye.key(name, row) == key else (row,))
            ]
        self._level(sight)
        return list(mends(self._eye.system, corrections, certain))

    def _level(self, sight: Sight) -> None:
        """An empty text in a field that can be written is nothing: vendors answer either, for the same."""
        for name, rows in sight.certain.items():
            rules = self._eye.vendor.collections[name].rectify
            empties = dict.fromkeys(rules.fields) if rules else {}
            sight.certain[name] = [
                {column: None if column in empties and value == "" else value for column, value in row.items()}
                for row in rows
            ]

    def _refuse_loss(self, call: Call, sight: Sight, mend: Mend) -> None:
        """Refuse to change by what a row is found so that nobody would find it any more."""
        name, spec = mend.place[0], self._eye.vendor.collections[mend.place[0]]
        if not any(find.by in mend.new for find in spec.find):
            return
        row = {**self._row(sight, mend.place), **mend.new}
        known = self._eye.system.collections[name]
        linked = any(
            link.kind == "unique" and text(row.get(link.field)) in self._held(sight, *link.target)
            for link in known.links
        )
        if linked or any(self._leads(call, name, find.by, row) for find in spec.find):
            return
        raise NeedsHuman(Code.NOT_RECTIFIABLE, f"{name}.{','.join(mend.new)} (nobody would be found)")

    def _leads(self, call: Call, name: str, by: str, row: Row) -> bool:
        """Whether a row is found, and surely, by what it says in a field."""
        about, said = self._eye.system.collections[name].fields.get(by), text(row.get(by))
        if about is None or not about.identity or not said or about.sharing != "unique":
            return False
        return any(
            identity.kind == about.identity
            and identity.sharing is Sharing.UNIQUE
            and comparable(identity.value, casefold=about.casefold) == comparable(said, casefold=about.casefold)
            for identity in call.identities
        )

    def _carry_out(self, call: Call, mend: Mend, sight: Sight, look: Tally) -> bool:
        """Write one row; whether the vendor knew of it."""
        name = mend.place[0]
        rules = self._rules(name)
        # Begun before the fence is entered, so that no intent runs out before what it stands for has ended.
        with self._exchange.limit(self._span(rules)), call.fence({name: 1}, look) as intent:
            taken = self._write(call, rules, mend, self._row(sight, mend.place))
            intent.done(corrected(self._eye.system, [mend] if taken else []))
        return taken

    def _write(self, call: Call, rules: Rectify, mend: Mend, row: Row) -> bool:
        new = {column: rules.empty if value is None else value for column, value in mend.new.items()}
        # What is written together is what was read right before, with what is new.
        whole = {column: rules.empty if row.get(column) is None else row[column] for column in rules.fields} | new
        saved: dict[str, object] = {}
        for number, step in enumerate(rules.steps):
            if step.writes and not new.keys() & set(step.writes):
                continue
            where = f"collections.{mend.place[0]}.rectify.steps[{number}]"
            if step.idempotency_key:
                key = {step.idempotency_key: _key(call, where, mend)}
                step = step.model_copy(update={"headers": {**step.headers, **key}})
            scope = self._exchange.scope(call, row=row, new=new, whole=whole, saved=saved)
            answer = self._exchange.ask(call, step, step.call, scope, where)
            if answer.absent:
                return False
            saved.update(self._exchange.saved(step, answer, scope, where))
        return True

    def _look_again(self, call: Call, before: Sight, unknown: list[Place]) -> None:
        """See that the rows say it now; those too that a search does not find any more by what they said before.

        Raises:
            NeedsHuman: CHANGED_BACK; REFUSED, a row that the vendor shows, and knows nothing of when it is written.
        """
        sight = self._eye.see(call)
        for name, rows in before.certain.items():
            seen = {self._eye.key(name, row) for row in sight.certain[name]}
            lost = [row for row in rows if self._eye.key(name, row) not in seen and self._eye.by_key(name) is not None]
            sight.certain[name] += [fresh for row in lost for fresh in self._eye.again(call, name, row)]
        for mend in self._due(call, sight):
            code = Code.REFUSED if mend.place in unknown else Code.CHANGED_BACK
            raise NeedsHuman(code, f"{mend.place[0]}.{','.join(mend.new)}")

    def _tally(self, done: list[Mend], look: Tally) -> Tally:
        counts = zip(corrected(self._eye.system, done).counts, look.counts, strict=True)
        return Tally(counts=tuple(count.model_copy(update={"found": seen.found}) for count, seen in counts))

    def _rules(self, name: str) -> Rectify:
        rules = self._eye.vendor.collections[name].rectify
        assert rules is not None  # noqa: S101 - by `_offered`
        return rules

    def _row(self, sight: Sight, place: Place) -> Row:
        return next(row for row in sight.certain[place[0]] if self._eye.key(place[0], row) == place[1])

    def _held(self, sight: Sight, name: str, column: str) -> Iterator[str]:
        return (said for row in sight.certain.get(name, ()) if (said := text(row.get(column))))

    def _span(self, rules: Rectify) -> timedelta:
        return self._eye.vendor.timeout * len(rules.steps)


def _key(call: Call, where: str, mend: Mend) -> str:
    """The same for every attempt to write the same into the same row, and for nothing else. A digest, so that it names
    nobody; the call's key is in it, which only the engine knows."""
    whole = [call.key, where, *mend.place[1]]
    whole += [part for column in sorted(mend.new) for part in (column, text(mend.new[column]))]
    return "habeas-" + hashlib.sha256("\0".join(whole).encode()).hexdigest()[:40]
