"""What a map says about a bucket, and what of it cannot be done.

The one rule: what a map asks for and this connector cannot do is refused when it is built, with what to write instead.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import timedelta
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import urlsplit

from connectors.options import file, flag, known, number, one_of, only, text, words
from connectors.s3.places import Places
from connectors.s3.template import Template
from rights.datamap import Collection, Erase, Field, Strategy, System, Telling

KEY: Final = ("key", "version")
"""What tells one row from every other: an object's key, and which of its versions."""
LISTED: Final = (*KEY, "kind", "latest", "size", "etag", "last_modified", "storage_class", "file")
"""Fields that a listing tells."""
HEADERS: Final[Mapping[str, str]] = {
    "content_type": "ContentType",
    "content_encoding": "ContentEncoding",
    "content_language": "ContentLanguage",
    "content_disposition": "ContentDisposition",
    "cache_control": "CacheControl",
    "metadata": "Metadata",
}
"""Fields that each object has to be asked for, and what the answer calls them."""
TAGS: Final = "tags"
FIELDS: Final = (*LISTED, *HEADERS, TAGS)
ARCHIVES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Classes whose objects must be restored before they can be read."""
TIERS: Final = ("Bulk", "Standard", "Expedited")
FORMATS: Final = ("csv", "jsonl")
OLDER: Final = ("keep", "delete")

_SYSTEM: Final = (
    *("bucket", "region", "endpoint", "path_style", "plaintext", "ca_file", "requester_pays"),
    *("timeout", "batch", "bypass_governance", "restore_days", "restore_tier", "restricted_tag", "older_versions"),
)
_COLLECTION: Final = ("keys", "whole_keys", "manifest", "manifest_key", "manifest_format", "places")
_BUCKET: Final = re.compile(r"[A-Za-z0-9._-]{3,255}|arn:[A-Za-z0-9:/_.-]{3,2000}")
_TAG: Final = re.compile(r"[A-Za-z0-9+\-=._:/@]{1,128}")

TIMEOUT_S: Final = 60
"""A batch of deletions takes a second or two; a store that is moving its data needs longer."""
BATCH: Final = 1000
"""Rows that one fence lets through, and the most that DeleteObjects takes."""
RESTORE_DAYS_MOST: Final = 30


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of a system with this connector, and of its collection."""

    collection: str
    bucket: str
    templates: tuple[Template, ...] = ()
    whole_keys: tuple[str, ...] = ()
    """Fields whose identity is itself an object's key."""
    manifest: str = ""
    manifest_key: str = "key"
    manifest_format: str = ""
    manifest_fields: tuple[str, ...] = ()
    region: str = ""
    endpoint: str = ""
    path_style: bool = False
    ca_file: str = ""
    requester_pays: bool = False
    timeout: int = TIMEOUT_S
    batch: int = BATCH
    bypass_governance: bool = False
    restore_days: int = 0
    """For how many days an archived object is restored to be exported; 0: a person is asked."""
    restore_tier: str = "Bulk"
    restricted_tag: str = ""
    """The tag by which objects are restricted; empty: they cannot be."""
    places: Places = attribute(default_factory=Places)
    """Where fields stand within objects, which can be corrected there."""
    older_versions: str = "keep"
    """What a correction makes of older versions that say something else: keep or delete."""

    @property
    def longest(self) -> timedelta:
        """How long after entering a fence a call can still take effect: one limit for sending all of its requests, one
        for the answer, and one for a store that goes on after we have hung up."""
        return timedelta(seconds=3 * self.timeout)

    @classmethod
    def read(cls, system: System) -> Self:
        """Take a system's options.

        Raises:
            ValueError: one is unknown or wrong; the text says what to write.
        """
        name, collection = only(system, "a bucket", "objects", "other keys of the same bucket")
        options, choices = dict(system.options), dict(collection.options)
        known("options", options, _SYSTEM)
        known(f"collections.{name}.options", choices, _COLLECTION)
        templates = tuple(map(Template.read, words(choices, "keys")))
        whole_keys, manifest = words(choices, "whole_keys"), text(choices, "manifest")
        placed = {template.field for template in templates} | set(whole_keys)
        settings = cls(
            collection=name,
            bucket=_bucket(options),
            templates=templates,
            whole_keys=whole_keys,
            manifest=manifest,
            manifest_key=text(choices, "manifest_key", "key"),
            manifest_format=_format(choices, manifest),
            manifest_fields=tuple(field for field in collection.identities if field not in placed),
            region=text(options, "region"),
            endpoint=_endpoint(options),
            path_style=flag(options, "path_style", default="endpoint" in options),
            ca_file=file(options, "ca_file"),
            requester_pays=flag(options, "requester_pays"),
            timeout=number(options, "timeout", TIMEOUT_S, 1, 600),
            batch=number(options, "batch", BATCH, 1, BATCH),
            bypass_governance=flag(options, "bypass_governance"),
            restore_days=number(options, "restore_days", 0, 0, RESTORE_DAYS_MOST),
            restore_tier=one_of(options, "restore_tier", TIERS, "Bulk"),
            restricted_tag=_tag(options),
            places=Places.read(f"collections.{name}.options", words(choices, "places")),
            older_versions=one_of(options, "older_versions", OLDER, "keep"),
        )
        if not settings.region and not settings.endpoint:
            raise ValueError("options: region is missing: write region: eu-central-1, or the endpoint of another store")
        _fields(name, collection, settings)
        return settings


