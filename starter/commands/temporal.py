"""`habeas temporal`: what Temporal's namespace has to have, and the lists that compliance looks at.

The one rule: what is there is changed only as asked, and what we may not do is printed as a command.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.options import Json
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from datetime import timedelta

    from starter.namespace import SetUp
    from starter.show import Page

temporals = typer.Typer(no_args_is_help=True, help="Temporal's namespace, and the lists of its Web UI.")


@temporals.command()
def setup(
    retention: Annotated[
        str | None,
        typer.Option(
            "--retention",
            metavar="PERIOD",
            help="Keep runs that are over for so many days, ISO 8601; left as it is unless given.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Register the search attributes in Temporal, and look at what else its namespace needs.

    Safe to run again. Where Temporal lets its operators alone do it, the commands for them are printed. Exit 1 while an
    attribute is missing, or has another type.

    Example: habeas temporal setup --retention P30D
    """
    import asyncio

    from temporalio.service import RPCError, RPCStatusCode

    from starter.desk import load_settings
    from starter.namespace import set_up
    from starter.show import answer
    from starter.temporal import bare_client

    settings, keep = load_settings(), _days(retention)

    async def carry_out() -> "SetUp":
        client = await bare_client(settings)
        return await set_up(client, settings.temporal_address, keep, dry_run=dry_run)

    try:
        done = asyncio.run(carry_out())
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Failure(
                Exit.REFUSED, "Temporal has no namespace of the name that temporal_namespace gives: make it first"
            ) from None
        if error.status is RPCStatusCode.INVALID_ARGUMENT and keep:
            raise Failure(Exit.REFUSED, "Temporal refuses that retention: see what its operators allow") from None
        raise Failure(Exit.AWAY, f"Temporal does not answer at {settings.temporal_address}") from None
    except RuntimeError:
        raise Failure(Exit.AWAY, f"Temporal does not answer at {settings.temporal_address}") from None
    answer(_document(done), _page(done, dry_run=dry_run), as_json=as_json)
    if not done.after.ready:
        raise typer.Exit(Exit.BAD)


def _days(text: str | None) -> "timedelta | None":
    from datetime import timedelta

    from pydantic import TypeAdapter, ValidationError

    if text is None:
        return None
    try:
        length = TypeAdapter(timedelta).validate_python(text)
    except ValidationError:
        length = timedelta(0)
    if length < timedelta(days=1) or length % timedelta(days=1):
        raise Failure(Exit.USAGE, "--retention: write whole days, such as P30D")
    return length


def _document(done: "SetUp") -> dict[str, object]:
    after = done.after
    return {
        "ok": after.ready,
        "namespace": after.name,
        "attributes": [
            one.model_dump() | ({"state": "added"} if one.name in done.added else {}) for one in after.attributes
        ],
        "free": after.free,
        "retention_days": after.retention.days if after.retention else None,
        "retention_set": done.retention_set,
        "commands": list(done.todo),
    }


_SAYS = {
    "there": "registered",
    "missing": "missing",
    "other_type": "registered with another type",
    "unknown": "Temporal does not say whether it is there",
}


def _page(done: "SetUp", *, dry_run: bool) -> "Page":
    from starter.namespace import State
    from starter.show import Cell, Page, plural

    page, after = Page(), done.after
    for one in after.attributes:
        good = one.state in {State.THERE, State.UNKNOWN}
        said = "registered just now" if one.name in done.added else _SAYS[one.state]
        page.mark(good, f"{one.name} ({one.type}): {said}")
    for kind, number in after.free.items():
        page.line(f"free places for {kind}: {number if number is not None else 'Temporal does not say'}", indent=2)
    kept = plural(after.retention.days, "day") if after.retention else "Temporal does not say how long"
    page.line(f"runs that are over are kept: {kept}{' (set just now)' if done.retention_set else ''}", indent=2)
    for kind, number in after.short_of().items():
        page.line(
            Cell(f"{plural(number, 'place')} for {kind} too few: remove an attribute that nobody needs", "bad"),
            indent=2,
        )
    if any(one.state is State.OTHER_TYPE for one in after.attributes):
        page.line(Cell("remove the attribute of the other type in Temporal, then run this again", "bad"), indent=2)
    if done.todo and (done.refused or dry_run or not after.operator_open):
        page.heading("For Temporal's operators" if done.refused or not after.operator_open else "Would be done, as by")
        for command in done.todo:
            page.line(command, indent=2)
    return page


@temporals.command()
def links(as_json: Json = False) -> None:
    """Print the lists of the Temporal Web UI that compliance asks for most.

    Where the API is set up (the group [api]), its /go addresses too: those can be kept as bookmarks, since each works
    out its dates when it is opened.

    Example: habeas temporal links
    """
    from starter.desk import load_settings, now
    from starter.lists import ABOUT, Question, lists_of
    from starter.show import Page, answer

    settings, moment = load_settings(), now()
    lists = lists_of(settings)
    if lists is None:
        raise Failure(Exit.USAGE, 'set temporal_ui, such as "http://127.0.0.1:8233", to have links')
    rows = [
        (Question.DUE, "due?days=7", lists.due(7, moment)),
        (Question.OVERDUE, "overdue", lists.overdue(moment)),
        (Question.WAITING, "waiting", lists.waiting()),
        (Question.WAITING, "waiting?on=identity", lists.waiting("identity")),
        (Question.WAITING, "waiting?on=approval", lists.waiting("approval")),
        (Question.HELD, "held", lists.held()),
        (Question.REGIME, f"regime/{settings.regime}", lists.regime(settings.regime)),
    ]
    base = f"{settings.api.url}/go/" if settings.api else None
    document: list[dict[str, str | None]] = [
        {
            "question": question,
            "about": ABOUT[question],
            "query": query,
            "url": lists.link(query),
            "bookmark": base and base + path,
        }
        for question, path, query in rows
    ]
    page = Page()
    for _, path, query in rows:
        page.heading(path)
        if base:
            page.line(base + path, indent=2)
        page.line(lists.link(query), indent=2)
    answer({"at": moment, "links": document}, page, as_json=as_json)
