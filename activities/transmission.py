"""Sending a parcel straight to another controller (GDPR Art. 20(2)), and keeping the receipt that it signs.

The one rule: it counts as sent only with a receipt that is signed by the receiver's key and fits what was sent. A
transfer has the same id whenever it is tried, so that the other side takes it in once.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import orjson
from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.calls import beating
from activities.jws import NotSignedError, sign, verified
from activities.opening import Ask
from activities.outcomes import answer_of
from activities.parcel_names import parcel_name
from activities.sealing import PAGE, unseal
from activities.store import Store, StoreError
from activities.tools import Tools
from connectors.errors import ConnectorError, Retryable
from connectors.http.upload import Upload
from ledger.transmissions import Parcel
from rights.codes import Code
from rights.portability import PortabilityDetails
from rights.reckoning import local_day
from rights.request import Right
from rights.transfer import FORMAT, LIFE, Manifest, Part, Receiver, Taken
from rights.value import Value

MANIFEST_WITHIN: Final = timedelta(minutes=5)
ARCHIVE_WITHIN: Final = timedelta(hours=10)
"""Less than an attempt may take in all."""
ANOTHER_PARCEL: Final = "another_parcel"
"""What `transmit` says of a parcel that is not the one to be sent."""
MIND_EVERY_S: Final = 5.0
"""How often it is asked in the middle of an upload, which may take hours, whether it may go on."""
FILES: Final = "parcel/files"
"""The name in the vault (`working`) of the list of a parcel's files."""


class SendingOverError(Exception):
    """Nothing more is to be sent; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Sending(Value):
    """A parcel that is to be sent."""

    ask: Ask
    digest: str
    """Of the parcel that was packed for this: SHA-256, hex."""


class TransmissionActivities:
    """From a packed parcel to a signed receipt."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="destination", no_thread_cancel_exception=True)
    def destination(self, sending: Sending) -> bool:
        """Whether the parcel is to go to another controller, and has not gone there yet."""
        details = self._details(sending.ask.request_id)
        if details is None or details.destination is None:
            return False
        return self._tools.ledger.transmitted(sending.ask.request_id) != sending.digest

    @activity.defn(name="transmit", no_thread_cancel_exception=True)
    def transmit(self, sending: Sending) -> str:
        """Send the parcel; empty once its receipt is kept, else the code of what a person has to see to.

        Nothing is sent of a request that was taken back, whether or not its run has heard of that: it is empty as well.
        Nor of one that stands still for an incident: it is INCIDENT.
        Nor is any parcel but the one that is named: a ledger that was restored may know another one, or none, and then
        it is ANOTHER_PARCEL.
        """
        tools, ask = self._tools, sending.ask
        if (over := self._over(ask.request_id)) is not None:
            return over
        parcel, details = tools.ledger.parcel(ask.request_id), self._details(ask.request_id)
        if details is None or details.destination is None:
            return Code.NO_RECEIVER
        if parcel is None or parcel.digest != sending.digest:
            return ANOTHER_PARCEL
        receiver = tools.transfers.receivers.receivers.get(details.destination) if tools.transfers else None
        key = tools.ledger.case_key(ask.request_id, "parcel")
        if receiver is None or key is None:
            return Code.NO_RECEIVER
        if self._refused(ask, receiver):
            return Code.EGRESS
        manifest = self._manifest(ask, parcel, receiver, details.reference, key)
        try:
            with beating() as beat:
                going_on = minded(beat, partial(self._over, ask.request_id))
                receipt = self._sent(manifest, receiver, partial(_pieces, tools.store, ask.request_id, key, going_on))
        except SendingOverError as broken_off:
            return broken_off.code
        if isinstance(receipt, Code):
            return receipt
        tools.ledger.keep_transmission(
            ask.request_id, details.destination, parcel.digest, manifest.id, receipt, at=ask.as_of
        )
        return ""

    def _over(self, request_id: str) -> str | None:
        """Why nothing is sent (any more): empty of what was taken back, INCIDENT; None: it goes on."""
        row = self._tools.ledger.request(request_id)
        if row.withdrawn:
            return ""
        return Code.INCIDENT if row.incident else None

    def _refused(self, ask: Ask, receiver: Receiver) -> bool:
        """Whether the register lets nothing go there today. A deployment without a register has said who its receivers
        are by naming them."""
        register, row = self._tools.register, self._tools.ledger.request(ask.request_id)
        if not register.recipients:
            return False
        return register.refuses(receiver.recipient, local_day(ask.as_of, row.clock.zone), row.regimes) is not None

    def _details(self, request_id: str) -> PortabilityDetails | None:
        details = self._tools.ledger.details(request_id, Right.PORTABILITY)
        return details if isinstance(details, PortabilityDetails) else None

    def _manifest(self, ask: Ask, parcel: Parcel, receiver: Receiver, reference: str, key: bytes) -> Manifest:
        transfers, sealed = self._tools.transfers, self._tools.ledger.unseal(ask.request_id, "working", FILES)
        assert transfers is not None and sealed is not None  # noqa: S101, PT018 - the caller has looked
        return signed_for(
            (Part.model_validate(part) for part in orjson.loads(sealed)),
            parcel,
            sender=transfers.receivers.sender,
            recipient=receiver.name,
            reference=reference,
            folder=f"habeas-{ask.request_id}",
            key=key,
            at=ask.as_of,
        )

    def _sent(self, manifest: Manifest, receiver: Receiver, pieces: Callable[[], Iterator[bytes]]) -> bytes | Code:
        """The receipt, or what a person has to see to.

        Raises:
            ApplicationError: the receiver cannot be reached, or is busy.
        """
        transfers = self._tools.transfers
        assert transfers is not None  # noqa: S101 - the caller has looked
        statement = sign(transfers.key, FORMAT, manifest.model_dump_json().encode())
        answer = answer_of(partial(_put, statement, manifest, receiver, pieces))
        if isinstance(answer, Retryable):
            raise ApplicationError(str(answer.code), type="Retryable") from None
        if isinstance(answer, ConnectorError):
            return answer.code
        status, receipt = answer
        if status >= 500 or status in {408, 429}:
            raise ApplicationError(str(Code.UNREACHABLE), type="Retryable") from None
        return receipt if status == 200 and _right(receipt, manifest, receiver) else Code.TRANSFER_REFUSED


