"""Parts of bodies that mean the same wherever they stand.

The one rule: a body that names something that is not known here is refused; a free text is sealed and never comes back.
"""

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from rights.reveals import Why
from rights.subject import MAX_VALUE
from starter.submit import MAX_TEXT

PLAIN = r"^[^\x00]*$"
"""A text without NUL bytes, which PostgreSQL does not take."""

Note = Annotated[str | None, Field(max_length=MAX_TEXT, pattern=PLAIN, description="A note; it is kept sealed.")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT, pattern=PLAIN, strip_whitespace=True)]


def _said(why: Why) -> Why:
    if why is Why.HANDLING:
        raise ValueError("say why: this one stands for no reason at all")
    return why


Asked = Annotated[
    Why,
    AfterValidator(_said),
    WithJsonSchema({"type": "string", "enum": [why.value for why in Why if why is not Why.HANDLING]}),
]
"""Why somebody wants to see something of a person."""
RequestId = Annotated[str, Path(description="The request's id.", examples=["01kap2v7q4m8w3x9yd5tgh6jzr"])]


class Body(BaseModel):
    """A body, or a part of one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Given(Body):
    """An identity of the person."""

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$", examples=["email"])
    value: str = Field(min_length=1, max_length=MAX_VALUE, examples=["name@example.org"])


class Noted(Body):
    """Nothing but a note, if that."""

    note: Note = None
