"""What a check of a map against its system finds.

The one rule: a finding is a sentence: what is the matter, a colon, what to do about it. Beside that it has a code,
which stays the same when the words change, and says how bad it is.
"""

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

from connectors.errors import ConnectorError
from connectors.traits import Checks
from rights.codes import ADVICE
from rights.mapcheck import Found
from rights.mapcheck import Severity as Severity


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


@runtime_checkable
class _Surveys(Protocol):
    """A connector that can also tell what stands in the system beside the map."""

    def survey(self) -> Sequence[str]:
        """Sentences as those of `check`."""


def found_in(system: str, connector: Checks) -> tuple[Found, ...]:
    """What does not fit between a map and its system, worst first. A system that cannot be asked is a finding too."""
    try:
        findings = [*connector.check(), *(connector.survey() if isinstance(connector, _Surveys) else ())]
    except ConnectorError as error:
        why = f"{error.code}: {error.about}" if error.about else str(error.code)
        return (Found(system=system, severity=Severity.ERROR, code=error.code, what=why, todo=ADVICE[error.code]),)
    found = []
    for finding in sorted(findings, key=lambda finding: list(Severity).index(severity_of(finding))):
        what, _, todo = finding.partition(": ")
        bad = severity_of(finding)
        found.append(Found(system=system, severity=bad, code=code_of(finding), what=what, todo=todo))
    return tuple(found)
