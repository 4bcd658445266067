"""What a check of a map against its system finds.

The one rule: a finding is a sentence: what is the matter, a colon, what to do about it. Beside that it has a code,
which stays the same when the words change, and says how bad it is.
"""

from enum import StrEnum
from typing import Self


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """The map cannot be worked with as it stands: an erasure would be refused, or leave something behind."""
    WARNING = "warning"
    """It can, and somebody should look: it is slow, or something may have been forgotten."""
    NOTE = "note"
    """Good to know."""


class Finding(str):
    """A sentence with a severity and a code."""

    severity: Severity
    code: str

    def __new__(cls, code: str, sentence: str, severity: Severity = Severity.ERROR) -> Self:
        made = super().__new__(cls, sentence)
        made.severity, made.code = severity, code
        return made


def severity_of(finding: str) -> Severity:
    """How bad a finding is; a bare sentence is an error."""
    return finding.severity if isinstance(finding, Finding) else Severity.ERROR


def code_of(finding: str) -> str:
    """A finding's code; a bare sentence has none."""
    return finding.code if isinstance(finding, Finding) else ""
