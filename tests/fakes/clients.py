"""What a vendor's customer has to do before the first call."""

from __future__ import annotations

import hashlib
from typing import Any

import google.auth.transport.requests
from google.oauth2 import service_account

from starter.stack import Vendors

EDIT = "https://www.googleapis.com/auth/analytics.edit"
DELETION = "https://www.googleapis.com/auth/analytics.user.deletion"


def google_token(vendors: Vendors, *scopes: str, key: dict[str, Any] | None = None) -> str:
    """An access token, by the vendor's own library."""
    info = key or vendors.credentials()["google"]["service_account"]
    account: Any = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
        info, scopes=list(scopes) or [EDIT, DELETION]
    )
    account.refresh(google.auth.transport.requests.Request())
    return str(account.token)


def member(email: str) -> str:
    """Mailchimp's name for a member."""
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()
