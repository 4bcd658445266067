"""`habeas appeal decide`, by somebody whose seat has spoken already."""

from datetime import UTC, datetime, timedelta

from rights.deadlines import start_clock
from rights.rectification import Accuracy, Approver, Refusal
from rights.regimes import regime
from rights.request import Conclusion, Right
from rights.subject import Identity
from starter.desk import desk
from tests.starter.conftest import PERSON, Deployment


def test_whoever_sits_where_the_refusal_was_approved_does_not_decide_on_the_appeal(deployment: Deployment) -> None:
    settings = deployment.home / "habeas.toml"
    settings.write_text(f'{settings.read_text()}\n[approvers]\ncounsel = {{holder = "s-17", substitute = "s-18"}}\n')
    now = datetime.now(UTC)
    received, until = now - timedelta(days=9), now + timedelta(days=90)
    with desk() as at:
        clock = start_clock(regime("us-va"), received, "America/New_York")
        people = (Identity("email", PERSON),)
        opened = at.ledger.open_request(
            Right.RECTIFICATION, "us-va", people, clock, received_at=received, confirmed=True
        )
        refused = Accuracy(refused={1: Refusal.ACCURATE}, approved_by=Approver.COUNSEL)
        at.ledger.decide_accuracy(opened.request_id, refused, systems=["shop"], at=now, reason="It is right.", by="s-9")
        at.ledger.close(
            opened.request_id,
            Conclusion.REFUSED,
            books={},
            at=now,
            working_until=until,
            file_until=until,
            parcel_until=until,
            disputed_until=until,
        )
    appeal = deployment("appeal", "open", opened.request_id, "--by", "desk", "--json").json["id"]
    (deployment.home / "reasons.txt").write_text("We have looked at it again.")
    decide = ("appeal", "decide", appeal, "upheld", "--reason-file", str(deployment.home / "reasons.txt"), "--by")

    for who in ("s-17", "s-18", "counsel", "s-9"):
        answer = deployment(*decide, who)
        assert (answer.code, "ask somebody else" in answer.err) == (5, True), who
    assert deployment(*decide, "s-50").code == 0
