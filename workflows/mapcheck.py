"""The workflow that a Temporal Schedule runs: the data map compared with its systems.

The one rule: it fails for nothing that a system does; what is wrong with one is what it finds.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.mapcheck import Checked, MapCheckActivities
    from activities.upkeep import Round
    from workflows import policies


@workflow.defn(name="map-check")
class MapCheck:
    """Compare once."""

    @workflow.run
    async def run(self) -> Checked:
        """Compare, and say in numbers what was found."""
        checked: Checked = await workflow.execute_activity_method(
            MapCheckActivities.check,
            Round(as_of=workflow.now()),
            summary="compare the data map with every system",
            **policies.MAP_CHECK,
        )
        return checked
