"""Every setting of a deployment, typed, from `habeas.toml`, the environment (HABEAS_...) and `.env`.

The one rule: no other module reads the environment, except for secrets named by reference.
"""

from datetime import date, timedelta
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as UnreadableSetting

from rights.approvers import Approvers
from rights.cooling import LONGEST_HOURS
from rights.letters import Office
from starter.groups import (
    FILE,
    ApiSettings,
    EvidenceSettings,
    HandoffSettings,
    MailSettings,
    OidcSettings,
    Reference,
    RegimeName,
    WebhookSettings,
    ZoneName,
)
from starter.settingwords import why_not


class WorkerVersion(NamedTuple):
    """A version of workers, as Temporal knows it."""

    deployment: str
    build_id: str


class Settings(BaseSettings):
    """All knobs. The description of each is its help text; the example is what `habeas config check` shows."""

    model_config = SettingsConfigDict(
        env_prefix="HABEAS_", env_nested_delimiter="__", env_file=".env", extra="ignore", toml_file=FILE, frozen=True
    )

    tenant: str = Field(
        default="main",
        pattern=r"^[a-z][a-z0-9-]{0,30}$",
        description="Whose requests these are; part of every key in the ledger.",
        examples=["main"],
    )
    environment: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,30}$",
        description="Which environment this worker belongs to; an erasure refuses a system marked otherwise.",
        examples=["production"],
    )
    ledger: Reference = Field(
        description="The ledger's PostgreSQL address, by reference.",
        examples=["env:HABEAS_LEDGER_URL"],
    )
    keys: Reference = Field(
        description="Where key-encryption keys live: file:DIRECTORY, env:NAME or kms:ALIAS_PREFIX.",
        examples=["file:/var/lib/habeas/keys"],
    )
    checkpoints: Path = Field(
        description="A file outside the ledger for signed checkpoints of its chain.",
        examples=["/var/lib/habeas/checkpoints.jsonl"],
    )
    checkpoint_key: Reference = Field(
        description="The Ed25519 key that signs checkpoints (PEM), by reference.",
        examples=["file:/var/lib/habeas/checkpoint.pem"],
    )
    parcels: Path = Field(description="The directory that holds sealed parcels.", examples=["/var/lib/habeas/parcels"])
    maps: tuple[Path, ...] = Field(
        description="The data-map files, one per system; a directory stands for its *.yaml.",
        examples=[["maps"]],
    )
    recipients: Path | None = Field(
        default=None,
        description="The register of recipients: to whom data is given, on which basis; docs/recipients.md.",
        examples=["recipients.yaml"],
    )
    law: Path | None = Field(
        default=None,
        description="A file of coded grounds of laws that do not ship, read by your counsel; docs/decisions.md.",
        examples=["law.yaml"],
    )
    backup_max_age_days: int = Field(
        ge=0,
        description="After how many days the last ledger backup that holds a destroyed key is gone.",
        examples=[35],
    )
    backups: Path | None = Field(
        default=None,
        description="The directory in which the ledger's backups lie, one entry each, for habeas doctor to look at.",
        examples=["/var/backups/habeas"],
    )
    backup_every: Annotated[timedelta, Field(ge=timedelta(minutes=1))] = Field(
        default=timedelta(days=1),
        description="How often such a backup is made, ISO 8601; doctor complains after twice that.",
        examples=["P1D"],
    )
    regime: RegimeName = Field(
        default="eu-gdpr",
        description="The law the clock follows: one that habeas deadline --list shows as enabled.",
        examples=["eu-gdpr"],
    )
    zone: ZoneName = Field(
        default="Europe/Berlin",
        description="The controller's time zone; days of a deadline are its days.",
        examples=["Europe/Berlin"],
    )
    holidays: tuple[date, ...] = Field(
        default=(),
        description="Public holidays at the controller's seat; a term does not end on one.",
        examples=[["2026-12-25"]],
    )
    letters: Office | None = Field(
        default=None,
        description="Who writes to people: the group [letters] (docs/letters.md).",
        examples=[{"controller": "Example Ltd", "dpo": "dpo@example.com"}],
    )
    calling_code: str = Field(
        default="",
        pattern=r"^(\+[1-9][0-9]{0,3})?$",
        description="By which a phone number without a country is completed, on the suppression list and for holds.",
        examples=["+49"],
    )
    temporal_address: str = Field(
        default="127.0.0.1:7233", description="Temporal's address.", examples=["127.0.0.1:7233"]
    )
    temporal_namespace: str = Field(default="default", description="Temporal's namespace.", examples=["default"])
    temporal_tls: bool = Field(default=False, description="Whether to speak TLS to Temporal.", examples=[True])
    temporal_ca: Path | None = Field(
        default=None,
        description="The authority's certificates (PEM) that Temporal's is believed by; unset: the machine's own.",
        examples=["/etc/habeas/temporal-ca.pem"],
    )
    temporal_certificate: Path | None = Field(
        default=None,
        description="Our certificate (PEM), where Temporal asks for one.",
        examples=["/etc/habeas/temporal.pem"],
    )
    temporal_key: Reference | None = Field(
        default=None,
        description="The key of temporal_certificate (PEM), by reference.",
        examples=["file:/etc/habeas/temporal.key"],
    )
    temporal_server_name: str | None = Field(
        default=None,
        description="The name in Temporal's certificate, if it is reached by another.",
        examples=["temporal.internal.example"],
    )
    temporal_api_key: Reference | None = Field(
        default=None,
        description="Temporal's API key, by reference.",
        examples=["env:TEMPORAL_API_KEY"],
    )
    temporal_ui: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s?#@]+$",
        description="The Temporal Web UI's address, for links.",
        examples=["http://127.0.0.1:8233"],
    )
    task_queue: str = Field(default="habeas", description="The task queue of this region.", examples=["habeas"])
    build_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        description="Which version of the workers this is, where Temporal is told which one serves; unset: any does.",
        examples=["2026-11-27-4f1c2ab"],
    )
    deployment: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_/-]{0,127}$",
        description="What Temporal calls these workers, where build_id is set; unset: as the task queue.",
        examples=["habeas"],
    )
    drain_seconds: int = Field(
        default=30,
        ge=0,
        description="How long a stopping worker lets its activities finish; less than what the platform grants.",
        examples=[30],
    )
    slots: int = Field(
        default=20,
        ge=1,
        description="Activities a worker runs at once; also the size of its ledger pool.",
        examples=[20],
    )
    health_port: int | None = Field(
        default=None,
        description="Port of /livez, /readyz and /metrics on health_host.",
        examples=[9464],
    )
    health_host: str = Field(default="127.0.0.1", description="Address of the health port.", examples=["127.0.0.1"])
    working_days: int = Field(
        default=30,
        ge=0,
        description="Days after closing until identities and anchors are destroyed.",
        examples=[30],
    )
    file_days: int = Field(
        default=1095,
        ge=0,
        description="Days after closing until the request file is destroyed.",
        examples=[1095],
    )
    parcel_days: int = Field(
        default=14,
        ge=0,
        description="Days after closing until the parcel is destroyed.",
        examples=[14],
    )
    disputed_days: int = Field(
        default=180,
        ge=0,
        description="Days after closing until old and new values of what was rectified are destroyed.",
        examples=[180],
    )
    relook_days: int = Field(
        default=7,
        ge=0,
        description="Days after closing until every system that was looked at again is looked at once more.",
        examples=[7],
    )
    cooling_off_hours: int = Field(
        default=72,
        ge=0,
        le=LONGEST_HOURS,
        description="Hours that an erasure waits, inside its term, in which the person can stop it; "
        "0 where the asker has signed in with a second factor, whatever stands here.",
        examples=[72],
    )
    approvers: Approvers | None = Field(
        default=None,
        description="Who approves decisions, by opaque staff id: counsel, delegate and dpo, each with a substitute.",
        examples=[{"counsel": {"holder": "s-17", "substitute": "s-23"}, "dpo": {"holder": "s-04"}}],
    )
    receivers: Path | None = Field(
        default=None,
        description="The file of controllers that data may be sent to (portability); unset: it goes to persons alone.",
        examples=["receivers.yaml"],
    )
    restriction_review_days: int = Field(
        default=90,
        ge=1,
        description="Days until somebody has to look whether a restriction is still needed.",
        examples=[90],
    )
    four_eyes: bool = Field(
        default=True,
        description="Whether whoever opened a request, or vouched for who asks, is refused as the one who approves "
        "what is to be erased.",
        examples=[True],
    )
    rest_review_days: int = Field(
        default=365,
        ge=1,
        description="Days until somebody is asked whether what an erasure has kept without an end must still be kept.",
        examples=[365],
    )
    restriction_notice_days: int = Field(
        default=7,
        ge=0,
        description="Days between telling the person that a restriction will be lifted and lifting it.",
        examples=[7],
    )
    restriction_look_every: Annotated[timedelta, Field(ge=timedelta(seconds=1))] = Field(
        default=timedelta(days=1),
        description="How often what has come since is locked away, while a restriction is in force; ISO 8601.",
        examples=["P1D"],
    )
    rectification_look_after: Annotated[timedelta, Field(ge=timedelta(seconds=1))] = Field(
        default=timedelta(days=7),
        description="After how long it is looked whether a correction has lasted; ISO 8601.",
        examples=["P7D"],
    )
    map_check_every: Annotated[timedelta, Field(ge=timedelta(minutes=1))] | None = Field(
        default=None,
        description="How often a worker compares the data map with the systems, ISO 8601 (P1D); unset: never.",
        examples=["P1D"],
    )
    mail: MailSettings | None = Field(
        default=None,
        description="The mail server that letters are sent by; unset: nothing is sent (docs/mail.md).",
        examples=[{"host": "smtp.example.com", "sender": "privacy@example.com"}],
    )
    evidence: EvidenceSettings | None = Field(
        default=None,
        description="Keys that signed before, and who timestamps the journal: the group [evidence] (docs/evidence.md).",
        examples=[{"tsa": "http://timestamp.example.com", "tsa_roots": "tsa-root.pem"}],
    )
    api: ApiSettings | None = Field(
        default=None,
        description="The HTTP API: the group [api]; unset: habeas api does not start (docs/api.md).",
        examples=[{"url": "https://habeas.example.com"}],
    )
    handoff: HandoffSettings | None = Field(
        default=None,
        description="Whose signed-in people ask from their own account page: the group [handoff] (docs/api.md).",
        examples=[{"issuer": "https://shop.example.com", "keys": "handoff-keys.json"}],
    )
    oidc: OidcSettings | None = Field(
        default=None,
        description="Who signs people in: the group [oidc]; unset: the API takes tokens of systems alone.",
        examples=[{"issuer": "https://id.example.com", "client_id": "habeas"}],
    )
    webhooks: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")], WebhookSettings] = Field(
        default={},
        description="Whom to tell what happens to requests: groups [webhooks.NAME] (docs/webhooks.md).",
        examples=[{"crm": {"url": "https://crm.example.com/hooks", "secret": "env:HABEAS_CRM_SECRET"}}],
    )
    sms_gateway: Annotated[str, Field(pattern=r"^[^\s@]*\{digits\}[^\s@]*@[^\s@]+$")] | None = Field(
        default=None,
        description="A gateway that makes text messages of mails, {digits} being the number; unset: no code by text.",
        examples=["{digits}@sms.example.net"],
    )
    log: Literal["auto", "json", "console"] = Field(
        default="auto", description="Log format; auto is JSON unless on a terminal.", examples=["auto"]
    )

    @model_validator(mode="after")
    def _way_back(self) -> Self:
        if self.oidc and self.api is None:
            raise ValueError("oidc needs api.url: the address that people come back to once they are signed in")
        if self.oidc and self.api and not self.oidc.audience and self.oidc.client_id == self.api.url:
            raise ValueError("oidc.client_id is api.url: name another audience, or ID tokens would be access tokens")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before `.env` before `habeas.toml`."""
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="after")
    def _tls(self) -> Self:
        if (self.temporal_certificate is None) != (self.temporal_key is None):
            raise ValueError("temporal_certificate and temporal_key go together: name both, or neither")
        if not self.temporal_tls and (self.temporal_ca or self.temporal_certificate or self.temporal_server_name):
            raise ValueError("certificates for Temporal are named, but temporal_tls is not true: write it too")
        return self

    @property
    def worker_version(self) -> WorkerVersion | None:
        """Which version of which workers this is; None where any serves."""
        return WorkerVersion(self.deployment or self.task_queue, self.build_id) if self.build_id else None

    @property
    def office(self) -> Office:
        """Who writes to people; where nothing is set, no letter can be written, and each says what it lacks."""
        return self.letters or Office()

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings.

        Raises:
            SettingsError: something is missing or wrong; the text names each setting with an example.
        """
        try:
            return cls(**overrides)
        except (ValidationError, TOMLDecodeError, UnreadableSetting, UnicodeDecodeError, OSError) as error:
            raise SettingsError(why_not(error, cls)) from None


class SettingsError(ValueError):
    """What is wrong with the settings, a line each."""
