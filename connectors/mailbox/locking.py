"""Restriction: the person's messages in a locked folder, and back to where they were.

The one rule: where a message came from, and for which requests it is locked away, stands on the server itself, so that
a worker that dies in the middle forgets nothing: the folders under the locked one are named after those the messages
came from, and a keyword on each message names the request.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from connectors.errors import NeedsHuman, Retryable, Unsupported
from connectors.mailbox.look import Row, Sight
from connectors.mailbox.session import Elsewhere, Folder, Session
from connectors.mailbox.settings import Settings
from connectors.protocol import Call, Restricted
from rights.codes import Code
from rights.receipt import Count, Tally

PREFIX: Final = "habeas-"
"""How the keywords begin by which messages are locked away; what comes after is opaque."""


def restrict(call: Call, settings: Settings, session: Session, sight: Sight) -> Restricted:
    """Lock away what a look has found. What is about the request itself stays where it is."""
    keyword, locked = keyword_of(call), settings.locked_folder
    rows = [row for row in sight.certain if not row.matter]
    tally = _tally(settings, len(rows))
    try:
        delimiter = _made_ready(call, session, locked)
        for batch in _batches(rows, settings.batch):
            call.beat()
            target = "" if Folder(batch[0].folder, delimiter).under(locked) else f"{locked}{delimiter}{batch[0].folder}"
            if target:
                session.create(target)
            _lock(call, settings, session, batch, keyword, target, tally)
    except Elsewhere:
        pass
    else:
        return Restricted(tally, {"keyword": keyword, "folder": locked})
    raise Retryable(Code.BUSY, call.system.system)


def lift(call: Call, settings: Settings, session: Session) -> Tally:
    """Put back what this request has locked away; what another request keeps locked only loses our keyword."""
    keyword = call.restricted.get("keyword") or keyword_of(call)
    locked = call.restricted.get("folder") or settings.locked_folder
    lifted = 0
    try:
        for folder in session.folders() if locked else ():
            call.beat()
            if folder.under(locked):
                lifted += _unlock(call, settings, session, folder, keyword, locked)
        # Now the keyword, which also stands on what was moved back by an attempt that then died.
        for folder in session.folders() if locked else ():
            call.beat()
            if not folder.under(locked):
                lifted += _unmark(session, folder, keyword)
    except Elsewhere:
        pass
    else:
        return _tally(settings, lifted)
    raise Retryable(Code.BUSY, call.system.system)


def keyword_of(call: Call) -> str:
    """The keyword of a request: opaque, and the same for all of its attempts and rounds."""
    return call.session if call.session.startswith(PREFIX) else f"{PREFIX}{call.session}"


def _lock(
    call: Call, settings: Settings, session: Session, batch: Sequence[Row], keyword: str, target: str, look: Tally
) -> None:
    """Mark messages of one folder, and move them unless they are locked away already (no target)."""
    told = session.open(batch[0].folder, batch[0].uidvalidity)
    if b"\\*" not in told.get(b"PERMANENTFLAGS", ()):
        raise Unsupported(Code.UNSUPPORTED, call.system.system)
    uids = [row.uid for row in batch]
    if target:
        _move(call, settings, session, uids, look, to=target, keyword=keyword)
    else:
        session.mark(uids, keyword)


def _unlock(call: Call, settings: Settings, session: Session, folder: Folder, keyword: str, locked: str) -> int:
    """Move what is ours in a folder under the locked one back, keyword and all. Of what others lock as well, only our
    keyword goes; how many these are is the answer."""
    uidvalidity = session.examine(folder.name).uidvalidity
    marked = session.search("KEYWORD", keyword)
    if not marked:
        return 0
    told = session.fetch(marked, ["FLAGS"])
    shared = [uid for uid in marked if uid in told and _others(told[uid], keyword)]
    alone = [uid for uid in marked if uid not in shared]
    origin = folder.name.removeprefix(f"{locked}{folder.delimiter}")
    session.create(origin)
    session.open(folder.name, uidvalidity)
    for start in range(0, len(alone), settings.batch):
        call.beat()
        uids = alone[start : start + settings.batch]
        _move(call, settings, session, uids, _tally(settings, len(marked)), to=origin)
    if shared:
        session.unmark(shared, keyword)
    return len(shared)


def _unmark(session: Session, folder: Folder, keyword: str) -> int:
    uidvalidity = session.examine(folder.name).uidvalidity
    marked = session.search("KEYWORD", keyword)
    if marked:
        session.open(folder.name, uidvalidity)
        session.unmark(marked, keyword)
    return len(marked)


def _move(
    call: Call, settings: Settings, session: Session, uids: Sequence[int], look: Tally, *, to: str, keyword: str = ""
) -> None:
    """Move messages of the open folder inside the fence, marked with a keyword if one is given."""
    refused: NeedsHuman | None = None
    with session.within(settings.timeout), call.fence({settings.collection: len(uids)}, look) as intent:
        there = session.present(uids)
        try:
            if there:
                # First the keyword: a message in the locked folder without one would never be put back.
                session.mark(sorted(there), keyword) if keyword else None
                session.move(sorted(there), to)
        except NeedsHuman as error:
            refused = error
        moved = there - session.present(uids)
        intent.done(_tally(settings, len(moved)))
    if refused is not None:
        raise refused


def _made_ready(call: Call, session: Session, locked: str) -> str:
    """Make the locked folder, see that nobody else reads it where the server can say, and return its delimiter."""
    session.create(locked)
    for who, rights in session.readers(locked) if session.able("ACL") else ():
        if who not in {"owner", session.user} and not who.startswith("-") and set(rights) & set("lr"):
            raise NeedsHuman(Code.RIGHTS, call.system.system)
    return next((folder.delimiter for folder in session.folders() if folder.name == locked), "/")


def _others(parts: Mapping[bytes, Any], keyword: str) -> bool:
    """Whether another request keeps a message locked away."""
    flags = {flag.decode("ascii", "replace").lower() for flag in parts.get(b"FLAGS", ()) if isinstance(flag, bytes)}
    return any(flag.startswith(PREFIX) for flag in flags - {keyword.lower()})


def _batches(rows: Sequence[Row], size: int) -> Iterator[list[Row]]:
    for _, group in groupby(rows, key=lambda row: (row.folder, row.uidvalidity)):
        same = list(group)
        for start in range(0, len(same), size):
            yield same[start : start + size]


def _tally(settings: Settings, found: int) -> Tally:
    return Tally(counts=(Count(collection=settings.collection, found=found),))
