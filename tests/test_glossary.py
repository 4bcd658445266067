"""One word for each thing: what the glossary rules out stands in no page and in no help."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

from starter.cli import app

ROOT = Path(__file__).parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
ROWS = re.findall(r"^\| (?!word \|)([^|]+) \| ([^|]+) \| ([^|]+) \|$", GLOSSARY, re.MULTILINE)
NOT = {other.strip(): word.strip() for word, _, others in ROWS for other in others.split(", ")}
"""Each word that is ruled out, and what we say instead."""
THEIRS: Mapping[str, set[str]] = {
    "docs/vendors.md": {"ticket"},  # Zendesk's
    "docs/postgresql.md": {"audit log"},  # a table of the application's
}
"""What a page may say, since it is the word of what it tells of."""


def prose(text: str) -> str:
    """What is said in a page: without code and the targets of links."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.sub(r"`[^`]*`|\]\([^)]*\)|<!--.*?-->", "", text, flags=re.DOTALL)


def helps(group: Any, path: str) -> Iterator[tuple[str, str]]:
    """What each command and group says of itself."""
    said = [group.help or "", *(getattr(one, "help", None) or "" for one in group.params)]
    yield f"{path} --help", "\n".join(said)
    for name, inner in getattr(group, "commands", {}).items():
        yield from helps(inner, f"{path} {name}")


SAID = {
    **{f"docs/{page.name}": prose(page.read_text()) for page in sorted((ROOT / "docs").glob("*.md"))},
    "README.md": prose((ROOT / "README.md").read_text()),
    **dict(helps(typer.main.get_command(app), "habeas")),
}
SAID["docs/glossary.md"] = re.sub(r"\| [^|]+ \|$", "|", GLOSSARY, flags=re.MULTILINE)


def used(word: str, text: str) -> bool:
    """Whether a text says a word, in the singular or the plural; capitals count where a word is all capitals."""
    return bool(re.search(rf"\b{re.escape(word)}e?s?\b", text, 0 if word.isupper() else re.IGNORECASE))


@pytest.mark.parametrize("place", SAID)
def test_nothing_is_called_by_another_name(place: str) -> None:
    found = {word: NOT[word] for word in NOT if word not in THEIRS.get(place, set()) and used(word, SAID[place])}

    assert found == {}, "say instead what stands behind the colon"


def test_every_word_stands_once_and_every_other_word_leads_to_one() -> None:
    words = [word.strip() for word, _, _ in ROWS]
    others = [other.strip() for _, _, others in ROWS for other in others.split(", ")]

    assert len(words) > 40
    assert len(words) == len(set(words))
    assert len(others) == len(set(others))
    assert set(words) & set(others) == set()


@pytest.mark.parametrize("page", THEIRS)
def test_what_is_let_through_is_still_needed(page: str) -> None:
    assert [word for word in THEIRS[page] if not used(word, SAID[page])] == []
