"""`habeas request recognise`, as a person at the desk types it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rights.request import Conclusion
from starter.cli import app
from starter.desk import desk
from tests.ledger.builders import close_one
from tests.starter.conftest import Deployment

CANARY = "zqcanary"


def test_COM_02_a_text_is_read_and_nothing_of_it_is_kept_or_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    letter = tmp_path / "letter.txt"
    letter.write_text(f"I am {CANARY}. Please delete all of my data.")
    runner = CliRunner()
    done = runner.invoke(app, ["request", "recognise", "letter.txt", "--json"])
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == (
        '{"proposed": [{"right": "erasure", "languages": ["en"], "plainly": false}], "ask_back": false}'
    )
    shown = runner.invoke(app, ["request", "recognise", "-"], input=f"{CANARY}, when do you open?")
    assert "no right is recognised" in shown.stdout
    long = runner.invoke(app, ["request", "recognise", "-"], input=f"{CANARY} " * 20_000)
    assert long.exit_code == 2
    for text in (done.output, shown.output, long.output, caplog.text):
        assert CANARY not in text
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"], "nothing is written, and no settings are read"


def test_COM_02_what_a_text_asks_for_beyond_its_request_is_a_task_that_no_answer_closes(deployment: Deployment) -> None:
    """Through the one function behind every door; nothing of the text is in the clear ledger."""
    (deployment.home / "letter.txt").write_text(f"I am {CANARY}. What do you have on me? Then delete all of my data.")
    opened = deployment("request", "open", "access", "--identity", "email=c7@shop.example", "--text-file", "letter.txt",
                        "--json")  # fmt: skip
    assert opened.code == 0, opened.err
    assert opened.json["also_asked"] == ["erasure"]
    request = opened.json["id"]
    lies = "SELECT code, about, settled_at IS NULL, ruling FROM tasks WHERE code = 'also_asked'"
    assert deployment.rows(lies) == [("also_asked", "erasure", True, None)]
    (task,) = [one for one in deployment("task", "list", "--json").json["tasks"] if one["code"] == "also_asked"]

    with desk() as at:
        close_one(at.ledger, request, Conclusion.ANSWERED, at=datetime.now(UTC))
    assert deployment.rows(lies) == [("also_asked", "erasure", True, None)], (
        "the answer to one is not that to the other"
    )
    ruled = deployment("request", "rule", request, "done", "--task", task["id"])
    assert ruled.code == 0, ruled.err
    assert deployment.rows(lies) == [("also_asked", "erasure", False, "done")]
    assert CANARY not in deployment.everything()


def test_COM_02_a_text_that_asks_for_no_more_makes_no_task(deployment: Deployment) -> None:
    (deployment.home / "letter.txt").write_text("Please delete all of my data. When does my parcel arrive?")
    opened = deployment("request", "open", "erasure", "--identity", "email=c7@shop.example", "--text-file",
                        "letter.txt", "--json")  # fmt: skip
    assert opened.json["also_asked"] == []
    assert deployment.rows("SELECT count(*) FROM tasks") == [(0,)]
