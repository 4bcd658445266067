"""What the provider's claims mean here: whose staff somebody is, which roles they have, whether by a second factor.

The one rule: a claim that says nothing that the settings name gives nothing. No name and no address of anybody goes
any further than this: in the ledger and in logs people are opaque ids.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rights.approvers import STAFF, gives_away
from rights.value import Value
from starter.access import PEOPLE_ONLY, Action, Role
from starter.groups import OidcSettings

SYSTEM: Final = "system-"
"""What the id of a system begins with in the ledger, and nobody else's."""
_STAFF: Final = re.compile(STAFF)


class Refused(Exception):
    """Somebody whom the provider knows is nobody here. `code` is for the log, the text for them."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Person(Value):
    """Somebody as the claims describe them."""

    staff: str
    roles: frozenset[Role]
    second_factor: bool
    seen_at: datetime | None
    """When the provider saw them; None: it does not say."""

    def strong(self, at: datetime, settings: OidcSettings) -> bool:
        """Whether a second factor counts at a moment: it has to be known when it was shown."""
        return self.second_factor and self.seen_at is not None and at - self.seen_at < settings.second_factor_for


def person_of(
    claims: Mapping[str, Any], settings: OidcSettings, tenant: str, keyed_id: Callable[[str, str], str]
) -> Person:
    """Who it is.

    Raises:
        Refused: they are not this tenant's, have no role, or no id that could stand in the ledger.
    """
    _see_tenant(claims, settings, tenant)
    roles = roles_of(claims, settings)
    if not roles:
        raise Refused("no_role", "you have no role here: whoever runs the provider can give you one")
    amr, acr, seen = claims.get("amr"), claims.get("acr"), claims.get("auth_time")
    return Person(
        staff=_staff(claims, settings, keyed_id),
        roles=roles,
        second_factor=bool(
            set(_texts(amr)) & set(settings.second_factor_amr)
            or (isinstance(acr, str) and acr in settings.second_factor_acr)
        ),
        seen_at=_moment(seen),
    )


def roles_of(claims: Mapping[str, Any], settings: OidcSettings) -> frozenset[Role]:
    """The roles that the claims give."""
    said = _texts(_inner(claims, settings.roles_claim))
    return frozenset(settings.roles[value] for value in said if value in settings.roles)


def system_of(claims: Mapping[str, Any], settings: OidcSettings, tenant: str) -> tuple[str, frozenset[Action]] | None:
    """Of a token of a client that is a system: what stands for it in the ledger, and what it may do; None: it is a
    person's.

    Raises:
        Refused: it is not this tenant's, or its name cannot stand in the ledger.
    """
    client = claims.get("client_id", claims.get("azp"))
    if not isinstance(client, str) or client not in settings.systems:
        return None
    _see_tenant(claims, settings, tenant)
    if not _STAFF.match(SYSTEM + client):
        raise Refused("client_id", "the name of this client cannot stand in the ledger: 2 to 32 of a-z, 0-9 and -")
    scope = claims.get("scope", claims.get("scp"))
    return SYSTEM + client, actions(scope.split() if isinstance(scope, str) else _texts(scope))


def see_client(claims: Mapping[str, Any], settings: OidcSettings) -> None:
    """See that a person's token was made for a client that may act for people, where the settings name such.

    Raises:
        Refused: it was not.
    """
    if settings.clients and claims.get("client_id", claims.get("azp")) not in settings.clients:
        raise Refused("client_id", "this client may not act for people here")


def actions(scopes: list[str] | tuple[str, ...]) -> frozenset[Action]:
    """The actions that scopes name; a name that this version does not have opens nothing, nor what people alone do."""
    return frozenset(one for one in Action if one.value in scopes) - PEOPLE_ONLY


def _see_tenant(claims: Mapping[str, Any], settings: OidcSettings, tenant: str) -> None:
    if not settings.tenant_claim:
        return
    said = _texts(_inner(claims, settings.tenant_claim))
    known = settings.tenants
    if tenant not in {known.get(value) if known else value for value in said}:
        raise Refused("other_tenant", "you are not of the staff of this address: sign in at your own")


def _staff(claims: Mapping[str, Any], settings: OidcSettings, keyed_id: Callable[[str, str], str]) -> str:
    if not settings.staff_claim:
        return keyed_id(str(claims["iss"]), str(claims["sub"]))
    said = _inner(claims, settings.staff_claim)
    # What a system is called is nobody's: else somebody could be taken for one.
    if not isinstance(said, str) or not _STAFF.match(said) or gives_away(said) or said.startswith(SYSTEM):
        raise Refused("staff_id", "the provider gives you no staff id: 2 to 40 of a-z, 0-9 and -, no name, no address")
    return said


def _inner(claims: Mapping[str, Any], path: str) -> Any:
    """A claim, or one inside of a claim; one that is itself called with a dot comes first."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _texts(value: Any) -> list[str]:
    """One text or several, as a claim has them."""
    several = value if isinstance(value, list) else [value]
    return [one for one in several if isinstance(one, str)]


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
