"""Evidence files at the doors: made with a timestamp if there is an authority, shown in words, checked.

The one rule: what is shown is read from the signed statement itself, so whoever reads the file reads the same.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509 import Certificate

from activities.stamping import Authority, StampError, check_stamp, read_roots, stamp_journal
from connectors.registry import SetupError
from ledger.checkpoints import read_checkpoints
from ledger.genuine import Finding, Word, closed_by, compare, compare_ledger, examine, request_in, timestamp_of
from ledger.ledger import Ledger
from settings import Settings
from starter.exits import Exit, Failure
from starter.show import Cell, Page, Tone, plural

LARGEST: Final = 16 * 2**20
"""Bytes of an evidence file; one of a hundred systems has some hundred thousand."""
Document = Mapping[str, Any]


def open_authority(settings: Settings) -> Authority | None:
    """Who timestamps the journal; None where the settings name nobody.

    Raises:
        SetupError: the file of certificates cannot be read.
    """
    group = settings.evidence
    if group is None or not group.tsa or group.tsa_roots is None:
        return None
    try:
        return Authority(group.tsa, read_roots(group.tsa_roots.read_bytes()))
    except OSError:
        raise SetupError("evidence.tsa_roots: the file cannot be read: name one that is there") from None
    except StampError as error:
        raise SetupError(f"evidence.tsa_roots: {error}") from None


def make(ledger: Ledger, authority: Authority | None, request_id: str, at: datetime, *, timestamp: bool) -> bytes:
    """The evidence file of a closed request, in a tree with a timestamp if there is an authority.

    Raises:
        LedgerRefusal: there is no such request, or it is open.
        Failure: the authority gives no timestamp.
    """
    if timestamp and authority is not None and not ledger.stamped(request_id):
        try:
            stamp_journal(ledger, authority, at)
        except StampError as error:
            raise Failure(Exit.AWAY, f"{error}; --without-timestamp makes the file without one") from None
    return ledger.signed_statement(request_id)


def check(
    file: Path,
    keys: Mapping[str, Ed25519PublicKey],
    *,
    request: str | None = None,
    checkpoints: Path | None = None,
    roots: Path | None = None,
    ledger: Ledger | None = None,
) -> tuple[Finding, datetime | None]:
    """What is found of a file, and when the journal was timestamped if that could be proved. Without `request` the
    file's own name says what it should be about, if it names a request."""
    found = examine(read_file(file), keys, expected=request or request_in(file.name))
    tree = found.tree
    if not found.genuine or tree is None:
        return found, None
    stamped = None
    if roots is not None and (stamp := timestamp_of(found)):
        believed = _roots(roots)
        try:
            stamped = check_stamp(stamp[1], stamp[0], believed)
        except StampError:
            return found.model_copy(update={"word": Word.BAD_TIMESTAMP}), None
    if checkpoints is not None:
        signed = [one for _, one in read_checkpoints(checkpoints, tree.tenant, keys.values()) if one]
        if not signed:
            raise Failure(
                Exit.USAGE,
                "the file of --checkpoints-file has no checkpoint of this tenant that one of the keys has signed",
            )
        found = compare(found, signed)
    if ledger is not None:
        if ledger.tenant != tree.tenant:
            raise Failure(Exit.USAGE, "the file is of another tenant than this ledger: --ledger does not help here")
        again = ledger.opened_again(found.request_id or "", closed_by(found))
        found = compare_ledger(found, ledger.tree_at(tree.size), opened_again=again)
    return found, stamped


def _roots(file: Path) -> tuple[Certificate, ...]:
    try:
        return read_roots(read_file(file))
    except StampError as error:
        raise Failure(Exit.USAGE, f"--tsa-roots-file: {error}") from None


def read_file(file: Path) -> bytes:
    """A file that somebody has named.

    Raises:
        Failure: it cannot be read, or is far too large.
    """
    try:
        with file.open("rb") as source:
            data = source.read(LARGEST + 1)
    except OSError:
        raise Failure(Exit.USAGE, "a file that was named cannot be read: name one that is there") from None
    if len(data) > LARGEST:
        raise Failure(Exit.USAGE, "the file is too large to be one of evidence")
    return data


# In words.

_TONE: Final[Mapping[str, Tone]] = {"verified": "good", "completed": "good", "accepted": "warn", "attested": "warn"}


