"""The documentation is tested: whatever the program knows is documented, and the README's path is walked."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from connectors.registry import kinds
from ledger import schema
from rights.codes import ADVICE, Code
from rights.datamap import Collection, Erase, Field, Link, Mode, Retention, Strategy, System
from rights.deadlines import Risk
from rights.details import MODELS, read_details
from rights.mapfile import read_map
from rights.receipt import Certainty, Outcome
from rights.request import Conclusion, Phase, Right
from settings import Settings
from starter.exits import MEANING, Exit
from starter.local import ATTRIBUTES, Local, command, environment
from starter.shop import map_text
from starter.stack import Postgres, Temporal, free_port
from tests.commandline import COMMANDS, options

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CLI = (ROOT / "docs" / "cli.md").read_text()
MAP = (ROOT / "docs" / "data-map.md").read_text()
RUNNING = (ROOT / "docs" / "running.md").read_text()
PAGES = {
    "README.md": README,
    **{f"docs/{page.name}": page.read_text() for page in sorted((ROOT / "docs").glob("*.md"))},
    "deploy/runbook.md": (ROOT / "deploy" / "runbook.md").read_text(),
}


def section(path: str) -> str:
    """What docs/cli.md says of a command: from its heading to the next."""
    found = re.search(rf"^### `{re.escape(path)}[ `].*?(?=^##)", CLI + "\n##", re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no heading for `{path}`"
    return found[0]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_documented(path: str) -> None:
    text = section(path)

    assert [name for name, _ in options(COMMANDS[path]) if name != "--json" and name not in text] == []
    assert COMMANDS[path].help, f"{path} --help says nothing"


def test_an_option_has_the_placeholder_of_its_help() -> None:
    other = {
        (path, name, word)
        for path, found in COMMANDS.items()
        for name, option in options(found)
        for word in re.findall(rf"{name} ([A-Z][A-Z_=.-]*)(?![a-z])", section(path))
        if word != option.metavar
    }

    assert other == set()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    field = Settings.model_fields[name]
    row = next((line for line in RUNNING.splitlines() if line.startswith(f"| `{name}` |")), None)

    assert row, f"docs/running.md does not tell of the setting {name}"
    default = row.split("|")[2].strip().strip("`")
    unset = field.default in (None, (), {})
    wanted = "" if field.is_required() else "none" if unset else str(field.default).lower()
    if isinstance(field.default, timedelta):
        assert TypeAdapter(timedelta).validate_python(default) == field.default
    else:
        assert default.lower() == wanted.lower()
    assert field.description
    assert field.examples


@pytest.mark.parametrize(
    "word", [*Code, *Outcome, *Certainty, *Phase, *Conclusion], ids=lambda w: f"{type(w).__name__}.{w}"
)
def test_every_word_is_documented(word: StrEnum) -> None:
    assert f"\n| `{word}` |" in RUNNING


@pytest.mark.parametrize("risk", Risk)
def test_every_risk_is_documented(risk: Risk) -> None:
    assert f"`{risk}`" in RUNNING


def test_every_code_has_advice() -> None:
    assert set(ADVICE) == set(Code)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_search_attribute_is_documented(attribute: str) -> None:
    assert f"`{attribute}`" in RUNNING


@pytest.mark.parametrize("code", Exit)
def test_every_exit_code_is_documented(code: Exit) -> None:
    assert re.search(rf"^\| {code.value} \| \S", CLI, re.MULTILINE)
    assert MEANING[code]


@pytest.mark.parametrize("kind", kinds())
def test_every_connector_is_documented(kind: str) -> None:
    assert f"\n| `{kind}` |" in MAP


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("A system", System),
        ("A collection", Collection),
        ("A field", Field),
        ("A link", Link),
        ("A duty to keep", Retention),
    ],
)
def test_every_key_of_the_data_map_is_documented(heading: str, model: Any) -> None:
    found = re.search(rf"^## {heading}\n.*?(?=^## |\Z)", MAP, re.MULTILINE | re.DOTALL)
    assert found
    keys = [info.alias or name for name, info in model.model_fields.items()]

    assert [key for key in keys if f"`{key}`" not in found[0]] == []


@pytest.mark.parametrize("word", [*Mode, *Erase, *Strategy], ids=str)
def test_every_word_of_the_data_map_is_documented(word: StrEnum) -> None:
    assert f"`{word}`" in MAP


def test_every_metric_is_documented() -> None:
    source = (ROOT / "starter" / "gauges.py").read_text()

    names = set(re.findall(r'"(habeas_[a-z_]+)"', source))
    assert names
    assert {name for name in names if f"`{name}`" not in RUNNING} == set()


def test_every_right_is_named() -> None:
    assert all(f"`{right}`" in CLI for right in Right)


RIGHTS = PAGES["docs/rights.md"]


@pytest.mark.parametrize("right", Right)
def test_every_right_has_a_line_on_the_page_of_rights(right: Right) -> None:
    assert f"\n| `{right}`" in RIGHTS


@pytest.mark.parametrize("right", MODELS)
def test_the_page_of_rights_has_details_that_can_be_given(right: Right) -> None:
    example = re.search(rf"```yaml\n(# {right}\.yaml.*?)```", RIGHTS, re.DOTALL)

    assert example
    assert read_details(right, f"{right}.yaml", example[1])


def test_the_readme_names_every_command_of_the_first_level() -> None:
    _, _, after = README.partition("## The command line")
    table = "\n".join(line.split("|")[1] for line in after.partition("## The pages")[0].splitlines() if "|" in line)

    first = {path.split()[1] for path in COMMANDS}
    assert [name for name in sorted(first) if not re.search(rf"[ `]{name}[ `]", table)] == []


def test_the_readme_names_every_page() -> None:
    assert [page for page in PAGES if f"]({page})" not in README] == ["README.md"]


def anchors(text: str) -> set[str]:
    """The places of a page that a link can name."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    here = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (here / file).resolve() if file else ROOT / page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there.read_text()), target


