"""Handing a parcel to another controller: tried, put on a person's desk, tried again.

The one rule: a request does not end before its parcel is receipted, or somebody has ruled that it goes to the person.
"""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.transmission import TransmissionActivities
    from rights.codes import Code
    from workflows.run import Run
    from workflows.steps import Steps


async def hand_over(run: Run, steps: Steps) -> None:
    """Send the parcel where the person has asked for it; nothing where they have not."""
    if not await run.do(TransmissionActivities.destination, run.ask()):
        return
    while not run.stopped:
        try:
            code: str = await run.touch(TransmissionActivities.transmit, run.ask(), "transmit")
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if not await steps.out_of_attempts("transmission", error):
                return
            continue
        if not code or not await steps.ask_a_person("transmission", Code(code)):
            return
