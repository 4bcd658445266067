"""`habeas rectification note`, as a person at the desk types it."""

import pytest

from tests.starter.conftest import Deployment, one_sentence


@pytest.mark.parametrize(
    ("words", "by"),
    [("canary " * 3_000, "support desk"), ("  \n", "support desk"), ("canary", "canary\ndesk"), ("canary", "")],
)
def test_a_statement_that_no_letter_could_carry_or_that_nobody_enters_is_refused(
    deployment: Deployment, words: str, by: str
) -> None:
    request = deployment.open()
    file = deployment.home / "words.txt"
    file.write_text(words)

    answer = deployment("rectification", "note", request, "--statement-file", str(file), "--by", by)

    assert (answer.code, one_sentence(answer.err)) == (2, True)
    assert "canary" not in answer.err + deployment.everything()
