"""An upload goes on for as long as it may, and no longer."""

import pytest

from activities.transmission import MIND_EVERY_S, SendingOverError, minded


def test_an_upload_is_broken_off_once_nothing_more_is_to_be_sent() -> None:
    beats: list[float] = []
    now, code = 0.0, ""
    asked: list[float] = []

    def over() -> str | None:
        asked.append(now)
        return code or None

    going_on = minded(lambda: beats.append(now), over, lambda: now)
    for now in (0.0, 1.0, MIND_EVERY_S):  # noqa: B007 - read by the functions above
        going_on()
    assert asked == [0.0, MIND_EVERY_S], "before the first piece, and now and then"

    code = "incident"
    now += 1
    going_on()
    now += MIND_EVERY_S
    with pytest.raises(SendingOverError) as ended:
        going_on()
    assert ended.value.code == "incident"
    assert len(beats) == 5
