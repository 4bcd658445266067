"""Looking for a person's messages in all folders of an account.

The one rule: a look ends only when no folder has changed behind it. Whatever is moved while it goes on comes as new
into a folder, and is looked at there.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connectors.errors import NeedsHuman, Retryable
from connectors.fates import Fate, fate_of, key_of
from connectors.links import Links
from connectors.mailbox.addresses import HEADERS, Match, Wanted, people, plain, read_header, values
from connectors.mailbox.message import date_of, message_id, names_request, shown
from connectors.mailbox.session import VIEWS, WHOLE, Elsewhere, Folder, Head, Session, State
from connectors.mailbox.settings import KEY, Settings
from connectors.protocol import Anchors, Call, Candidate, Key
from connectors.strategies import text
from rights.codes import Code
from rights.datamap import Erase
from rights.subject import Identity, Sharing

PASSES: Final = 8
"""How often a look goes through folders that keep changing; each time only what is new is read."""
IDS_AT_ONCE: Final = 50
"""Message ids in one search; servers bound the length of a command."""
THIS_REQUEST: Final = "this request"
"""The ground on which the correspondence about the request itself is kept."""


_UNASKED: Final[Mapping[str, object]] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """One message of the person, or one of which that is the question."""

    folder: str = field(repr=False)
    uidvalidity: int
    uid: int
    digest: str = field(repr=False)
    size: int
    date: datetime | None
    received: datetime | None
    message_id: str = field(repr=False)
    matter: bool
    """It is about the request itself."""
    others: bool
    """It is between others as well, or the map wants it read before it is delivered."""
    certain: bool
    identities: Mapping[str, str] = field(repr=False)
    """What it holds of the identities that were asked for, by field."""
    traits: Mapping[str, object] = field(repr=False)

    @property
    def key(self) -> Key:
        return (self.folder, str(self.uidvalidity), str(self.uid), self.digest)

    @property
    def values(self) -> dict[str, object]:
        """What the fates of rows are worked out from."""
        return {**dict(zip(KEY, self.key, strict=True)), "date": self.date, "received": self.received}


@dataclass(frozen=True, slots=True)
class Sight:
    """The messages that a look found, in the order of folders and numbers."""

    certain: tuple[Row, ...]
    doubtful: tuple[Row, ...]
    states: Mapping[str, State] = field(default_factory=dict, repr=False)
    """How each folder stood when it was looked at."""

    def refuse_doubt(self, collection: str) -> None:
        """Nothing is disclosed, moved or destroyed while it is open whose messages these are."""
        if self.doubtful:
            raise NeedsHuman(Code.SEVERAL_PEOPLE, collection)


class Search:
    """What one call looks for."""

    def __init__(self, call: Call, settings: Settings) -> None:
        self._call, self._settings = call, settings
        self._collection = call.system.collections[settings.collection]
        self._request = call.key.partition("/")[0]
        self._mine = _digests(call.rulings.mine.get(settings.collection, ()))
        self._others = _digests(call.rulings.others.get(settings.collection, ()))
        anchors = call.anchors.get(settings.collection, {})
        self._anchored = frozenset(anchors.get("digest", ()))
        self._ids = anchors.get("message_id", ())
        self._seen = dict(map(_read_seen, anchors.get("seen", ())))
        self._wanted = tuple(self._addresses())
        self._words = tuple(self._texts())
        self._held: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        self._known = frozenset(plain(one.value).casefold() for one in self._wanted)

    def see(self, session: Session) -> Sight:
        """Look through all folders.

        Raises:
            Retryable: they keep changing.
        """
        if not (self._wanted or self._words or self._ids):
            return Sight((), ())
        states: dict[str, State] = {}
        rows: dict[tuple[str, int, int], Row] = {}
        for _ in range(PASSES):
            changed = False
            folders = chosen(session.folders(), self._settings, self._call, gmail=session.able("X-GM-EXT-1"))
            for folder in folders:
                self._call.beat()
                try:
                    changed |= self._visit(session, folder.name, states, rows)
                except Elsewhere:
                    states.pop(folder.name, None)
                    changed = True
            if not changed:
                there = {(folder.name, states[folder.name].uidvalidity) for folder in folders}
                found = [row for row in rows.values() if (row.folder, row.uidvalidity) in there]
                found.sort(key=lambda row: (row.folder, row.uid))
                certain = tuple(row for row in found if row.certain)
                return Sight(certain, tuple(row for row in found if not row.certain), states)
        raise Retryable(Code.BUSY, self._call.system.system)

    def _visit(
        self, session: Session, folder: str, states: dict[str, State], rows: dict[tuple[str, int, int], Row]
    ) -> bool:
        """Look at what is new in a folder; True if there was anything to look at."""
        known = states.get(folder)
        if known is not None and session.state(folder) == known:
            return False
        state = session.examine(folder)
        since = known.uidnext if known is not None and known.uidvalidity == state.uidvalidity else 1
        # By id only what is new since the first look: what was there then, it has found by what the id stands for.
        first = max(since, self._seen.get((folder, state.uidvalidity), 1))
        for head, words in self._found(session, since, first if first < state.uidnext else 0):
            if (row := self._row(folder, state.uidvalidity, head, words)) is not None:
                rows[folder, state.uidvalidity, head.uid] = row
        states[folder] = state
        return True

    def _found(self, session: Session, since: int, by_id: int) -> Iterator[tuple[Head, dict[str, str]]]:
        """What the server finds in the open folder: for each message its header, and what its words say, by field.

        Looked for are messages from the number `since` on, and by their ids those from `by_id` on (0: none).
        """
        newer = f"{since}:*" if since > 1 else ""
        by_header: set[int] = set()
        for criteria in self._header_searches():
            by_header.update(session.search(*criteria, among=newer))
        for criteria in self._id_searches() if by_id else ():
            by_header.update(session.search(*criteria, among=f"{by_id}:*"))
        by_text: dict[int, dict[str, str]] = {}
        for name, words in self._words:
            for uid in session.search("TEXT", words, among=newer):
                by_text.setdefault(uid, {})[name] = words
        uids = sorted(uid for uid in by_header | by_text.keys() if uid >= since)
        for head in session.heads(uids):
            yield head, by_text.get(head.uid, {})

    def _header_searches(self) -> Iterator[list[str]]:
        for one in self._wanted:
            yield _any_of([["HEADER", name, text] for name, text in one.searched(HEADERS[self._settings.theirs])])

    def _id_searches(self) -> Iterator[list[str]]:
        for start in range(0, len(self._ids), IDS_AT_ONCE):
            yield _any_of([["HEADER", "Message-ID", text] for text in self._ids[start : start + IDS_AT_ONCE]])

    def _row(self, folder: str, uidvalidity: int, head: Head, words: Mapping[str, str]) -> Row | None:
        digest = digest_of(head)
        if digest in self._others:
            return None
        header = read_header(head.header)
        lines = list(values(header, *HEADERS[self._settings.theirs]))
        matches = {one: one.match(lines) for one in self._wanted}
        certain = digest in self._anchored or digest in self._mine or Match.UNIQUE in matches.values()
        if not (certain or any(matches.values()) or words or head.cut):
            return None
        date = date_of(header, head.received)
        others = digest not in self._mine and self._concerns_others(header)
        return Row(
            folder=folder,
            uidvalidity=uidvalidity,
            uid=head.uid,
            digest=digest,
            size=head.size,
            date=date,
            received=head.received,
            message_id=message_id(header),
            matter=names_request(header, self._request),
            others=others,
            certain=certain,
            identities=self._shared(
                *words.items(), *((one.field, one.value) for one, how in matches.items() if how >= Match.SHARED)
            ),
            traits={"folder": folder, "date": text(date), **shown(header)} if others or not certain else _UNASKED,
        )

    def _shared(self, *pairs: tuple[str, str]) -> Mapping[str, str]:
        """One mapping for all messages that hold the same: a person may have very many."""
        return self._held.setdefault(pairs, dict(pairs))

    def _concerns_others(self, header: Sequence[tuple[str, str]]) -> bool:
        if self._settings.review != "third_parties":
            return self._settings.review == "everything"
        return any(not self._ours(address) for address in people(header) - self._known)

    def _ours(self, address: str) -> bool:
        _, _, domain = address.rpartition("@")
        return address in self._settings.own or domain in self._settings.own

    def _addresses(self) -> Iterator[Wanted]:
        for name in self._settings.addressed:
            about = self._collection.fields[name]
            for identity in self._followed(name):
                local, at, domain = identity.value.rpartition("@")
                if at and local and domain:
                    shared = Sharing.SHARED in {identity.sharing, Sharing(about.sharing)}
                    yield Wanted(name, identity.value, about.casefold, Sharing.SHARED if shared else Sharing.UNIQUE)

    def _texts(self) -> Iterator[tuple[str, str]]:
        for name in self._settings.in_text:
            yield from ((name, identity.value) for identity in self._followed(name) if identity.value.strip())

    def _followed(self, name: str) -> Iterator[Identity]:
        about = self._collection.fields[name]
        for identity in dict.fromkeys(self._call.identities):
            kinds = {identity.sharing, Sharing(about.sharing)}
            # No header and no text has a control character, and no command may.
            sayable = not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in identity.value)
            if identity.kind == about.identity and Sharing.HINT not in kinds and sayable:
                yield identity


def chosen(folders: Sequence[Folder], settings: Settings, call: Call, *, gmail: bool) -> list[Folder]:
    """The folders to look at: those that the map chooses, and always where messages are locked away.

    Views are left out, for what they show lies in other folders; in Gmail it is the folders that are the views.
    """
    locked = [name for name in (settings.locked_folder, call.restricted.get("folder", "")) if name]
    found = []
    for folder in folders:
        included = not settings.include or any(folder.under(name) for name in settings.include)
        excluded = any(folder.under(name) for name in settings.exclude)
        whole = bool(folder.flags & WHOLE) if gmail else not folder.flags & VIEWS
        if any(folder.under(name) for name in locked) or (included and not excluded and whole):
            found.append(folder)
    return found


def digest_of(head: Head) -> str:
    """What tells a message wherever it lies: SHA-256 over its size and its header, hex."""
    return hashlib.sha256(b"%d\n" % head.size + head.header).hexdigest()


def fates(call: Call, settings: Settings, sight: Sight) -> list[Fate]:
    """What an erasure makes of each message that is certainly the person's."""
    collection = call.system.collections[settings.collection]
    (work,) = (work for work in call.work if work.collection == settings.collection)
    found = []
    for row in sight.certain:
        if row.matter and work.erase is not Erase.RETAIN:
            place = (settings.collection, key_of(KEY, row.values))
            found.append(Fate(place, row.values, stays=True, ground=THIS_REQUEST))
        else:
            found.append(fate_of(row.values, work, collection, shell=False))
    return found


