"""The CSV made from JSON lines: every value, none that runs, no number rounded."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.sheets import MAX_COLUMNS, MORE, SHOWN_ROWS, Sheet
from activities.spool import BadExport
from tests.activities.parcel_samples import lines


def table(body: bytes, step: int = 1 << 30, otherwise: tuple[str, ...] = ()) -> tuple[Sheet, str]:
    """Make the CSV of JSON lines that come in chunks of a size."""
    chunks = [body[at : at + step] for at in range(0, len(body), step)]
    sheet = Sheet("shop.orders")
    assert b"".join(sheet.watch(chunks, table=True)) == body
    return sheet, b"".join(sheet.csv(chunks, otherwise)).decode()


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def cells(row: dict[str, Any]) -> list[str]:
    return read(table(lines([row]))[1])[1]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    assert cells({"a": f"{start}HYPERLINK(1)", "b": f"x{start}"}) == [f"'{start}HYPERLINK(1)", f"x{start}"]


def test_a_column_name_cannot_be_a_formula_either() -> None:
    assert read(table(b'{"=1+1":2}\n')[1]) == [["'=1+1"], ["2"]]


def test_a_negative_number_stays_a_number_and_a_text_like_one_does_not() -> None:
    assert cells({"number": -5, "fraction": -0.25, "text": "-5"}) == ["-5", "-0.25", "'-5"]


def test_no_value_and_an_empty_text_are_told_apart() -> None:
    _, text = table(lines([{"a": None, "b": "", "c": 1}]))
    assert text == '"a","b","c"\r\n,"",1\r\n'


def test_quotes_commas_and_line_ends_stay_inside_their_cell() -> None:
    rows = [{"a": 'say "hi"', "b": "x,y", "c": "one\ntwo\r\nthree", "d": '"'}]
    assert read(table(lines(rows))[1])[1] == list(rows[0].values())


def test_nested_values_are_json_text() -> None:
    assert cells({"a": {"b": [1, None, "é"]}, "c": [], "d": True}) == ['{"b":[1,null,"é"]}', "[]", "true"]


@pytest.mark.parametrize(
    "number",
    [
        "12345678901234567890123",
        "-9223372036854775809",
        "9223372036854775807",
        "0.1000000000000000055",
        "1234567890.12345678901",
        "99999999999999999.25",
        "1" * 5000,
    ],
)
def test_no_number_is_rounded_however_long(number: str) -> None:
    line = f'{{"n":{number},"near":0.5,"whole":7}}\n'.encode()
    assert read(table(line)[1])[1] == [number, "0.5", "7"]


def test_a_long_number_inside_a_document_keeps_its_digits_too() -> None:
    _, text = table(b'{"d":{"n":0.10000000000000000555,"m":12345678901234567890123,"f":1.5}}\n')
    assert "0.10000000000000000555" in text
    assert "12345678901234567890123" in text
    assert '""f"":1.5' in text


def test_rows_with_different_keys_share_one_header() -> None:
    rows = [{"a": 1}, {"b": 2, "a": 3}, {"c": 4}]
    for step in (3, 1 << 20):
        assert read(table(lines(rows), step)[1]) == [["a", "b", "c"], ["1", "", ""], ["3", "2", ""], ["", "", "4"]]


def test_documents_with_endless_keys_stay_a_table_and_lose_nothing() -> None:
    rows = [{f"key{n}": n} for n in range(MAX_COLUMNS + 3)]
    header, *body = read(table(lines(rows), 64)[1])
    assert len(header) == MAX_COLUMNS + 1
    assert header[-1] == MORE
    assert {len(row) for row in body} == {MAX_COLUMNS + 1}
    assert [row[-1] for row in body[-3:]] == [f'{{"key{n}":{n}}}' for n in range(MAX_COLUMNS, MAX_COLUMNS + 3)]


def test_without_rows_the_header_is_the_maps() -> None:
    assert table(b"", otherwise=("id", "note"))[1] == '"id","note"\r\n'
    assert table(b"")[1] == ""


def test_empty_objects_are_rows_of_nothing() -> None:
    sheet, text = table(b"{}\n{}\n")
    assert (sheet.rows, text) == (2, "")
    assert table(b"{}\n", otherwise=("id", "note"))[1] == '"id","note"\r\n,\r\n'


def test_a_row_of_one_empty_cell_is_still_a_row() -> None:
    assert read(table(lines([{"a": None}, {"a": "x"}, {"a": ""}]))[1]) == [["a"], [""], ["x"], [""]]


def test_half_a_character_does_not_stop_the_table() -> None:
    assert read(table(b'{"a":"\\ud83d!"}\n')[1])[1] == ["\\ud83d!"]


@pytest.mark.parametrize("line", [b"[1]", b"7", b"null", b"{anna@example.org", b"", b'{"a":1}{"a":2}', b"\xff"])
def test_a_line_that_is_no_object_is_named_and_never_quoted(line: bytes) -> None:
    with pytest.raises(BadExport, match=r"^shop\.orders: ") as caught:
        table(b'{"a":1}\n' + line + b"\n")
    assert "anna" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(
    rows=st.lists(st.dictionaries(st.text(max_size=5), values, max_size=6), max_size=12),
    step=st.integers(1, 200),
)
@settings(max_examples=150, deadline=None)
def test_any_rows_in_any_chunks_make_a_table_that_says_the_same(rows: list[dict[str, Any]], step: int) -> None:
    body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    sheet, text = table(body, step)
    assert sheet.rows == len(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    found = read(text)
    assert len(found) == (len(rows) + 1 if names else 0)
    for row, line in zip(rows if names else [], found[1:], strict=True):
        assert len(line) == len(names)
        for name, cell in zip(names, line, strict=True):
            same(row.get(name), cell)
    assert len(text.encode(errors="surrogatepass")) <= sheet.most_csv_bytes(len(body))
    assert len(sheet.shown) == min(len(rows), SHOWN_ROWS)


def same(value: Any, cell: str) -> None:
    """A cell says what the value is, and starts no formula unless it is a number."""
    match value:
        case None:
            assert cell == ""
        case bool():
            assert cell == str(value).lower()
        case int():
            assert int(cell) == value
        case float():
            assert float(cell) == value
        case str():
            assert cell == ("'" + value if value[:1] in set("=+-@\t\r\n＝＋－＠") else value)
        case _:
            assert json.loads(cell) == value or any(len(str(v)) > 14 for v in flat(value))


def flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in flat(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in flat(inner)]
    return [value]
