"""Vendors with an HTTP API, each described by one strict YAML file.

The one rule: a map asks of a vendor only what its file says that the vendor does; anything else is refused at once.
"""

import re
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.http.connector import HttpConnector
from connectors.http.exchange import Exchange
from connectors.http.login import Login
from connectors.http.network import Address, Resolver, resolve
from connectors.http.schema import Auth, Collection, Vendor
from connectors.http.steps import duration
from connectors.http.template import inserted
from connectors.http.transport import Transport
from connectors.http.vendorfile import find_vendor, read_vendor
from rights.datamap import Collection as Mapped
from rights.datamap import Erase, Strategy, System

OURS: Final = ("vendor", "region", "base_url", "hosts", "private", "environment", "timeout", "grace", "every")
"""Options of every vendor; the file names those of its own."""


def build(
    system: System,
    secrets: Mapping[str, str],
    *,
    resolver: Resolver = resolve,
    pause: Callable[[float], None] = time.sleep,
) -> HttpConnector:
    """Build one vendor's connector, without connecting.

    Options: `vendor`, a name of connectors/http/vendors or the path of a file of one's own; `region`; `base_url`, where
    the API is if not where the file says; `hosts`, further hosts that may be called; `private`, addresses that are not
    on the public internet and may be connected to all the same; `environment`, which of ours this account belongs to;
    `timeout`, `grace` and `every` (how often to ask how work stands), where they are other than the file's; and those
    that the file names.

    Raises:
        ValueError: an option, a secret or a collection is unknown or wrong, or the vendor file is.
    """
    given = dict(system.options)
    name = given.pop("vendor", "")
    if not isinstance(name, str) or not name:
        raise ValueError("options: write vendor: NAME, or the path of a vendor file")
    file = find_vendor(name)
    vendor = read_vendor(str(file), file.read_text())
    for ours in given.keys() - {*OURS, *vendor.options}:
        raise ValueError(f"options: '{ours}' is unknown: write one of: {', '.join([*OURS, *vendor.options])}")
    vendor = vendor.model_copy(
        update={name: _span(name, given[name]) for name in ("timeout", "grace") if name in given}
    )
    _check_secrets(vendor, secrets)
    for collection, mapped in system.collections.items():
        _check_collection(vendor, collection, mapped, system)
    options = {option: _option(vendor, option, given) for option in vendor.options}
    scope = {"option": options}
    base = _base(vendor, given, scope)
    private = _addresses(given.get("private", []))
    home = urlsplit(base).hostname or ""
    transport = Transport(
        system.system,
        [home, *vendor.hosts, *_texts("hosts", given.get("hosts", []))],
        private=private,
        timeout=vendor.timeout,
        largest=vendor.largest,
        resolver=resolver,
    )
    ways: dict[str, Auth | None] = {"": None if vendor.auth == "none" else vendor.auth, **vendor.other_auth}
    logins = {way: Login(auth, {**scope, "secret": secrets}, transport) for way, auth in ways.items()}
    environment = given.get("environment", "")
    if not isinstance(environment, str):
        raise ValueError("options: environment is a word such as production")
    exchange = Exchange(vendor, base, transport, logins, scope, pause)
    return HttpConnector(system, exchange, environment, _span("every", given["every"]) if "every" in given else None)


def _check_secrets(vendor: Vendor, secrets: Mapping[str, str]) -> None:
    for name in secrets:
        if name not in vendor.secrets:
            known = ", ".join(vendor.secrets) or "none: leave connection out"
            raise ValueError(f"connection: '{name}' is unknown: {vendor.name} has {known}")
    for name, secret in vendor.secrets.items():
        if name not in secrets and not secret.optional:
            raise ValueError(f"connection: write {name}: env:NAME or file:/path ({secret.about})")


