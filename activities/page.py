"""What a person opens: index.html, README.txt and about.json of a parcel.

The one rule: a value of the data is shown, never obeyed. It is escaped and cut, and the page's own policy forbids every
script and everything from outside.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson

from activities.bag import Filed
from activities.delivery import Delivered, Named
from activities.facts import CollectionFacts, Contested, ParcelFacts, Part, SystemFacts
from activities.sheets import SHOWN_CHARACTERS, SHOWN_COLUMNS, SHOWN_ROWS, Sheet

FORMULA_NOTE: Final = (
    "In .csv files a text that starts with = + - @, a tab or a line end has an apostrophe put before it, so that no "
    "spreadsheet runs it as a formula; the .jsonl files hold the exact values."
)

_TEMPLATES: Final = Path(__file__).with_name("templates")
_PAGE: Final = Template((_TEMPLATES / "parcel.html").read_text())
_README: Final = Template((_TEMPLATES / "parcel.txt").read_text())
_STYLE: Final = (_TEMPLATES / "parcel.css").read_text()
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_NAMED: Final = (
    "<p>Where a system holds files, such as documents or messages, they lie in a folder <b>files</b>, each with a "
    "number and what was kept of its name. <b>files.csv</b> and <b>files.jsonl</b> beside it say what each was called."
    "</p>"
)
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
    full = [
        (f"s{number}", part.facts, [d for d in part.delivered if not d.empty])
        for number, part in enumerate(parts, 1)
        if not all(d.empty for d in part.delivered)
    ]
    tables = sum(len(held) for _, _, held in full)
    return _PAGE.substitute(
        style=_STYLE,
        style_digest=_STYLE_DIGEST,
        lead=_lead(facts),
        received=_day(facts.received),
        prepared=_day(_local(as_of, facts)),
        due=_day(facts.due),
        zone=escape(facts.zone),
        summary=(
            f"{_count(sum(part.rows for part in parts), 'row')} in {_count(tables, 'table')} "
            f"from {_count(len(full), 'system')}{_and_files(_named(parts))}."
        ),
        outstanding=_outstanding(parts) + _kept_back(parts),
        contents="\n".join(
            f'<li><a href="#{anchor}-{n}">{_shown(f"{system.system}: {d.collection}")}</a> '
            f'<span class="count">{_holds(d)}</span></li>'
            for anchor, system, held in full
            for n, d in enumerate(held, 1)
        ),
        nothing=_nothing(parts),
        named=_NAMED if _named(parts) else "",
        systems="\n".join(_system(anchor, system, held) for anchor, system, held in full),
        contact=(
            f"To use them, turn to {_shown(facts.contact)}."
            if facts.contact
            else "To use them, answer the message that this copy came with."
        ),
        authority=(
            _shown(facts.authority)
            if facts.authority
            else "where you live, where you work, or where you think that the rules were broken"
        ),
        automated=_automated(facts),
        shown=SHOWN_ROWS,
        request=escape(facts.request_id),
        law=_shown(facts.law),
        map_digest=escape(facts.map_digest[:16]),
    ).encode()


def _lead(facts: ParcelFacts) -> str:
    holder = escape(f"{facts.controller} holds") if facts.controller else "we hold"
    if facts.goes_elsewhere:
        return (
            f"This is the personal data about you that {holder} and that you may take elsewhere: what you gave, and "
            "what was recorded while you used a service, on your consent or for a contract. The files beside this page "
            "are for other programs; <b>.schema.json</b> and <b>-metadata.json</b> say what is in each. Nothing was "
            "erased by this."
        )
    return f"This is a copy of the personal data that {holder} about you."


def _automated(facts: ParcelFacts) -> str:
    """Art. 15(1)(h): what the deployment says, and where the map names such decisions."""
    places = [f"{s.system}: {c.collection}" for s in facts.systems for c in s.collections if c.automated_decisions]
    said = [_shown(facts.automated_decisions)] if facts.automated_decisions else []
    if places:
        said.append(f"Some are made from {_shown(', '.join(places))}; what they are is said there.")
    return " ".join(said) or "whether any are made about you is not stated in this copy; please ask."


def readme(facts: ParcelFacts, parts: Sequence[Section], as_of: datetime) -> bytes:
    """What each file is, as plain text."""
    files = (line for part in parts for d in part.delivered for line in _lines(d))
    missing = ", ".join(_names(parts, Part.OUTSTANDING))
    return _README.substitute(
        request=facts.request_id,
        received=_day(facts.received),
        prepared=_day(_local(as_of, facts)),
        zone=facts.zone,
        files="\n".join(files),
        outstanding=f"\nNOT IN THIS COPY\n----------------\n\n{missing}\n" if missing else "",
    ).encode()


def about(facts: ParcelFacts, parts: Sequence[Section], as_of: datetime) -> bytes:
    """The same statements and counts as JSON."""
    body = facts.model_dump(mode="json", exclude={"systems"})
    body |= {
        "format": "habeas-parcel/1",
        "prepared": as_of.astimezone(ZoneInfo(facts.zone)).isoformat(),
        "csv": FORMULA_NOTE,
        "systems": [_about(part) for part in parts],
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def _about(part: Section) -> dict[str, object]:
    body = part.facts.model_dump(mode="json")
    known = {facts["collection"]: facts for facts in body["collections"]}
    for d in part.delivered:
        known.setdefault(d.collection, {"collection": d.collection}).update(
            rows=d.sheet.rows,
            files=[_filed(filed) for filed in d.files],
            redacted=d.redacted.model_dump(),
        )
        if d.named is not None:
            known[d.collection]["named_files"] = {
                "folder": d.named.folder,
                "count": len(d.named.files),
                "bytes": d.named.size,
                "lists": [_filed(d.named.csv), _filed(d.named.json_lines)],
            }
    return body | {"rows": part.rows, "collections": list(known.values())}


def _filed(filed: Filed) -> dict[str, object]:
    return {"path": filed.path, "bytes": filed.size, "sha256": filed.digest}


def _lines(delivered: Delivered) -> Iterator[str]:
    """A collection in README.txt: its two tables, and the folder of its files in a line, however many they are."""
    for filed in delivered.files:
        yield f"{_inside(filed)}  ({_count(delivered.sheet.rows, 'row')})"
    if delivered.named is not None:
        named = delivered.named
        yield f"{named.folder.removeprefix('data/')}/  ({_count(len(named.files), 'file')})"
        yield f"{_inside(named.csv)}  (what each of these files was called)"
        yield f"{_inside(named.json_lines)}  (the same)"


def _system(anchor: str, system: SystemFacts, held: Iterable[Delivered]) -> str:
    articles = "\n".join(_collection(f"{anchor}-{n}", system.of(d.collection), d) for n, d in enumerate(held, 1))
    described = f"<p>{_shown(system.description)}</p>\n" if system.description else ""
    return (
        f'<section aria-labelledby="{anchor}">\n<h2 id="{anchor}">{_shown(system.system)}</h2>\n'
        f"{described}{articles}\n</section>"
    )


def _collection(anchor: str, facts: CollectionFacts, delivered: Delivered) -> str:
    sheet = delivered.sheet
    asked = {
        "What for": _shown(facts.purpose),
        "Kinds of data": _shown(", ".join(facts.categories)),
        "Legal basis": _shown(facts.lawful_basis),
        "Who receives it": _shown(", ".join(facts.recipients)),
        "How long it is kept": "<br>".join(map(_shown, facts.storage)),
    }
    # What Art. 15 asks only where there is something to say: another source than the person, a transfer abroad.
    further = {
        "You dispute, and it was not corrected": "<br>".join(map(_contested, facts.disputed)),
        "Where it came from": _shown(facts.source),
        "Sent to other countries": _shown(facts.transfers),
        "Left out of this copy": _shown(", ".join(facts.left_out)),
        "Held, and not sent": "<br>".join(_shown(f"{one.field}: {one.says}") for one in facts.withheld),
        "Taken out, since it is about other people": str(delivered.redacted),
        "Does not go along": "<br>".join(_shown(f"{one.field}: {one.why.says}") for one in facts.not_ported),
        "Decisions by machine": _shown(facts.automated_decisions),
        "Not stated here": ", ".join(term.lower() for term, text in asked.items() if not text),
    }
    statements = [(term, text) for term, text in (asked | further).items() if text]
    listed = "\n".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in statements)
    table = _one_row(delivered) if sheet.rows == 1 else _grid(anchor, delivered) if sheet.rows else ""
    links = " · ".join(map(_link, delivered.files))
    which = "The row" if sheet.rows == 1 else f"All {sheet.rows:,} rows"
    return (
        f'<article aria-labelledby="{anchor}">\n<h3 id="{anchor}">{_shown(delivered.collection)} '
        f'<span class="count">{_holds(delivered)}</span></h3>\n<dl>\n{listed}\n</dl>\n'
        f'{table}{_note(sheet)}\n<p class="files">{which} in full: {links}</p>\n{_files(delivered.named)}</article>'
    )


def _contested(one: Contested) -> str:
    """What the person disputes, with their own statement in full: whoever reads the one reads the other."""
    said = f" Your statement: {_shown(one.statement, len(one.statement))}" if one.statement else ""
    return f"{_shown(', '.join(one.fields))}.{said}"


def _files(named: Named | None) -> str:
    """The first of the named files by what they were called; the lists name each, however many they are."""
    if named is None:
        return ""
    folder = named.folder.removeprefix("data/")
    first = "\n".join(
        f'<li><a href="{quote(_inside(filed))}">{_shown(name, SHOWN_CHARACTERS) or "–"}</a> '
        f'<span class="count">{_bytes(filed.size)}</span></li>'
        for filed, name in zip(named.files, named.called, strict=False)
    )
    further = f"These are the first {len(named.called)} of {len(named.files):,} files."
    return (
        f'<p class="files">{_count(len(named.files), "file")} ({_bytes(named.size)}) in the folder '
        f'<a href="{quote(folder)}/">{escape(folder)}</a>. What each was called: '
        f"{_link(named.csv)} · {_link(named.json_lines)}</p>\n"
        f'<ul class="listed">\n{first}\n</ul>\n'
        + (f'<p class="small soft">{further}</p>\n' if len(named.files) > len(named.called) else "")
    )


def _link(filed: Filed) -> str:
    return (
        f'<a href="{quote(_inside(filed))}">{escape(_inside(filed).rpartition("/")[2])}</a> '
        f'<span class="soft">({_bytes(filed.size)})</span>'
    )


def _grid(anchor: str, delivered: Delivered) -> str:
    """Rows as a table that scrolls by itself, sideways and down."""
    sheet = delivered.sheet
    columns = tuple(sheet.shown_columns)
    head = "".join(f'<th scope="col">{_shown(name, SHOWN_CHARACTERS)}</th>' for name in columns)
    body = "\n".join(f"<tr>{''.join(_cell(row.get(name)) for name in columns)}</tr>" for row in sheet.shown)
    label = f"First rows of {delivered.collection}"
    return (
        f'<div class="rows" role="region" tabindex="0" aria-label="{_shown(label)}"><table class="grid">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n"
    )


def _one_row(delivered: Delivered) -> str:
    """A single row, one value a line: that reads better on any screen."""
    sheet = delivered.sheet
    [row] = sheet.shown
    body = "\n".join(
        f'<tr><th scope="row">{_shown(name, SHOWN_CHARACTERS)}</th>{_cell(row.get(name))}</tr>'
        for name in sheet.shown_columns
    )
    label = f"The row of {delivered.collection}"
    return (
        f'<div class="rows" role="region" tabindex="0" aria-label="{_shown(label)}"><table class="one"><tbody>\n'
        f"{body}\n</tbody></table></div>\n"
    )


def _note(sheet: Sheet) -> str:
    notes = []
    if sheet.rows > len(sheet.shown):
        notes.append(f"These are the first {len(sheet.shown)} of {sheet.rows:,} rows.")
    if sheet.cut:
        notes.append(f"Texts are cut after {SHOWN_CHARACTERS} characters.")
    if sheet.narrowed:
        notes.append(f"Columns after the first {SHOWN_COLUMNS} are left out.")
    return f'<p class="small soft">{" ".join(notes)}</p>' if notes else ""


def _cell(text: str | None) -> str:
    return f"<td>{_shown(text)}</td>" if text is not None else '<td class="none">–</td>'


def _outstanding(parts: Sequence[Section]) -> str:
    names = _names(parts, Part.OUTSTANDING)
    if not names:
        return ""
    return (
        '<p class="note" role="note"><b>Not everything is in this copy.</b> It has nothing from: '
        f"{_shown(', '.join(names))}. Please ask about it if you hear nothing more.</p>"
    )


def _kept_back(parts: Sequence[Section]) -> str:
    """What is held of tables that the copy has nothing else of: without a table nothing else would name it."""
    notes = []
    for part in parts:
        here = {d.collection for d in part.delivered if not d.empty}
        for facts in part.facts.collections:
            if facts.collection in here or part.facts.part not in {Part.GIVEN, Part.BY_HAND}:
                continue
            place = f"{part.facts.system}: {facts.collection}"
            notes += [f"{place}, {one.field}: {one.says}; where we hold it, it is not sent" for one in facts.withheld]
            notes += [f"{place}, {one.field}: {one.why.says}; it does not go along" for one in facts.not_ported]
    if not notes:
        return ""
    listed = "\n".join(f"<li>{_shown(note)}</li>" for note in notes)
    return f'<div class="note" role="note"><b>Not in this copy:</b><ul>\n{listed}\n</ul></div>'


def _nothing(parts: Sequence[Section]) -> str:
    names = [
        *_names(parts, Part.NOTHING_HELD),
        *(f"{part.facts.system}: {d.collection}" for part in parts for d in part.delivered if d.empty),
    ]
    if not names:
        return ""
    return f'<p class="soft">Also looked at, and nothing about you found: {_shown(", ".join(names))}.</p>'


def _names(parts: Sequence[Section], part: Part) -> list[str]:
    return [section.facts.system for section in parts if section.facts.part is part]


def _shown(text: str, most: int = 2000) -> str:
    """A text as HTML that can neither end what it stands in nor turn what stands around it."""
    if not text.isprintable():
        text = _UNSEEN.sub("\ufffd", text)
    if len(text) > most:
        text = text[:most] + "…"
    return escape(text)


def _inside(filed: Filed) -> str:
    """A payload file's path as seen from the page, which lies in data/ itself."""
    return filed.path.removeprefix("data/")


def _named(parts: Sequence[Section]) -> int:
    """How many files with names of their own the copy has."""
    return sum(len(d.named.files) for part in parts for d in part.delivered if d.named is not None)


def _and_files(number: int) -> str:
    return f", and {_count(number, 'file')}" if number else ""


def _holds(delivered: Delivered) -> str:
    files = len(delivered.named.files) if delivered.named is not None else 0
    return _count(delivered.sheet.rows, "row") + (f", {_count(files, 'file')}" if files else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _bytes(size: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size //= 1000
    return f"{size:,} GB"


def _local(at: datetime, facts: ParcelFacts) -> date:
    return at.astimezone(ZoneInfo(facts.zone)).date()


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
