"""The sequence of commands that each workflow's source can issue, as a fingerprint.

Replaying recorded histories finds a break only on the branches that were recorded; this notices an edit on any branch.
Only calls that become commands count, so wording and types may change freely.
"""

import ast
import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "do", "touch", "execute_activity_method", "execute_local_activity_method", "sleep", "wait_condition",
    "upsert_search_attributes", "continue_as_new", "gather", "create_task", "wait", "pause", "_settle", "_perform",
    "see_through", "read", "_show", "enter", "now", "set_current_details", "together", "erase", "look_until_gone",
    "await_system", "package", "_pack", "_ask_about", "_stuck", "_plan", "_locate", "_fulfil", "_carry_out", "_rest",
    "attempt",
}  # fmt: skip
ACTIVITIES = {"do", "touch", "attempt", "execute_activity_method", "execute_local_activity_method"}


def fingerprints() -> dict[str, str]:
    """SHA-256 per module that issues commands, over the calls in the order of the source."""
    found = {path.stem: _calls(path) for path in sorted((ROOT / "workflows").glob("*.py"))}
    return {name: hashlib.sha256("\n".join(calls).encode()).hexdigest() for name, calls in found.items() if calls}


def _calls(path: Path) -> list[str]:
    calls = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in COMMANDS:
                first = ast.unparse(node.args[0]) if node.args and name in ACTIVITIES else ""
                calls.append((node.lineno, node.col_offset, f"{name}({first})"))
    return [call for _, _, call in sorted(calls)]


if __name__ == "__main__":
    (Path(__file__).parent / "fingerprints.json").write_text(json.dumps(fingerprints(), indent=2) + "\n")
