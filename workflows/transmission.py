"""Handing a parcel to another controller: tried, put on a person's desk, tried again.

The one rule: a request does not end before its parcel is receipted, or somebody has ruled that it goes to the person.
"""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.transmission import ANOTHER_PARCEL, Sending, TransmissionActivities
    from rights.codes import Code
    from workflows.deciding import Deciding
    from workflows.run import Run
    from workflows.steps import Steps


async def hand_over(run: Run, steps: Steps, deciding: Deciding, digest: str) -> bool:
    """Send the parcel where the person has asked for it; nothing where they have not. `digest` is that of the parcel
    that was packed just now: no other is sent in its place. False if the ledger knows another one, so that it has to be
    packed anew."""

    def sending() -> Sending:
        return Sending(ask=run.ask(), digest=digest)

    if not await run.do(TransmissionActivities.destination, sending()):
        return True
    while not run.stopped:
        try:
            code: str = await run.touch(TransmissionActivities.transmit, sending(), "transmit")
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if not await steps.out_of_attempts("transmission", error):
                return True
            continue
        if code == Code.INCIDENT:
            await run.read()
            await deciding.moving()
            continue
        if code == ANOTHER_PARCEL:
            return False
        if not code or not await steps.ask_a_person("transmission", Code(code)):
            return True
    return True
