"""What a log line holds: all that we mean to say, and nothing of what a library has put into its words."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from starter.logs import KEYS

ROOT = Path(__file__).parents[2]
LEVELS = {"info", "warning", "error"}
CANARY = "zqcanary"


def said() -> Iterator[tuple[str, set[str]]]:
    """Every line that the code logs: where, and the names of what stands in it."""
    for folder in ("activities", "connectors", "ledger", "rights", "starter", "workflows"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield from _said(file)
    yield from _said(ROOT / "worker.py")


def _said(file: Path) -> Iterator[tuple[str, set[str]]]:
    text = file.read_text()
    if "structlog" not in text and ".log." not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        by = node.func
        logs = isinstance(by, ast.IfExp) or (isinstance(by, ast.Attribute) and by.attr in LEVELS)
        if logs or (isinstance(by, ast.Name) and by.id in {"level", "say"}):
            names = {one.arg for one in node.keywords if one.arg}
            yield f"{file.relative_to(ROOT)}:{node.lineno} {node.args[0].value!r}", names


def test_nothing_that_we_mean_to_say_is_dropped_on_its_way_to_the_log() -> None:
    found = list(said())
    assert len(found) > 40, "the lines are found"
    assert {"'replay_ended'", "'sign_in_refused'", "'transfer'"} <= {where.split()[1] for where, _ in found}
    assert {where: lost for where, names in found if (lost := names - KEYS)} == {}


TEXTS = [
    f"cannot write to {CANARY}@shop.example",
    f"no such login as {CANARY}.erika-7",
    f'sent "{CANARY}" back',
    f"+49 {CANARY} 0151 2345678 is no number",
    f"a key <{CANARY}> twice",
    f"over\n{CANARY}",
    f"PostgreSQL has gone, it said: {CANARY}",
]
PROGRAM = f"""
import logging
from starter.logs import set_up

set_up("json")
lib = logging.getLogger("lib")
for text in {TEXTS!r}:
    lib.warning(text)
lib.warning("told %s", {CANARY!r})
lib.warning("took %(who)s", {{"who": {CANARY!r}}})
try:
    raise ValueError({CANARY!r})
except ValueError:
    lib.exception("it has failed, as it does.")
"""


def test_what_a_library_has_put_into_its_words_stays_out() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert CANARY not in ran.stderr
    assert len(lines) == len(TEXTS) + 3, "each is told of"
    assert {line["logger"] for line in lines} == {"lib"}
    assert [line["event"] for line in lines[-4:]] == [
        "PostgreSQL has gone, it said",
        "told",
        "took",
        "it has failed, as it does. (ValueError)",
    ]