def _option(vendor: Vendor, name: str, given: Mapping[str, Any]) -> str | list[str]:
    """The value of an option of the file's own."""
    rule = vendor.options[name]
    if name not in given and rule.default is None:
        raise ValueError(f"options: write {name}: {rule.about}")
    value = given.get(name, rule.default)
    if rule.many:
        texts = _texts(name, value.split() if isinstance(value, str) else value)
        if not texts:
            raise ValueError(f"options: {name} is empty: {rule.about}")
    elif isinstance(value, list | bool):
        raise ValueError(f"options: {name} is one text: {rule.about}")
    else:
        texts = [str(value)]
    for text in texts:
        if rule.choices and text not in rule.choices:
            raise ValueError(f"options: {name} is one of: {', '.join(rule.choices)}")
        if rule.pattern and not re.fullmatch(rule.pattern, text):
            raise ValueError(f"options: {name} must match {rule.pattern}: {rule.about}")
    return texts if rule.many else texts[0]


def _span(name: str, given: Any) -> timedelta:
    try:
        return duration(given)
    except ValueError as error:
        raise ValueError(f"options: {name}: {error}") from None


def _base(vendor: Vendor, given: Mapping[str, Any], scope: Mapping[str, Mapping[str, object]]) -> str:
    """Where the API is."""
    region = given.get("region", "")
    if isinstance(vendor.base, dict):
        region = region or next(iter(vendor.base))
        if region not in vendor.base:
            raise ValueError(f"options: region is one of: {', '.join(vendor.base)}")
        base = vendor.base[region]
    else:
        if region:
            raise ValueError(f"options: {vendor.name} has no regions: leave region out")
        base = vendor.base
    url = given.get("base_url") or inserted(base, scope)
    parts = urlsplit(str(url))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or "@" in parts.netloc:
        raise ValueError("options: base_url is an address such as https://api.example.org")
    if parts.scheme == "http" and not given.get("private"):
        raise ValueError("options: base_url is https, or http and private: [the addresses it leads to]")
    return str(url).rstrip("/")


def _addresses(given: Any) -> list[Address]:
    try:
        return [ip_address(text) for text in _texts("private", given)]
    except ValueError:
        raise ValueError("options: private is a list of addresses, such as [10.0.0.7]") from None


def _texts(name: str, given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise ValueError(f"options: {name} is a list of texts")
    return given


def _check_collection(vendor: Vendor, name: str, mapped: Mapped, system: System) -> None:
    """A collection of the map, against what the file says of it."""
    spec = vendor.collections.get(name)
    if spec is None:
        raise ValueError(f"collections: {vendor.name} has no '{name}': write one of: {', '.join(vendor.collections)}")
    here = f"collections.{name}"
    for field in mapped.fields:
        if field not in spec.fields:
            raise ValueError(f"{here}: {vendor.name} has no field '{field}': write one of: {', '.join(spec.fields)}")
    if mapped.key != spec.key:
        raise ValueError(f"{here}: write key: [{', '.join(spec.key)}]")
    if mapped.options:
        raise ValueError(f"{here}.options: '{min(mapped.options)}' is unknown: leave options out")
    if mapped.retention:
        raise ValueError(f"{here}: {vendor.name} keeps or erases a row whole: leave retention out")
    _check_erase(vendor, here, spec, mapped)
    links = {link.field: link.to for link in mapped.links if link.kind == "unique"}
    for field, target in links.items():
        if spec.links.get(field) != target:
            raise ValueError(f"{here}: {vendor.name} has no link from '{field}' to {target}")
    by = {find.by for find in spec.find}
    if not by & {*mapped.identities, *links}:
        raise ValueError(f"{here}: rows are found by {', '.join(sorted(by))}: give one of them an identity or a link")


def _check_erase(vendor: Vendor, here: str, spec: Collection, mapped: Mapped) -> None:
    redacted = spec.erase is not None and spec.erase.leaves == "redacted"
    wanted = Erase.REDACT if redacted else Erase.DELETE
    if mapped.erase is not wanted:
        raise ValueError(f"{here}: write erase: {wanted}, which is what {vendor.name} does")
    for field, about in mapped.fields.items():
        if redacted and spec.erase and about.rewritten and about.value != spec.erase.redacted:
            raise ValueError(f"{here}.{field}: write strategy: constant, value: '{spec.erase.redacted}'")
        if about.strategy not in {None, Strategy.DELETE} and not redacted:
            raise ValueError(f"{here}.{field}: {vendor.name} deletes rows whole: leave strategy out")
