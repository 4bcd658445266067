"""A bucket as a connector: locate, export, erase, verify, restrict, lift, rectify.

The one rule: every act looks for itself first. What is erased, restricted or given is what this look has found.
"""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from connectors.corrections import require
from connectors.errors import Held, NeedsHuman, Unsupported
from connectors.protocol import Call, Export, Look, Pending, Restricted
from connectors.s3 import restriction
from connectors.s3.erasure import Erasure
from connectors.s3.export import Exporting
from connectors.s3.look import Search
from connectors.s3.rectification import Rectification
from connectors.s3.session import Credentials, Session, connect
from connectors.s3.settings import Settings
from rights.codes import Code
from rights.datamap import System
from rights.receipt import Tally

MARK: Final = "habeas-environment"
"""The bucket's tag that says whose environment it belongs to; only such a one is ever changed."""


class Bucket:
    """One bucket. `reader` serves looks and exports, `writer` everything that changes, and the look that proves it."""

    def __init__(self, system: System, settings: Settings, reader: Credentials, writer: Credentials | None) -> None:
        self.system, self.settings, self.reader, self.writer = system, settings, reader, writer
        self._clients: dict[tuple[str, bool], Any] = {}
        self._lock = threading.Lock()

    @property
    def longest(self) -> timedelta:
        """How long after entering a fence a call can still take effect."""
        return self.settings.longest

    def locate(self, call: Call) -> Look:
        """Count the person's versions, markers and unfinished uploads. Changes nothing."""
        return Search(call, self.settings, self._looking(call)).survey().look

    def verify(self, call: Call) -> Look:
        """Look again, at every key that is the person's by identities or that was found by the manifest.

        Raises:
            Held: all that is left is under the bucket's own legal hold.
        """
        survey = Search(call, self.settings, self._session(call, self.writer or self.reader)).survey()
        if survey.held and not survey.going and not survey.doubtful:
            raise Held(Code.LEGAL_HOLD, self.settings.collection, tally=survey.tally)
        return survey.look

    def export(self, call: Call) -> Iterator[Export] | Pending:
        """Give a table of all rows, and each version as a file; `Pending` while archived ones are restored."""
        return Exporting(call, self.settings, self._looking(call)).start()

    def erase(self, call: Call) -> Tally:
        """Delete every version and marker by its id and abort unfinished uploads, in batches behind the fence."""
        session = self._writing(call)
        if session.versioning().get("MFADelete") == "Enabled":
            raise NeedsHuman(Code.MFA_DELETE, self.system.system)
        return Erasure(call, self.settings, session).run()

    def restrict(self, call: Call) -> Restricted:
        """Tag the person's versions, so that the bucket's policy denies them to everybody but the engine."""
        if not self.settings.restricted_tag:
            raise Unsupported(Code.UNSUPPORTED, self.system.system)
        return restriction.restrict(call, self.settings, self._writing(call))

    def lift(self, call: Call) -> Tally:
        """Take this request's tag away again; other tags, and other requests, keep theirs."""
        if not (call.restricted.get("tag") or self.settings.restricted_tag):
            raise Unsupported(Code.UNSUPPORTED, self.system.system)
        return restriction.lift(call, self.settings, self._writing(call))

    def rectify(self, call: Call) -> Tally:
        """Write what corrections say into the files, metadata and tags that the map names, and look again."""
        require(self.system, call.corrections)
        return Rectification(call, self.settings, self._writing(call)).run()

    def probe(self, call: Call) -> None:
        """Ask the bucket what a look asks first, as the reader, and for its mark, as the writer: what docs/s3.md grants
        to each, and nothing else."""
        session = self._looking(call)
        session.locks()
        next(session.rows(MARK, exact=True), None)  # one key that is hardly there: of a large bucket one short page
        self.mark(call)

    def mark(self, call: Call) -> str:
        """The bucket's tag for it, as the one sees it who erases."""
        return self._session(call, self.writer or self.reader).bucket_tags().get(MARK, "")

    def _looking(self, call: Call) -> Session:
        return self._session(call, self.reader)

    def _writing(self, call: Call) -> Session:
        """A session that may change this bucket."""
        if self.writer is None:
            raise NeedsHuman(Code.NO_WRITER, self.system.system)
        session = self._session(call, self.writer, writes=True)
        if not call.environment or session.bucket_tags().get(MARK, "") != call.environment:
            raise NeedsHuman(Code.ENVIRONMENT, self.system.system)
        return session

    def _session(self, call: Call, credentials: Credentials, *, writes: bool = False) -> Session:
        call.beat()
        with self._lock:
            key = (credentials.name, writes)
            if key not in self._clients:
                self._clients[key] = connect(self.settings, credentials, writes=writes)
            return Session(self._clients[key], self.settings, credentials.name, self.system.system)
