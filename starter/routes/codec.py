"""The codec server of the Temporal Web UI: opens sealed payloads for who may read them.

The one rule: it opens and never seals; what cannot be opened any more is said in place of it, so that the rest of the
page can be read. Payloads hold ids, codes, counts and times (DECISIONS.md), so opening them is no reveal: each time is
a line of the log, with who it was, how many there were and of which runs.
"""

import json
from typing import Annotated, Any, Final

import structlog
from cryptography.exceptions import InvalidTag
from fastapi import APIRouter, Depends, Header
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from pydantic import BaseModel, Field
from temporalio.api.common.v1 import Payload

from starter.access import Action, Caller
from starter.desk import Desk
from starter.doorkeeper import At, needs
from starter.inputs import MAX_FILE
from starter.problems import Problem, ProblemCode, answers
from workflows.wire import HistoryKeys, KeyDestroyedError, is_sealed, open_alone, run_of

MOST: Final = 1_000
"""Payloads in one go; the Web UI sends those of one event."""

DESTROYED: Final = "[key destroyed]"
OTHERS: Final = "[of another tenant]"
NAMELESS: Final = "[sealed by a version that named no run: it cannot be opened here]"
BROKEN: Final = "[cannot be opened: it was changed, or belongs to another run]"

log = structlog.get_logger()
router = APIRouter(prefix="/codec/{namespace}", tags=["codec"])


Bytes = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/_-]*={0,2}$", max_length=MAX_FILE)]
"""In base64, as Temporal's JSON has them."""


class SentPayload(BaseModel):
    """A payload as Temporal's JSON has it."""

    metadata: dict[str, Bytes] = Field(default={}, max_length=20)
    data: Bytes = ""


class SentPayloads(BaseModel):
    """Several of them."""

    payloads: list[SentPayload] = Field(default=[], max_length=MOST)


@router.post("/decode", operation_id="decode", responses=answers(ProblemCode.UNUSABLE, ProblemCode.NOT_FOUND))
def decode(
    namespace: str,
    sent: SentPayloads,
    at: At,
    caller: Annotated[Caller, Depends(needs(Action.DECODE))],
    x_namespace: Annotated[str | None, Header(description="As the path has it.", max_length=200)] = None,
) -> SentPayloads:
    """Open payloads. One that cannot be opened comes back as a text that says why."""
    if namespace != at.settings.temporal_namespace:
        raise Problem(ProblemCode.NOT_FOUND, "there is no such namespace here: see the setting temporal_namespace")
    if x_namespace not in {None, namespace}:
        raise Problem(ProblemCode.UNUSABLE, "X-Namespace and the address name different namespaces: name one")
    given = [_read(one) for one in sent.payloads]
    opening = _Opening(at)
    opened = [opening.of(one) for one in given]
    if given:
        log.info(
            "decoded",
            staff=caller.staff,
            payloads=sum(map(is_sealed, given)),
            runs=sorted({run_of(one) for one in given if is_sealed(one)} & opening.opened),
            unopened=opening.unopened,
        )
    return SentPayloads.model_validate({"payloads": [_written(one) for one in opened]})


@router.post("/encode", operation_id="encode", responses=answers(ProblemCode.REFUSED))
def encode(namespace: str, caller: Annotated[Caller, Depends(needs(Action.DECODE))]) -> None:
    """Refused: what is told to a run goes through the ledger, and is sealed by the engine."""
    raise Problem(ProblemCode.REFUSED, "nothing is sealed here: decide by habeas, or by this API")


class _Opening:
    """Opens payloads for one answer. A key is looked up anew for each, so that a shred counts at once."""

    def __init__(self, at: Desk) -> None:
        self._tenant, self._keys = at.settings.tenant, HistoryKeys(at.ledger.history_key)
        self.opened: set[str] = set()
        self.unopened = 0

    def of(self, payload: Payload) -> Payload:
        """It, opened; or what stands in its place."""
        if not is_sealed(payload):
            return payload
        run = run_of(payload)
        try:
            if self._tenant not in run.split("/")[1:]:
                return self._said(OTHERS if run else NAMELESS)
            opened = open_alone(payload, self._keys)
        except KeyDestroyedError:
            return self._said(DESTROYED)
        except (InvalidTag, ValueError):
            return self._said(BROKEN)
        self.opened.add(run)
        return opened

    def _said(self, text: str) -> Payload:
        self.unopened += 1
        return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(text).encode())


def _read(one: SentPayload) -> Payload:
    try:
        return ParseDict(one.model_dump(), Payload())
    except ParseError:
        raise Problem(ProblemCode.UNUSABLE, "metadata and data of a payload are bytes in base64") from None


def _written(payload: Payload) -> dict[str, Any]:
    return MessageToDict(payload)
