"""The base of what an asker says beyond who they are; `rights.details` has the model of each right."""

from pydantic import BaseModel, ConfigDict


class Details(BaseModel):
    """What all details have in common: nothing else may stand in them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
