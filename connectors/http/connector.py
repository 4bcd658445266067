"""One vendor's account as a connector: what its file says, offered as the contract has it.

The one rule: a method is there only if the file has the operation. What the vendor does not offer is not pretended.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from connectors.errors import ConnectorError
from connectors.http.erasure import Erasure
from connectors.http.exchange import Exchange
from connectors.http.export import Exporter
from connectors.http.rectification import Rectification
from connectors.http.restriction import Restriction
from connectors.http.schema import Collection
from connectors.http.sight import Eye, Sight
from connectors.protocol import Call, Export, Look, Pending, Restricted
from rights.datamap import System
from rights.receipt import Certainty, Count, Tally
from rights.suppression import Scope

SURENESS: Final = (Certainty.ATTESTED, Certainty.COMPLETED, Certainty.VERIFIED)
"""A look at several collections is as sure as the least sure of them."""


class HttpConnector:
    """One system behind a vendor file. Has `export`, `erase` and `verify`, `restrict` and `lift`, `suppress`,
    `rectify`, `batch` and `erase_many` as the file, and the collections that the map takes from it, allow."""

    def __init__(
        self, system: System, exchange: Exchange, environment: str = "", every: timedelta | None = None
    ) -> None:
        """`every`: how often to ask how the vendor's work stands, where not as its file says."""
        self.system, self.environment = system, environment
        self._vendor = exchange.vendor
        self._exchange = exchange
        self._eye = Eye(exchange, system)
        self._erasure = Erasure(exchange, self._eye, every)
        self._exporter = Exporter(exchange, self._eye, every)
        self._restriction = Restriction(exchange, self._eye)
        self._rectification = Rectification(exchange, self._eye)
        self._offer()

    def __repr__(self) -> str:
        return f"HttpConnector({self._vendor.name!r}, {self.system.system!r})"

    @property
    def longest(self) -> timedelta:
        """How long after entering a fence one of its calls can still take effect."""
        return max(self._erasure.longest, self._rectification.longest + self._vendor.grace)

    def locate(self, call: Call) -> Look:
        """Count this person's rows, and find the anchors. Of a blind vendor: what would be submitted."""
        sight = self._eye.see(call)
        return self._look(call, sight, sight.tally(), Certainty.VERIFIED)

    def close(self) -> None:
        """Close idle connections."""
        self._exchange.close()

    def mark(self, call: Call) -> str:
        """Which environment of ours this account belongs to, as the map says."""
        return self.environment

    def probe(self, call: Call) -> None:
        """Show that the credentials work, by a call that changes nothing.

        Raises:
            Retryable, NeedsHuman: they do not, or the vendor is away.
        """
        if self._vendor.probe is not None:
            self._exchange.ask(call, self._vendor.probe, self._vendor.probe.call, self._exchange.scope(call), "probe")

    def _offer(self) -> None:
        """Give this object the methods that the file has."""
        specs = self._specs
        if "export" not in self._vendor.unsupported:
            self.export = self._export
        if specs and all(spec.erase for spec in specs):
            self.erase, self.verify = self._erase, self._verify
            people = min(spec.erase.batch for spec in specs if spec.erase)
            if people > 1:
                self.batch, self.erase_many = people, self._erase_many
        if any(spec.restrict for spec in specs):
            self.restrict, self.lift = self._restrict, self._restriction.lift
        if any(spec.suppress for spec in specs):
            self.suppress, self.stops = self._restriction.suppress, self._stops
        if any(spec.rectify for spec in specs):
            self.rectify = self._rectify

    @property
    def _stops(self) -> Mapping[str, frozenset[Scope]]:
        """What the vendor can be kept from using people's rows for, by collection."""
        specs = {name: self._vendor.collections[name].suppress for name in self.system.collections}
        return {name: frozenset(spec.stops) for name, spec in specs.items() if spec}

    @property
    def _specs(self) -> list[Collection]:
        return [self._vendor.collections[name] for name in self.system.collections]

    def _export(self, call: Call) -> Iterator[Export] | Pending:
        return self._exporter.export(call)

    def _erase(self, call: Call) -> Tally | Pending:
        (answer,) = self._erasure.erase([call], self.environment)
        if isinstance(answer, ConnectorError):
            raise answer
        return answer

    def _restrict(self, call: Call) -> Restricted:
        return self._restriction.restrict(call, self.environment)

    def _rectify(self, call: Call) -> Tally:
        return self._rectification.rectify(call, self.environment)

    def _erase_many(self, calls: Sequence[Call]) -> Sequence[Tally | Pending | ConnectorError]:
        return self._erasure.erase(calls, self.environment)

    def _verify(self, call: Call) -> Look:
        """Look again. What a blind vendor took on is over once its term is, which `erase` has waited for."""
        sight = self._eye.see(call)
        sure = {Certainty.VERIFIED}
        counts = []
        for count in sight.tally().counts:
            spec = self._vendor.collections[count.collection]
            if spec.blind or not spec.verified:
                attested = spec.erase is not None and spec.erase.term is not None
                sure.add(Certainty.ATTESTED if attested else Certainty.COMPLETED)
                count = Count(collection=count.collection)
            counts.append(count)
        return self._look(call, sight, Tally(counts=tuple(counts)), min(sure, key=SURENESS.index))

    def _look(self, call: Call, sight: Sight, tally: Tally, certainty: Certainty) -> Look:
        return Look(
            tally,
            self._eye.anchors(call, sight),
            self._eye.candidates(sight),
            self._eye.links(call, sight),
            certainty,
        )
