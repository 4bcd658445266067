"""What the activities of one worker share: the ledger, the connectors, the data map, the parcel store.

The one rule: everything is given at start; an activity looks nothing up in the environment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activities.hooks import Hook
from activities.mailsetup import Mail
from activities.stamping import Authority
from activities.store import Store
from connectors.protocol import Connector
from ledger.ledger import Ledger
from ledger.requestrow import RequestRow
from rights.datamap import DataMap, System
from rights.deferred import ASK_AFTER
from rights.exempt import exempt
from rights.letters import Office
from rights.recipients import Register
from rights.transfer import Receivers


@dataclass(frozen=True)
class Terms:
    """How long what a closed request leaves behind is kept, and restrictions last."""

    working: timedelta = timedelta(days=30)
    """Identities and anchors: for questions about the answer, and to look again."""
    file: timedelta = timedelta(days=3 * 365)
    """What was asked and decided: the limitation period of most complaints and claims."""
    parcel: timedelta = timedelta(days=14)
    disputed: timedelta = timedelta(days=180)
    """What a rectification has written over: the longest term for a complaint that the laws we have read count in days
    (South Africa's POPIA). Canada's PIPEDA 8(8) has it kept until every recourse is exhausted: set more, or a hold."""

    relook: timedelta = timedelta(days=7)
    """After the answer, when everything that was looked at again is looked at once more: what writes rows back at night
    or once a week has had its turn by then."""
    review: timedelta = timedelta(days=90)
    """After how long somebody looks whether a restriction is still needed. No law has a number; a quarter is ours."""
    look: timedelta = timedelta(days=1)
    """How often it is looked for what has come since that a restriction is about. A day is what the letters of most
    shops take to go out again; sooner costs the systems a look."""
    lasting: timedelta = timedelta(days=7)
    """After how long it is looked whether a correction lasts: by then the weekly import has run that would undo it."""
    rest_review: timedelta = ASK_AFTER
    """After how long somebody is asked whether what an erasure has kept without an end must still be kept."""
    notice: timedelta = timedelta(days=7)
    """Between telling the person that a restriction will be lifted and lifting it (GDPR Art. 18(3) has no number)."""


@dataclass(frozen=True)
class Limits:
    """How long a destructive call may take, and what an export may weigh."""

    call: timedelta = timedelta(minutes=5)
    """The life of an intent, for connectors that do not say how long a call of theirs can still take effect."""


@dataclass(frozen=True)
class Transfers:
    """Whom data may be sent to, and the key that we sign with."""

    receivers: Receivers
    key: Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True)
class Tools:
    """Built once by the composition root."""

    ledger: Ledger
    connectors: Mapping[str, Connector]
    data_map: DataMap
    store: Store
    environment: str
    terms: Terms = field(default_factory=Terms)
    sms: str = ""
    """The address of a gateway from mail to text messages, with {digits} for the number; empty: there is none."""
    limits: Limits = field(default_factory=Limits)
    cooling_hours: int = 0
    """How long an erasure waits before it begins."""
    build: Callable[[System], Connector] | None = None
    """Makes the connector of a system as it is under a decision; None: such a step is left to a person."""
    register: Register = field(default_factory=Register)
    """The recipients of the data; empty where the deployment names none."""
    transfers: Transfers | None = None
    """None: data is handed to persons alone."""
    mail: Mail | None = None
    """None: nothing is sent."""
    authority: Authority | None = None
    """Who timestamps the journal's head; None: nobody does."""
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    """The webhooks, by name."""
    office: Office = field(default_factory=Office)
    """Who writes letters, and what the settings say of that."""
    _maps: dict[str, DataMap] = field(default_factory=dict)
    _decided_maps: dict[tuple[str, str], DataMap] = field(default_factory=dict)
    _decided_connectors: dict[str, Connector] = field(default_factory=dict)
    _building: Lock = field(default_factory=Lock)

    def pinned(self, digest: str | None) -> DataMap:
        """The map that a request is pinned to: the worker's own, or an older one from the ledger."""
        if digest is None or digest == self.data_map.digest:
            return self.data_map
        if digest not in self._maps:
            self._maps[digest] = self.ledger.pinned_map(digest)
        return self._maps[digest]

    def map_of(self, row: RequestRow) -> DataMap:
        """The map that a request is pinned to, without the categories that a decision in force leaves out of it.

        A map that cannot be kept to for that (it was changed after the decision) loses nothing: its rows stay.
        """
        pinned = self.pinned(row.map_digest)
        if row.decided is None or not row.decided.parts:
            return pinned
        key = (pinned.digest, row.decided.model_dump_json() + row.right)
        if key not in self._decided_maps:
            self._decided_maps[key] = exempt(pinned, row.right, row.decided.exempted, cautious=True)
        return self._decided_maps[key]

    def connector(self, system: System, row: RequestRow | None = None) -> Connector | None:
        """The live connector of a system, as a decision leaves it for a request; None when this worker's map does not
        have that system any more."""
        live = self.connectors.get(system.system)
        if live is None or self.build is None or row is None or row.decided is None or not row.decided.parts:
            return live
        if self.pinned(row.map_digest).systems.get(system.system) != self.data_map.systems[system.system]:
            return live
        if system == self.data_map.systems[system.system]:
            return live
        return self.made_for(system)

    @property
    def every_connector(self) -> list[Connector]:
        """All that were made, those under decisions and holds too: for whoever closes them."""
        return [*self.connectors.values(), *self._decided_connectors.values()]

    def made_for(self, system: System) -> Connector | None:
        """A connector of a system as a decision or a hold leaves it; None if this worker cannot make one.

        A connector knows the map it was made for. There are as few of these as there are kinds of decisions, and of
        collections that are held.
        """
        if self.build is None:
            return None
        key = system.model_dump_json(exclude_defaults=True)
        with self._building:
            if key not in self._decided_connectors:
                self._decided_connectors[key] = self.build(system)
            return self._decided_connectors[key]
