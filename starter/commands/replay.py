"""`habeas replay`: past requests carried out anew in a system that was restored from a backup.

The one rule: it says done of nothing that it could not look at; what cannot be told is counted, and exits with 1.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.commands.options import By, Json, MaybeBy
from starter.exits import ENDINGS, Exit, Failure

if TYPE_CHECKING:
    from ledger.replays import Replay
    from starter.show import Page

replays = typer.Typer(invoke_without_command=True, epilog=ENDINGS)

_WORDS = {
    "erasures": "erasures that matter",
    "opened_again": "requests opened again",
    "opened_anew": "requests opened anew",
    "open": "of them not done yet",
    "waiting_for_a_person": "of these waiting for a person",
    "still_there": "past erasures whose person is there again",
    "quarantine": "quarantine",
    "trouble": "trouble",
}


@replays.callback()
def begin(
    context: typer.Context,
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="NAME", help="The system, as the data map names it.", show_default=False),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="DATE",
            help="Of when the backup is, ISO 8601 (2026-11-27T03:00+01:00; without a zone, the setting's).",
            show_default=False,
        ),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="The system is new to the map: all past erasures count, each approved first.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Count what it comes to; change nothing.")] = False,
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Carry out anew, in one system, every erasure, correction, restriction and objection later than its backup.

    A worker does it; habeas replay show tells how far it is. A second replay of a system is refused while one is under
    way; one after the other does no harm.

    Example: habeas replay --system shop --since 2026-11-26T02:00Z --preview
    """
    if context.invoked_subcommand:
        return
    from starter.desk import desk, now
    from starter.inputs import maybe_role, past_moment
    from starter.show import Page, answer

    if system is None or (since is None) is not new:
        raise Failure(Exit.USAGE, "name the system and the time of its backup: --system shop --since 2026-11-26T02:00Z")
    with desk() as at:
        if system not in at.data_map.systems:
            raise Failure(Exit.USAGE, f"--system takes one of {', '.join(at.data_map.systems)}")
        moment = past_moment(since, at.zone, now()) if since else None
        made = at.ledger.begin_replay(system, moment, dry=preview, by=maybe_role(by, "--by") or "", at=now())
    answer({"replay": made}, Page().line(f"begun: habeas replay show {made}"), as_json=as_json)


@replays.command()
def show(
    replay: Annotated[str, typer.Argument(metavar="REPLAY", help="The replay's id.")], as_json: Json = False
) -> None:
    """Show how far a replay is, and what it could not tell.

    Exit 0 once it is over and clean, 6 while it goes on, 1 if something is left or cannot be told.

    Example: habeas replay show 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.show import answer

    with desk() as at:
        found = at.ledger.replay(ledger_id(replay, "replay"))
        answer(_document(found), _page(found, at.zone), as_json=as_json)
    if not found.over:
        raise typer.Exit(Exit.WAITING)
    if found.state == "unsure":
        raise typer.Exit(Exit.BAD)


@replays.command("list")
def list_(as_json: Json = False) -> None:
    """List replays, the newest first.

    Example: habeas replay list
    """
    from starter.desk import desk
    from starter.show import Page, answer, minute

    with desk() as at:
        found = at.ledger.replays()
        page = Page().grid(
            ("replay", "system", "backup of", "begun", "state"),
            (
                (
                    one.id,
                    one.system,
                    minute(one.since, at.zone) if one.since else "new",
                    minute(one.begun_at, at.zone),
                    one.state,
                )
                for one in found
            ),
        )
    answer({"replays": [_document(one) for one in found]}, page, as_json=as_json)


@replays.command()
def admit(
    replay: Annotated[str, typer.Argument(metavar="REPLAY", help="The replay's id.")],
    by: By,
    as_json: Json = False,
) -> None:
    """Let those in again whom the quarantine keeps out, after a replay that is not clean.

    A clean one lets them in by itself. Before this, somebody has looked into what it could not tell.

    Example: habeas replay admit 01kap2v7q4m8w3x9yd5tgh6jzr --by operations
    """
    from connectors.errors import ConnectorError
    from connectors.registry import build
    from connectors.traits import Quarantines
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role
    from starter.show import Page, answer
    from starter.systemchecks import closed

    with desk() as at:
        found = at.ledger.replay(ledger_id(replay, "replay"))
        if not found.over:
            raise Failure(Exit.REFUSED, "the replay is under way: wait for its end")
        system = at.data_map.systems.get(found.system)
        connector = build(system) if system else None
        if not isinstance(connector, Quarantines):
            raise Failure(Exit.REFUSED, "nobody is kept out of this system by the engine")
        try:
            with closed(connector):
                connector.admit()
        except ConnectorError as error:
            code = error.code
        else:
            at.ledger.note_admitted(found.id, by=role(by, "--by"), at=now())
            answer({"admitted": True}, Page().line("they may come in again"), as_json=as_json)
            return
    raise Failure(Exit.AWAY, f"nobody was let in: {code}")


def _document(found: "Replay") -> dict[str, Any]:
    return {**found.model_dump(mode="json"), "over": found.over}


def _page(found: "Replay", zone: str) -> "Page":
    from starter.show import Cell, Page, minute

    page = Page().heading(f"Replay {found.id} in {found.system}")
    report = found.report
    rows: list[tuple[str, str | Cell]] = [
        ("backup of", minute(found.since, zone) if found.since else "none: the system is new to the map"),
        ("state", Cell(found.state, "good" if found.state == "clean" else "warn")),
    ]
    rows += [(word, str(report[name])) for name, word in _WORDS.items() if report.get(name) not in {None, ""}]
    rows += [(f"ended: {how}".replace("_", " "), str(n)) for how, n in dict(report.get("ended") or {}).items()]
    for why, number in dict(report.get("indeterminate") or {}).items():
        rows.append((f"cannot be told: {why}".replace("_", " "), Cell(str(number), "warn")))
    return page.pairs(rows)
