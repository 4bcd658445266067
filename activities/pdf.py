"""Letters on paper: A4 after DIN 5008 form B, so that the address stands in the window of an envelope.

The one rule: whatever is in a letter, it is all on the paper: long words are broken, long texts go on to further pages,
and a character that no font has is a box and not a gap.

For whoever has it read out, every text is tagged as a heading or a paragraph, in the order of reading; what is only
drawn (fold marks, page numbers) is marked as no part of it. An item of a list is a paragraph that begins with its
bullet, and a paragraph that goes on over a page is two: fpdf2 knows no nested structure. So it is tagged, and not said
to be PDF/UA.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, time
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos
from fpdf.prefs import ViewerPreferences

from activities.layout import Block, Document, Shape

for _noisy in ("fontTools", "fpdf"):
    # They log which glyphs a letter uses, and that is what it says.
    logging.getLogger(_noisy).setLevel(logging.ERROR)

FONT: Final = "DejaVu"
BOX: Final = "\u25a1"
"""Stands for a character that no font has."""
LEFT, RIGHT, TOP, BOTTOM = 25.0, 20.0, 20.0, 28.0
"""Margins in millimetres, DIN 5008."""
ADDRESS_TOP, ADDRESS_WIDTH, BODY_TOP = 45.0, 85.0, 103.5
"""Where the window of a DIN lang envelope shows, and where the text begins below it."""
FOLDS: Final = (105.0, 210.0)
SIZE, SMALL, LINE = 10.5, 7.5, 5.2
_INVISIBLE: Final = frozenset("\u2068\u2069\u200c\u200d\u00ad\u200b\ufe0e\ufe0f")
"""Characters that need no glyph."""


def pdf_of(document: Document, fonts: tuple[str, ...] = ()) -> bytes:
    """The letter as PDF 1.x with embedded fonts. Two calls with the same document give the same text and layout.

    Raises:
        OSError: one of `fonts` cannot be read.
    """
    paper = _Paper(document, fonts)
    paper.letterhead()
    for before, block in zip((None, *document.blocks), document.blocks, strict=False):
        if before is not None and before.is_item and not block.is_item:
            paper.ln(1.5)
        paper.block(block)
    return bytes(paper.output())


def unprintable(document: Document, fonts: tuple[str, ...] = ()) -> int:
    """How many characters of a letter no font has."""
    known = _known(fonts)
    texts = [document.controller, *document.letterhead, *document.addressee, document.heading, document.reference]
    texts += [span.text for block in document.blocks for span in block.spans]
    return sum(not _printable(char, known) for text in texts for char in text)


class _Paper(FPDF):
    """One letter being laid out."""

    def __init__(self, document: Document, fonts: tuple[str, ...]) -> None:
        super().__init__(format="A4")
        self._kind = ""
        """What is being written, as PDF names it; empty between texts."""
        self.document = document
        self._known = _known(fonts)
        for style, file in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            with resources.as_file(resources.files("activities") / "fonts" / file) as path:
                self.add_font(FONT, style, path)
        more = [f"More{number}" for number, _ in enumerate(fonts)]
        for family, font in zip(more, fonts, strict=True):
            self.add_font(family, "", font)
        if more:
            self.set_fallback_fonts(more, exact_match=False)
        self.set_margins(LEFT, TOP, RIGHT)
        self.set_auto_page_break(True, BOTTOM)
        self.set_lang(document.language)
        self.set_title(self._fit(document.heading))
        # Readers announce the title, and not the name of the file.
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self.set_creation_date(datetime.combine(document.written_on, time(), UTC))
        self.add_page()

    def _fit(self, text: str) -> str:
        return "".join(char if _printable(char, self._known) else BOX for char in text)

    def add_page(self, *args: Any, **kwargs: Any) -> None:
        """Begin a page. A text that runs on is closed before the foot of the old one, and goes on as of its kind."""
        if self._kind:
            self._out("EMC")
        super().add_page(*args, **kwargs)
        if self._kind:
            self._begin()

    @contextmanager
    def _tagged(self, kind: str) -> Iterator[None]:
        """What is written within is of one kind to whoever has it read out: H1, H2 or P."""
        self._kind = kind
        self._begin()
        yield
        self._out("EMC")
        self._kind = ""

    def _begin(self) -> None:
        number = self.struct_builder.next_mcid_for_page(self.page)
        self._add_marked_content(struct_type=f"/{self._kind}", mcid=number)
        self._out(f"/{self._kind} <</MCID {number}>> BDC")

    def _put(
        self,
        text: str,
        *,
        kind: str = "P",
        style: str = "",
        size: float = SIZE,
        width: float = 0,
        line: float = LINE,
        own: bool = False,
    ) -> None:
        """`own`: the text is one value, and runs in the direction of its first letter. `kind` is empty within an item,
        which is tagged as a whole."""
        self.set_font(FONT, style, size)
        self.set_text_shaping(True, direction=None if own else "ltr")
        with self._tagged(kind) if kind else nullcontext():
            self.multi_cell(
                width, line, self._fit(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT, wrapmode=WrapMode.WORD
            )

    @contextmanager
    def _margin(self, left: float, right: float = RIGHT) -> Iterator[None]:
        self.set_left_margin(left)
        self.set_right_margin(right)
        self.set_x(left)
        yield
        self.set_left_margin(LEFT)
        self.set_right_margin(RIGHT)
        self.set_x(LEFT)

    def letterhead(self) -> None:
        """Sender, address in the window, date and reference, heading."""
        document = self.document
        self._put(document.controller, style="B", size=13, line=6.5)
        for line in document.letterhead:
            self._put(line, size=9, line=4.4)
        self.set_y(max(self.get_y() + 4, ADDRESS_TOP))
        back = " · ".join((document.controller, *document.letterhead))
        self._put(back[:90], size=SMALL, width=ADDRESS_WIDTH, line=3.6)
        self.ln(1.5)
        for line in document.addressee:
            self._put(line, width=ADDRESS_WIDTH, own=True)
        self.set_y(max(self.get_y() + 6, BODY_TOP - 12.5))
        self._put(f"{document.date}\n{document.reference}", size=9, line=4.6)
        self.ln(4)
        self._put(document.heading, style="B", size=12, line=6, kind="H1")
        self.ln(3)

    def block(self, block: Block) -> None:
        """A paragraph, a heading or an item."""
        text = "".join(span.text for span in block.spans)
        own = len(block.spans) == 1 and block.spans[0].value
        if block.shape is Shape.HEADING:
            self.ln(1.5)
            # Never the last line of a page.
            if self.will_page_break(4 * LINE):
                self.add_page()
            self._put(text, style="B", kind="H2")
            self.ln(1)
            return
        if block.shape is Shape.ITEM:
            if self.will_page_break(LINE):
                self.add_page()
            self.set_font(FONT, "", SIZE)
            self.set_text_shaping(True, direction="ltr")
            with self._tagged("P"):
                self.text(LEFT + 1, self.get_y() + LINE * 0.72, "•")
                with self._margin(LEFT + 5):
                    self._put(text, own=own, kind="")
            self.ln(1)
            return
        self._put(text, own=own)
        self.ln(2.5)

    def footer(self) -> None:
        """Fold marks on the first page; reference and page on each."""
        self._out("/Artifact BMC")
        self.set_draw_color(150)
        self.set_line_width(0.2)
        if self.page_no() == 1:
            for fold in FOLDS:
                self.line(5, fold, 9, fold)
        self.set_y(-18)
        self.set_font(FONT, "", SMALL)
        self.set_text_shaping(True, direction="ltr")
        page = self.document.page.replace("{page}", str(self.page_no())).replace("{pages}", self.str_alias_nb_pages)
        self.cell(0, 4, self._fit(f"{self.document.reference} · {page}"), align="L")
        self._out("EMC")


def _printable(char: str, known: frozenset[int]) -> bool:
    return ord(char) in known or char.isspace() or char in _INVISIBLE


def _known(fonts: Iterable[str]) -> frozenset[int]:
    shipped = resources.files("activities") / "fonts" / "DejaVuSans.ttf"
    with resources.as_file(shipped) as path:
        known = _characters(path)
    return known.union(*(_characters(Path(font)) for font in fonts))


@cache
def _characters(path: Path) -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(path, lazy=True) as font:
        table: Any = font.getBestCmap()
    return frozenset(table)
