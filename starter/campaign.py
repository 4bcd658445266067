"""Campaigns as they are shown, and the feed of notices for a site.

The one rule: what a notice says is public, and whom it went to is a number.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ledger.campaigns import Campaign
from ledger.letters import LetterState
from rights.campaign import Notice
from rights.letters import Office
from starter.show import Cell, Page, minute, plural

Counts = Mapping[LetterState, int]
_ATOM: Final = "http://www.w3.org/2005/Atom"
_SHOWN: Final = 20
"""Letters in doubt that are printed; --json has all."""
NOT_REACHED: Final = (LetterState.BOUNCED, LetterState.REFUSED)


def not_reached(campaign: Campaign, counts: Counts) -> int:
    """People to whom mail could not bring a notice."""
    return campaign.unreachable + sum(counts.get(state, 0) for state in NOT_REACHED)


def campaign_document(campaign: Campaign, counts: Counts) -> dict[str, Any]:
    """A campaign as JSON."""
    notice = Notice.model_validate_json(campaign.notice)
    return {
        "id": campaign.id,
        "name": campaign.name,
        "version": notice.version,
        "effective_on": notice.effective_on,
        "state": campaign.state,
        "listed": campaign.listed,
        "repeated": campaign.repeated,
        "unreachable": campaign.unreachable,
        "letters": {str(state): number for state, number in sorted(counts.items())},
        "not_reached": not_reached(campaign, counts),
        "prepared_at": campaign.prepared_at,
        "started_at": campaign.started_at,
        "ended_at": campaign.ended_at,
    }


def campaign_page(campaign: Campaign, counts: Counts, zone: str, unsure: Sequence[str] = ()) -> Page:
    """One campaign."""
    notice = Notice.model_validate_json(campaign.notice)
    page = Page().line(Cell(f"{campaign.name}: {campaign.state}", "strong"))
    page.pairs(
        (
            ("tells", f"{next(iter(notice.texts.values())).title} ({notice.version}), from {notice.effective_on} on"),
            ("listed", plural(campaign.listed, "person", "people")),
            ("rows of the same", str(campaign.repeated)),
            ("without an address", str(campaign.unreachable)),
            *((str(state), str(number)) for state, number in sorted(counts.items())),
            ("started", minute(campaign.started_at, zone) or "not yet"),
        )
    )
    if unsure:
        page.line(Cell("a worker was cut off while it handed these over: look in the mail server's log", "warn"))
        for letter in unsure[:_SHOWN]:
            page.line(Cell(f"habeas letter resend {letter}", "quiet"), indent=2)
    return page


def campaigns_page(found: Sequence[Campaign], zone: str) -> Page:
    """Many campaigns."""
    if not found:
        return Page().line("no campaigns yet")
    return Page().grid(
        ("campaign", "state", "people", "prepared"),
        ((one.name, one.state, str(one.listed), minute(one.prepared_at, zone)) for one in found),
        numbers=("people",),
    )


def json_feed(counted: Sequence[tuple[Campaign, Counts]], office: Office) -> str:
    """The notices as a JSON Feed (version 1.1), the newest first."""
    items = []
    for campaign, counts in reversed(counted):
        notice = Notice.model_validate_json(campaign.notice)
        language, words = next(iter(notice.texts.items()))
        items.append(
            {
                "id": f"urn:habeas:notice:{campaign.id}",
                "url": notice.link,
                "title": words.title,
                "content_text": "\n".join(words.changes),
                "language": language,
                "date_published": campaign.started_at.isoformat() if campaign.started_at else None,
                "_habeas": {
                    "version": notice.version,
                    "effective_on": str(notice.effective_on),
                    "not_reached": not_reached(campaign, counts),
                    "texts": {name: one.model_dump() for name, one in notice.texts.items()},
                },
            }
        )
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": f"Notices of {office.controller}", "items": items}
    return json.dumps(feed, ensure_ascii=False, indent=2) + "\n"


def atom(counted: Sequence[tuple[Campaign, Counts]], office: Office) -> str:
    """The notices as an Atom feed (RFC 4287), the newest first."""
    feed = Element("feed", {"xmlns": _ATOM})
    _text(feed, "id", "urn:habeas:notices")
    _text(feed, "title", f"Notices of {office.controller}")
    _text(SubElement(feed, "author"), "name", office.controller or "-")
    times = [campaign.started_at.isoformat() for campaign, _ in counted if campaign.started_at]
    _text(feed, "updated", max(times, default="1970-01-01T00:00:00+00:00"))
    for campaign, counts in reversed(counted):
        notice = Notice.model_validate_json(campaign.notice)
        for language, words in notice.texts.items():
            entry = SubElement(feed, "entry", {"xml:lang": language})
            _text(entry, "id", f"urn:habeas:notice:{campaign.id}:{language}")
            _text(entry, "title", f"{words.title} ({notice.version})")
            SubElement(entry, "link", {"href": notice.link})
            _text(entry, "updated", campaign.started_at.isoformat() if campaign.started_at else "")
            _text(entry, "summary", "\n".join((*words.changes, str(notice.effective_on))))
            SubElement(entry, "category", {"term": f"not-reached:{not_reached(campaign, counts)}"})
    indent(feed)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(feed, encoding="unicode") + "\n"


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text
