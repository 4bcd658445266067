"""The page of a copy is whole in every language of letters, and in no other than the one that was asked for."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.closing import ClosingActivities
from activities.facts import CollectionFacts, Contested, Part, SystemFacts, described
from activities.opening import Ask
from activities.pagewords import page_words
from activities.parcels import open_parcel
from activities.store import FileStore
from activities.tools import Tools
from ledger.ledger import Ledger
from rights.letters import LANGUAGES, Language, Office
from rights.portable import NotPorted, Why
from rights.recipients import Recipient
from rights.request import Phase, Right
from rights.withheld import Withheld
from tests.activities.parcel_samples import export, facts, lines, opened
from tests.ledger.builders import AT, a_map, opened_id

OTHERS = [language for language in LANGUAGES if language != "en"]


def texts(words: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a language, by its place."""
    if isinstance(words, str):
        yield path, words
    elif isinstance(words, Mapping):
        for name, value in words.items():
            yield from texts(value, f"{path}.{name}")
    else:
        for number, value in enumerate(words):
            yield from texts(value, f"{path}.{number}")


def filled(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_COM_07_the_page_of_a_copy_has_every_word_in_every_language(language: Language) -> None:
    """The same places, filled with the same, in the same markup."""
    english, other = dict(texts(page_words("en")._words)), dict(texts(page_words(language)._words))

    assert other.keys() == english.keys()
    for place, text in english.items():
        assert filled(other[place]) == filled(text), place
        assert sorted(re.findall(r"<[^>]*>", other[place])) == sorted(re.findall(r"<[^>]*>", text)), place
    same = {place for place, text in english.items() if other[place] == text}
    names = {".recipient", ".counts.system.0", ".counts.byte.0", ".counts.byte.1", ".counts.passage.0"}
    assert same <= names | {".counts.passage.1"}, "all else is translated"


def a_copy(language: Language, right: Right = Right.ACCESS, **more: Any) -> Any:
    """A copy with everything that its page may have to say."""
    dispute = Contested(fields=("note",), statement="zqdispute")
    rest = CollectionFacts(
        collection="rest",
        withheld=(Withheld(field="password", item="credentials", says="a password", source="Art. 32"),),
        not_ported=tuple(NotPorted(field=f"f{why}", why=why) for why in Why),
    )
    shop = facts().systems[0]
    orders = shop.collections[0].model_copy(
        update={"disputed": (dispute,), "automated_decisions": "zqmachine", "purpose": ""}
    )
    return facts(
        language=language,
        right=right,
        systems=(
            shop.model_copy(update={"collections": (orders, rest)}),
            SystemFacts(system="paper", part=Part.OUTSTANDING),
            SystemFacts(system="crm", part=Part.NOTHING_HELD),
        ),
        **more,
    )


class Reads(HTMLParser):
    """The texts of a page, and the labels that are read out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.said += [value or "" for name, value in attrs if name == "aria-label"]


@pytest.mark.parametrize("right", [Right.ACCESS, Right.PORTABILITY])
@pytest.mark.parametrize("language", OTHERS)
def test_COM_07_the_page_of_a_copy_says_nothing_in_another_language(
    language: Language, right: Right, tmp_path: Path
) -> None:
    """Each English text that has words of its own is looked for on the page, and in what explains the files."""
    some = [export("orders", lines({"id": n, "note": "x" * 500} for n in range(1_200)))]
    told = a_copy(language, right, contact="zqcontact")
    bag = opened(FileStore(tmp_path / "store"), tmp_path, some, told)
    page = " ".join(" ".join(Reads((bag / "data/index.html").read_text()).said).split())
    readme = " ".join((bag / "data/README.txt").read_text().split())

    words = page_words(language)
    assert " ".join(words.number(1_200).split()) in page
    for wanted in ("title", "rights", "files", "skip", "contents_label", "not_in", "disputed", "storage"):
        assert words.say(wanted) in page, wanted
    assert words.of("why", "basis") in page or right is Right.ACCESS
    assert words.withheld("credentials", "") in page
    for place, text in texts(page_words("en")._words):
        for piece in re.split(r"\{\w+\}|<[^>]*>|\n", text):
            if len(piece.split()) > 2 and not place.startswith(".recipient"):
                said = " ".join(piece.split())
                assert said not in page, place
                assert said not in readme, place


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_has_the_data_and_by_what_is_said_in_the_language(language: Language) -> None:
    one = Recipient.model_validate(
        {
            "name": "Acme Mail GmbH",
            "country": "US",
            "basis": {"kind": "contract", "document": "DPA 17", "since": "2024-01-01"},
            "transfer": {"mechanism": "scc", "module": 2, "document": "SCC 3", "review_on": "2027-01-01"},
            "processors": [{"name": "Host Ltd", "country": "IE"}],
            "gets": ["shop"],
            "told_by": {"email": "privacy@acme.example"},
        }
    )
    words = page_words(language)
    said = described(one, words)
    assert said.startswith("Acme Mail GmbH (US, ")
    assert words.of("roles", "processor") in said
    assert words.of("ways", "scc") in said
    assert said.endswith("Host Ltd (IE))")


@pytest.mark.parametrize("language", LANGUAGES)
def test_COM_07_the_page_of_a_copy_is_in_the_language_of_the_letters(
    ledger: Ledger, tmp_path: Path, language: Language
) -> None:
    request = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.ACCESS, confirmed=True)
    ledger.pin_map(request, a_map(), at=AT)
    store = FileStore(tmp_path / "store")
    office = Office(controller="Shop Ltd", language=language)
    tools = Tools(ledger, {}, a_map(), store, environment="test", office=office)
    digest = ActivityEnvironment().run(ClosingActivities(tools).package, Ask(request_id=request, as_of=AT))

    key = ledger.case_key(request, "parcel")
    assert key is not None
    open_parcel(store, request, key, tmp_path / "out.zip", digest=digest)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        page = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("index.html"))
    assert f'<html lang="{language}">' in page
    assert page_words(language).say("right_erase") in page
