"""`habeas request recognise`, as a person at the desk types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from starter.cli import app

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