def _fields(name: str, collection: Collection, settings: Settings) -> None:
    where = f"collections.{name}"
    if collection.key != KEY:
        raise ValueError(f"{where}: key is [{', '.join(KEY)}]")
    if collection.erase is Erase.REDACT:
        raise ValueError(f"{where}: an object is not rewritten: use erase: delete or retain")
    if not settings.templates and not settings.whole_keys and not settings.manifest:
        raise ValueError(f"{where}.options: nothing says where objects lie: write keys, whole_keys or manifest")
    for field, about in collection.fields.items():
        _field(where, field, about, settings.places)
    if unknown := sorted(settings.places.fields - set(collection.fields)):
        raise ValueError(f"{where}.options: '{unknown[0]}' has a place and is no field: add it to fields")
    _places(where, collection, settings)
    for rule in collection.retention:
        if rule.after != "last_modified":
            raise ValueError(f"{where}: a term counts from last_modified: write after: last_modified")


def _places(where: str, collection: Collection, settings: Settings) -> None:
    """Each identity leads somewhere, and each place is an identity's."""
    for template in settings.templates:
        about = _identity(where, "keys", template.field, collection)
        if about.casefold and not template.lower:
            raise ValueError(
                f"{where}: keys tell upper from lower case: write {{{template.field}:lower}} if the application writes "
                f"the value in lower case, else match: exact at '{template.field}'"
            )
    for field in settings.whole_keys:
        if _identity(where, "whole_keys", field, collection).casefold:
            raise ValueError(f"{where}: keys tell upper from lower case: take match: casefold out at '{field}'")
    if settings.manifest_fields and not settings.manifest:
        raise ValueError(
            f"{where}: nobody is looked for by '{settings.manifest_fields[0]}': put it in a template of keys, under "
            "whole_keys, or name the manifest that has it"
        )
    if settings.manifest and not settings.manifest_fields:
        raise ValueError(f"{where}: no field with an identity is looked for in the manifest: add one of its columns")


def _identity(where: str, option: str, name: str, collection: Collection) -> Telling:
    found = collection.identities.get(name)
    if found is None:
        raise ValueError(f"{where}: {option} names '{name}', which is no field with an identity")
    return found


def _field(where: str, name: str, about: Field, places: Places) -> None:
    if name in places.fields:
        if name in FIELDS or about.identity is not None:
            raise ValueError(f"{where}: what stands within objects needs a field of its own: not '{name}'")
    elif about.identity is None and name not in FIELDS:
        raise ValueError(
            f"{where}: '{name}' is no field of an object: write one of: {', '.join(FIELDS)}; or say under places "
            "where it stands"
        )
    if about.identity is not None and name in FIELDS:
        raise ValueError(f"{where}: the identity needs a field of its own, such as user_id; '{name}' is taken")
    if about.strategy not in {None, Strategy.DELETE}:
        raise ValueError(f"{where}: an object is not rewritten: leave out strategy at '{name}'")
    if about.yields and name != "key":
        raise ValueError(f"{where}: only key yields an identity: leave out yields at '{name}'")


def _bucket(options: Mapping[str, object]) -> str:
    name = text(options, "bucket")
    if not name:
        raise ValueError("options: bucket is missing: write bucket: NAME")
    if not _BUCKET.fullmatch(name):
        raise ValueError("options: bucket is the name of a bucket or the ARN of an access point")
    return name


def _endpoint(options: Mapping[str, object]) -> str:
    address = text(options, "endpoint")
    if not address:
        return ""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("options: endpoint is an address such as https://objects.shop.example:9000")
    if parts.scheme == "http" and not (flag(options, "plaintext") and _loopback(parts.hostname)):
        raise ValueError(
            "options: endpoint: write https; http is for a store on this machine only, with plaintext: true"
        )
    return address


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _format(options: Mapping[str, object], manifest: str) -> str:
    guess = next((name for name in FORMATS if manifest.endswith(f".{name}")), "")
    chosen = text(options, "manifest_format", guess)
    if manifest and chosen not in FORMATS:
        raise ValueError(f"options: manifest_format is one of: {', '.join(FORMATS)}")
    return chosen


def _tag(options: Mapping[str, object]) -> str:
    name = text(options, "restricted_tag")
    if name and not _TAG.fullmatch(name):
        raise ValueError("options: restricted_tag is a tag's name such as habeas-restricted")
    return name
