"""A mailbox as a system: one account, reached by IMAP (docs/mailbox.md).

The one rule: the server's search narrows, our own reading of the header decides whose a message is, and only messages
named by number are ever expunged.
"""

from collections.abc import Mapping

from connectors.mailbox.account import read_url
from connectors.mailbox.connector import Mailbox
from connectors.mailbox.settings import Settings
from rights.datamap import System

__all__ = ["Mailbox", "Settings", "build"]


def build(system: System, secrets: Mapping[str, str]) -> Mailbox:
    """Build a connector, without connecting.

    Args:
        system: the system's part of the data map, with one collection; docs/mailbox.md lists fields and options.
        secrets: `reader`, and `writer` if anything is to be erased or locked away: addresses of the account.

    Raises:
        ValueError: an option, a field or a secret is unknown, missing or wrong; the text says what to write.
    """
    for name in secrets:
        if name not in {"reader", "writer"}:
            raise ValueError(f"connection: '{name}' is unknown: write reader and writer")
    if "reader" not in secrets:
        raise ValueError("connection: reader is missing: add reader: env:NAME or file:/path")
    settings = Settings.read(system)
    reader = read_url(secrets["reader"], "reader", plaintext=settings.plaintext)
    writer = secrets.get("writer")
    return Mailbox(
        system, settings, reader, read_url(writer, "writer", plaintext=settings.plaintext) if writer else None
    )
