"""A connector in somebody else's package: installed, held to its promises, tried, and used by the engine.

It is the one that docs/connectors.md writes, and the page shows its very code.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import indent

import pytest

from rights.receipt import Certainty, Outcome
from rights.subject import Identity
from tests.world import World, dump, shop_map

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "connectors.md").read_text()
MAP = (ROOT / "tests" / "stranger" / "maps" / "newsletter.yaml").read_text()
UNPROVEN = 68
"""Promises that a folder cannot be held to: it has no terms, no parents, no tables, is not corrected, and cannot be
locked away."""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stranger's sources, out of our tree."""
    return shutil.copytree(ROOT / "tests" / "stranger", tmp_path_factory.mktemp("stranger") / "package")


@pytest.fixture(scope="module")
def site(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is installed, built by what uv brings along: no index is asked."""
    site = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--no-config"]
    subprocess.run(
        [*install, "--python", sys.executable, "--target", str(site), str(package)],
        check=True,
        env={**os.environ, "UV_CACHE_DIR": str(site.with_name("uv-cache"))},
    )
    return site


@pytest.fixture
def run(site: Path) -> Run:
    """Run a program where the package is installed."""

    def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HABEAS_")}
        environment["PYTHONPATH"] = str(site)
        return subprocess.run(command, cwd=cwd, env=environment, check=False, capture_output=True, text=True)

    return run


def subscribe(folder: Path, *numbers: int) -> None:
    """Write subscribers, who are customers of the shop too."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        row = {"number": f"S-{number}", "email": f"C{number}@Shop.example", "name": f"Name {number}", "token": "t"}
        (folder / f"{number}.json").write_text(json.dumps(row))


def left(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("*.json")}


@pytest.mark.soak
def test_it_is_there_by_its_entry_point_alone(site: Path, run: Run, tmp_path: Path) -> None:
    kinds = "from connectors.registry import kinds; print(*kinds())"

    assert "folder" in run(sys.executable, "-c", kinds, cwd=tmp_path).stdout.split()
    assert (site / "habeas_folder" / "__init__.py").read_text() == (
        ROOT / "tests" / "stranger" / "src" / "habeas_folder" / "__init__.py"
    ).read_text()


@pytest.mark.soak
def test_its_own_tests_hold_it_to_the_promises(package: Path, run: Run) -> None:
    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", "tests", cwd=package)

    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)}
    assert counts.keys() == {"passed", "skipped"}, done.stdout
    assert counts["passed"] > 50
    assert counts["skipped"] == UNPROVEN


@pytest.mark.soak
def test_the_commands_of_the_page_work(run: Run, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "newsletter.yaml").write_text(MAP)
    subscribe(tmp_path / "subscribers", 1, 2)
    (tmp_path / "subscribers" / "1.json").write_text('{"email": "anna@example.org"}')
    (tmp_path / "subscribers" / "environment").write_text("test")
    (text,) = re.findall(r"<!-- run -->\n```\n(.*?)```", PAGE, re.DOTALL)
    habeas = str(Path(sys.executable).with_name("habeas"))

    said = {}
    for line in text.splitlines():
        words = shlex.split(line)
        done = run(habeas, *words[1:], cwd=tmp_path)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        said[" ".join(words[1:3])] = done.stdout

    assert "folder, mode auto, reached" in said["map check"]
    assert "habeas-folder 1.0" in said["connector lint"]
    assert "offers erase, export, locate, verify" in said["connector test"]
    assert "subscribers 1" in said["connector test"]
    assert "anna" not in said["connector test"]
    assert left(tmp_path / "subscribers") == {"1", "2"}


@pytest.mark.soak
@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        ("path: subscribers", "path: subscribers, depth: 2", "write options: {path: ...}"),
        ("key: [id]", "key: [id]\n    erase: retain\n    ground: none", "a folder can only delete"),
        ("key: [id]", "key: [number]", "write key: [id]"),
        ("connector: folder", "connector: folders", "no connector 'folders' is installed"),
    ],
)
def test_a_map_that_asks_too_much_is_refused_with_what_to_write(
    run: Run, tmp_path: Path, old: str, new: str, advice: str
) -> None:
    (tmp_path / "newsletter.yaml").write_text(MAP.replace(old, new))
    habeas = str(Path(sys.executable).with_name("habeas"))

    done = run(habeas, "map", "check", "--live", "newsletter.yaml", cwd=tmp_path)

    assert done.returncode == 1
    assert advice in " ".join(done.stdout.split())


