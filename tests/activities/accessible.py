"""What a machine can see of whether a page can be read out, used by keyboard and seen: a part of WCAG 2.2, level AA.

The names are those of the success criteria. What it cannot see is whether a text is understood.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "br", "link", "img", "input", "hr"}
NAMED = {"a", "title", "h1", "h2", "h3", "th", "nav"}
"""Elements that say nothing if they are empty."""


class Seen(HTMLParser):
    """A page as assistive technology sees it."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict[str, str]]] = []
        self.said: list[str] = []
        """The texts of the open elements of `NAMED`."""
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.faults: list[str] = []
        self.ids: Counter[str] = Counter()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        parent = self.open[-1][0] if self.open else ""
        self.elements.append((tag, known))
        self.ids.update([known["id"]] if "id" in known else [])
        wants = {"li": {"ul", "ol"}, "dt": {"dl"}, "dd": {"dl"}, "th": {"tr"}, "td": {"tr"}}.get(tag)
        if wants and parent not in wants:
            self.faults.append(f"1.3.1: {tag} in {parent or 'nothing'}")
        if tag == "th" and known.get("scope") not in {"col", "row"}:
            self.faults.append("1.3.1: a table's header without scope")
        if tag in {"img", "svg"} and not known.get("alt") and not known.get("aria-label"):
            self.faults.append(f"1.1.1: {tag} without a text")
        if int(known.get("tabindex") or 0) > 0:
            self.faults.append("2.4.3: an order of focus of its own")
        if tag not in VOID:
            self.open.append((tag, known))
            self.said.append("")

    def handle_endtag(self, tag: str) -> None:
        (opened, known), said = self.open.pop(), self.said.pop()
        if opened != tag:
            self.faults.append(f"4.1.1: {opened} is closed as {tag}")
        if tag in NAMED and not said.strip() and not known.get("aria-label"):
            self.faults.append(f"2.4.4, 2.4.6: {tag} that says nothing")
        if self.said:
            self.said[-1] += said

    def handle_data(self, data: str) -> None:
        if self.said:
            self.said[-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [known for name, known in self.elements if name == tag]


def faults(page: str, language: str) -> list[str]:
    """What keeps a page from being read out, by success criterion; empty where nothing was found."""
    seen = Seen(page)
    found = [*seen.faults, *_of_the_page(seen, language)]
    found += [f"4.1.1: {one} is there twice" for one, times in seen.ids.items() if times > 1]
    for tag, known in seen.elements:
        found += _of_one(tag, known, seen.ids)
    if re.search(r"user-scalable\s*=\s*no|maximum-scale", page):
        found.append("1.4.4: it cannot be made larger")
    return found


def _of_the_page(seen: Seen, language: str) -> Iterator[str]:
    if [known.get("lang") for known in seen.all("html")] != [language]:
        yield "3.1.1: the language of the page"
    if len(seen.all("title")) != 1:
        yield "2.4.2: the title of the page"
    if len(seen.all("main")) != 1:
        yield "1.3.1: what the page is about (main)"
    levels = [int(tag[1]) for tag, _ in seen.elements if re.fullmatch(r"h[1-6]", tag)]
    if levels[:1] != [1] or levels.count(1) != 1 or any(after > before + 1 for before, after in pairwise(levels)):
        yield f"1.3.1: headings in the order {levels}"
    if seen.all("table") and not seen.all("th"):
        yield "1.3.1: a table without headers"


def _of_one(tag: str, known: dict[str, str], ids: Counter[str]) -> Iterator[str]:
    for one in f"{known.get('aria-labelledby', '')} {known.get('aria-describedby', '')}".split():
        if one not in ids:
            yield f"1.3.1: {tag} is named by {one}, which is not there"
    if known.get("href", "").startswith("#") and known["href"][1:] not in ids:
        yield f"2.4.1: a link to {known['href']}, which is not there"
    if known.get("role") == "region" and not (known.get("aria-label") or known.get("aria-labelledby")):
        yield "4.1.2: a region without a name"
    if "rows" in known.get("class", "").split() and known.get("tabindex") != "0":
        yield "2.1.1: what scrolls cannot be reached by keyboard"


def contrast(one: str, other: str) -> float:
    """How far two colours (``#rgb`` or ``#rrggbb``) are apart, by WCAG 2.2: 1 to 21."""

    def light(colour: str) -> float:
        hexes = colour.lstrip("#")
        hexes = "".join(char * 2 for char in hexes) if len(hexes) == 3 else hexes
        parts = [int(hexes[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((light(one), light(other)))
    return (lighter + 0.05) / (darker + 0.05)


def palettes(style: str) -> list[dict[str, str]]:
    """The colours that a style sheet names, for each way in which it is shown (light, dark, print)."""
    return [
        dict(re.findall(r"--(\w+):\s*(#[0-9a-f]{3,6})", block)) for block in re.findall(r":root\s*\{([^}]*)\}", style)
    ]
