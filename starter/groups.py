"""The groups of settings: `[mail]`, `[evidence]`, `[api]`, `[handoff]` and `[oidc]` of `habeas.toml`,
and the kinds of value that a setting may have.

The one rule: a group is a value; it reads nothing, and secrets stand in it by reference.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rights.regimes import SHIPPED, regime
from starter.access import Role

FILE = "habeas.toml"
"""Looked for in the working directory; `habeas init` writes one."""

Reference = Annotated[str, Field(pattern=r"^(env|file|kms):.+")]
"""Where a secret or key is found: env:NAME, file:/path or, for keys, kms:ALIAS_PREFIX."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("write a time zone by name, such as Europe/Berlin") from None
    return name


def _regime(name: str) -> str:
    if name not in SHIPPED or not regime(name).enabled:
        raise ValueError("write a regime that habeas deadline --list shows as enabled, such as eu-gdpr")
    return name


ZoneName = Annotated[str, AfterValidator(_zone)]
"""A time zone, by its name."""

RegimeName = Annotated[str, AfterValidator(_regime)]
"""A law that the clock can follow, by its name."""


class MailSettings(BaseModel):
    """The group `[mail]`: by it letters are sent; without it they are people's tasks."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(description="The mail server that letters are handed in at.", examples=["smtp.example.com"])
    port: int = Field(
        default=587, ge=1, le=65535, description="Its port for submission, with STARTTLS.", examples=[587]
    )
    user: Reference | None = Field(
        default=None, description="The login's name, by reference.", examples=["env:MAIL_USER"]
    )
    password: Reference | None = Field(
        default=None, description="The login's password, by reference.", examples=["env:MAIL_PASSWORD"]
    )
    sender: str = Field(
        pattern=r"^[^\s<>@]+@[^\s<>@]+$",
        description="The address that letters come from, and that people answer to.",
        examples=["privacy@example.com"],
    )
    name: str = Field(default="", description="The name beside it.", examples=["Example privacy team"])
    returns: str = Field(
        default="",
        pattern=r"^$|^[^\s<>@]+@[^\s<>@]+$",
        description="The address that delivery reports go to; the sender's unless set.",
        examples=["bounces@example.com"],
    )
    mailbox: Reference | None = Field(
        default=None,
        description="The IMAP address of the mailbox in which delivery reports arrive, by reference.",
        examples=["env:MAIL_REPORTS_URL"],
    )
    folder: str = Field(default="INBOX", description="The folder they arrive in.", examples=["INBOX"])
    copies: str = Field(
        default="",
        description="The folder of that mailbox which holds a copy of each mail sent; it proves what went out.",
        examples=["Sent"],
    )
    copy_to: str = Field(
        default="",
        pattern=r"^$|^[^\s<>@]+@[^\s<>@]+$",
        description="An address of yours that gets each mail too, unseen, where the server keeps no copies.",
        examples=["copies@example.com"],
    )
    per_minute: int = Field(default=600, ge=1, description="Mails handed over in a minute, at most.", examples=[600])
    read_every: timedelta = Field(
        default=timedelta(minutes=5),
        ge=timedelta(seconds=1),
        description="How often the mailbox is read, ISO 8601.",
        examples=["PT5M"],
    )
    patience: timedelta = Field(
        default=timedelta(minutes=15),
        ge=timedelta(seconds=1),
        description="How long the copy of a mail is looked for whose sending was cut off, before a person is asked.",
        examples=["PT15M"],
    )
    ca_file: str = Field(default="", description="A certificate authority of yours, PEM.", examples=["/etc/ssl/ca.pem"])
    plaintext: bool = Field(
        default=False, description="No TLS, to servers on this machine alone (development).", examples=[False]
    )


class EvidenceSettings(BaseModel):
    """The group `[evidence]`: who timestamps the journal, and the keys that signed before the present one."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    retired_keys: tuple[Path, ...] = Field(
        default=(),
        description="Files with the public keys (PEM) that have signed checkpoints and evidence before checkpoint_key.",
        examples=[["checkpoint-2026.pub.pem"]],
    )
    tsa: str = Field(
        default="",
        pattern=r"^$|^https?://[^\s@]+$",
        description="The address of a time-stamping authority (RFC 3161); it is sent a hash and nothing else.",
        examples=["http://timestamp.example.com"],
    )
    tsa_roots: Path | None = Field(
        default=None,
        description="A file with the certificates (PEM) that the authority is believed by.",
        examples=["tsa-root.pem"],
    )

    @model_validator(mode="after")
    def _believed(self) -> Self:
        if self.tsa and self.tsa_roots is None:
            raise ValueError("tsa needs tsa_roots: the file of certificates that the authority is believed by")
        return self