def minded(
    beat: Callable[[], None], over: Callable[[], str | None], clock: Callable[[], float] = time.monotonic
) -> Callable[[], None]:
    """A beat between pieces that breaks an upload off once nothing more is to be sent. What was sent by then is no
    whole archive, and nobody takes it in."""
    due = clock()

    def going_on() -> None:
        nonlocal due
        beat()
        if clock() >= due:
            due = clock() + MIND_EVERY_S
            if (code := over()) is not None:
                raise SendingOverError(code)

    return going_on


def signed_for(
    files: Iterator[Part],
    parcel: Parcel,
    *,
    sender: str,
    recipient: str,
    reference: str,
    folder: str,
    key: bytes,
    at: datetime,
) -> Manifest:
    """What is said of a parcel to one receiver. The id tells nothing of the request, and is another for each parcel and
    receiver."""
    parts = tuple(files)
    named = f"transfer/{recipient}/{parcel.digest}"
    return Manifest(
        id=hmac.new(key, named.encode(), hashlib.sha256).hexdigest()[:32],
        sender=sender,
        recipient=recipient,
        reference=reference,
        issued_at=at,
        expires_at=at + LIFE,
        archive_sha256=parcel.digest,
        archive_size=parcel.size,
        folder=folder,
        files=parts,
        schemas={p.path: _schema_of(p.path, parts) for p in parts if p.path.endswith(".jsonl")},
    )


def _schema_of(path: str, parts: tuple[Part, ...]) -> str:
    """The schema that lies beside a table."""
    wanted = f"{path.removesuffix('.jsonl')}.schema.json"
    return next(part.path for part in parts if part.path == wanted)


def _put(
    statement: bytes, manifest: Manifest, receiver: Receiver, pieces: Callable[[], Iterator[bytes]]
) -> tuple[int, bytes]:
    """Announce, and put the archive unless it is there already."""
    place = f"{receiver.url}/{manifest.id}"
    with Upload(receiver.name, ca=receiver.ca, pin=receiver.pin, private=receiver.private) as line:
        status, answer = line.put(f"{place}/manifest", [statement], len(statement), "application/jose", MANIFEST_WITHIN)
        if status != 201:
            return status, answer
        return line.put(f"{place}/archive", pieces(), manifest.archive_size, "application/zip", ARCHIVE_WITHIN)


def _right(receipt: bytes, manifest: Manifest, receiver: Receiver) -> bool:
    try:
        return Taken.model_validate_json(verified(receiver.key, "habeas-receipt/1", receipt)).fits(manifest)
    except (NotSignedError, ValidationError):
        return False


def _pieces(store: Store, request_id: str, key: bytes, beat: Callable[[], None]) -> Iterator[bytes]:
    """The parcel as it is decrypted.

    Raises:
        ApplicationError: the store cannot be read.
    """
    name = parcel_name(request_id)
    try:
        with store.read(name) as source:
            file = unseal(source, key, name)
            while page := file.read(PAGE):
                beat()
                yield page
    except StoreError:
        raise ApplicationError(str(Code.STORE), type="Retryable") from None
