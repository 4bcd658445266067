"""Google Analytics 4: both user deletion endpoints, and the token endpoint of a service account.

The one rule: it takes every well-formed request and never says what came of it; only the back door
shows that an address which was not normalised as the vendor asks has deleted nobody.

An individual's report is empty 72 hours after the request; the data goes with the next run of the
two-monthly process (the first of each odd month here).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError

from starter.stack.vendors.clock import Clock, Limits, whole_seconds, zulu
from starter.stack.vendors.exchange import Answer, Ask, Operation, reply
from starter.stack.vendors.seeding import completed, token

PROPERTY: Final = "412345678"
PROJECT: Final = "made-up-shop"
ACCOUNT: Final = f"habeas@{PROJECT}.example"
EDIT: Final = "https://www.googleapis.com/auth/analytics.edit"
DELETION: Final = "https://www.googleapis.com/auth/analytics.user.deletion"
# The vendor's own library always names the first one, wherever it sends the request.
AUDIENCES: Final = ("https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token")
A_DAY: Final = 500
TOKEN_S: Final = 3600
QUOTA_ZONE: Final = "America/Los_Angeles"
_IDS: Final = ("userId", "clientId", "appInstanceId", "userProvidedData")
_TYPES: Final = {"USER_ID": "userId", "CLIENT_ID": "clientId", "APP_INSTANCE_ID": "appInstanceId"}


class Google:
    """The analytics property of the shop, and the account that may delete in it."""

    name = "google"

    def __init__(self, clock: Clock, base: str) -> None:
        self._clock, self._base = clock, base
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.load({"key": pem.decode(), "key_id": secrets.token_hex(8), "users": {}, "deletions": [], "tokens": {}})

    def load(self, state: dict[str, Any]) -> None:
        self.state = state
        self._limits = Limits(self._clock, state.setdefault("spent", {}))
        private = serialization.load_pem_private_key(state["key"].encode(), None)
        self._public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def service_account(self) -> dict[str, str]:
        """The key file of the service account, as Google's console gives it."""
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": self.state["key_id"],
            "private_key": self.state["key"],
            "client_email": ACCOUNT,
            "client_id": "1234567890",
            "token_uri": f"{self._base}/token",
        }

    def operations(self) -> Sequence[Operation]:
        return (
            Operation("token", "POST", "/token", self._token),
            Operation("delete", "POST", "/v1alpha/properties/{property}:submitUserDeletion", self._submit),
            Operation("upsert", "POST", "/analytics/v3/userDeletion/userDeletionRequests:upsert", self._upsert),
        )

    def admit(self, ask: Ask, operation: str) -> Answer | None:
        if operation == "token":
            return None
        held = self.state["tokens"].get(ask.bearer() or "")
        if held is None or held["until"] <= self._clock.now().timestamp():
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", "authError")
        if (EDIT if operation == "delete" else DELETION) not in held["scopes"]:
            return _error(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes.", "forbidden")
        return self._spend(operation, ask.params.get("property", PROPERTY))

    def unknown(self, ask: Ask) -> Answer:
        return _error(404, "NOT_FOUND", "Method not found.", "notFound")

    def settle(self) -> None:
        """Hide what is 72 hours old, and remove it at the next run."""
        now = self._clock.now()
        for request in self.state["deletions"]:
            if request["done"] or now < (asked := datetime.fromisoformat(request["at"])) + timedelta(hours=72):
                continue
            request["done"] = now >= _next_run(asked)
            for user in self.state["users"].values():
                if user.get(request["kind"]) == request["value"] and datetime.fromisoformat(user["since"]) <= asked:
                    user["hidden"] = True
                    if request["done"]:
                        user |= {"events": 0, "erased": True}

    def seed(self, people: Sequence[Mapping[str, Any]]) -> int:
        for person in map(completed, people):
            self.state["users"][person["id"]] = {
                "userId": person["id"],
                "clientId": person["client_id"],
                "appInstanceId": token("app", person["id"], 32),
                "userProvidedData": person["email"].lower(),
                "events": person["events"],
                "since": self._clock.now().isoformat(),
                "hidden": False,
                "erased": False,
            }
        return len(people)

    def _spend(self, operation: str, owner: str) -> Answer | None:
        wait = self._limits.wait_for_day(f"{operation} {PROJECT}", A_DAY, QUOTA_ZONE)
        if wait:
            return self._over(operation, "per day", "dailyLimitExceeded", None)
        # 1.5 a second, counted over two: three requests may come at once.
        wait = self._limits.wait(f"{operation} {owner}", 3, 2)
        return self._over(operation, "per second", "rateLimitExceeded", wait) if wait else None

    def _over(self, operation: str, span: str, reason: str, wait: float | None) -> Answer:
        text = f"Quota exceeded for quota metric 'User deletion requests' and limit 'Requests {span}'."
        headers = {"retry-after": whole_seconds(wait)} if wait else {}
        # The older API says 403 where the newer one says 429.
        if operation == "upsert":
            return _error(403, "PERMISSION_DENIED", text, reason, headers)
        return _error(429, "RESOURCE_EXHAUSTED", text, reason, headers)

    def _token(self, ask: Ask) -> Answer:
        given = dict(ask.form())
        if given.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return reply({"error": "unsupported_grant_type", "error_description": "Invalid grant_type."}, 400)
        try:
            assertion = given.get("assertion", "")
            audience = [*AUDIENCES, f"{self._base}/token"]
            claims = jwt.decode(assertion, self._public, audience=audience)  # type: ignore[no-untyped-call]
        except (ValueError, GoogleAuthError):
            return reply({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
        if claims["iss"] != ACCOUNT:
            return reply({"error": "invalid_grant", "error_description": "Invalid grant: account not found"}, 400)
        scopes = str(claims.get("scope", "")).split()
        if not scopes:
            return reply({"error": "invalid_scope", "error_description": "Empty or missing scope not allowed."}, 400)
        access = "ya29.fake-" + secrets.token_hex(20)
        until = self._clock.now().timestamp() + TOKEN_S
        self.state["tokens"][access] = {"scopes": scopes, "until": until}
        return reply({"access_token": access, "expires_in": TOKEN_S - 1, "token_type": "Bearer"})

    def _submit(self, ask: Ask) -> Answer:
        if ask.params["property"] != PROPERTY:
            return _error(403, "PERMISSION_DENIED", "The caller does not have permission", "forbidden")
        try:
            body = ask.json()
        except ValueError:
            return _error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.", "parseError")
        unknown = set(body) - set(_IDS)
        if unknown:
            text = f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.'
            return _error(400, "INVALID_ARGUMENT", text, "badRequest")
        given = {name: value for name, value in body.items() if value}
        if len(given) != 1 or not all(isinstance(value, str) for value in given.values()):
            return _error(400, "INVALID_ARGUMENT", "Exactly one user identifier must be set.", "badRequest")
        [(kind, value)] = given.items()
        return reply({"deletionRequestTime": self._record(kind, value)})

    def _upsert(self, ask: Ask) -> Answer:
        try:
            body = ask.json()
        except ValueError:
            return _error(400, "INVALID_ARGUMENT", "Parse Error", "parseError")
        owners = [name for name in ("propertyId", "webPropertyId", "firebaseProjectId") if body.get(name)]
        one = body.get("id") or {}
        kind = _TYPES.get(one.get("type", ""))
        if len(owners) != 1 or kind is None or not one.get("userId"):
            return _error(400, "INVALID_ARGUMENT", "Invalid user deletion request.", "invalid")
        if body[owners[0]] != PROPERTY:
            text = "User does not have sufficient permissions for this property."
            return _error(403, "PERMISSION_DENIED", text, "insufficientPermissions")
        known = {"kind": "analytics#userDeletionRequest", "id": {"type": one["type"], "userId": one["userId"]}}
        at = self._record(kind, one["userId"])
        return reply({**known, owners[0]: body[owners[0]], "deletionRequestTime": at})

    def _record(self, kind: str, value: str) -> str:
        now = self._clock.now()
        self.state["deletions"].append({"kind": kind, "value": value, "at": now.isoformat(), "done": False})
        return zulu(now)


def _next_run(asked: datetime) -> datetime:
    """The next first of January, March, May, ... that leaves the 72 hours."""
    due = (asked + timedelta(hours=72)).replace(hour=0, minute=0, second=0, microsecond=0)
    while not (due.day == 1 and due.month % 2):
        due += timedelta(days=1)
    return due + timedelta(days=1)


def _error(code: int, status: str, text: str, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    one = {"message": text, "domain": "global", "reason": reason}
    return reply({"error": {"code": code, "message": text, "errors": [one], "status": status}}, code, headers=headers)
