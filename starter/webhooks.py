"""The webhooks of the settings, made ready.

The one rule: secrets are read here, once, and stand in no other place.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from activities.hooks import LARGEST, WITHIN, Hook
from connectors.http.transport import Transport
from connectors.registry import SetupError, resolve
from rights.webhooks import TYPES, SecretError, key_of, kinds_of
from starter.groups import WebhookSettings


def build_hooks(settings: Mapping[str, WebhookSettings]) -> dict[str, Hook]:
    """The webhooks by name.

    Raises:
        SetupError: one cannot be set up; the text says what to write.
    """
    return {name: _built(name, hook) for name, hook in settings.items()}


def _built(name: str, hook: WebhookSettings) -> Hook:
    where = f"[webhooks.{name}]"
    if unknown := set(hook.events) - set(TYPES):
        raise SetupError(f"{where} events: {len(unknown)} of them are none: write some of {', '.join(TYPES)}")
    try:
        private = tuple(ip_address(one) for one in hook.private)
    except ValueError:
        raise SetupError(f"{where} private: write addresses, such as 10.0.0.7") from None
    target = urlsplit(hook.url)
    if target.scheme == "http" and not private:
        raise SetupError(f"{where} url: write https://; http is for an address that private lists")
    try:
        keys = [key_of(resolve(one)) for one in (hook.secret, hook.old_secret) if one]
    except SecretError as error:
        raise SetupError(f"{where} secret: {error}") from None
    try:
        transport = Transport(
            f"webhook {name}",
            [target.hostname or ""],
            private=private,
            timeout=WITHIN,
            largest=LARGEST,
            ca=hook.ca_file,
        )
    except OSError:
        raise SetupError(f"{where} ca_file cannot be read: name a file of certificates (PEM)") from None
    return Hook(name=name, url=hook.url, keys=keys, kinds=kinds_of(hook.events), transport=transport)
