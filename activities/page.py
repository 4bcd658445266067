"""What a person opens: index.html of a parcel.

The one rule: a value of the data is shown, never obeyed. It is escaped and cut, and the page's own policy forbids every
script and everything from outside.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from activities.bag import Filed
from activities.delivery import Delivered, Named
from activities.facts import CollectionFacts, Contested, ParcelFacts, Part, SystemFacts
from activities.pagewords import PageWords, page_words
from activities.sheets import SHOWN_CHARACTERS, SHOWN_COLUMNS, SHOWN_ROWS, Sheet
from rights.redaction import Redacted

_TEMPLATES: Final = Path(__file__).with_name("templates") / "parcel"
_PAGE: Final = Template((_TEMPLATES / "page.html").read_text())
_STYLE: Final = (_TEMPLATES / "page.css").read_text()
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_AS_IT_STANDS: Final = (
    "title", "skip", "keep_safe", "contents", "contents_label", "rights", "rights_lead", "right_correct", "right_erase",
    "right_restrict", "right_object", "right_take", "files", "files_lead", "files_csv", "files_jsonl",
)  # fmt: skip
"""Words of the page that nothing is filled into."""
_UNSEEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls that a page may not hold, those that turn the direction of what stands around them, half surrogate pairs."""


@dataclass(frozen=True, slots=True)
class Section:
    """One system as the page shows it: its facts, and what is delivered of it."""

    facts: SystemFacts
    delivered: tuple[Delivered, ...]

    @property
    def rows(self) -> int:
        return sum(d.sheet.rows for d in self.delivered)


def sections(facts: ParcelFacts, delivered: Sequence[Delivered]) -> tuple[Section, ...]:
    """All systems, in the order of the facts; one that they do not know has no statements."""
    names = dict.fromkeys([*(system.system for system in facts.systems), *(d.system for d in delivered)])
    return tuple(Section(facts.system(name), tuple(d for d in delivered if d.system == name)) for name in names)


def index(facts: ParcelFacts, parts: Sequence[Section], as_of: datetime) -> bytes:
    """The page: what is held, why and for how long, the first rows, and the person's rights."""
    words = page_words(facts.language)
    full = [
        (f"s{number}", part.facts, [d for d in part.delivered if not d.empty])
        for number, part in enumerate(parts, 1)
        if not all(d.empty for d in part.delivered)
    ]
    return _PAGE.substitute(
        {name: words.say(name) for name in _AS_IT_STANDS},
        language=facts.language,
        style=_STYLE,
        style_digest=_STYLE_DIGEST,
        lead=_lead(words, facts),
        asked=words.say("asked", received=words.day(facts.received), prepared=words.day(local_day(as_of, facts))),
        summary=_summary(words, parts, full),
        outstanding=_outstanding(words, parts) + _kept_back(words, parts),
        listed="\n".join(
            f'<li><a href="#{anchor}-{n}">{_shown(f"{system.system}: {d.collection}")}</a> '
            f'<span class="count">{_holds(words, d)}</span></li>'
            for anchor, system, held in full
            for n, d in enumerate(held, 1)
        ),
        nothing=_nothing(words, parts),
        named=f"<p>{words.say('files_named')}</p>" if _named(parts) else "",
        systems="\n".join(_system(words, anchor, system, held) for anchor, system, held in full),
        contact=words.say("turn_to", contact=_shown(facts.contact)) if facts.contact else words.say("answer_to"),
        right_complain=words.say(
            "right_complain", authority=_shown(facts.authority) if facts.authority else words.say("any_authority")
        ),
        automated=words.say("automated", said=_automated(words, facts)),
        files_end=words.say(
            "files_end",
            shown=str(SHOWN_ROWS),
            readme='<a href="README.txt">README.txt</a>',
            about='<a href="about.json">about.json</a>',
        ),
        foot=words.say(
            "foot",
            request=escape(facts.request_id),
            received=words.day(facts.received),
            due=words.day(facts.due),
            zone=escape(facts.zone),
            law=_shown(facts.law),
            map=escape(facts.map_digest[:16]),
        ),
    ).encode()


def _lead(words: PageWords, facts: ParcelFacts) -> str:
    holder = words.say("holds", controller=_shown(facts.controller)) if facts.controller else words.say("we_hold")
    return words.say("lead_along" if facts.goes_elsewhere else "lead", holder=holder)


def _summary(
    words: PageWords, parts: Sequence[Section], full: Sequence[tuple[str, SystemFacts, list[Delivered]]]
) -> str:
    files = _named(parts)
    counted = {
        "rows": words.count(sum(part.rows for part in parts), "row"),
        "tables": words.count(sum(len(held) for _, _, held in full), "table"),
        "systems": words.count(len(full), "system"),
    }
    if not files:
        return words.say("summary", **counted)
    return words.say("summary_files", files=words.count(files, "file"), **counted)


