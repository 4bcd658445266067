"""`habeas config check`: what a deployment still lacks, one line each, with what to do.

The one rule: it changes nothing, and each check is carried out for real: a file is opened, a server asked.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from settings import Settings, SettingsError
from starter.checks import Check, NotSo, checked, silent
from starter.show import plural
from starter.systemchecks import map_checks, places, wrong

REACH: Final = 5.0
"""Seconds that Temporal gets to answer; a healthy one takes milliseconds."""


OPENS: Final = frozenset({"keys", "checkpoint_key", "ledger"})
"""What has to be well before the ledger can be asked anything."""


def check_all(*, live: bool = False) -> list[Check]:
    """Look at everything, in the order in which things build on each other; with `live`, every system is asked too."""
    from starter.desk import load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        return list(_settings_missing(error))
    found = [Check(name="settings", ok=True, about=f"tenant {settings.tenant}, environment {settings.environment}")]
    for check in (_keys, _checkpoint_key, _checkpoints, _parcels, _ledger, _temporal):
        found.append(check(settings))
    opens = all(check.ok for check in found if check.name in OPENS)
    law = list(_law(settings))
    found += law
    if all(check.ok for check in law):
        # Neither a letter nor a map can be read without the law.
        found.append(_letters(settings))
        found += _records(settings, ask=opens)
        found += map_checks(settings, live=live)
        if opens:
            found += places(settings)
    return found


def _law(settings: Settings) -> Iterator[Check]:
    """Whether every file of law can be read: those that ship with the engine, and the operator's own."""
    from connectors.registry import SetupError
    from rights.lawbook import READERS
    from rights.regimes import SHIPPED
    from rights.yamlfile import FileErrors
    from starter.desk import load_law, now, own_law
    from starter.ownlaw import findings

    try:
        load_law(settings)
        own = own_law(settings)
    except FileErrors as errors:
        yield from wrong("law", errors)
        return
    except SetupError as error:
        about, _, advice = str(error).partition(": ")
        yield Check(name="law", ok=False, about=about, advice=advice)
        return
    yield Check(name="law", ok=True, about=f"{len(SHIPPED)} laws and {plural(len(READERS), 'table')} can be read")
    if own is not None:
        yield from findings(own, now().date(), settings.office.language)


def _letters(settings: Settings) -> Check:
    """Whether every letter can be written under the regime of the settings; a letter that cannot is a person's task."""
    from starter.letterpress import check_letters

    office = settings.office
    written, lacks = check_letters(office, [settings.regime], (office.language,))
    if not lacks:
        return Check(name="letters", ok=True, about=f"{written} can be written under {settings.regime}")
    names = ", ".join(lack.setting or lack.need for lack in lacks)
    return Check(
        name="letters",
        ok=True,
        about=f"not every letter can be written: {names} missing",
        advice="habeas letter check shows what to write into habeas.toml",
        severity="warning",
    )


def _records(settings: Settings, *, ask: bool) -> Iterator[Check]:
    """Whether a request's file is kept for as long as the laws want it that requests are asked under; `ask`: the ledger
    can be asked which these are. If not, it has a line of its own, and the law of the settings alone is looked at."""
    from rights.metrics import too_short

    regimes = {settings.regime}

    def look() -> str:
        from starter.desk import open_ledger

        ledger = open_ledger(settings)
        try:
            regimes.update(ledger.regimes_asked())
        finally:
            ledger.close_connections()
        return "the laws that requests are asked under were read"

    if ask and not (asked := checked("records", look, "see that the ledger can be read")).ok:
        yield asked
    for name, kept in too_short(settings.file_days, regimes).items():
        yield Check(
            name="file_days",
            ok=True,
            about=f"{settings.file_days} days are less than the {kept.months} months that {name} asks for "
            f"({kept.source})",
            advice=f"write file_days = {kept.days} or more into habeas.toml",
            severity="warning",
            code="file_days",
        )


def _settings_missing(error: SettingsError) -> Iterator[Check]:
    """A line for each setting that is missing or wrong, with its example."""
    blocks: list[list[str]] = []
    for line in str(error).splitlines():
        if line.startswith(" ") and blocks:
            blocks[-1].append(" ".join(line.split()))
        else:
            blocks.append([line])
    for said, *examples in blocks:
        name, _, rest = said.partition(" ")
        yield Check(name=name, ok=False, about=rest, advice=" ".join(examples))


