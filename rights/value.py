"""The frozen base of everything that may be written down or sent through Temporal."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Immutable, compared by content, free of personal data.

    Unknown fields are ignored, so that an old worker reads a newer worker's message.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
