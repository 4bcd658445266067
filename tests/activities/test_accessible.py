"""COM-07: letters and the page of a copy can be read out, used by keyboard and seen, as far as a machine can tell."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from pypdf.generic import ContentStream

from activities.letters import render
from activities.store import FileStore
from rights.letterkinds import LetterKind, Result
from rights.letters import LANGUAGES, Language
from tests.activities.accessible import contrast, faults, palettes
from tests.activities.parcel_samples import export, facts, lines, opened
from tests.activities.test_letters import KINDS, OFFICE
from tests.activities.test_letters import facts as letter_facts

STYLE = (Path(__file__).parents[2] / "activities" / "templates" / "parcel" / "page.css").read_text()
LEAST = 4.5
"""Success criterion 1.4.3: text on its ground."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_COM_07_a_letter_on_paper_is_read_out_with_its_heading_title_and_language(language: Language) -> None:
    """On screen: `test_letters.py`, of every letter."""
    letter = render(letter_facts(LetterKind.REFUSAL, language=language), OFFICE)

    assert outline(letter.pdf, language)[letter.document.heading] == "H1"
    assert "•" in "".join(outline(render(letter_facts(LetterKind.IDENTITY_NEEDED), OFFICE).pdf, "en"))


@pytest.mark.soak
@pytest.mark.parametrize(("number", "kind", "result"), [(n, *one) for n, one in enumerate(KINDS)])
def test_COM_07_every_letter_on_paper_is_tagged_as_it_is_read(
    number: int, kind: LetterKind, result: Result | None
) -> None:
    language = LANGUAGES[number % len(LANGUAGES)]
    letter = render(letter_facts(kind, result, language=language), OFFICE)

    read = outline(letter.pdf, language)
    assert read[letter.document.heading] == "H1"
    assert list(read.values()).count("H1") == 1
    assert set(read.values()) <= {"H1", "H2", "P"}


def test_COM_07_a_letter_of_many_pages_is_read_out_in_order_and_without_its_feet() -> None:
    """A text that runs over a page is read on there; page numbers and fold marks are no part of it."""
    said = letter_facts(LetterKind.POLICY_CHANGE, changes=tuple(f"change {n} " + "and so on " * 40 for n in range(20)))
    letter = render(said, OFFICE)
    assert len(PdfReader(BytesIO(letter.pdf)).pages) > 2

    read = " ".join(outline(letter.pdf, "en"))
    places = [read.index(f"change {n} ") for n in range(20)]
    assert places == sorted(places)
    assert "•" in read
    assert letter.document.page.replace("{page}", "2").replace("{pages}", "") not in read


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rows", [1, 3, 60])
def test_COM_07_the_page_of_a_copy_can_be_read_out_and_used_by_keyboard(
    rows: int, language: Language, tmp_path: Path
) -> None:
    told = facts(
        controller="Example Shop Ltd",
        contact="privacy@example.org",
        authority="Example Authority",
        language=language,
    )
    some = lines({"id": n, "note": f"note {n}", "gap": None} for n in range(rows))
    bag = opened(FileStore(tmp_path / "store"), tmp_path, [export("orders", some)], told)
    page = (bag / "data/index.html").read_text()

    assert faults(page, language) == []
    broken = page.replace(' scope="', ' data-scope="').replace("<h2", "<h4").replace("</h2", "</h4")
    broken = broken.replace(f'lang="{language}"', "").replace('tabindex="0"', "")
    found = {fault.partition(":")[0] for fault in faults(broken, language)}
    assert found >= {"1.3.1", "2.1.1", "3.1.1"}, "what is wrong is seen"


def test_COM_07_every_colour_of_text_stands_out_from_what_it_stands_on() -> None:
    found = palettes(STYLE)
    assert len(found) == 3, "by day, at night and on paper"
    for palette in found:
        for text in ("ink", "soft", "accent"):
            for ground in ("paper", "card", "tint"):
                assert contrast(palette[text], palette[ground]) >= LEAST, (text, ground, palette)
    letter = render(letter_facts(LetterKind.REFUSAL), OFFICE).html
    assert "color: #1a1a1a; background: #fff;" in letter
    assert contrast("#1a1a1a", "#fff") >= LEAST
    assert round(contrast("#000", "#fff")) == 21


def outline(pdf: bytes, language: str) -> dict[str, str]:
    """The texts of a letter in the order in which they are read out, each with what it is (H1, H2, P). Read by another
    library than the one that wrote it.

    It sees that everything on the paper is either tagged or marked as none of the text, that the tags of a page are
    numbered as the tree of the document has them, and that title and language are told.
    """
    reader = PdfReader(BytesIO(pdf))
    catalog: Any = reader.trailer["/Root"]
    assert catalog["/Lang"] == language
    assert catalog["/MarkInfo"]["/Marked"]
    assert catalog["/ViewerPreferences"]["/DisplayDocTitle"]
    assert reader.metadata
    assert reader.metadata.title
    by_page: dict[int, list[Any]] = {}
    for one in (kid.get_object() for kid in catalog["/StructTreeRoot"]["/K"][0].get_object()["/K"]):
        by_page.setdefault(one.raw_get("/Pg").idnum, []).append(one)
    told: dict[str, str] = {}
    for page in reader.pages:
        of_page = by_page[page.indirect_reference.idnum]  # type: ignore[union-attr]  # it was read from a file
        texts = tagged(page, reader)
        assert [one["/K"][0] for one in of_page] == list(texts) == list(range(len(of_page)))
        for one, text in zip(of_page, texts.values(), strict=True):
            told[text] = one["/S"].removeprefix("/")
    return told


def tagged(page: Any, reader: PdfReader) -> dict[int, str]:
    """The texts of a page by the number of their tag."""
    inside: list[int | None] = []
    texts: dict[int, str] = {}

    def follow(operator: bytes, operands: Any, *_: Any) -> None:
        if operator == b"BDC":
            inside.append(int(operands[1]["/MCID"]))
            texts[int(operands[1]["/MCID"])] = ""
        elif operator == b"BMC":
            assert operands[0] == "/Artifact"
            inside.append(None)
        elif operator == b"EMC":
            inside.pop()
        elif operator in {b"Tj", b"TJ", b"S"}:
            assert len(inside) == 1, "what is drawn is of one tag, or of none of the text"

    def text(shown: str, *_: Any) -> None:
        if inside and inside[-1] is not None and shown.strip():
            texts[inside[-1]] = f"{texts[inside[-1]]} {shown.strip()}".strip()

    ContentStream(page["/Contents"].get_object(), reader)
    page.extract_text(visitor_operand_before=follow, visitor_text=text)
    assert inside == []
    return texts
