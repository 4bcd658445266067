"""What an asker says of a portability request: whom the data is to go to, if not to themselves."""

from pydantic import Field

from rights.detail import Details


class PortabilityDetails(Details):
    """GDPR Art. 20(2): directly to another controller, where that is technically feasible."""

    destination: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.-]{0,99}$")
    """A receiver of the deployment's receivers file; None: the person gets the parcel."""
    reference: str = Field(default="", max_length=200, repr=False)
    """What the receiver knows the person by, as they say."""