class ApiSettings(BaseModel):
    """The group `[api]`: the HTTP API for systems and people (`habeas api`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(
        pattern=r"^https?://[^\s/@]+$",
        description="The address that others reach it by, as they write it; without a path.",
        examples=["https://habeas.example.com"],
    )
    host: str = Field(default="127.0.0.1", description="The address it listens on.", examples=["127.0.0.1"])
    port: int = Field(
        default=8080, ge=0, le=65535, description="The port it listens on; 0: a free one.", examples=[8080]
    )
    certificate: Path | None = Field(
        default=None,
        description="Its certificate (PEM); unset: it speaks in the clear, for a proxy beside it.",
        examples=["/etc/habeas/tls.pem"],
    )
    key: Reference | None = Field(
        default=None, description="The certificate's key (PEM), by reference.", examples=["file:/etc/habeas/tls.key"]
    )

    behind_proxy: bool = Field(
        default=False,
        description="A proxy beside it speaks TLS, so it may listen in the clear on an address of the network.",
        examples=[True],
    )
    proxies: int = Field(
        default=1,
        ge=1,
        le=9,
        description="Where it is behind a proxy: how many there are in a row, each of which says in X-Forwarded-For "
        "whom it heard.",
        examples=[1],
    )
    per_minute: int = Field(
        default=6_000,
        ge=1,
        description="Calls that one caller may make in a minute; a sixth of that at once.",
        examples=[6000],
    )
    at_once: int = Field(
        default=8,
        ge=1,
        le=100,
        description="Calls that are worked on at once; also the size of its ledger pool.",
        examples=[8],
    )

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: name both, or neither")
        return self


_TELLING: Final = frozenset(
    {
        *(
            "email",
            "phone_number",
            "name",
            "given_name",
            "family_name",
            "middle_name",
            "nickname",
            "preferred_username",
        ),
        *("profile", "picture", "website", "birthdate", "address"),
        *("upn", "unique_name", "mail"),
    }
)
"""Claims that are no opaque ids: the standard ones of a person (OpenID Connect Core 1.0, section 5.1), and those that
directories add. What `sub` is differs: where it is an address nobody is let in by it."""


class OidcSettings(BaseModel):
    """The group `[oidc]`: the OpenID provider that signs people in, and what its claims mean here."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: str = Field(
        pattern=r"^https?://[^\s@?#]+$",
        description="The provider's issuer, under which its discovery document is found.",
        examples=["https://id.example.com"],
    )
    client_id: str = Field(min_length=1, description="What the provider calls us.", examples=["habeas"])
    client_secret: Reference | None = Field(
        default=None, description="Our secret there, by reference; unset: PKCE alone.", examples=["env:OIDC_SECRET"]
    )
    scopes: tuple[str, ...] = Field(
        default=("openid",), description="What is asked for when somebody signs in.", examples=[["openid", "roles"]]
    )
    audience: str = Field(
        default="",
        description="The audience of access tokens for this API; api.url unless set. Never the client_id.",
        examples=["https://habeas.example.com"],
    )
    systems: tuple[str, ...] = Field(
        default=(),
        description="Clients of the provider that are systems: their tokens have scopes and no roles.",
        examples=[["web-shop"]],
    )
    clients: tuple[str, ...] = Field(
        default=(),
        description="Clients of the provider by whose access tokens people may act; unset: any that has one for us.",
        examples=[["privacy-desk"]],
    )
    roles_claim: str = Field(
        default="roles",
        description="The claim that holds a person's roles; a dot goes into a claim.",
        examples=["realm_access.roles"],
    )
    roles: dict[str, Role] = Field(
        default={role.value: role for role in Role},
        description="Which value of it is which role.",
        examples=[{"privacy-agents": "agent"}],
    )
    staff_claim: str = Field(
        default="",
        description="The claim that holds an opaque staff id; unset: one is made of issuer and subject, keyed.",
        examples=["staff_id"],
    )
    tenant_claim: str = Field(
        default="",
        description="The claim that says whose staff somebody is; unset: the provider has this tenant's staff alone.",
        examples=["org"],
    )
    tenants: dict[str, str] = Field(
        default={},
        description="Which value of it is which tenant, and no other value is one; unset: it is the tenant's own name.",
        examples=[{"Example Ltd": "main"}],
    )
    second_factor_amr: tuple[str, ...] = Field(
        default=("mfa",),
        description="Values of amr, of which any means that a second factor was used.",
        examples=[["mfa", "hwk"]],
    )
    second_factor_acr: tuple[str, ...] = Field(
        default=(),
        description="Values of acr that mean the same; the provider is asked for them where a second factor is needed.",
        examples=[["urn:example:gold"]],
    )
    second_factor_for: timedelta = Field(
        default=timedelta(hours=1),
        ge=timedelta(minutes=1),
        description="How long a second factor counts; after that the person signs in anew to do what needs one.",
        examples=["PT1H"],
    )
    session_for: timedelta = Field(
        default=timedelta(hours=8),
        ge=timedelta(minutes=1),
        le=timedelta(days=1),
        description="How long a session lasts at most.",
        examples=["PT8H"],
    )
    idle_for: timedelta = Field(
        default=timedelta(minutes=30),
        ge=timedelta(minutes=2),
        description="After how long of nothing a session is over.",
        examples=["PT30M"],
    )

    @model_validator(mode="after")
    def _opaque(self) -> Self:
        if self.staff_claim.rpartition(".")[2] in _TELLING:
            raise ValueError(
                "staff_claim names a claim that tells who somebody is, and it would stand in the journal for ever: "
                "name one with a staff number, or leave it out, so that one is made of issuer and subject"
            )
        return self

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.audience == self.client_id:
            raise ValueError("audience must not be the client_id: an ID token would be taken for an access token")
        return self

    @model_validator(mode="after")
    def _sealed_way(self) -> Self:
        """Whoever can write between us and the provider would say who is signed in."""
        host = urlsplit(self.issuer).hostname or ""
        here = host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")
        if not self.issuer.startswith("https:") and not here:
            raise ValueError("issuer begins with https: without TLS only a provider of this very machine is believed")
        return self


