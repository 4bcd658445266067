"""One module or folder per kind of system; knows nothing of Temporal or the ledger.

What an author of a connector imports stands here.
"""

from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable, Unsupported
from connectors.links import Links
from connectors.protocol import (
    Anchors,
    Call,
    Candidate,
    Connector,
    Connects,
    Correction,
    Export,
    Intent,
    Look,
    OldValues,
    Pending,
    Rulings,
    capabilities,
)

__all__ = [
    "Anchors",
    "Call",
    "Candidate",
    "Connector",
    "ConnectorError",
    "Connects",
    "Correction",
    "Export",
    "Held",
    "Intent",
    "Links",
    "Look",
    "NeedsHuman",
    "OldValues",
    "Pending",
    "Retryable",
    "Rulings",
    "Unsupported",
    "capabilities",
]
