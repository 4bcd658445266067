"""A mailbox as a system: one account, reached by IMAP (docs/mailbox.md).

The one rule: the server's search narrows, our own reading of the header decides whose a message is, and only messages
named by number are ever expunged.
"""

from collections.abc import Mapping

from connectors.mailbox.account import Account, read_url
from connectors.mailbox.connector import Mailbox
from connectors.mailbox.settings import Settings
from connectors.options import accounts
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
    reader, writer = accounts(secrets)
    settings = Settings.read(system)

    def account(secret: str, name: str) -> Account:
        return read_url(secret, name, plaintext=settings.plaintext)

    return Mailbox(system, settings, account(reader, "reader"), account(writer, "writer") if writer else None)