@pytest.mark.soak
def test_a_folder_that_is_away_or_unmarked_is_said_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "newsletter.yaml").write_text(MAP)
    habeas = str(Path(sys.executable).with_name("habeas"))
    check = (habeas, "map", "check", "--live", "--json", "newsletter.yaml")

    away = json.loads(run(*check, cwd=tmp_path).stdout)["checks"][-1]
    subscribe(tmp_path / "subscribers", 1)
    unmarked = json.loads(run(*check, cwd=tmp_path).stdout)["checks"][-1]

    assert (away["ok"], away["about"]) == (False, "unreachable: newsletter")
    assert unmarked["about"] == "the folder belongs to no environment"


@pytest.fixture
def folder(world: World) -> Path:
    """A folder of twenty subscribers, beside the shop whose customers they are."""
    folder = world.home / "subscribers"
    subscribe(folder, *range(1, 21))
    (folder / "environment").write_text("test")
    world.write_maps({"shop": shop_map(), "newsletter": MAP.replace("path: subscribers", f'path: "{folder}"')})
    return folder


def outcomes(world: World, request: str, operation: str) -> Mapping[str, Outcome]:
    return {r.step.system: r.outcome for r in world.ledger.receipts(request) if r.step.operation == operation}


@pytest.mark.soak
def test_the_engine_erases_with_it_and_proves_it(world: World, folder: Path, site: Path) -> None:
    world.start_worker(PYTHONPATH=str(site))

    # The folder knows nobody by the shop's number: the shop tells the address.
    request = world.open("erasure", [("customer_id", "7")])
    world.wait_closed(request)

    assert left(folder) == {str(number) for number in range(1, 21) if number != 7}
    assert not any('"id": 7,' in text for text in dump(world.shop)["customers"])
    assert world.conclusion(request) == "answered"
    assert outcomes(world, request, "verify") == {"shop": Outcome.DONE, "newsletter": Outcome.DONE}
    sure = {r.certainty for r in world.ledger.receipts(request) if r.step.operation == "verify"}
    assert sure == {Certainty.VERIFIED}
    (book,) = world.books(request)["newsletter"]
    assert (book.before, book.after, book.closed, book.derived) == (1, 0, True, False)


@pytest.mark.soak
def test_the_engine_gives_a_person_what_it_holds(world: World, folder: Path, site: Path) -> None:
    world.start_worker(PYTHONPATH=str(site))

    request = world.open("access", [("email", "c7@shop.example")])
    world.wait_closed(request)

    assert world.parcel_rows(request)["newsletter/subscribers.jsonl"] == 1
    assert len(left(folder)) == 20


@pytest.mark.soak
def test_a_hold_stops_it(world: World, folder: Path, site: Path) -> None:
    world.ledger.place_hold([Identity("subscriber", "S-7")], "a claim", at=world.now())
    world.start_worker(PYTHONPATH=str(site))

    request = world.open("erasure", [("email", "c7@shop.example")])
    held = "SELECT count(*) FROM tasks WHERE request_id = %s AND code = 'hold' AND settled_at IS NULL"
    world.wait(lambda: world.query(held, request) == [(2,)], 60, "both systems to be held")

    assert len(left(folder)) == 20


def dense(text: str) -> str:
    """Code without empty lines: a formatter sets others between functions than between methods."""
    return re.sub(r"\n\n+", "\n", text)


def test_the_page_shows_the_very_code() -> None:
    blocks = re.findall(r"<!-- from: (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)

    for path, text in blocks:
        whole, told = dense((ROOT / path).read_text()), dense(text)
        assert told in whole or indent(told, "    ") in whole, f"{path} has changed: show it anew"
    assert len(blocks) == len(re.findall(r"^```\w+$", PAGE, re.MULTILINE)), "all of its code is the stranger's"
    shown = "".join(text for _, text in blocks)
    code = (ROOT / "tests" / "stranger" / "src" / "habeas_folder" / "__init__.py").read_text()
    for method in re.findall(r"def (\w+)\(self, ", code):
        assert f"def {method}(" in shown or method in {"__init__", "_tally"}
