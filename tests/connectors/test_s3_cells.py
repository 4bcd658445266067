"""Values within files: what is corrected says so, and not a byte beside it changes."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import NeedsHuman
from connectors.s3.cells import Cell, Misshapen, Rewrite, Said
from connectors.s3.csvcells import rewrite_csv
from connectors.s3.jsoncells import rewrite_document, rewrite_lines
from rights.codes import Code

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def made(rewrite: Rewrite, body: bytes, *cells: Cell, size: int = 7) -> tuple[bytes, Said]:
    said = Said("objects")
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(rewrite(pieces, cells, said)), said


def name(value: str | None, *path: str) -> Cell:
    return Cell("name", path or ("name",), value)


@pytest.mark.parametrize(
    ("rewrite", "text", "old"),
    [
        (rewrite_document, '{"n": 1.50, "name" : "@", "a": {"name": "x"}}', "Anna"),
        (rewrite_document, '[{"name": "@"}, {"nom": 1}, {"name": "@"}]' + "\n", "Anna"),
        (rewrite_document, '\ufeff{"name":"@"}', "Anna"),
        (rewrite_document, r'{"n\u0061me": "@", "big": 12345678901234567890.10}', r"\u0041nna"),
        (rewrite_lines, '{"name":"@"}\r\n\r\n{"x":1e5}\r\n{"name":"@"}', r"B\u00f6"),
        (rewrite_csv, 'id,name,x\r\n1,@,"a ""b"""\r\n2,@,\r\n', "Anna"),
        (rewrite_csv, 'name;x\n"@";1\n', 'An""na;\n'),
        (rewrite_csv, "\ufeffname;x\n@;2\n", ""),
        (rewrite_csv, "nom\tx\n1\t2\n", "Anna"),
    ],
)
def test_only_the_value_changes(rewrite: Rewrite, text: str, old: str) -> None:
    """@ is where the value stands."""
    before, after = (text.replace("@", value).encode() for value in (old, "Ann"))
    written, said = made(rewrite, before, name("Ann"))

    assert written == after
    assert said.differs == ("@" in text)
    again, nothing = made(rewrite, written, name("Ann"))
    assert (again, nothing.differs) == (written, False), "what says so already is left alone"


@pytest.mark.parametrize(
    ("before", "new", "after"),
    [
        ('{"name": 41}', "42", '{"name": 42}'),
        ('{"name": true}', "false", '{"name": false}'),
        ('{"name": "41"}', "42", '{"name": "42"}'),
        ('{"name": "x"}', None, '{"name": null}'),
        ('{"name": "é"}', "ü", '{"name": "ü"}'),
        ('{"name": "e"}', "ü", '{"name": "\\u00fc"}'),
    ],
)
def test_a_value_keeps_its_type(before: str, new: str | None, after: str) -> None:
    assert made(rewrite_document, before.encode(), name(new))[0].decode() == after


@pytest.mark.parametrize(
    ("before", "new", "code"),
    [
        ('{"name": 41}', "forty", Code.VALUE),
        ('{"name": true}', "yes", Code.VALUE),
        ('{"name": {"first": "Anna"}}', "Ann", Code.NOT_RECTIFIABLE),
        ('{"name": ["Anna"]}', "Ann", Code.NOT_RECTIFIABLE),
    ],
)
def test_what_a_place_does_not_take_is_refused_without_a_word_of_it(before: str, new: str, code: Code) -> None:
    with pytest.raises(NeedsHuman) as caught:
        made(rewrite_document, before.encode(), name(new))

    assert caught.value.code is code
    assert caught.value.about.startswith("objects.name (")
    assert new not in caught.value.about


@pytest.mark.parametrize(
    ("rewrite", "body"),
    [
        (rewrite_document, b'{"name": "Anna"'),
        (rewrite_document, b'{"name": "Anna"} {}'),
        (rewrite_document, b"\xff\xfe{}"),
        (rewrite_document, b""),
        (rewrite_document, b"[" * 100_000),
        (rewrite_lines, b'{"name": "Anna"}\n{"name'),
        (rewrite_csv, b'name,x\n"Anna,1\n'),
        (rewrite_csv, b"name,x\nAnna\n"),
        (rewrite_csv, b"name,x\nAnna,1,2\n"),
        (rewrite_csv, b"name,name\nAnna,1\n"),
        (rewrite_csv, b'name,x\nAn"na,1\nBen,6"\n'),
    ],
)
def test_a_file_that_is_not_what_its_ending_says_is_an_error(rewrite: Rewrite, body: bytes) -> None:
    with pytest.raises(Misshapen):
        made(rewrite, body, name("Ann"))


def test_more_old_values_than_one_correction_is_for_are_a_persons_matter() -> None:
    lines = b"".join(b'{"name": "%d"}\n' % number for number in range(1001))

    with pytest.raises(NeedsHuman) as caught:
        made(rewrite_lines, lines, name("Ann"), size=4096)

    assert caught.value.code is Code.TOO_LARGE


def with_name(value: Any, path: Sequence[str], new: str) -> Any:
    """A value with the texts at a place replaced, the plain way."""
    if not path:
        return new if value is None or isinstance(value, str) else value
    if isinstance(value, list):
        return [with_name(one, path, new) for one in value]
    if isinstance(value, dict):
        return {key: with_name(one, path[1:], new) if key == path[0] else one for key, one in value.items()}
    return value


@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "ä"]), VALUES, max_size=3), max_size=4),
    TEXTS,
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_json_is_corrected_as_a_whole_parser_would(
    records: list[Any], new: str, ascii_only: bool, indent: int | None
) -> None:
    """Written by byte places; compared with what reading it whole, changing it and writing it gives."""
    body = json.dumps(records, ensure_ascii=ascii_only, indent=indent).encode()
    cell = Cell("name", ("a", "b"), new)

    try:
        written, said = made(rewrite_document, body, cell)
    except NeedsHuman:
        return  # a number, or something deeper, stands there

    assert json.loads(written) == with_name(records, cell.path, new)
    assert (written != body) == said.differs
    assert not made(rewrite_document, written, cell)[1].differs


@given(
    st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=5),
    TEXTS,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_csv_is_corrected_as_a_whole_parser_would(
    rows: list[tuple[str, str, str]], new: str, delimiter: str, ends: str, quoting: Any
) -> None:
    def written_whole(some: list[tuple[str, ...]]) -> str:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter, lineterminator=ends, quoting=quoting).writerows(some)
        return out.getvalue()

    def read_whole(text: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))

    # A lone \r is not quoted by this writer, and ends a line for its reader.
    odd = "\x00\r" if quoting == csv.QUOTE_MINIMAL else "\x00"
    rows = [tuple(cell.translate(dict.fromkeys(map(ord, odd))) for cell in row) for row in rows]  # type: ignore[misc]
    new = new.replace("\x00", "")
    body = written_whole([("id", "name", "x"), *rows])

    written, said = made(rewrite_csv, body.encode(), name(new))

    expected = [row if not row else [row[0], new, row[2]] for row in read_whole(body)]
    assert read_whole(written.decode()) == [["id", "name", "x"], *expected[1:]]
    assert (written != body.encode()) == said.differs
    assert not made(rewrite_csv, written, name(new))[1].differs
