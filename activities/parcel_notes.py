"""What stands beside the page of a parcel: README.txt for the person, about.json for their programs.

The one rule: both say what the page says, from the same facts and counts.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import orjson

from activities.bag import Filed
from activities.delivery import Delivered
from activities.facts import ParcelFacts, Part
from activities.page import Section, inside, local_day, names_of
from activities.pagewords import PageWords, page_words

FORMULA_NOTE: Final = (
    "In .csv files a text that starts with = + - @, a tab or a line end has an apostrophe put before it, so that no "
    "spreadsheet runs it as a formula; the .jsonl files hold the exact values."
)


def readme(facts: ParcelFacts, parts: Sequence[Section], as_of: datetime) -> bytes:
    """What each file is, as plain text."""
    words = page_words(facts.language)
    files = (line for part in parts for d in part.delivered for line in _lines(words, d))
    missing = ", ".join(names_of(parts, Part.OUTSTANDING))
    said = words.say(
        "readme",
        request=facts.request_id,
        received=words.day(facts.received),
        prepared=words.day(local_day(as_of, facts)),
        zone=facts.zone,
        files="\n".join(files),
    )
    return (said + (words.say("readme_missing", names=missing) if missing else "")).encode()


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


def _lines(words: PageWords, delivered: Delivered) -> Iterator[str]:
    """A collection in README.txt: its two tables, and the folder of its files in a line, however many they are."""
    for filed in delivered.files:
        yield f"{inside(filed)}  ({words.count(delivered.sheet.rows, 'row')})"
    if delivered.named is not None:
        named = delivered.named
        yield f"{named.folder.removeprefix('data/')}/  ({words.count(len(named.files), 'file')})"
        yield f"{inside(named.csv)}  ({words.say('readme_called')})"
        yield f"{inside(named.json_lines)}  ({words.say('readme_same')})"
