"""`habeas webhook`: whom to tell what happens to requests, and how far each is.

The one rule: what is shown are names, counts, codes and times; addresses and secrets stay in the settings.
"""

from typing import Annotated

import typer

from starter.commands.options import Json
from starter.exits import Exit, Failure

webhooks = typer.Typer(no_args_is_help=True, help="Tell other systems what happens to requests.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the settings: [webhooks.NAME].", show_default=False)]


@webhooks.command("list")
def list_(as_json: Json = False) -> None:
    """Show how far each webhook is: what it has not taken in, and since when and why it fails.

    Exit 1 if one fails.

    Example: habeas webhook list
    """
    from starter.desk import desk
    from starter.show import Cell, Page, answer, minute, plural
    from starter.webhooks import build_hooks

    with desk() as at:
        hooks = build_hooks(at.settings.webhooks)
        found = at.ledger.webhooks({name: hook.kinds for name, hook in hooks.items()})
        page = Page()
        if not found:
            page.line('no webhook is set up: write [webhooks.NAME] with url and secret into "habeas.toml"')
        else:
            page.grid(
                ("", "webhook", "not taken in", "last taken in", "fails"),
                (
                    (
                        Cell("✗", "bad") if one.failing_since else Cell("✓", "good"),
                        one.name,
                        plural(one.behind, "event"),
                        minute(one.told_at, at.zone) if one.told_at else "never",
                        f"{one.code}{f' {one.status}' if one.status else ''}, {plural(one.attempts, 'attempt')} since "
                        f"{minute(one.failing_since, at.zone)}"
                        if one.failing_since
                        else "",
                    )
                    for one in found
                ),
            )
        answer({"webhooks": [one.model_dump(mode="json") for one in found]}, page, as_json=as_json)
    if any(one.failing_since for one in found):
        raise typer.Exit(Exit.BAD)


@webhooks.command("secret")
def secret(as_json: Json = False) -> None:
    """Make a secret for a webhook, and print it once.

    Put it where the setting `secret` points to, and give it to whoever receives the events.

    Example: habeas webhook secret
    """
    import secrets

    from rights.webhooks import SECRET_BYTES, new_secret
    from starter.show import Page, answer

    made = new_secret(secrets.token_bytes(SECRET_BYTES.start))
    answer({"secret": made}, Page().line(made), as_json=as_json)


@webhooks.command("test")
def try_(name: Name, as_json: Json = False) -> None:
    """Send an event of the type habeas.test now, and say what became of it.

    It is about no request, and needs neither a worker nor Temporal.

    Example: habeas webhook test crm
    """
    import secrets

    from activities.hooks import Refused, tell
    from rights.webhooks import trial
    from starter.desk import load_settings, now
    from starter.show import Page, answer
    from starter.webhooks import build_hooks

    hook = build_hooks(load_settings().webhooks).get(name)
    if hook is None:
        raise Failure(Exit.NOT_FOUND, "the settings have no webhook of this name: habeas webhook list names them")
    try:
        status = tell(hook, trial(secrets.token_bytes(16), now()), now())
    except Refused as refused:
        answered = f", it answered {refused.status}" if refused.status else ""
        raise Failure(
            Exit.AWAY, f"the event was not taken in: {refused.code}{answered}; docs/webhooks.md says what to look at"
        ) from None
    answer({"status": status}, Page().line(f"taken in: {status}"), as_json=as_json)


@webhooks.command("again")
def again(
    name: Name,
    since: Annotated[
        str,
        typer.Option("--since", metavar="DATE", help="From when on: 2026-11-26T02:00Z.", show_default=False),
    ],
    as_json: Json = False,
) -> None:
    """Have a webhook told once more of all that happened since then.

    Each event has the id that it had before, so that whoever took it in leaves it.

    Example: habeas webhook again crm --since 2026-11-01
    """
    from starter.desk import desk, now
    from starter.inputs import past_moment
    from starter.show import Page, answer

    with desk() as at:
        if name not in at.settings.webhooks:
            raise Failure(Exit.NOT_FOUND, "the settings have no webhook of this name: habeas webhook list names them")
        moment = past_moment(since, at.zone, now())
        at.ledger.tell_again(name, moment)
    answer({"webhook": name, "since": moment.isoformat()}, Page().line("it is told again"), as_json=as_json)
