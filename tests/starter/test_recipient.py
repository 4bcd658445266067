"""`habeas recipient end`, `ended` and `check`, as a person types them."""

from tests.starter.conftest import Deployment

REGISTER = """
recipients:
  mailer:
    name: Acme Mail GmbH
    country: DE
    basis: {kind: contract, document: DPA 17, since: 2024-01-01, until: 2026-01-31}
    gets: [shop]
    told_by: {email: privacy@acme.example}
    processors: [{name: Host Ltd, country: IE}]
"""
LETTERS = """
[letters]
controller = "Shop Ltd"
address = ["1 Market Street"]
dpo = "dpo@shop.example"
"""


def test_a_contract_that_is_over_is_asked_about_printed_and_settled(deployment: Deployment) -> None:
    """PRO-03, GDPR 28(3)(g)."""
    (deployment.home / "recipients.yaml").write_text(REGISTER)
    deployment.setting("recipients", "recipients.yaml")
    settings = deployment.home / "habeas.toml"
    settings.write_text(settings.read_text() + LETTERS)

    assert "nobody has asked" in deployment("recipient", "check").out
    asked = deployment("recipient", "end", "mailer", "erase", "--by", "desk")
    assert asked.code == 0, asked.err
    assert "DPA 17" in asked.out
    assert "Host Ltd" in asked.out
    (found,) = deployment("recipient", "check", "--json").json["recipients"]
    assert "awaited" in found["contract"]
    assert deployment("recipient", "ended", "mailer", "confirmed", "--by", "desk").code == 5, "not for its processors"
    done = deployment("recipient", "ended", "mailer", "confirmed", "--with-processors", "--by", "desk")
    assert done.code == 0, done.err
    (found,) = deployment("recipient", "check", "--json").json["recipients"]
    assert (found["contract"], found["owed"]) == ("", False)
    assert deployment("recipient", "end", "mailer", "burn", "--by", "desk").code == 2
    assert deployment.rows("SELECT recipient, choice, answer FROM contract_ends") == [("mailer", "erase", "confirmed")]


def test_a_request_that_was_passed_on_is_not_said_to_be_withdrawn(deployment: Deployment) -> None:
    retailer = REGISTER.replace("mailer", "retailer").replace(", until: 2026-01-31", "")
    retailer = retailer[: retailer.index("    processors")]
    (deployment.home / "recipients.yaml").write_text(
        retailer + "    role: controller\n    knows_by: [email]\n    answers_requests: true\n"
    )
    deployment.setting("recipients", "recipients.yaml")
    request = deployment.open()
    passed = deployment("request", "pass-on", request, "retailer", "--by", "desk")
    assert passed.code == 0, passed.err

    shown = deployment("request", "show", request).out
    assert "passed on" in shown
    assert "withdrawn" not in shown