def _keys(settings: Settings) -> Check:
    def look() -> str:
        from connectors.registry import SetupError
        from ledger.keys import open_keys

        kind, _, where = settings.keys.partition(":")
        if kind == "file":
            _private(Path(where), "mkdir -m 700", directory=True)
            return f"{where}, a private directory"
        try:
            keys = open_keys(settings.keys)
        except ValueError as error:
            raise SetupError(f"{settings.keys} cannot be used: {error}") from None
        if not keys.destroys:
            return f"{settings.keys}; single keys cannot be destroyed there, so a shred waits for the last backup"
        return settings.keys

    return checked("keys", look, f"see that {settings.keys} can be used from here")


def _private(path: Path, make: str, *, directory: bool) -> None:
    """See that only we can read a file or directory."""
    if not (path.is_dir() if directory else path.is_file()):
        raise NotSo(f"{path} is not there", f"{make} {path}, or habeas init")
    there = path.stat()
    mode = there.st_mode & 0o777
    # So orchestrators give a secret to one user: it is another's, and our group alone may read it.
    given = not directory and there.st_uid != os.geteuid() and there.st_gid == os.getegid()
    if mode & (0o037 if given else 0o077):
        wanted = "700" if directory else "600"
        raise NotSo(f"{path} can be read by others (mode {mode:o})", f"chmod {wanted} {path}")
    if not os.access(path, os.R_OK | (os.W_OK | os.X_OK if directory else 0)):
        raise NotSo(f"{path} belongs to another user", f"chown it to the user who runs habeas ({os.geteuid()})")


def _checkpoint_key(settings: Settings) -> Check:
    def look() -> str:
        from connectors.registry import SetupError, resolve
        from ledger.checkpoints import Checkpoints

        kind, _, where = settings.checkpoint_key.partition(":")
        if kind == "file":
            _private(Path(where), "openssl genpkey -algorithm ed25519 -out", directory=False)
        try:
            Checkpoints.open(settings.checkpoints, resolve(settings.checkpoint_key))
        except SetupError:
            raise
        except ValueError as error:
            raise SetupError(str(error)) from None
        return f"{settings.checkpoint_key}, an Ed25519 key"

    return checked("checkpoint_key", look, "habeas init makes one")


def _checkpoints(settings: Settings) -> Check:
    def look() -> str:
        path = settings.checkpoints
        place = path if path.exists() else path.parent
        if not place.exists() or not os.access(place, os.W_OK):
            raise NotSo(f"{place} cannot be written", f"make {path.parent} a directory of the user who runs habeas")
        return f"{path}{'' if path.exists() else ', made with the first request'}"

    return checked("checkpoints", look, "")


def _parcels(settings: Settings) -> Check:
    def look() -> str:
        _private(settings.parcels, "mkdir -m 700", directory=True)
        return f"{settings.parcels}, a private directory"

    return checked("parcels", look, "")


def _ledger(settings: Settings) -> Check:
    def look() -> str:
        from connectors.registry import resolve
        from ledger import schema
        from ledger.errors import AddressError, NewerLedger

        try:
            stands, needed = schema.current(resolve(settings.ledger)), schema.head()
        except AddressError:
            raise NotSo("its address cannot be read", advice) from None
        if stands != needed:
            try:
                schema.refuse_newer(stands)
            except NewerLedger:
                raise NotSo(
                    f"its schema is version {stands}, of a later release than this one ({needed})",
                    "run that release, or one after it; this one leaves the tables alone",
                ) from None
            about = f"its schema is version {stands}, not {needed}" if stands else "it has no tables yet"
            raise NotSo(about, "habeas migrate")
        return f"reached, schema {stands}"

    where = settings.ledger
    advice = f"see that PostgreSQL runs and that {where} holds postgresql://user:password@host:5432/database"
    return silent(checked("ledger", look, advice))


def _temporal(settings: Settings) -> Check:
    def look() -> str:
        from starter.namespace import missing_attributes
        from starter.temporal import bare_client

        async def ask() -> list[str]:
            async with asyncio.timeout(REACH):
                return await missing_attributes(await bare_client(settings))

        if missing := asyncio.run(ask()):
            raise NotSo(f"reached, but it lacks the search attributes {', '.join(missing)}", "habeas temporal setup")
        return f"reached at {settings.temporal_address}, namespace {settings.temporal_namespace}"

    advice = f"see that Temporal runs at {settings.temporal_address} with the namespace {settings.temporal_namespace}"
    return silent(checked("temporal", look, advice))
