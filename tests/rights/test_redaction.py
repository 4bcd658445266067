"""What is taken out of a row is gone from it, counted, and leaves the rest as it was."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.redacting import Redactor
from rights.redaction import PUT_INSTEAD, Mark, Redacted, redact

BASE = {"system": "shop", "collection": "messages", "export": "d"}


def mark(**where: object) -> Mark:
    return Mark.model_validate({**BASE, **where})


def test_a_row_a_field_and_a_passage_are_taken_out_and_counted() -> None:
    rows = [
        {"id": 1, "body": "ask Clara about it", "to": "clara"},
        {"id": 2, "body": "nobody else", "to": None},
        {"id": 3, "body": "Clara again", "to": "clara"},
    ]
    marks = [mark(row=1, field="body", start=4, end=9), mark(field="to"), mark(row=3)]
    redactor = Redactor(marks)

    left = [json.loads(line) for line in redactor.lines([b"".join(orjson.dumps(row) + b"\n" for row in rows)])]

    assert left == [
        {"id": 1, "body": f"ask {PUT_INSTEAD} about it", "to": PUT_INSTEAD},
        {"id": 2, "body": "nobody else", "to": None},
    ]
    assert redactor.taken == Redacted(rows=1, fields=1, passages=1)
    assert redactor.rows == 2


@given(
    st.text(alphabet="abc XYZ\n", min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6),
)
def test_no_character_of_a_passage_is_left_and_every_other_is(text: str, spans: list[tuple[int, int]]) -> None:
    spans = [(min(a, b), max(a, b)) for a, b in spans]
    marks = [mark(row=1, field="t", start=a, end=b) for a, b in spans]

    left, taken = redact({"t": text}, marks)

    assert left is not None
    gone = {n for a, b in spans for n in range(a, b)}
    kept = "".join(c for n, c in enumerate(text) if n not in gone)
    assert str(left["t"]).replace(PUT_INSTEAD, "") == kept
    assert taken.passages <= len(spans)


@given(st.lists(st.integers(1, 30), unique=True, max_size=10), st.integers(1, 50))
def test_lines_cut_anywhere_are_redacted_by_their_number(rows: list[int], piece: int) -> None:
    body = b"".join(b'{"n":%d,"x":1.10,"big":12345678901234567890123}\n' % n for n in range(1, 21))
    redactor = Redactor(mark(row=row) for row in rows)

    left = b"".join(redactor.lines(body[at : at + piece] for at in range(0, len(body), piece)))

    kept = [n for n in range(1, 21) if n not in rows]
    assert left == b"".join(b'{"n":%d,"x":1.10,"big":12345678901234567890123}\n' % n for n in kept)


def test_numbers_of_a_redacted_row_are_written_as_they_were() -> None:
    line = b'{"n":1,"t":"x","price":1.10,"big":123456789012345678901234567890}\n'
    (left,) = Redactor([mark(row=1, field="t")]).lines([line])
    assert left == line.replace(b'"x"', json.dumps(PUT_INSTEAD).encode())


@pytest.mark.parametrize(
    "where", [{}, {"row": 1, "start": 3}, {"field": "x", "start": 1, "end": 2}, {"row": 1, "file": 2}]
)
def test_a_mark_of_no_clear_place_is_refused(where: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        mark(**where)
