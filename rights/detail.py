"""The base of all details: what an asker says beyond who they are."""

from pydantic import BaseModel, ConfigDict

from rights.datamap import DataMap


class Details(BaseModel):
    """What all details have in common: nothing else may stand in them, and they are never printed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def require(self, data_map: DataMap) -> None:
        """See that what they name is in the data map.

        Raises:
            ValueError: it is not; one sentence that says what to write.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__
