"""Which version of the workers Temporal has serve, where the setting `build_id` names one (worker versioning).

The one rule: a request moves to the version that serves at its next step. All code is behind the replay of recorded
histories, so none has to stay with the version that began it.
"""

import asyncio
from contextlib import suppress
from typing import Final

import structlog
from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from settings import Settings, WorkerVersion

LOOK: Final = 30.0
"""Seconds between two looks of a worker at whether it serves."""

log = structlog.get_logger()


def versioned(settings: Settings) -> WorkerDeploymentConfig | None:
    """How a worker presents itself; None where any version serves."""
    version = settings.worker_version
    if version is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(version.deployment, version.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


async def deployment_of(client: Client, name: str) -> WorkerDeploymentInfo | None:
    """What Temporal knows of the versions of some workers; None if none of them has polled yet.

    Raises:
        RPCError: Temporal does not answer.
    """
    try:
        answer = await client.workflow_service.describe_worker_deployment(
            DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=name)
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return answer.worker_deployment_info


def serving(info: WorkerDeploymentInfo | None) -> str:
    """The build that new work goes to; empty if Temporal was told none."""
    return info.routing_config.current_deployment_version.build_id if info else ""


async def promote(client: Client, version: WorkerVersion) -> str:
    """Have a version serve all that is new, and what is under way from its next step on; the one that served before,
    or empty.

    Raises:
        RPCError: no worker of this version has polled yet (NOT_FOUND, FAILED_PRECONDITION), or Temporal is away.
    """
    before = serving(await deployment_of(client, version.deployment))
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace,
            deployment_name=version.deployment,
            build_id=version.build_id,
            identity=client.identity,
        )
    )
    return before


async def serves(client: Client, version: WorkerVersion, stop: asyncio.Event) -> None:
    """Say in the log which version Temporal has serve, when that changes: where it is none, nothing ever starts."""
    told: str | None = None
    while not stop.is_set():
        try:
            now = serving(await deployment_of(client, version.deployment))
            if now != told:
                say = log.info if now == version.build_id else log.warning
                say("version_serves", version=now or "none", ours=version.build_id)
                told = now
        except RPCError as error:
            log.warning("version_unknown", error=type(error).__qualname__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK)
