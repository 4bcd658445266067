"""Evidence in words: no more than the statement has on record."""

from starter.evidence import _decision


def test_a_request_that_nobody_decided_on_is_not_said_to_be_granted() -> None:
    """One that was withdrawn, or whose asker was never proven, has no decision either."""
    assert _decision({"word": "grant", "recorded": False, "grounds": []}) == "none is on record"