def _automated(words: PageWords, facts: ParcelFacts) -> str:
    """Art. 15(1)(h): what the deployment says, and where the map names such decisions."""
    places = [f"{s.system}: {c.collection}" for s in facts.systems for c in s.collections if c.automated_decisions]
    said = [_shown(facts.automated_decisions)] if facts.automated_decisions else []
    if places:
        said.append(words.say("automated_places", places=_shown(", ".join(places))))
    return " ".join(said) or words.say("automated_unstated")


def _system(words: PageWords, anchor: str, system: SystemFacts, held: Iterable[Delivered]) -> str:
    articles = "\n".join(_collection(words, f"{anchor}-{n}", system.of(d.collection), d) for n, d in enumerate(held, 1))
    described = f"<p>{_shown(system.description)}</p>\n" if system.description else ""
    return (
        f'<section aria-labelledby="{anchor}">\n<h2 id="{anchor}">{_shown(system.system)}</h2>\n'
        f"{described}{articles}\n</section>"
    )


def _collection(words: PageWords, anchor: str, facts: CollectionFacts, delivered: Delivered) -> str:
    sheet = delivered.sheet
    asked = {
        "purpose": _shown(facts.purpose),
        "categories": _shown(", ".join(facts.categories)),
        "basis": _shown(facts.lawful_basis),
        "recipients": _shown(", ".join(facts.recipients)),
        "storage": "<br>".join(map(_shown, facts.storage)),
    }
    # What Art. 15 asks only where there is something to say: another source than the person, a transfer abroad.
    further = {
        "disputed": "<br>".join(_contested(words, one) for one in facts.disputed),
        "source": _shown(facts.source),
        "transfers": _shown(facts.transfers),
        "left_out": _shown(", ".join(facts.left_out)),
        "withheld": "<br>".join(_shown(f"{one.field}: {words.withheld(one.item, one.says)}") for one in facts.withheld),
        "redacted": _redacted(words, delivered.redacted),
        "not_ported": "<br>".join(_shown(f"{one.field}: {words.of('why', one.why)}") for one in facts.not_ported),
        "decisions": _shown(facts.automated_decisions),
        "unstated": ", ".join(words.say(term).lower() for term, text in asked.items() if not text),
    }
    statements = [(words.say(term), text) for term, text in (asked | further).items() if text]
    listed = "\n".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in statements)
    table = _one_row(words, delivered) if sheet.rows == 1 else _grid(words, anchor, delivered) if sheet.rows else ""
    links = " · ".join(_link(words, filed) for filed in delivered.files)
    full = (
        words.say("row_in_full", links=links)
        if sheet.rows == 1
        else words.say("rows_in_full", rows=words.number(sheet.rows), links=links)
    )
    return (
        f'<article aria-labelledby="{anchor}">\n<h3 id="{anchor}">{_shown(delivered.collection)} '
        f'<span class="count">{_holds(words, delivered)}</span></h3>\n<dl>\n{listed}\n</dl>\n'
        f'{table}{_note(words, sheet)}\n<p class="files">{full}</p>\n{_files(words, delivered.named)}</article>'
    )


def _redacted(words: PageWords, redacted: Redacted) -> str:
    counts = ((redacted.rows, "row"), (redacted.fields, "field"), (redacted.passages, "passage"))
    return ", ".join(words.count(n, noun) for n, noun in (*counts, (redacted.files, "file")) if n)


def _contested(words: PageWords, one: Contested) -> str:
    """What the person disputes, with their own statement in full: whoever reads the one reads the other."""
    fields = _shown(", ".join(one.fields))
    if not one.statement:
        return f"{fields}."
    return words.say("statement", fields=fields, said=_shown(one.statement, len(one.statement)))


def _files(words: PageWords, named: Named | None) -> str:
    """The first of the named files by what they were called; the lists name each, however many they are."""
    if named is None:
        return ""
    folder = named.folder.removeprefix("data/")
    first = "\n".join(
        f'<li><a href="{quote(inside(filed))}">{_shown(name, SHOWN_CHARACTERS) or "–"}</a> '
        f'<span class="count">{_bytes(words, filed.size)}</span></li>'
        for filed, name in zip(named.files, named.called, strict=False)
    )
    further = words.say("first_files", shown=words.number(len(named.called)), files=words.number(len(named.files)))
    said = words.say(
        "files_in",
        files=words.count(len(named.files), "file"),
        size=_bytes(words, named.size),
        folder=f'<a href="{quote(folder)}/">{escape(folder)}</a>',
        lists=f"{_link(words, named.csv)} · {_link(words, named.json_lines)}",
    )
    return f'<p class="files">{said}</p>\n<ul class="listed">\n{first}\n</ul>\n' + (
        f'<p class="small soft">{further}</p>\n' if len(named.files) > len(named.called) else ""
    )


def _link(words: PageWords, filed: Filed) -> str:
    return (
        f'<a href="{quote(inside(filed))}">{escape(inside(filed).rpartition("/")[2])}</a> '
        f'<span class="soft">({_bytes(words, filed.size)})</span>'
    )


