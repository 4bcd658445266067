"""What the server says, as the errors of the contract: the one place that reads response codes.

The one rule: a server's own text goes no further, since it may quote an address or a folder that is named after
somebody. What goes on is a code, and the system's name.
"""

import re
import ssl
from collections.abc import Mapping
from typing import Final

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, IMAPClientReadOnlyError, LoginError

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from rights.codes import Code

DRIVER: Final = (IMAPClientError, OSError, ValueError)
"""All that imapclient and the libraries under it raise about a server and its answers."""

_RESPONSE_CODE: Final = re.compile(r"\[([A-Z]+(?:-[A-Z]+)*)[ \]]")
"""RFC 3501, 5530 and 4314 name them; what stands outside the brackets is for people, in any language."""
_RETRYABLE: Final[Mapping[str, Code]] = {
    "UNAVAILABLE": Code.UNREACHABLE,
    **dict.fromkeys(("INUSE", "LIMIT", "SERVERBUG", "EXPUNGEISSUED"), Code.BUSY),
}
_HUMAN: Final[Mapping[str, Code]] = {
    **dict.fromkeys(
        ("AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN"),
        Code.CREDENTIALS,
    ),
    **dict.fromkeys(("NOPERM", "READ-ONLY", "CANNOT"), Code.RIGHTS),
    "OVERQUOTA": Code.QUOTA,
}
_TOLD: Final = frozenset(
    {
        *("ALERT", "ALREADYEXISTS", "BADCHARSET", "BADURL", "CLIENTBUG", "CORRUPTION", "EXPUNGED"),
        *("HASCHILDREN", "NONEXISTENT", "NOTSAVED", "PARSE", "TOOBIG", "TRYCREATE", "UNKNOWN-CTE"),
    }
)
"""Words that a person is told of who looks into it. Others in brackets may be a folder's name, and that somebody's."""


def response_code(error: BaseException) -> str:
    """The word in brackets by which a server says what it means; empty if there is none."""
    found = _RESPONSE_CODE.search(str(error))
    return found[1] if found else ""


def explain(error: BaseException, system: str) -> ConnectorError:
    """The contract's error for a driver's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return NeedsHuman(Code.CREDENTIALS, system)
    if isinstance(error, IMAPClientReadOnlyError):
        return NeedsHuman(Code.RIGHTS, system)
    word = response_code(error)
    if word in _RETRYABLE:
        return Retryable(_RETRYABLE[word], system)
    if word in _HUMAN:
        return NeedsHuman(_HUMAN[word], system)
    if isinstance(error, LoginError):
        return NeedsHuman(Code.CREDENTIALS, system)
    if isinstance(error, OSError | IMAPClientAbortError):
        return Retryable(Code.UNREACHABLE, system)
    return NeedsHuman(Code.INTERNAL, word if word in _TOLD else type(error).__name__)
