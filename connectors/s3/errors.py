"""What the store says, as the errors of the contract: the one place that reads its error codes.

The one rule: the store's own text goes no further, since it may quote a key that is named after somebody. What goes on
is a code, and the name of the system or of the credential.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ResponseStreamingError,
    SSLError,
)

from connectors.errors import ConnectorError, NeedsHuman, Retryable, Unsupported
from rights.codes import Code

DRIVER: Final = (BotoCoreError, ClientError, OSError, ValueError)
"""All that boto3 and the libraries under it raise about a store and its answers."""

_BUSY: Final = frozenset(
    {
        *("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "RequestTimeoutException"),
        *("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "BandwidthLimitExceeded"),
        *("OperationAborted", "ConditionalRequestConflict", "PreconditionFailed", "412", "429"),
    }
)
_CREDENTIALS: Final = frozenset(
    {
        *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidToken"),
        *("TokenRefreshRequired", "InvalidSecurity", "NotSignedUp", "AccountProblem", "RequestTimeTooSkewed", "401"),
        *("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"),
    }
)
_RIGHTS: Final = frozenset({"AccessDenied", "AllAccessDisabled", "UnauthorizedAccess", "MethodNotAllowed", "403"})
_SCHEMA: Final = frozenset(
    {
        *("NoSuchBucket", "PermanentRedirect", "301", "AuthorizationHeaderMalformed", "InvalidBucketName"),
        *("IllegalLocationConstraintException", "InvalidRegionName"),
    }
)
_WORD: Final = re.compile(r"[A-Za-z0-9.]{1,60}")
_SERVER_ERROR: Final = 500


def code_of(error: BaseException) -> str:
    """The store's own word for an error; empty if it said none."""
    answer: Mapping[str, Any] = getattr(error, "response", {}) if isinstance(error, ClientError) else {}
    return str(answer.get("Error", {}).get("Code", ""))


def explain(error: BaseException, system: str, credential: str) -> ConnectorError:
    """The contract's error for a driver's. `credential` is the map's name of the secret that was used."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return explain_code(code_of(error), system, credential, status)
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return NeedsHuman(Code.CREDENTIALS, credential)
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NeedsHuman(Code.CREDENTIALS, system)
    if isinstance(error, IncompleteReadError | FlexibleChecksumError):
        return Retryable(Code.BUSY, system)
    if isinstance(error, HTTPClientError | ResponseStreamingError | OSError):
        return Retryable(Code.UNREACHABLE, system)
    return NeedsHuman(Code.INTERNAL, type(error).__name__)


def explain_code(code: str, system: str, credential: str, status: int = 0) -> ConnectorError:
    """The contract's error for a word that the store said, in an answer or of one key among many."""
    if code in _CREDENTIALS:
        return NeedsHuman(Code.CREDENTIALS, credential)
    if code in _RIGHTS or code.startswith("KMS."):
        return NeedsHuman(Code.RIGHTS, credential)
    if code in _SCHEMA:
        return NeedsHuman(Code.SCHEMA, system)
    if code in {"InvalidObjectState", "RestoreAlreadyInProgress"}:
        return NeedsHuman(Code.ARCHIVED, system)
    if code == "NotImplemented":
        return Unsupported(Code.UNSUPPORTED, system)
    if code in _BUSY or status >= _SERVER_ERROR or (code.isdigit() and int(code) >= _SERVER_ERROR):
        return Retryable(Code.BUSY, system)
    return NeedsHuman(Code.INTERNAL, code if _WORD.fullmatch(code) else system)
