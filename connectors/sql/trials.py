"""What every trial of an erasure keeps to, whichever server it is on: when there is none, and what is a surprise."""

from collections.abc import Mapping

from connectors.protocol import Call
from connectors.sql.limits import Limits
from connectors.sql.look import Sight
from rights.datamap import Erase
from rights.plan import Work
from rights.receipt import Tally


def hindrance(sight: Sight, call: Call, environment: str, limits: Limits) -> str:
    """Why a person's rows are only counted, whatever a rollback would undo; empty if nothing speaks against it."""
    if sight.doubtful:
        return f"several rows of {sight.doubtful} match, and nobody has ruled whose they are"
    if not call.environment or environment != call.environment:
        return "the database does not bear the worker's environment mark"
    if sum(sight.planned.values()) > limits.batch_rows:
        return "there are more rows than one transaction takes (batch_rows)"
    return ""


def surprise(
    works: Mapping[str, Work], before: Tally, collection: str | None, inserted: int, updated: int, deleted: int
) -> str:
    """Why a table's changes are more than the plan's own."""
    if collection is None:
        done = "gains rows" if inserted else "loses rows" if deleted else "is changed"
        return f"it {done} and is not in the map: a cascade or a trigger"
    if inserted:
        return "it gains rows: a trigger"
    count, work = before.of(collection), works[collection]
    goes = count.found - count.kept_rows
    if work.erase is Erase.RETAIN and (updated or deleted):
        return "it is retained, and is changed all the same: a cascade or a trigger"
    goes = goes if work.erase is Erase.DELETE else 0
    if deleted > goes:
        return f"{deleted:,} rows go where {goes:,} were found: a cascade or a trigger"
    return ""
