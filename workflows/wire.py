"""What client, worker and replayer share: converter, codec, failures, interceptors, sandbox.

The one rule: every payload that reaches Temporal is sealed under a key of its own request, so that destroying the key
makes the history, its backups and its archives unreadable; and no error reaches Temporal or the log with its text.
"""

import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.plugin import SimplePlugin
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from workflows.sandbox import Sandbox

_ENCODING: Final = b"binary/habeas-sealed"
_RUN: Final = "habeas-run"
"""Where a sealed payload names its run, for who has to open it without knowing where it stood: the codec server. It is
the run's id, which Temporal has in clear beside it; a worker goes by where it found the payload."""
_NONCE: Final = 12
"""Bytes; the size AES-GCM is specified for."""
_KEY_LIFE: Final = 300.0
"""Seconds that a history key stays in memory; a shred takes effect on a running worker within this time."""
_KEYS_HELD: Final = 20_000
"""Keys held at once, about 4 MB; more than the requests one worker is busy with in five minutes."""
GIVE_UP_AFTER: Final = 5
"""Attempts after which an unforeseen error is handed to a person; it is a bug or a broken set-up, not the weather."""

_SCHEDULED: Final = re.compile(r"-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
"""What a Temporal Schedule adds to the id of each run."""

HistoryKey = Callable[[str], bytes | None]
"""The history key of a request by its id; None once it is destroyed."""


class KeyDestroyedError(RuntimeError):
    """The key of this history was destroyed; nothing can read it any more."""


class HistoryKeys:
    """History keys in memory, for a while."""

    def __init__(self, look_up: HistoryKey) -> None:
        self._look_up = look_up
        self._held: dict[str, tuple[float, AESGCM]] = {}

    def cipher(self, request_id: str) -> AESGCM | None:
        """The cipher of one request. Blocks on the ledger when it is not held."""
        now = time.monotonic()
        held = self._held.get(request_id)
        if held and held[0] > now:
            return held[1]
        key = self._look_up(request_id)
        if key is None:
            self._held.pop(request_id, None)
            return None
        return self.hold(request_id, key)

    def hold(self, request_id: str, key: bytes) -> AESGCM:
        """Keep a key that was just read, so that nobody has to wait for the ledger."""
        if len(self._held) >= _KEYS_HELD:
            self._held.clear()
        cipher = AESGCM(key)
        self._held[request_id] = (time.monotonic() + _KEY_LIFE, cipher)
        return cipher


def is_sealed(payload: Payload) -> bool:
    """Whether it is one of ours; what the server itself writes is not."""
    return payload.metadata.get("encoding") == _ENCODING


def run_of(payload: Payload) -> str:
    """The id of the run that a sealed payload says it belongs to; nothing where it was sealed before they said so."""
    return payload.metadata.get(_RUN, b"").decode(errors="replace")


def open_alone(payload: Payload, keys: HistoryKeys) -> Payload:
    """Open a sealed payload by the run that it names. Blocks on the ledger.

    Raises:
        KeyDestroyedError: the key of that run is gone.
        InvalidTag: it was changed, or belongs to another run.
    """
    run = run_of(payload)
    cipher = keys.cipher(_case_of(run))
    if cipher is None:
        raise KeyDestroyedError("the history key of this run is destroyed")
    return _opened(payload, cipher, run.encode())


def _opened(payload: Payload, cipher: AESGCM, aad: bytes) -> Payload:
    nonce, body = payload.data[:_NONCE], payload.data[_NONCE:]
    return Payload.FromString(cipher.decrypt(nonce, body, aad))


def _case_of(run: str) -> str:
    """What the key of a run is kept under: a request, or the tenant."""
    return run.rpartition("/")[2]


@dataclass(frozen=True)
class SealingCodec(PayloadCodec, WithSerializationContext):
    """Seals payloads under the key of the request they belong to; the workflow id is authenticated with them."""

    keys: HistoryKeys
    workflow_id: str = ""

    def with_context(self, context: SerializationContext) -> "SealingCodec":
        if isinstance(context, WorkflowSerializationContext | ActivitySerializationContext):
            # A run of a schedule is handed the result of the one before, so all of them seal with the schedule's id.
            return replace(self, workflow_id=_SCHEDULED.sub("", context.workflow_id or ""))
        return self

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal.

        Raises:
            KeyDestroyedError: the request's history key is gone.
        """
        cipher = self._cipher()
        aad = self.workflow_id.encode()
        sealed = []
        for payload in payloads:
            nonce = secrets.token_bytes(_NONCE)
            data = nonce + cipher.encrypt(nonce, payload.SerializeToString(), aad)
            sealed.append(Payload(metadata={"encoding": _ENCODING, _RUN: aad}, data=data))
        return sealed

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open what `encode` sealed; what the server itself wrote is left as it is.

        Raises:
            KeyDestroyedError: the request's history key is gone.
        """
        cipher = self._cipher()
        aad = self.workflow_id.encode()
        opened = []
        for payload in payloads:
            opened.append(_opened(payload, cipher, aad) if is_sealed(payload) else payload)
        return opened

    def _cipher(self) -> AESGCM:
        cipher = self.keys.cipher(_case_of(self.workflow_id))
        if cipher is None:
            raise KeyDestroyedError("the history key of this run is destroyed")
        return cipher


class _QuietActivities(ActivityInboundInterceptor):
    """Replaces an unforeseen error by a reference before the SDK logs it or sends it on."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except (ApplicationError, CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - a driver's text may quote a value: only its class may be named
            reference = secrets.token_hex(6)
            info = activity.info()
            structlog.get_logger().error(
                "unforeseen",
                reference=reference,
                error=type(error).__qualname__,
                where=_where(error),
                activity=info.activity_type,
                workflow_id=info.workflow_id,
                attempt=info.attempt,
            )
            raise ApplicationError(
                f"unforeseen, reference {reference}",
                type="Internal",
                non_retryable=info.attempt >= GIVE_UP_AFTER and info.activity_type in _STEPS,
            ) from None


_STEPS: Final = frozenset(
    {"locate", "export", "suppress", "erase", "restrict", "lift", "rectify", "verify", "package", "transmit", "sweep"}
)
"""Activities whose failure has a person to ask; the others only touch the ledger and are tried for ever."""


def _where(error: BaseException) -> list[str]:
    """File and line of the innermost frames: code, never values."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return frames[-4:]


class QuietInterceptor(Interceptor):
    """Puts `_QuietActivities` around every activity."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _QuietActivities(super().intercept_activity(next))


class SharedConverter(PydanticPayloadConverter):
    """One instance for all: what pydantic has worked out of a type is not worked out again for every run."""

    _shared: "SharedConverter | None" = None

    def __new__(cls) -> "SharedConverter":
        if cls._shared is None:
            cls._shared = super().__new__(cls)
            PydanticPayloadConverter.__init__(cls._shared)
        return cls._shared

    def __init__(self) -> None:
        """Made once, in `__new__`."""


def converter(keys: HistoryKeys) -> DataConverter:
    """The one data converter: pydantic, sealed, failures with their attributes sealed too."""
    return DataConverter(
        payload_converter_class=SharedConverter,
        payload_codec=SealingCodec(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def plugin(keys: HistoryKeys) -> SimplePlugin:
    """One object that gives client, worker and replayer the same wire."""
    return SimplePlugin(
        "habeas",
        data_converter=converter(keys),
        interceptors=[QuietInterceptor()],
        workflow_runner=Sandbox(),
    )
