"""`habeas rest`, as it is typed."""

from datetime import timedelta

from ledger.requests import Ending
from rights.deferred import Deferral
from rights.request import Conclusion, Phase
from starter.desk import desk
from tests.ledger.builders import close_one
from tests.starter.conftest import Deployment, one_sentence


def left_behind(deployment: Deployment) -> str:
    """An erasure that was answered, and has something of the shop locked away without an end."""
    request = deployment.open()
    with desk() as at:
        row = at.ledger.request(request)
        for phase in (Phase.LOCATING, Phase.FULFILLING):
            at.ledger.move(request, phase, at=row.clock.received_at)
        at.ledger.lock_rest(request, "shop", at=row.clock.received_at)
        rest = Deferral(
            left={"shop": {"orders": 1}}, asked_only=True, ask_at=row.clock.received_at + timedelta(days=365)
        )
        close_one(
            at.ledger,
            request,
            Conclusion.IN_PART,
            at=row.clock.received_at + timedelta(minutes=1),
            ending=Ending(erased=(), deferred=rest),
        )
    return request


def test_what_is_left_is_listed_kept_and_opened_by_two(deployment: Deployment) -> None:
    request = left_behind(deployment)

    (listed,) = deployment("rest", "list", "--json").json["rests"]
    kept = deployment("rest", "keep", request, "--by", "s-1", "--until", "2031-05-01", "--json").json
    words = ("rest", "open", request, "--ground", "claims", "--by")
    first = deployment(*words, "s-1", "--json").json
    same = deployment(*words, "s-1")
    second = deployment(*words, "s-2", "--json").json
    shown = deployment("rest", "list", "--request", request).out

    assert list(listed) == ["request_id", "locked", "ask_at", "said"]
    assert (listed["request_id"], listed["locked"], listed["said"]) == (request, ["shop"], [])
    assert kept["ask_at"].startswith("2031-05-01")
    assert (first["agreed"], second["agreed"]) == (False, True)
    assert same.code == 5
    assert one_sentence(same.err)
    assert "second person" in same.err
    assert "open (claims): agreed" in shown
    assert deployment("rest", "open", request, "--ground", "curiosity", "--by", "s-1").code == 2
    assert deployment("rest", "list", "--request", "0" * 26, "--json").json == {"rests": []}
    assert {"rest_asked", "rest_agreed", "rest_kept"} <= {
        kind for (kind,) in deployment.rows("SELECT kind FROM entries")
    }


def test_what_is_kept_goes_once_two_have_said_so(deployment: Deployment) -> None:
    request = left_behind(deployment)
    said = [deployment("rest", "erase", request, "--by", by, "--json").json["agreed"] for by in ("s-1", "s-2")]
    assert said == [False, True]
    assert deployment("rest", "keep", request, "--by", "s-3").code == 5