def _grid(words: PageWords, anchor: str, delivered: Delivered) -> str:
    """Rows as a table that scrolls by itself, sideways and down."""
    sheet = delivered.sheet
    columns = tuple(sheet.shown_columns)
    head = "".join(f'<th scope="col">{_shown(name, SHOWN_CHARACTERS)}</th>' for name in columns)
    body = "\n".join(f"<tr>{''.join(_cell(row.get(name)) for name in columns)}</tr>" for row in sheet.shown)
    label = words.say("first_rows_of", collection=_shown(delivered.collection))
    return (
        f'<div class="rows" role="region" tabindex="0" aria-label="{label}"><table class="grid">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n"
    )


def _one_row(words: PageWords, delivered: Delivered) -> str:
    """A single row, one value a line: that reads better on any screen."""
    sheet = delivered.sheet
    [row] = sheet.shown
    body = "\n".join(
        f'<tr><th scope="row">{_shown(name, SHOWN_CHARACTERS)}</th>{_cell(row.get(name))}</tr>'
        for name in sheet.shown_columns
    )
    label = words.say("row_of", collection=_shown(delivered.collection))
    return (
        f'<div class="rows" role="region" tabindex="0" aria-label="{label}"><table class="one"><tbody>\n'
        f"{body}\n</tbody></table></div>\n"
    )


def _note(words: PageWords, sheet: Sheet) -> str:
    notes = []
    if sheet.rows > len(sheet.shown):
        notes.append(words.say("first_rows", shown=words.number(len(sheet.shown)), rows=words.number(sheet.rows)))
    if sheet.cut:
        notes.append(words.say("cut", characters=words.number(SHOWN_CHARACTERS)))
    if sheet.narrowed:
        notes.append(words.say("narrowed", columns=words.number(SHOWN_COLUMNS)))
    return f'<p class="small soft">{" ".join(notes)}</p>' if notes else ""


def _cell(text: str | None) -> str:
    return f"<td>{_shown(text)}</td>" if text is not None else '<td class="none">–</td>'


def _outstanding(words: PageWords, parts: Sequence[Section]) -> str:
    names = names_of(parts, Part.OUTSTANDING)
    if not names:
        return ""
    return f'<p class="note" role="note">{words.say("outstanding", names=_shown(", ".join(names)))}</p>'


def _kept_back(words: PageWords, parts: Sequence[Section]) -> str:
    """What is held of tables that the copy has nothing else of: without a table nothing else would name it."""
    notes = []
    for part in parts:
        here = {d.collection for d in part.delivered if not d.empty}
        for facts in part.facts.collections:
            if facts.collection in here or part.facts.part not in {Part.GIVEN, Part.BY_HAND}:
                continue
            place = f"{part.facts.system}: {facts.collection}"
            notes += [
                words.say("held_place", place=place, field=one.field, what=words.withheld(one.item, one.says))
                for one in facts.withheld
            ]
            notes += [
                words.say("stays_place", place=place, field=one.field, why=words.of("why", one.why))
                for one in facts.not_ported
            ]
    if not notes:
        return ""
    listed = "\n".join(f"<li>{_shown(note)}</li>" for note in notes)
    return f'<div class="note" role="note"><b>{words.say("not_in")}</b><ul>\n{listed}\n</ul></div>'


def _nothing(words: PageWords, parts: Sequence[Section]) -> str:
    names = [
        *names_of(parts, Part.NOTHING_HELD),
        *(f"{part.facts.system}: {d.collection}" for part in parts for d in part.delivered if d.empty),
    ]
    if not names:
        return ""
    return f'<p class="soft">{words.say("nothing", names=_shown(", ".join(names)))}</p>'


def names_of(parts: Sequence[Section], part: Part) -> list[str]:
    """The systems of which a parcel has such a part."""
    return [section.facts.system for section in parts if section.facts.part is part]


def _shown(text: str, most: int = 2000) -> str:
    """A text as HTML that can neither end what it stands in nor turn what stands around it."""
    if not text.isprintable():
        text = _UNSEEN.sub("\ufffd", text)
    if len(text) > most:
        text = text[:most] + "…"
    return escape(text)


def inside(filed: Filed) -> str:
    """A payload file's path as seen from the page, which lies in data/ itself."""
    return filed.path.removeprefix("data/")


def _named(parts: Sequence[Section]) -> int:
    """How many files with names of their own the copy has."""
    return sum(len(d.named.files) for part in parts for d in part.delivered if d.named is not None)


def _holds(words: PageWords, delivered: Delivered) -> str:
    files = len(delivered.named.files) if delivered.named is not None else 0
    return words.count(delivered.sheet.rows, "row") + (f", {words.count(files, 'file')}" if files else "")


def _bytes(words: PageWords, size: int) -> str:
    if size < 1000:
        return words.count(size, "byte")
    for unit in ("kB", "MB"):
        size //= 1000
        if size < 1000:
            return f"{size} {unit}"
    return f"{words.number(size // 1000)} GB"


def local_day(at: datetime, facts: ParcelFacts) -> date:
    """The day of a moment, where the parcel is read."""
    return at.astimezone(ZoneInfo(facts.zone)).date()