def anchors_of(call: Call, settings: Settings, sight: Sight) -> Anchors:
    """By what the messages are found again: those given, and what this look has seen. A later look forgets none."""
    name = settings.collection
    found: dict[str, dict[str, None]] = {}
    for column, texts in call.anchors.get(name, {}).items():
        found[column] = dict.fromkeys(texts)
    for row in sight.certain:
        found.setdefault("digest", {})[row.digest] = None
        if row.message_id:
            found.setdefault("message_id", {})[row.message_id] = None
    known = {place for place, _ in map(_read_seen, found.get("seen", ()))}
    for folder, state in sight.states.items() if found else ():
        if (folder, state.uidvalidity) not in known:
            found.setdefault("seen", {})[f"{state.uidvalidity}:{state.uidnext}:{folder}"] = None
    anchors = {other: columns for other, columns in call.anchors.items() if other != name}
    return {**anchors, name: {column: tuple(texts) for column, texts in found.items()}} if found else anchors


def candidates_of(settings: Settings, rows: Sequence[Row]) -> tuple[Candidate, ...]:
    """Messages as an agent is asked about them."""
    return tuple(Candidate(settings.collection, row.key, row.traits) for row in rows)


def links_of(call: Call, settings: Settings, sight: Sight) -> tuple[Identity, ...]:
    """What other systems may know the messages by."""
    links = Links(call)
    about = call.system.collections[settings.collection].fields.get("message_id")
    if about is not None:
        for row in sight.certain:
            links.add(about, row.message_id)
    return links.found


def doubts(settings: Settings, sight: Sight) -> dict[str, int]:
    """How many messages are a question."""
    return {settings.collection: len(sight.doubtful)}


def _digests(keys: Sequence[Key] | frozenset[Key]) -> frozenset[str]:
    """Rulings hold for a message wherever it has been moved since."""
    return frozenset(key[-1] for key in keys if key)


def _read_seen(text: str) -> tuple[tuple[str, int], int]:
    """A folder, its UIDVALIDITY, and the number that its next message would have had at the first look."""
    uidvalidity, uidnext, folder = text.split(":", 2)
    return (folder, int(uidvalidity)), int(uidnext)


def _any_of(criteria: Sequence[list[str]]) -> list[str]:
    """One search for whatever meets at least one of these."""
    words: list[str] = []
    for one in criteria[:-1]:
        words += ["OR", *one]
    return words + criteria[-1]
