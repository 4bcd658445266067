"""`habeas rest`: what erasures have left and locked away, and what people say of it.

The one rule: names of the map, codes and days; and nothing of what a hold that must stay secret has kept, which is
never locked away.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.commands.options import By, Json, OfRequest, RequestId

if TYPE_CHECKING:
    from rights.restwords import OpenGround, RestWord
    from starter.desk import Desk

_GROUNDS = ("claims", "obligation", "public_interest", "expression", "exception", "mistake")

rests = typer.Typer(no_args_is_help=True, help="What an erasure had to leave: keep it, open it, have it erased.")


@rests.command("list")
def list_(request: OfRequest = None, as_json: Json = False) -> None:
    """List what erasures have left and locked away, and when somebody is asked whether it must still be kept.

    Example: habeas rest list
    """
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.show import Cell, Page, answer, day

    with desk() as at:
        found = _standing(at, ledger_id(request, "request") if request else None)
        page = Page()
        rows = [
            (
                one["request_id"],
                ", ".join(one["locked"]) or "nothing",
                day(one["ask_at"], at.zone) if one["ask_at"] else "goes by itself",
                "; ".join(
                    f"{said['word']} ({said['ground'] or 'by itself'}): "
                    + ("agreed" if said["agreed_at"] else "waits for a second person")
                    for said in one["said"]
                ),
            )
            for one in found
        ]
        if rows:
            page.grid(("request", "locked away in", "asked on", "said"), rows)
        else:
            page.line(Cell("nothing is locked away, and nothing is asked about", "good"))
        listed = [{**one, "ask_at": one["ask_at"].isoformat() if one["ask_at"] else None} for one in found]
        answer({"rests": listed}, page, as_json=as_json)


@rests.command()
def keep(
    request: RequestId,
    by: By,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="DATE",
            help="When it is asked next; after rest_review_days unless given.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Note that what an erasure has kept without an end must still be kept, and stays locked away.

    What one person has asked for (open, erase) is taken back.

    Example: habeas rest keep 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --until 2027-11-01
    """
    from datetime import datetime, time, timedelta
    from zoneinfo import ZoneInfo

    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_day, role
    from starter.show import Cell, Page, answer, day

    request_id = ledger_id(request, "request")
    with desk() as at:
        ask_at = now() + timedelta(days=at.settings.rest_review_days)
        if until:
            ask_at = datetime.combine(read_day(until, "--until"), time(), ZoneInfo(at.zone))
        at.ledger.keep_rest(request_id, by=role(by, "--by"), ask_at=ask_at, at=now())
        said = Cell(f"kept; it is asked again on {day(ask_at, at.zone)}", "good")
        answer({"request_id": request_id, "ask_at": ask_at.isoformat()}, Page().line(said), as_json=as_json)


@rests.command("open")
def open_(
    request: RequestId,
    by: By,
    ground: Annotated[
        str,
        typer.Option(
            "--ground",
            metavar="GROUND",
            help="claims, obligation, public_interest, expression, exception or mistake.",
            show_default=False,
            autocompletion=lambda: list(_GROUNDS),
        ),
    ],
    as_json: Json = False,
) -> None:
    """Have what an erasure has left locked away no more, so that it is used for what it is kept for: two people say so.

    Example: habeas rest open 01kap2v7q4m8w3x9yd5tgh6jzr --ground claims --by s-17
    """
    from rights.restwords import OpenGround, RestWord
    from starter.exits import Exit, Failure

    if ground not in set(OpenGround):
        raise Failure(Exit.USAGE, f"--ground is one of: {', '.join(OpenGround)}")
    _say(request, RestWord.OPEN, OpenGround(ground), by, "it is opened now", as_json)


@rests.command()
def erase(request: RequestId, by: By, as_json: Json = False) -> None:
    """Have what an erasure has kept without an end erased now: two people say so. What a hold keeps goes when it ends.

    Example: habeas rest erase 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17
    """
    from rights.restwords import RestWord

    _say(request, RestWord.ERASE, None, by, "it goes now, by a request of its own", as_json)


def _say(request: str, word: "RestWord", ground: "OpenGround | None", by: str, agreed_says: str, as_json: bool) -> None:
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role
    from starter.show import Cell, Page, answer

    request_id = ledger_id(request, "request")
    with desk() as at:
        agreed = at.ledger.say_of_rest(request_id, word, ground=ground, by=role(by, "--by"), at=now())
        page = Page().line(
            Cell(agreed_says, "good") if agreed else Cell("it waits for a second person, who says the same", "warn")
        )
        answer({"request_id": request_id, "word": word, "ground": ground, "agreed": agreed}, page, as_json=as_json)


def _standing(at: "Desk", only: str | None) -> list[dict[str, Any]]:
    """What is locked away, or asked about, by request."""
    locked: dict[str, list[str]] = {}
    for lock in at.ledger.rest_locks():
        locked.setdefault(lock.request_id, []).append(lock.system)
    asks = {one.request_id: one.ask_at for one in at.ledger.deferrals() if one.ask_at}
    return [
        {
            "request_id": request_id,
            "locked": locked.get(request_id, []),
            "ask_at": asks.get(request_id),
            "said": [
                said.model_dump(mode="json", exclude={"request_id"})
                for said in at.ledger.rest_said(request_id).values()
            ],
        }
        for request_id in sorted({*locked, *asks})
        if only in {None, request_id}
    ]
