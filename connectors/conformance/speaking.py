"""Promises about silence: whatever a connector says in words, it names nobody.

The one rule: answers, errors with all that hangs on them, logs at every level and what is printed are all read.
"""

import logging
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.conformance.bench import Cuts, Person, Refuses, Shares
from connectors.conformance.gate import Crash, Gate
from connectors.conformance.suite import Promises, Trial, renamed
from connectors.errors import ConnectorError, Held
from rights.codes import Code


class Speaking(Promises):
    """What a connector says."""

    def test_no_answer_error_or_log_names_a_person(
        self, trial: Trial, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.NOTSET)
        secrets: list[str] = []
        said: list[str] = []
        with capture_logs() as entries:
            for anna, trouble, differs in troubles(trial):
                secrets += [anna.text, *(identity.value for identity in anna.identities)]
                anchors = trial.locate(trial.call(anna)).anchors
                with trouble:
                    for act in trial.each(trial.call(anna, anchors=anchors, **differs)).values():
                        try:
                            answer = act()
                        except (ConnectorError, Crash) as error:
                            said += told_by(error)
                        else:
                            # An export's bytes are the person's own, and so are the files' own names; what stands
                            # around them must be silent.
                            said.append(str(_around(answer)) if isinstance(answer, dict) else f"{answer!r} {answer}")
        said += [str(entry) for entry in entries]
        said += [f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records]
        said += capfd.readouterr()

        telling = [text for text in said if any(secret in text for secret in secrets)]
        assert telling == []


def troubles(trial: Trial) -> Iterator[tuple[Person, AbstractContextManager[None], dict[str, Any]]]:
    """Everything that can go wrong: with whom, while what lasts, and how the call differs."""
    bench = trial.bench
    yield trial.seeded(), bench.outage(), {}
    yield trial.seeded(), nullcontext(), {"fence": Gate(refuse=Held(Code.HOLD))}
    yield trial.seeded(), nullcontext(), {"environment": "elsewhere"}
    yield trial.seeded(), nullcontext(), {"fence": Gate(crash_at=1)}
    if isinstance(bench, Refuses):
        yield trial.seeded(), bench.refused(), {}
    if isinstance(bench, Cuts):
        yield trial.seeded(), bench.cut(), {}
    if isinstance(bench, Shares):
        anna = trial.seeded()
        bench.seed(renamed(trial.person(), bench.shares, anna.of(bench.shares)), 3)
        yield anna, nullcontext(), {}
    yield trial.seeded(), nullcontext(), {}


def _around(files: dict[tuple[str, str], bytes]) -> list[tuple[str, str]]:
    """Collections and media types of an export."""
    return [(collection, media.partition(" ")[0]) for collection, media in files]


def told_by(error: BaseException) -> Iterator[str]:
    """An error in every form it can be shown in, with whatever it was raised from or during."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or link in seen:
            continue
        seen.append(link)
        yield f"{link!r} {link} {link.args!r} {vars(link)!r} {getattr(link, '__notes__', '')}"
        waiting += [link.__cause__, link.__context__]
    yield "".join(traceback.format_exception(error))
