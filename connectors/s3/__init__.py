"""A bucket as a system: objects in S3 or a store that speaks like it (docs/s3.md).

The one rule: an object is gone only when every version, delete marker and unfinished upload under its key is gone, and
a listing says so. A plain DELETE, which only hides, is never sent.
"""

from collections.abc import Mapping

from connectors.options import accounts
from connectors.s3.connector import Bucket
from connectors.s3.session import Credentials
from connectors.s3.settings import Settings
from rights.datamap import System

__all__ = ["Bucket", "Settings", "build"]


def build(system: System, secrets: Mapping[str, str]) -> Bucket:
    """Build a connector, without connecting.

    Args:
        system: the system's part of the data map, with one collection; docs/s3.md lists fields and options.
        secrets: `reader`, and `writer` if anything is to be erased or restricted: ACCESS_KEY:SECRET_KEY, or `role`.

    Raises:
        ValueError: an option, a field or a secret is unknown, missing or wrong; the text says what to write.
    """
    reader, writer = accounts(secrets)
    settings = Settings.read(system)
    return Bucket(
        system,
        settings,
        Credentials.read("reader", reader),
        Credentials.read("writer", writer) if writer is not None else None,
    )
