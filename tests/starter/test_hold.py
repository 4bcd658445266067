"""`habeas hold`, as counsel types it."""

import pytest

from tests.starter.conftest import PERSON, Deployment, one_sentence

KEYS = [
    "id", "placed_at", "released_at", "in_flight", "placed_by", "confirm_by", "confirmed_by", "confirmed_at",
    "release_by", "scope", "reason", "authority", "disclosure", "tell_from", "review_on", "in_force",
]  # fmt: skip


def placed(deployment: Deployment, *more: str) -> str:
    reason = deployment.home / "reason.txt"
    reason.write_text("canary: litigation of 2026")
    who = ("--by", "s-1", "--identity", f"email={PERSON}", "--reason-file", str(reason))
    made: str = deployment("hold", "place", *who, *more, "--json").json["id"]
    return made


def test_a_hold_is_placed_confirmed_shown_and_released_by_two(deployment: Deployment) -> None:
    request = deployment.open()
    hold = placed(deployment)

    held = deployment("request", "show", request).out
    listed = deployment("hold", "list", "--json").json["holds"]
    (task,) = deployment("hold", "tasks", "--json").json["tasks"]
    assert deployment("hold", "confirm", hold, "--by", "s-1").code == 5
    confirmed = deployment("hold", "confirm", hold, "--by", "s-2", "--json").json
    first = deployment("hold", "release", hold, "--by", "s-1", "--json").json
    assert deployment("hold", "release", hold, "--by", "s-1").code == 5
    released = deployment("hold", "release", hold, "--by", "s-2", "--json").json

    assert list(listed[0]) == list(confirmed) == list(released) == KEYS
    assert (task["code"], task["hold_id"]) == ("confirm", hold)
    assert listed[0]["in_force"] is True
    assert "in force: nothing is destroyed" in held
    assert confirmed["confirmed_by"] == "s-2"
    assert (first["release_by"], first["released_at"]) == ("s-1", None)
    assert released["released_at"] is not None
    assert deployment("request", "show", request, "--json").json["held"] is False
    assert deployment("hold", "tasks", "--json").json == {"tasks": []}
    assert "canary" not in deployment.everything()


def test_a_hold_shows_what_it_covers_and_what_is_told(deployment: Deployment) -> None:
    days = ("--since", "2024-01-01", "--until", "2024-06-30")
    hold = placed(
        deployment, "--collection", "shop.customers", *days, "--disclosure", "after", "--tell-from", "2027-05-01"
    )

    shown = deployment("hold", "show", hold).out
    scope = deployment("hold", "show", hold, "--json").json["scope"]
    assert (scope["since"], scope["until"]) == ("2024-01-01", "2024-06-30")
    assert "of 2024-01-01 to 2024-06-30" in shown
    assert "shop.customers" in shown
    assert "not before 2027-05-01" in shown
    assert PERSON not in shown


def test_a_secret_hold_is_on_no_page_of_the_request(deployment: Deployment) -> None:
    request = deployment.open()
    before = [deployment("request", "show", request, *how).out for how in ((), ("--json",))]
    placed(deployment, "--disclosure", "counsel_text")

    assert [deployment("request", "show", request, *how).out for how in ((), ("--json",))] == before
    assert deployment("task", "list", "--json").json == {"tasks": [], "incidents": []}


@pytest.mark.parametrize("given", ["", " \n", "x" * 100_001, "a\0b"])
def test_a_hold_needs_a_reason_one_can_read(deployment: Deployment, given: str) -> None:
    who = ("--by", "s-1", "--identity", f"email={PERSON}")
    answer = deployment("hold", "place", *who, "--reason-file", "-", given=given)

    assert answer.code == 2
    assert one_sentence(answer.err)
    assert deployment.rows("SELECT count(*) FROM holds") == [(0,)]


@pytest.mark.parametrize(
    "slip",
    [
        ("--system", "shp"),
        ("--collection", "shop.orderz"),
        ("--collection", "customers"),
        ("--category", "wealth"),
        ("--reason", "because"),
        ("--authority", "me"),
        ("--disclosure", "after"),
        ("--tell-from", "2027-05-01"),
        ("--disclosure", "never"),
        ("--since", "2024-03-01", "--until", "2024-02-28"),
    ],
)
def test_a_slip_holds_nothing_by_mistake(deployment: Deployment, slip: tuple[str, ...]) -> None:
    reason = deployment.home / "reason.txt"
    reason.write_text("a case")
    who = ("--by", "s-1", "--identity", f"email={PERSON}", "--reason-file", str(reason))
    answer = deployment("hold", "place", *who, *slip)

    assert answer.code == 2
    assert one_sentence(answer.err)
    assert deployment.rows("SELECT count(*) FROM holds") == [(0,)]
