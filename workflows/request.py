"""The workflow type of each right: the same life under a name of its own, so that the Temporal UI tells them apart.

The one rule: nothing stands here but the name.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from rights.request import Right
    from workflows.life import RequestLife
    from workflows.messages import Closing, Opening


@workflow.defn(name="access-request")
class AccessRequest(RequestLife):
    """A person asks what is held on them (GDPR Art. 15)."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


@workflow.defn(name="portability-request")
class PortabilityRequest(RequestLife):
    """A person takes along what they have provided (GDPR Art. 20)."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


@workflow.defn(name="erasure-request")
class ErasureRequest(RequestLife):
    """A person asks for their data to be erased (GDPR Art. 17)."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


@workflow.defn(name="restriction-request")
class RestrictionRequest(RequestLife):
    """A person asks for their data to be left alone for a time (GDPR Art. 18)."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


@workflow.defn(name="rectification-request")
class RectificationRequest(RequestLife):
    """A person asks for what is wrong about them to be corrected (GDPR Art. 16)."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


@workflow.defn(name="objection-request")
class ObjectionRequest(RequestLife):
    """A person objects to how their data is used (GDPR Art. 21)."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


@workflow.defn(name="opt-out-request")
class OptOutRequest(RequestLife):
    """A person opts out of sale, sharing or profiling (Cal. Civ. Code 1798.120)."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


@workflow.defn(name="consent-withdrawal-request")
class ConsentWithdrawalRequest(RequestLife):
    """A person takes a consent back (GDPR Art. 7(3))."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


@workflow.defn(name="decision-review-request")
class DecisionReviewRequest(RequestLife):
    """A person has an automated decision looked at by somebody (GDPR Art. 22(3))."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


BY_RIGHT = {right: f"{right}-request" for right in Right}
"""The workflow type of each right."""

REQUESTS: tuple[type[RequestLife], ...] = (
    AccessRequest,
    PortabilityRequest,
    ErasureRequest,
    RestrictionRequest,
    RectificationRequest,
    ObjectionRequest,
    OptOutRequest,
    ConsentWithdrawalRequest,
    DecisionReviewRequest,
)
"""All of them, for a worker."""
