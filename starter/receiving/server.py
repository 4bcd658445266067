"""What the endpoint answers: two paths, PUT.

PUT /<id>/manifest   the signed manifest: 201, or 200 with the receipt if its archive was taken in before
PUT /<id>/archive    the archive: 200 with the signed receipt
"""

import re
import ssl
from contextlib import AbstractContextManager
from io import BufferedReader
from pathlib import Path
from typing import Final

from rights.transfer import MANIFEST_MOST
from starter.endpoint import SILENCE_S, Handler, secure, serving
from starter.receiving.intake import Intake, RefusedError

_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._-]{1,60}){0,4}/([0-9a-f]{32})/(manifest|archive)\Z")
SLOWEST: Final = 64 * 1024
"""Bytes a second that an archive has to come at, or it is broken off."""


class _Handler(Handler):
    rfile: BufferedReader

    def do_PUT(self) -> None:
        """Take a manifest or an archive."""
        found = _PATH.match(self.path)
        length = self.headers.get("content-length", "")
        if found is None:
            return self._say(404, "there is nothing here")
        if not re.fullmatch(r"[0-9]{1,15}", length) or self.headers.get("transfer-encoding"):
            return self._say(411, "say the length of what is put")
        try:
            status, answer = self._taken(found[1], found[2], int(length))
        except RefusedError as error:
            self.server.log.warning("transfer_refused", transfer=found[1], status=error.status)
            return self._say(error.status, error.text)
        except (TimeoutError, ConnectionError, ssl.SSLError):
            self.close_connection = True
            self.server.log.warning("transfer_broke_off", transfer=found[1])
            return None
        self.server.log.info("transfer", transfer=found[1], what=found[2], status=status)
        return self._say(status, answer)

    def _taken(self, transfer: str, what: str, length: int) -> tuple[int, bytes | str]:
        intake: Intake = self.server.serves
        if what == "archive":
            self.wait(SILENCE_S + length / SLOWEST)
            return 200, intake.take(transfer, self.rfile, length)
        if length > MANIFEST_MOST:
            raise RefusedError(413, "the manifest is larger than any should be")
        receipt = intake.announce(transfer, self.rfile.read(length))
        return (200, receipt) if receipt else (201, "announced")

    def _say(self, status: int, text: bytes | str) -> None:
        if isinstance(text, bytes):
            self.say(status, text, "application/jose")
        else:
            self.say(status, text.encode(), "text/plain")


def serve(intake: Intake, certificate: Path, key_pem: str, host: str, port: int) -> AbstractContextManager[int]:
    """Serve until the context is left; gives the port.

    Raises:
        OSError: the port or the certificate cannot be used.
    """
    return serving(_Handler, intake, host, port, secure(certificate, key_pem))
