"""What a look at a deployment finds: `habeas config check`, `habeas doctor` and `habeas map check` tell it a line each.

The one rule: a line says what is the case and what to do about it, and nothing that an error quotes.
"""

from collections.abc import Callable, Iterable

from rights.value import Value
from rights.yamlfile import FileError


class Check(Value):
    """One thing that was looked at."""

    name: str
    ok: bool
    about: str
    """What is the case."""
    advice: str = ""
    """What to do about it; empty when all is well."""
    severity: str = ""
    """error, warning or note; empty when all is well. Only an error is not `ok`."""
    code: str = ""
    """A name for the finding that stays when its words change; not every check has one."""


class NotSo(Exception):
    """A check's own finding: what is the case, and what to do. A warning is worth a look and stops nothing."""

    def __init__(self, about: str, advice: str, *, warning: bool = False) -> None:
        super().__init__(about)
        self.about, self.advice, self.warning = about, advice, warning


def in_file(errors: Iterable[FileError], code: str) -> list[Check]:
    """What is wrong in a file, a check for each place."""
    return [
        Check(
            name=f"{one.file}:{one.line}",
            ok=False,
            about=one.path or "the file",
            advice=one.advice,
            severity="error",
            code=code,
        )
        for one in errors
    ]


def checked(name: str, look: Callable[[], str], otherwise: str) -> Check:
    """Carry a check out: `look` says what is the case, or raises. `otherwise`: what to do about an error that does not
    say so itself (`NotSo`, `SetupError`)."""
    try:
        return Check(name=name, ok=True, about=look())
    except NotSo as finding:
        severity = "warning" if finding.warning else "error"
        return Check(name=name, ok=finding.warning, about=finding.about, advice=finding.advice, severity=severity)
    except Exception as error:  # noqa: BLE001 - whatever stops a check is what it reports; the text is never shown
        return Check(name=name, ok=False, about=_why(error), advice=_todo(error) or otherwise)


def _why(error: Exception) -> str:
    from connectors.registry import SetupError

    if isinstance(error, SetupError):
        return str(error).partition(": ")[0]
    return "it does not work"


def _todo(error: Exception) -> str:
    from connectors.registry import SetupError

    if isinstance(error, SetupError):
        return str(error).partition(": ")[2] or str(error)
    return ""


def silent(check: Check) -> Check:
    """The same of a server: what fails without saying why did not answer."""
    return check.model_copy(update={"about": "no answer"}) if check.about == "it does not work" else check
