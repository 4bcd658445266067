"""The SDK's sandbox around every workflow, with one question answered outside of it.

The SDK asks a running workflow, several times for each payload, which run the payload belongs to, and with the sandbox
on each question costs a pass through it: a third of a worker's CPU (DECISIONS.md). Our workflows start no children and
signal nobody, so all their payloads belong to their own run, and that is known without asking. The one rule: workflow
code itself never runs outside of the sandbox.
"""

from dataclasses import dataclass
from typing import Any, Final

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext, WorkflowSerializationContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import Info

PASSED_THROUGH: Final = (
    "pydantic", "pydantic_core", "rights", "activities", "connectors", "ledger", "workflows",
    "sqlalchemy", "psycopg", "cryptography", "structlog", "orjson", "yaml", "annotated_types",
)  # fmt: skip
"""Modules that the sandbox does not load again for every workflow (20 times the CPU). What is not deterministic in them
is kept out of workflows by import-linter, not by the sandbox."""

_NOWHERE: Final = StorageDriverStoreContext(target=None)


class _Own(WorkflowInstance):
    """A workflow in its sandbox, whose payloads are all its own."""

    def __init__(self, sandboxed: WorkflowInstance, info: Info) -> None:
        self._sandboxed = sandboxed
        self._context = WorkflowSerializationContext(namespace=info.namespace, workflow_id=info.workflow_id)

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._sandboxed.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext:
        return self._context

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return _NOWHERE

    def get_info(self) -> Info:
        return self._sandboxed.get_info()

    def get_thread_id(self) -> int | None:
        return self._sandboxed.get_thread_id()


_RESTRICTIONS: Final = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)


@dataclass(frozen=True)
class Sandbox(SandboxedWorkflowRunner):
    """The sandbox that all our workflows run in."""

    restrictions: SandboxRestrictions = _RESTRICTIONS

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Own(super().create_instance(det), det.info)
