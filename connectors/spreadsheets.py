"""What a spreadsheet would run, were it written into a table as it is.

The one rule: there is one list of the signs that begin a formula, whoever writes the table.
"""

from typing import Final

FORMULA: Final = frozenset("=+-@\t\r\n＝＋－＠")
"""What spreadsheets take for the start of a formula, with the full-width forms that some of them fold."""


def harmless(text: str) -> str:
    """A cell's text, with an apostrophe before it where a spreadsheet would run it."""
    return f"'{text}" if text[:1] in FORMULA else text
