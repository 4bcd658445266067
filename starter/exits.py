"""How a command ends: its exit code, and the one sentence on standard error when it could not do what was asked.

The one rule: no value that a person typed, and no text of a driver, is repeated; an error says what to do instead.
"""

import os
import re
import sys
from enum import IntEnum
from typing import Any, Final

import typer


class Exit(IntEnum):
    """The exit codes, the same for every command."""

    DONE = 0
    BAD = 1
    USAGE = 2
    AWAY = 3
    NOT_FOUND = 4
    REFUSED = 5
    WAITING = 6
    BUG = 70
    INTERRUPTED = 130


MEANING: Final[dict[Exit, str]] = {
    Exit.DONE: "done, or all is well",
    Exit.BAD: "what was looked at is not in order: damage in the ledger, an error in a map, a failed check",
    Exit.USAGE: "the command, its input or the settings cannot stand; nothing was done",
    Exit.AWAY: "a service that is needed does not answer (the ledger, Temporal, a local server)",
    Exit.NOT_FOUND: "there is no such request, task, hold or parcel",
    Exit.REFUSED: "it makes no sense as things stand (the request is closed, the task is settled)",
    Exit.WAITING: "the request waits for a person (request watch)",
    Exit.BUG: "an error nobody foresaw: report it with the line that was printed",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
}

EPILOG: Final = "Exit codes: " + "; ".join(f"{code.value} {MEANING[code]}" for code in Exit) + "."
_NAMES: Final = ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in Exit)
ENDINGS: Final = f"Exit codes: {_NAMES}; habeas --help says what they mean."
"""What stands below the help of each command."""

_USAGE_ERROR: Final = typer.BadParameter.__mro__[1]
"""Whatever the parser says about how a command was written; typer gives the class no public name."""


class Failure(Exception):
    """A command cannot do what it was asked; the text is the sentence for the person."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def complain(sentence: str) -> None:
    """Say on standard error why a command ends here."""
    prefix = "" if sentence.startswith("Usage:") else "habeas: "
    sys.stderr.write(f"{prefix}{sentence}\n")
    sys.stderr.flush()


def explain(error: Exception) -> tuple[Exit, str]:
    """The exit code, and the sentence for an error."""
    if isinstance(error, Failure):
        return error.code, str(error)
    if isinstance(error, _USAGE_ERROR):
        return Exit.USAGE, _usage(error)
    if isinstance(error, typer.Abort):
        return Exit.INTERRUPTED, "stopped"
    return _known(error) or (Exit.BUG, _bug(error))


def _known(error: Exception) -> tuple[Exit, str] | None:
    """Errors of the lower folders. Nothing is imported for it: an error's module is loaded when it is raised."""
    for name, code in _BY_CLASS.items():
        module, _, cls = name.rpartition(".")
        known: Any = getattr(sys.modules.get(module), cls, None)
        if known is not None and isinstance(error, known):
            said = _SAY.get(name) or str(error)
            missing = code is Exit.REFUSED and _NOT_THERE.search(said)
            return (Exit.NOT_FOUND if missing else code), said
    return None


_NOT_THERE: Final = re.compile(r"(there is|has) no \w+ of this id")
"""How the ledger says that an id is nobody's; it has one class for all that it refuses."""

_BY_CLASS: Final[dict[str, Exit]] = {
    "settings.SettingsError": Exit.USAGE,
    "rights.subject.IdentityError": Exit.USAGE,
    "rights.mapfile.MapErrors": Exit.BAD,
    "rights.yamlfile.FileErrors": Exit.BAD,
    "starter.submit.SubmissionError": Exit.USAGE,
    "connectors.registry.SetupError": Exit.USAGE,
    "rights.authorities.AuthorityError": Exit.REFUSED,
    "rights.decision.DecisionError": Exit.REFUSED,
    "rights.incidents.IncidentError": Exit.REFUSED,
    "starter.stack.child.StackError": Exit.AWAY,
    "ledger.errors.LedgerRefusal": Exit.REFUSED,
    "ledger.errors.KeyGoneError": Exit.REFUSED,
    "ledger.errors.LedgerError": Exit.BAD,
    "activities.sealing.SealBroken": Exit.BAD,
    "activities.store.NotStored": Exit.NOT_FOUND,
    "activities.store.StoreFull": Exit.AWAY,
    "sqlalchemy.exc.OperationalError": Exit.AWAY,
    "sqlalchemy.exc.ProgrammingError": Exit.AWAY,
    "sqlalchemy.exc.TimeoutError": Exit.AWAY,
    "sqlalchemy.exc.DataError": Exit.USAGE,
    "ledger.errors.AddressError": Exit.USAGE,
}

_SAY: Final = {
    "sqlalchemy.exc.OperationalError": "the ledger's PostgreSQL does not answer, or refuses us: "
    "habeas config check says which",
    "sqlalchemy.exc.ProgrammingError": "the ledger's tables are not those of this version: run habeas migrate",
    "sqlalchemy.exc.TimeoutError": "the ledger is too busy to answer: try again",
    "sqlalchemy.exc.DataError": "something that was sent is no text, number or day that the ledger can keep: look it "
    "through for NUL bytes and for numbers that are far too large",
}


_FEW: Final = 20
"""Commands that are named where somebody has typed another; more make no sentence."""


def _usage(error: Any) -> str:
    """What the parser found, in our words: its own quote what was typed, which may be an identity."""
    kind = type(error).__name__
    if kind == "NoArgsIsHelpError":
        return str(error)  # the command's help: nothing was typed
    path = getattr(getattr(error, "ctx", None), "command_path", "habeas")
    see = f"{path} --help shows how it is written"
    param = getattr(error, "param", None)
    name = _param_name(param)
    if kind == "MissingParameter" and name:
        return f"{name} is missing: {see}"
    if kind in {"BadParameter", "BadOptionUsage"} and name:
        choices = getattr(getattr(param, "type", None), "choices", None)
        words = f"write one of {', '.join(map(str, choices))}" if choices else see
        return f"the value of {name} cannot be used: {words}"
    if kind == "NoSuchOption":
        near = getattr(error, "possibilities", None)
        return f"there is no such option here{f', did you mean {near[0]}' if near else ''}: {see}"
    said = str(getattr(error, "message", ""))
    if said.startswith("No such command"):
        known = getattr(getattr(getattr(error, "ctx", None), "command", None), "commands", ())
        words = f"use one of {', '.join(known)}" if len(known) <= _FEW else f"{path} --help lists all of them"
        return f"there is no such command: {words}"
    if said.startswith("Missing command"):
        commands = getattr(getattr(error, "ctx", None), "command", None)
        return f"{path} needs one of {', '.join(getattr(commands, 'commands', ()))} behind it"
    if said.startswith("Got unexpected extra"):
        return f"there are more arguments than {path} takes: {see}"
    return f"the command cannot be read: {see}"


def _param_name(param: Any) -> str:
    if param is None:
        return ""
    if getattr(param, "param_type_name", "") == "argument":
        return str(param.metavar or param.name).upper()
    return str(max(param.opts, key=len))


def _bug(error: Exception) -> str:
    """Class, file and line of an unforeseen error; its text may quote a value."""
    where, trace = "", error.__traceback__
    while trace is not None:
        where = f"{'/'.join(trace.tb_frame.f_code.co_filename.split(os.sep)[-2:])}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"an unforeseen error: {type(error).__name__} at {where}; please report this line"
