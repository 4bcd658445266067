"""Work on a system beside the life of a request, or after it.

The one rule: what cannot be reached in all its attempts is put on a person's desk, and the others go on.
"""

from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.calls import Doing
    from activities.opening import Ask
    from activities.planning import PlanningActivities, Stuck
    from rights.codes import Code
    from rights.plan import Step
    from workflows import policies


async def attempt(method: Callable[[Any, Doing], Any], step: Step, summary: str) -> Any:
    """What a step comes to, with Temporal's retries; None when they ran out and a person is asked."""
    doing = Doing(step=step, as_of=workflow.now())
    try:
        return await workflow.execute_activity_method(method, doing, summary=summary, **policies.STEP)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
    stuck = Stuck(ask=Ask(request_id=step.request_id, as_of=workflow.now()), step=step, code=Code.UNREACHABLE)
    await workflow.execute_local_activity_method(PlanningActivities.stuck, stuck, **policies.LEDGER)
    return None
