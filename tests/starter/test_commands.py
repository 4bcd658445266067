"""All commands keep to the same: an example that can be typed, JSON, exit codes, and one name for one thing."""

import re
import resource
import shlex
import subprocess
import sys
from collections import defaultdict

import pytest

from starter.exits import Exit
from tests.commandline import COMMANDS, options

UNTIL_STOPPED = {
    *("habeas dev", "habeas demo", "habeas worker", "habeas receive"),
    *("habeas stop-page", "habeas due serve", "habeas api"),
}
"""They serve, or show, until they are stopped; there is no answer to put into JSON."""
JSON_ALREADY = {"habeas optout gpc-json"}
FILES = {
    "--certificate", "--identities", "--details", "--notice", "--paper", "--points", "--from-fides", "--out", "--svg",
}  # fmt: skip
"""Options that take a file and are not called after the text in it (`--note-file`, `--reason-file`)."""
CALCULATOR = {"--received"}
"""`habeas deadline` belongs to no request, and is compared with published vectors by these words."""
OLD = {
    "--reasons-file": "--reason-file",
    "--noticed": "--on",
    "--updated": "--on",
    "--keep-until": "--until",
    "--level": "--assurance",
    "--said": "--details",
    "--pdf": "--out",
    "--of": "--scope",
    "--texts": "--text",
}
"""Spellings that are gone, and what they are called now."""


def example(path: str) -> list[str]:
    """The words of the example as the help prints it, without what stands before a pipe or after a redirection."""
    command = COMMANDS[path]
    printed = command.get_help(command.context_class(command, info_name=path))
    found = re.search(r"Example:\n(.*?)\n\n", printed, re.DOTALL)
    assert found, f"{path} --help has no example"
    # As the shell reads it: lines that end with a backslash are one.
    line = found[1].replace("\\\n", "")
    assert "\n" not in line
    assert re.search(r"(^ *|\| )habeas ", line), line
    return shlex.split(line[line.index("habeas ") :].split(" > ")[0])


@pytest.mark.parametrize("path", COMMANDS)
def test_the_example_in_the_help_can_be_typed(path: str) -> None:
    words = example(path)
    own = path.split()

    assert words[: len(own)] == own
    # The parser refuses an unknown option, a missing one, and an argument too many.
    COMMANDS[path].make_context(path, words[len(own) :])


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_can_answer_in_json(path: str) -> None:
    has = "--json" in dict(options(COMMANDS[path]))

    assert has is (path not in UNTIL_STOPPED | JSON_ALREADY)


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_says_how_a_command_ends(path: str) -> None:
    below = COMMANDS[path].epilog or ""

    assert [code for code in Exit if f" {code.value} " not in below] == []


@pytest.mark.parametrize("path", COMMANDS)
def test_every_argument_and_option_is_explained(path: str) -> None:
    params = [one for one in COMMANDS[path].params if one.name != "help"]

    assert [one.name for one in params if not one.help] == []
    assert [one.name for one in params if not one.metavar and not getattr(one, "is_flag", False)] == []


def test_an_option_has_one_placeholder_in_all_commands() -> None:
    told: dict[str, set[str]] = defaultdict(set)
    for command in COMMANDS.values():
        for name, option in options(command):
            told[name].add(option.metavar or "")

    assert {name: words for name, words in told.items() if len(words) > 1} == {}


def test_one_thing_has_one_option_in_all_commands() -> None:
    """Who speaks is STAFF; a day that something happened is `--on`; a text comes in `--...-file`."""
    by_placeholder: dict[str, set[str]] = defaultdict(set)
    for command in COMMANDS.values():
        for name, option in options(command):
            by_placeholder[option.metavar or ""].add(name)

    assert by_placeholder["STAFF"] == {"--by", "--confirmed-by", "--taken-by", "--approved-by"}
    assert by_placeholder["WHEN"] == {"--received-at", "--aware", "--notified-at", *CALCULATOR}
    assert by_placeholder["REQUEST"] == {"--request", "--before", "--parcel"}
    assert {name for name in by_placeholder["FILE"] if not name.endswith("-file")} == FILES
    for word in ("RIGHT", "REGIME", "SCOPE", "GROUND", "KIND", "LANGUAGE", "FORMAT", "CHANNEL", "PHASE", "COLLECTION"):
        assert by_placeholder[word] <= {f"--{word.lower()}"}, word


def test_old_spellings_are_gone() -> None:
    names = {name for command in COMMANDS.values() for name, _ in options(command)}

    assert names & set(OLD) == set()
    assert set(OLD.values()) <= names


def test_what_aborts_a_command_leaves_no_core_file_of_what_it_held() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    program = (
        "import atexit, resource, sys; from starter.cli import main; core = resource.RLIMIT_CORE;"
        f"resource.setrlimit(core, ({hard}, {hard})); sys.argv = ['habeas', '--version'];"
        "atexit.register(lambda: print(resource.getrlimit(core)[0])); main()"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "0"
