"""Structured logs, for people on a terminal and as JSON for machines.

The one rule: a log line holds codes, ids, counts and class names. Texts of exceptions, which may quote a value, are cut
off here, the SDK's own included.
"""

import logging
import re
import sys
import threading
from itertools import takewhile
from types import TracebackType
from typing import Final, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

KEYS = frozenset(
    {
        "event", "level", "logger", "timestamp", "request_id", "step", "system", "operation", "outcome", "code", "kind",
        "reference", "error", "where", "activity", "workflow_id", "attempt", "risk", "keys", "month_keys", "address",
        "namespace", "queue", "seconds", "systems", "version", "digest", "port", "missing", "tenant", "environment",
        "ours", "route", "method", "status", "ms", "trace", "staff", "payloads", "runs", "unopened", "why", "what",
        "state", "replay", "transfer", "webhook", "letter", "lacks", "campaign", "listed", "demand", "incident",
        "hours", "in_vain", "by", "severity", "errors", "warnings", "notes", "new", "schedule", "every",
    }
)  # fmt: skip
"""What a line may hold; anything else is dropped, and its name is listed under `dropped`."""
_PLAIN: Final = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*[.,;]?\Z")


def _only_known_keys(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    dropped = sorted(name for name in event if name not in KEYS)
    kept = {name: value for name, value in event.items() if name in KEYS}
    if dropped:
        kept["dropped"] = dropped
    return kept


class _NoTexts(logging.Filter):
    """Reduces a standard-library record to the fixed part of its message and its exception's class."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, dict):
            # One of structlog's: its keys are sifted by `_only_known_keys`.
            return True
        error = record.exc_info[0].__qualname__ if record.exc_info and record.exc_info[0] else ""
        # Libraries format errors and arguments into their messages: the plain words before them are kept, and nothing
        # from the first on that may be a value (an address, a number, something quoted).
        words = takewhile(_PLAIN.match, re.split(r"[:%(\[{\n]", str(record.msg), maxsplit=1)[0].split())
        text = " ".join(words)[:120]
        record.msg = f"{text} ({error})" if error else text
        record.args, record.exc_info, record.exc_text, record.stack_info = (), None, None, None
        return True


def set_up(form: Literal["auto", "json", "console"] = "auto") -> None:
    """Send all logs, structlog's and the standard library's, to standard error in one form."""
    pretty = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        # Whose call it is, once the API knows (starter/doorkeeper.py).
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    renderer: Processor = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_NoTexts())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _only_known_keys,
                renderer,
            ],
        )
    )
    # What cannot be logged is not printed either: it might quote what it could not print.
    logging.raiseExceptions = False
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    _quiet_hooks()
    for noisy in ("alembic", "botocore", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _quiet_hooks() -> None:
    """What escapes everybody (a thread's error, a destructor's, the process's own) is named, not printed: Python's own
    hooks would print its text."""

    def say(kind: str, error: BaseException | type[BaseException] | None) -> None:
        error_type = error if isinstance(error, type) else type(error)
        structlog.get_logger().error("escaped", kind=kind, error=error_type.__qualname__)

    def process(error_type: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        say("process", error_type)

    sys.excepthook = process
    threading.excepthook = lambda args: say("thread", args.exc_type)
    sys.unraisablehook = lambda args: say("destructor", args.exc_type)
