"""Whether what was corrected has come back, or somebody has written something new since."""

import pytest

from activities.corrections import Disputed
from activities.following import changed_since, step_of
from connectors.protocol import Correction, OldValues
from rights.plan import Operation, Step

CORRECTIONS = [Correction("customers", {"name": "Anna Quartz", "phone": None})]
OLD: Disputed = {"customers": {("7",): {"name": ("Anna Quarz",), "phone": ("+49 30 5", "+49 30 6")}}}


def says(name: str | None, phone: str | None, key: str = "7") -> list[OldValues]:
    return [{"customers": {(key,): {"name": name, "phone": phone}}}]


@pytest.mark.parametrize(
    ("seen", "on_purpose"),
    [
        (says("Anna Quarz", None), False),  # the old name
        (says("Anna Quartz", "+49 30 6"), False),  # an old number, of a second attempt
        (says("Anna Quarz", None, key="8"), False),  # the old name in a row that an import has made
        (says("Anna Berg", None), True),
        (says("Anna Berg", "+49 30 5"), False),  # one is new, the other is the old one
        ([], False),  # nobody has said what stands there
    ],
)
def test_only_a_value_that_never_stood_there_was_written_on_purpose(seen: list[OldValues], on_purpose: bool) -> None:
    assert changed_since(OLD, seen, {"customers": 1}, CORRECTIONS) is on_purpose


def test_where_it_is_not_known_what_stood_there_a_person_is_asked() -> None:
    assert not changed_since({}, says("Anna Berg", None), {"customers": 1}, CORRECTIONS)
    assert not changed_since(OLD, says("Anna Berg", None), {"customers": 2}, CORRECTIONS), "a row was not seen"


def test_a_key_is_read_back_and_what_is_no_step_is_none() -> None:
    step = Step(request_id="r", system="shop", operation=Operation.VERIFY, round=3)
    assert step_of(step.key) == step
    assert step_of("r/recipient/partner/0") is None
    assert step_of("r/restriction/lift/0") == Step(request_id="r", system="restriction", operation=Operation.LIFT)
