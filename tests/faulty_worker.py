"""A real worker that kills (or freezes) itself once at a named place.

TEST_TRIP is ``PLACE`` or ``freeze:PLACE``. Places: ``before:ACTIVITY``, ``after:ACTIVITY`` (and the same of ``begin``,
with which the dispatcher takes a request up), ``fence:enter`` (before the
ledger hears of the call), ``fence:inside`` (let through, target not touched), ``fence:done`` (target committed, ledger
not told), ``fence:left`` (ledger told, no receipt yet); ``letter:ready`` (the mail server waits for the text),
``letter:noted`` (the ledger knows of it), ``letter:given`` (the server has it), ``letter:settled`` (the ledger knows),
``list:read`` and ``list:kept`` (a page of a campaign's people). TEST_LEAK is ``HOW:TEXT`` and leaks a text on purpose:
as an error's type, in a result, in a log line, or in an unforeseen error. While there is a file ``broken-ACTIVITY`` in
TEST_HOME, that activity fails for good. The rule kept: nothing in the engine knows of
this; the worker is composed from the outside.
"""

import os
import signal
from pathlib import Path
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

import worker
from activities.tools import Tools
from ledger.ledger import Ledger
from settings import Settings
from starter import logs

PLACE = os.environ.get("TEST_TRIP", "")
LEAK = os.environ.get("TEST_LEAK", "")


def trip(place: str) -> None:
    """Die here if this is the place and nobody has died of it before."""
    frozen = f"freeze:{place}" == PLACE
    if not frozen and place != PLACE:
        return
    mark = Path(os.environ["TEST_HOME"]) / f"tripped-{PLACE.replace(':', '-')}"
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGSTOP if frozen else signal.SIGKILL)


def leak(name: str) -> None:
    """Leak once, in the way that is asked for."""
    how, _, text = LEAK.partition(":")
    if name != "locate" or activity.info().attempt > 1:
        return
    if how == "type":
        raise ApplicationError("leaks", type=text)
    if how == "log":
        structlog.get_logger().info(text)


def fail(name: str) -> None:
    """Fail for good while a test wants it; at hand only once, and then as a step that is seen."""
    if Path(os.environ["TEST_HOME"], f"broken-{name}").exists():
        raise ApplicationError("broken", non_retryable=not activity.info().is_local)


class _Tripping(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        name = activity.info().activity_type
        trip(f"before:{name}")
        leak(name)
        fail(name)
        result = await super().execute_activity(input)
        trip(f"after:{name}")
        if LEAK.startswith("result:") and name == "package":
            return f"{result}{LEAK}"
        return result


class Tripwires(Interceptor):
    """Trips before and after every activity."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Tripping(super().intercept_activity(next))


class _Ledger:
    """The real ledger with tripwires around its fence."""

    def __init__(self, ledger: Ledger) -> None:
        self._real = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def begin(self, *args: Any, **named: Any) -> Any:
        trip("before:begin")
        begun = self._real.begin(*args, **named)
        trip("after:begin")
        return begun

    def at_step(self, *args: Any, **named: Any) -> Any:
        how, _, text = LEAK.partition(":")
        if how == "error" and activity.info().attempt == 1:
            raise RuntimeError(text)
        return self._real.at_step(*args, **named)

    def begin_sending(self, *args: Any, **named: Any) -> Any:
        trip("letter:ready")
        noted = self._real.begin_sending(*args, **named)
        trip("letter:noted")
        return noted

    def letter_sent(self, *args: Any, **named: Any) -> Any:
        trip("letter:given")
        sent = self._real.letter_sent(*args, **named)
        trip("letter:settled")
        return sent

    def list_people(self, *args: Any, **named: Any) -> Any:
        trip("list:read")
        listed = self._real.list_people(*args, **named)
        trip("list:kept")
        return listed

    def enter_fence(self, *args: Any, **named: Any) -> Any:
        trip("fence:enter")
        intent = self._real.enter_fence(*args, **named)
        trip("fence:inside")
        return intent

    def exit_fence(self, *args: Any, **named: Any) -> Any:
        trip("fence:done")
        result = self._real.exit_fence(*args, **named)
        trip("fence:left")
        return result


def tripping_tools(settings: Settings, ledger: Ledger) -> Tools:
    """The worker's tools, with tripwires."""
    return worker.build_tools(settings, _Ledger(ledger))  # type: ignore[arg-type]


def main() -> None:
    """Run it until it is stopped."""
    logs.set_up("json")
    worker.main(Settings.load(), make_tools=tripping_tools, interceptors=[Tripwires()])


if __name__ == "__main__":
    main()