class HandoffSettings(BaseModel):
    """The group `[handoff]`: people who are signed in at the company's own site ask from there."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: str = Field(
        min_length=1,
        max_length=200,
        description="Who signs hand-offs: what stands in their iss.",
        examples=["https://shop.example.com"],
    )
    keys: Path = Field(
        description="The issuer's public keys, a JSON Web Key Set (RFC 7517) with nothing secret in it.",
        examples=["handoff-keys.json"],
    )
    second_factor: tuple[str, ...] = Field(
        default=("mfa", "otp", "hwk", "swk", "fpt", "face", "sc"),
        description="Words in a hand-off's amr (RFC 8176) that say that a second factor was shown.",
        examples=[["mfa"]],
    )


class WebhookSettings(BaseModel):
    """A group `[webhooks.NAME]`: whom to tell what happens to requests (docs/webhooks.md)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(
        pattern=r"^https?://[^\s@]+$",
        description="Where each event is posted; https, or http to an address listed as private.",
        examples=["https://crm.example.com/hooks/habeas"],
    )
    secret: Reference = Field(
        description="The secret that events are signed with, by reference; habeas webhook secret makes one.",
        examples=["env:HABEAS_CRM_SECRET"],
    )
    old_secret: Reference | None = Field(
        default=None,
        description="The secret before it: events are signed with both until the receiver knows the new one.",
        examples=["env:HABEAS_CRM_OLD_SECRET"],
    )
    events: tuple[str, ...] = Field(
        default=(), description="The types of events it hears of; unset: all.", examples=[["request.closed"]]
    )
    private: tuple[str, ...] = Field(
        default=(),
        description="Addresses of your own network that it may lead to; any other one has to be public.",
        examples=[["10.0.0.7"]],
    )
    ca_file: str = Field(default="", description="A certificate authority of yours, PEM.", examples=["/etc/ssl/ca.pem"])
