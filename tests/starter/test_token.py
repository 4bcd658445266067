"""`habeas token`: shown once, scoped, with an end; and what the door makes of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.requests import Request

from starter.access import PEOPLE_ONLY, SECOND_FACTOR, TABLE, Action, Caller, NotSignedIn, Role
from starter.callers import Callers
from starter.desk import load_settings, open_ledger
from starter.limits import Buckets
from tests.starter.conftest import Deployment, one_sentence

SOON = f"{datetime.now(UTC) + timedelta(days=90):%Y-%m-%d}"
MAKE = ("token", "make", "web-shop", "--scope", "requests:open", "--until", SOON, "--by", "s-17")


def asked(header: str | None) -> Request:
    """A request as it comes in."""
    headers = [] if header is None else [(b"authorization", header.encode("latin-1"))]
    app = SimpleNamespace(state=SimpleNamespace(strangers=Buckets(600), proxies=0))
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "app": app, "client": None})


def caller(header: str | None) -> Caller:
    """Who the door of the deployment in this directory says sent it."""
    ledger = open_ledger(load_settings())
    try:
        return asyncio.run(Callers(ledger).caller_of(asked(header)))
    finally:
        ledger.close_connections()


def test_a_token_is_shown_once_and_opens_what_it_names(deployment: Deployment) -> None:
    made = deployment(*MAKE, "--json").json
    assert caller(f"Bearer {made['token']}") == Caller(
        tenant="main", staff="system-web-shop", scopes=frozenset({Action.OPEN_REQUEST}), is_system=True
    )
    listed = deployment("token", "list", "--json")
    assert listed.json["tokens"][0] == {
        **{name: value for name, value in made.items() if name != "token"},
        "used_on": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    assert made["token"] not in listed.out + deployment("token", "list").out + deployment.everything()


def test_nobody_can_tell_why_a_token_is_not_taken(deployment: Deployment) -> None:
    made = deployment(*MAKE, "--json").json
    deployment("token", "revoke", made["id"], "--by", "s-17")
    tried = (
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {made['token']}",
        f"Bearer {made['token'][:-1]}",
        f"Basic {made['token']}",
        "Bearer habeas_é",
        "Bearer habeas_" + "a" * 20_000,
        "Bearer habeas_' OR 1=1 --",
    )
    said = set()
    for header in tried:
        with pytest.raises(NotSignedIn) as refused:
            caller(header)
        said.add(str(refused.value))
    assert len(said) == 1


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("token", "make", "Shop", *MAKE[3:]), "SYSTEM is 2 to 32"),
        ((*MAKE[:4], "decisions:approve", *MAKE[5:]), "--scope is one of"),
        ((*MAKE[:4], "everything", *MAKE[5:]), "--scope is one of"),
        ((*MAKE[:6], "2020-01-01", *MAKE[7:]), "--until is a day from today on"),
        ((*MAKE[:6], "2099-01-01", *MAKE[7:]), "within two years"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    deployment: Deployment, words: tuple[str, ...], what: str
) -> None:
    said = deployment(*words)
    assert said.code == 2
    assert one_sentence(said.err) or len(said.err) > 400
    assert what in said.err
    assert deployment("token", "list", "--json").json == {"tokens": []}


def test_no_token_names_what_people_answer_for(deployment: Deployment) -> None:
    for action in PEOPLE_ONLY:
        assert deployment(*MAKE[:4], action.value, *MAKE[5:]).code == 2


def test_the_page_has_the_table_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "who-may.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")
    ]
    told = {row[0].strip("`"): row[1:] for row in rows[: len(Action)]}
    assert told == {
        action.value: [
            *("yes" if role in TABLE[action] else "" for role in Role),
            "needed" if action in SECOND_FACTOR else "",
            "never" if action in PEOPLE_ONLY else "by scope",
        ]
        for action in Action
    }