# The others quote parts of a map.
@pytest.mark.parametrize("page", ["README.md", "docs/data-map.md", "docs/cli.md", "docs/running.md"])
def test_examples_of_maps_are_valid(page: str) -> None:
    blocks = re.findall(r"```yaml\n(system:.*?)```", PAGES[page], re.DOTALL)

    for block in blocks:
        assert read_map({page: block}).systems


def shell_lines() -> Iterator[tuple[str, list[str]]]:
    """Every `habeas ...` that a page tells somebody to type, as words."""
    for page, text in PAGES.items():
        for block in re.findall(r"```(?:sh|text|console)\n(.*?)```", text, re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                found = re.search(r"(?:^|\| |\$ |\.venv/bin/)habeas (.*)", line.split("  #")[0])
                if found:
                    yield page, shlex.split(found[1].rstrip("& "))
        for inline in re.findall(r"`habeas ([a-z][^`]*)`", text):
            yield page, shlex.split(inline.split(",")[0].replace("...", ""))


@pytest.mark.parametrize(("page", "words"), list(shell_lines()), ids=lambda w: w if isinstance(w, str) else " ".join(w))
def test_what_the_pages_say_can_be_typed(page: str, words: list[str]) -> None:
    if words[0].isupper():
        return
    path = next((p for n in (3, 2) if (p := " ".join(["habeas", *words][:n])) in COMMANDS), None)
    groups = {" ".join(p.split()[:2]) for p in COMMANDS}
    assert path or f"habeas {words[0]}" in groups, f"{page}: there is no command habeas {' '.join(words)}"

    if path:
        known = {option for p in COMMANDS[path].params for option in p.opts}
        assert {w.split("=")[0] for w in words if w.startswith("--")} <= known | {"--help"}


def whole_lines() -> Iterator[tuple[str, list[str]]]:
    """Every `habeas ...` of a block of shell, as words: a whole command, not a part of one."""
    for page, text in PAGES.items():
        for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
            shell = block if language in {"", "sh", "text", "console"} else ""
            for line in shell.replace("\\\n", " ").splitlines():
                found = re.match(r" *(?:.*\| |\$ |\.venv/bin/)?(habeas (?:(?!  #).)*)", line)
                if found and "..." not in found[1]:
                    yield page, shlex.split(re.split(r" [>&] ?|  #", found[1])[0])


@pytest.mark.parametrize(("page", "words"), list(whole_lines()), ids=lambda w: w if isinstance(w, str) else " ".join(w))
def test_a_command_in_a_block_is_whole(page: str, words: list[str]) -> None:
    """Its parser takes it: no option is unknown, none that it needs is missing."""
    path = next((p for n in (3, 2) if (p := " ".join(words[:n])) in COMMANDS), None)

    assert path, f"{page}: there is no command {' '.join(words)}"
    COMMANDS[path].make_context(path, words[len(path.split()) :])


# The README's path.


def readme_path() -> list[str]:
    """The block that says that a test runs it, a line each."""
    block = README.split("<!-- tests/test_docs.py runs this block -->\n```sh\n")[1].split("```")[0]
    return [line.split("  #")[0].rstrip() for line in block.splitlines()]


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_shortest_path_of_the_readme_works(tmp_path: Path) -> None:
    """Line by line in a shell, on real servers; the editor is stood in for, and REQUEST is the id that was printed."""
    with (
        Postgres(durable=False) as postgres,
        Temporal() as bare,
        Local(
            tmp_path / "shop",
            Postgres(durable=False),
            Temporal(ui=True, search_attributes=ATTRIBUTES),
            environment="production",
            mode="observe",
        ) as shop,
    ):
        shop.stop_worker()  # its shop is wanted, not its engine
        postgres.create_database("mine")
        walk = _Walk(tmp_path, postgres.dsn("mine").replace("+psycopg", ""), bare, shop)
        try:
            for line in readme_path():
                walk.take(line)
        finally:
            walk.end()
        assert schema.current(postgres.dsn("mine")) == schema.head()

    assert "observe" in walk.said["habeas task list"]
    assert "exit 6" in README
    assert walk.codes["habeas request watch REQUEST"] == 6
    assert "tax law" in walk.said["habeas request preview REQUEST"]
    assert {code for line, code in walk.codes.items() if "watch" not in line} == {0}


class _Walk:
    """A person who follows the README."""

    def __init__(self, start: Path, ledger: str, temporal: Temporal, shop: Local) -> None:
        self.codes: dict[str, int] = {}
        self.said: dict[str, str] = {}
        self._here, self._ledger, self._temporal, self._shop = start, ledger, temporal, shop
        self._environment = environment() | {"PATH": f"{Path(command()[0]).parent}:{os.environ['PATH']}"}
        self._request = ""
        self._log = start / "worker.log"
        self._worker: subprocess.Popen[bytes] | None = None

    def take(self, line: str) -> None:
        """Do what a line says."""
        if line.startswith("cd "):
            self._here = self._here / line.removeprefix("cd ")
        elif line.startswith("$EDITOR "):
            self._edit(self._here / line.removeprefix("$EDITOR "))
        elif line.endswith("&"):
            with self._log.open("wb") as log:
                self._worker = subprocess.Popen(
                    shlex.split(line.rstrip(" &")), cwd=self._here, env=self._environment, stderr=log
                )
        else:
            self._run(line)
            if line.startswith("cp .env.example"):
                self._fill_in(self._here / ".env")

    def _run(self, line: str) -> None:
        typed = line.replace("REQUEST", self._request).replace("name@example.org", "hugo.ivanov@example.org")
        try:
            done = subprocess.run(
                ["bash", "-c", typed],
                cwd=self._here,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=120,
            )
        except subprocess.TimeoutExpired as late:
            ended = self._worker and self._worker.poll()
            raise AssertionError(f"{line}: {late.stdout!r}; worker {ended}: {self._log.read_text()}") from None
        self.codes[line], self.said[line] = done.returncode, done.stdout + done.stderr
        assert done.returncode in {0, 6}, f"{line}\n{self.said[line]}"
        if found := re.search(r"request ([0-9a-z]{26}) received", done.stdout):
            self._request = found[1]

    def _fill_in(self, file: Path) -> None:
        """Put real addresses in, and say where Temporal is."""
        text = file.read_text()
        for name, address in (
            ("HABEAS_LEDGER_URL", self._ledger),
            ("EXAMPLE_READER_URL", (self._shop.home / "secrets" / "shop_reader").read_text()),
            ("EXAMPLE_WRITER_URL", (self._shop.home / "secrets" / "shop_writer").read_text()),
        ):
            text = re.sub(rf"^{name}=.*$", f"{name}={address}", text, flags=re.MULTILINE)
        file.write_text(f"{text}\nHABEAS_TEMPORAL_ADDRESS={self._temporal.address}\nHABEAS_HEALTH_PORT={free_port()}\n")

    def _edit(self, file: Path) -> None:
        """Describe the shop, with the example's own names for its secrets."""
        text = map_text("observe")
        for role in ("reader", "writer"):
            text = text.replace(f"file:secrets/shop_{role}", f"env:EXAMPLE_{role.upper()}_URL")
        file.write_text(text)

    def end(self) -> None:
        """Stop the worker as a service manager would."""
        if self._worker is not None:
            self._worker.send_signal(signal.SIGTERM)
            self._worker.wait(60)
