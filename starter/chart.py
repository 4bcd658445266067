"""A chart of what waits for its answer: by age, and by how near the legal due date is, as SVG.

The one rule: what a colour says, a number or a word says as well: each part has its count, the legend its words, and
the whole a title and a description that a screen reader reads out.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Final

from rights.board import Board
from rights.deadlines import Risk

SVG: Final = "http://www.w3.org/2000/svg"
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BAR = 860, 120, 70, 118, 38, 26
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Arial, sans-serif"
_INK, _SOFT = "#1b1f24", "#57606a"
_NARROW: Final = 7.6
"""Units a digit takes at most."""
_STYLE: Final[Mapping[str, tuple[str, str, tuple[Risk, ...]]]] = {
    "on track": ("#c9d7e8", _INK, (Risk.ON_TRACK,)),
    "due in 14 days": ("#8fb4dc", _INK, (Risk.DUE_14D,)),
    "due in 7 days": ("#f2c14e", _INK, (Risk.DUE_7D, Risk.DUE_3D)),
    "due in 1 day": ("#e07b39", _INK, (Risk.DUE_1D,)),
    "overdue": ("#9b1c31", "#ffffff", (Risk.OVERDUE,)),
}
"""Words, the colour, that of numbers on it (at least 4.5 to 1), and the buckets they stand for."""


def chart(report: Board) -> str:
    """The drawing, as text."""
    rows = [(age.days, {name: _count(age.risks, name) for name in _STYLE}) for age in report.ages]
    most = max((sum(parts.values()) for _, parts in rows), default=0)
    height = _TOP + _ROW * len(rows) + 64
    root = ET.Element(
        "svg",
        {
            "xmlns": SVG,
            "viewBox": f"0 0 {_WIDTH} {height}",
            "width": str(_WIDTH),
            "height": str(height),
            "role": "img",
            "aria-labelledby": "title description",
            "font-family": _FONT,
        },
    )
    ET.SubElement(root, "title", id="title").text = _title(report)
    ET.SubElement(root, "desc", id="description").text = _said(report, rows)
    ET.SubElement(root, "rect", width=str(_WIDTH), height=str(height), fill="#ffffff")
    drawing = ET.SubElement(root, "g", {"aria-hidden": "true"})
    _text(drawing, 24, 36, _title(report), size=19, weight="600")
    _text(drawing, 24, 58, f"{_stamped(report)}, journal entry {report.stamp.head:,}", size=13, fill=_SOFT)
    _legend(drawing, rows)
    for number, (days, parts) in enumerate(rows):
        _bar(drawing, _TOP + _ROW * number, days, parts, most)
    foot = _TOP + _ROW * len(rows)
    ET.SubElement(drawing, "line", x1=str(_LEFT), x2=str(_LEFT), y1=str(_TOP - 6), y2=str(foot), stroke=_SOFT)
    _text(drawing, _LEFT - 12, foot + 22, "age in days", size=12, fill=_SOFT, anchor="end")
    _text(drawing, _LEFT, foot + 22, "requests that wait for their answer", size=12, fill=_SOFT)
    digest = f"{report.stamp.digest[:16]}, data map {report.stamp.data_map[:12]}"
    _text(drawing, 24, height - 14, f"Entry {report.stamp.head} has the hash {digest}", size=11, fill=_SOFT)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _title(report: Board) -> str:
    return f"Requests that wait, by age and deadline: {report.waiting:,}, of which {len(report.overdue):,} overdue"


def _stamped(report: Board) -> str:
    at = report.stamp.as_of
    return f"As of {at:%Y-%m-%d %H:%M} UTC" if at else "Nothing is journaled"


def _said(report: Board, rows: list[tuple[str, dict[str, int]]]) -> str:
    """The numbers in words."""
    told = [
        f"{days} days old: {', '.join(f'{count:,} {name}' for name, count in parts.items() if count)}"
        for days, parts in rows
        if sum(parts.values())
    ]
    return f"{_stamped(report)}. {'. '.join(told) if told else 'No request waits'}."


def _legend(drawing: ET.Element, rows: list[tuple[str, dict[str, int]]]) -> None:
    left = 24.0
    for name, (colour, _, _) in _STYLE.items():
        words = f"{name} {sum(parts[name] for _, parts in rows):,}"
        ET.SubElement(drawing, "rect", x=f"{left:g}", y="76", width="14", height="14", rx="2", fill=colour)
        _text(drawing, left + 20, 88, words, size=13)
        left += 44 + 7.4 * len(words)


def _bar(drawing: ET.Element, top: float, days: str, parts: Mapping[str, int], most: int) -> None:
    _text(drawing, _LEFT - 12, top + 18, days, size=13, anchor="end")
    left, scale = float(_LEFT), (_WIDTH - _LEFT - _RIGHT) / most if most else 0.0
    for name, (colour, ink, _) in _STYLE.items():
        count = parts[name]
        if not count:
            continue
        wide = max(count * scale, 1.5)
        shape = {"x": f"{left:.2f}", "y": f"{top:g}", "width": f"{wide:.2f}", "height": str(_BAR)}
        ET.SubElement(drawing, "rect", shape | {"fill": colour, "stroke": "#ffffff", "stroke-width": "1"})
        words = f"{count:,}"
        if wide > len(words) * _NARROW + 6:
            _text(drawing, left + wide / 2, top + 18, words, size=13, fill=ink, anchor="middle")
        left += wide
    whole = sum(parts.values())
    _text(drawing, left + 8, top + 18, f"{whole:,}", size=13, fill=_INK if whole else _SOFT, weight="600")


def _text(
    where: ET.Element, x: float, y: float, words: str, *, size: int, fill: str = _INK, anchor: str = "start",
    weight: str = "400",
) -> None:  # fmt: skip
    its = {"x": f"{x:.2f}", "y": f"{y:g}", "font-size": str(size), "fill": fill, "text-anchor": anchor}
    ET.SubElement(where, "text", its | {"font-weight": weight}).text = words


def _count(risks: Mapping[Risk, int], name: str) -> int:
    return sum(risks.get(risk, 0) for risk in _STYLE[name][2])
