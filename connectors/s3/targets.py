"""Which keys to look at for a person: by template, by keys that other systems know, by a manifest, by anchors.

The one rule: each key is looked at once. What is surely the person's comes first, and what is only perhaps theirs is
not asked about again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from connectors.errors import NeedsHuman
from connectors.protocol import Call
from connectors.s3.manifest import Manifest
from connectors.s3.session import Session
from connectors.s3.settings import Settings
from rights.codes import Code
from rights.subject import Identity, Sharing

_URL: Final = "s3://"


@dataclass(frozen=True, slots=True)
class Target:
    """One key, or all under one."""

    text: str = field(repr=False)
    exact: bool
    certain: bool
    fields: Mapping[str, str] = field(repr=False)
    """What is known of identities, by field of the map."""

    def takes(self, key: str) -> bool:
        """Whether a key is one of these."""
        return key == self.text if self.exact else key.startswith(self.text)


@dataclass(slots=True)
class Targets:
    """All targets of one call."""

    exact: dict[str, Target] = field(default_factory=dict, repr=False)
    folders: dict[str, Target] = field(default_factory=dict, repr=False)
    anchors: dict[str, None] = field(default_factory=dict, repr=False)
    """Keys that are surely the person's and that nothing but a manifest says so of."""

    def add(self, target: Target) -> None:
        known = self.exact if target.exact else self.folders
        before = known.get(target.text)
        if before is None or (target.certain and not before.certain):
            known[target.text] = target
        elif target.certain == before.certain:
            known[target.text] = Target(target.text, target.exact, target.certain, {**target.fields, **before.fields})

    def __iter__(self) -> Iterator[Target]:
        """Targets that take no key twice, the certain ones first."""
        for certain in (True, False):
            for target in (*self.folders.values(), *self.exact.values()):
                if target.certain is certain and not self._within(target):
                    yield target

    def settled(self, key: str, by: Target) -> bool:
        """Whether a key that a target takes is looked at by another one."""
        if by.certain or by.exact:
            return False
        return any(other.certain and other.takes(key) for other in self._candidates(key))

    def _candidates(self, key: str) -> Iterator[Target]:
        if key in self.exact:
            yield self.exact[key]
        yield from self.folders.values()

    def _within(self, target: Target) -> bool:
        """Whether another target takes all of it, as surely."""
        return any(
            other is not target and other.takes(target.text) and (other.certain or not target.certain)
            for other in self.folders.values()
        )


def targets_of(call: Call, settings: Settings, session: Session) -> Targets:
    """Work out where to look.

    Raises:
        NeedsHuman: an identity has no place in a template, or the manifest is not what the map says.
    """
    targets = Targets()
    for target in _placed(call, settings):
        targets.add(target)
    _listed(call, settings, session, targets)
    for key in call.anchors.get(settings.collection, {}).get("key", ()):
        targets.anchors[key] = None
        targets.add(Target(key, True, True, {}))
    return targets


def _placed(call: Call, settings: Settings) -> Iterator[Target]:
    """By template, and by keys that are identities themselves."""
    for template in settings.templates:
        for identity, certain in _followed(call, settings, template.field):
            keys = list(template.keys(identity.value))
            if not keys:
                raise NeedsHuman(Code.NO_PLACE, settings.collection)
            for key in keys:
                yield Target(key, not template.whole_folder, certain, {template.field: identity.value})
    for name in settings.whole_keys:
        for identity, certain in _followed(call, settings, name):
            if key := _key(identity.value, settings.bucket):
                yield Target(key, True, certain, {name: identity.value})


def _listed(call: Call, settings: Settings, session: Session, targets: Targets) -> None:
    """By the manifest."""
    fields = call.system.collections[settings.collection].fields
    for entry in Manifest(settings, fields, call.identities).entries(session, call.beat):
        targets.add(Target(entry.key, True, entry.certain, entry.fields))
        if entry.certain:
            targets.anchors[entry.key] = None


def _followed(call: Call, settings: Settings, name: str) -> Iterator[tuple[Identity, bool]]:
    about = call.system.collections[settings.collection].fields[name]
    for identity in dict.fromkeys(call.identities):
        sharing = {identity.sharing, Sharing(about.sharing)}
        if identity.kind == about.identity and Sharing.HINT not in sharing:
            yield identity, Sharing.SHARED not in sharing


def _key(value: str, bucket: str) -> str:
    """The key behind a value: the key itself, or s3://bucket/key; empty if that is another bucket's."""
    if not value.startswith(_URL):
        return value
    place, _, key = value.removeprefix(_URL).partition("/")
    return key if place == bucket else ""