def shown(said: Document) -> Page:
    """A statement on one screen."""
    what, request = said["predicate"], said["predicate"]["request"]
    page = Page().heading(f"Evidence of {request['right']} request {request['id']}")
    page.pairs(
        (
            ("received", request["received_at"]),
            ("closed", request["closed_at"]),
            ("conclusion", Cell(request["conclusion"], "strong")),
            ("identity", _identity(what["identity"])),
            ("decision", _decision(what["decision"])),
            ("erased because", _basis(what.get("basis"))),
            ("data map", what["data_map"]),
            ("laws", ", ".join(f"{one['regime']} ({one['ruleset'][:12]})" for one in what["dates"])),
        )
    )
    for one in what["dates"]:
        page.heading(f"Due under {one['regime']}")
        page.pairs(
            (
                ("by law", f"{one['legal_due']}: {'kept' if one['closed_by_legal_due'] else 'not kept'}"),
                ("rule", f"{one['rule']['source']}: {one['rule']['term']}" if one["rule"] else None),
                *((step["about"], f"{step['result']}: {step['because']}") for step in one["arithmetic"]),
            )
        )
    for system in what["systems"]:
        _system(page, system)
    _journal(page, what)
    return page


def _identity(said: Document) -> str:
    if not said["confirmed"]:
        return "not confirmed" if said.get("by") != "none_needed" else "needed no proof"
    if said["by"] == "earlier_request":
        return "known from the request that it carries out anew"
    level = f", level {said['level']} of {said['needed']} needed" if "level" in said else ""
    return f"confirmed {said['at']}{level}"


def _decision(said: Document) -> str:
    if not said["recorded"]:
        return "none is on record"
    grounds = "; ".join(f"{one['code']} ({one['provision']})" for one in said["grounds"])
    words = ", ".join(f"{one['word']} by {one['role']}" for one in said["words"] if one["role"])
    return "; ".join(filter(None, (said["word"], grounds, words)))


_BASES = {
    "asked_and_not_contested": "it was asked for, and not contested; nobody has stated a ground",
    "earlier_request": "an earlier request is carried out anew",
    "person": "the person says",
    "decision": "it was decided",
}


def _basis(said: Document | None) -> str | None:
    """On which ground it was erased, and who says so; None of other rights."""
    if said is None:
        return None
    cited = ((one["code"], one["provision"]) for one in said["grounds"])
    grounds = "; ".join(f"{code} ({provision})" if provision else code for code, provision in cited)
    return f"{_BASES[said['by']]}{f': {grounds}' if grounds else ''}"


def _system(page: Page, system: Document) -> None:
    sure = system["certainty"]
    page.heading(
        Cell(f"{system['system']}: {system['outcome']}{f', {sure}' if sure else ''}", _TONE.get(sure or "", ""))
    )
    if system["books"]:
        page.grid(
            ("collection", "before", "arrived", "erased", "pseudonymised", "kept", "after"),
            (
                tuple(f"{one[name]}" for name in ("collection", *_NUMBERS))
                for one in system["books"]
                if one["before"] or one["arrived"] or one["after"]
            ),
            numbers=_NUMBERS,
        )
    for kept in system["kept"]:
        until = f" until {kept['until']}" if kept["until"] else ""
        page.line(f"{kept['collection']}: {plural(kept['rows'], 'row')} kept, {kept['ground']}{until}", indent=2)
    if system["in_backups_until"]:
        page.line(f"backups can hold it until {system['in_backups_until']}", indent=2)


_NUMBERS: Final = ("before", "arrived", "erased", "pseudonymised", "kept", "after")


def _journal(page: Page, what: Document) -> None:
    journal = what["journal"]
    page.heading("In the journal")
    page.pairs(
        (
            ("closed by", f"entry {journal['closed']['seq']}"),
            ("tree", f"{journal['tree']['size']} entries, root {journal['tree']['root']}"),
            ("timestamp", "by the authority, over this tree" if what["timestamp"] else "none"),
        )
    )


def key_lines(ledger: Ledger) -> Iterator[tuple[str, str]]:
    """The ids of keys, and what each is for."""
    for one in ledger.keys.public:
        yield one, "signs" if one == ledger.keys.current else "retired: what it has signed stays good"
