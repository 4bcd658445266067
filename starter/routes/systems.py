"""The data map, and how its systems are.

The one rule: names and codes of the map; where a secret is found is not told, and no system is asked while a caller
waits.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from rights.datamap import System
from rights.mapcheck import Severity
from starter.access import Action, Caller
from starter.changing import said
from starter.desk import now
from starter.doorkeeper import At, needs
from starter.problems import answers
from starter.tasks import open_tasks

router = APIRouter(prefix="/v1", tags=["systems"])


class DataMap(BaseModel):
    """The data map."""

    digest: str
    systems: dict[str, dict[str, Any]]


class SystemHealth(BaseModel):
    """How one system is."""

    system: str
    connector: str
    mode: str
    findings: dict[str, int] = Field(description="Of the last comparison with the map, by severity.")
    waits: int = Field(description="Tasks about it that wait for a person.")


class Health(BaseModel):
    """How the systems are, as the workers found them."""

    checked_at: datetime | None = Field(description="The last comparison with the map; null: there was none.")
    age_seconds: int | None
    of_this_map: bool | None = Field(description="It was this map that was compared.")
    systems: list[SystemHealth]


@router.get("/map", operation_id="show_map", response_model=DataMap, responses=answers())
def show(at: At, caller: Annotated[Caller, Depends(needs(Action.READ_MAP))]) -> Response:
    """The data map: systems, collections and fields, and what each right does there. No connections."""
    systems = {name: _plain(system) for name, system in at.data_map.systems.items()}
    return said({"digest": at.data_map.digest, "systems": systems})


@router.get("/connectors/health", operation_id="show_connectors_health", response_model=Health, responses=answers())
def health(at: At, caller: Annotated[Caller, Depends(needs(Action.READ_HEALTH))]) -> Response:
    """What the workers found when they last compared the map with its systems, and what waits for people there."""
    check = at.ledger.map_check()
    waiting = [task.step_key.split("/")[1] for task in open_tasks(at.ledger.tasks()) if task.step_key.count("/") == 3]
    systems = []
    for name, system in sorted(at.data_map.systems.items()):
        found = [str(one.severity) for one in check.found if one.system == name] if check else []
        systems.append(
            {
                "system": name,
                "connector": system.connector,
                "mode": system.mode,
                "findings": {str(severity): found.count(str(severity)) for severity in Severity},
                "waits": waiting.count(name),
            }
        )
    document = {
        "checked_at": check.at if check else None,
        "age_seconds": int((now() - check.at).total_seconds()) if check else None,
        "of_this_map": check.digest == at.data_map.digest if check else None,
        "systems": systems,
    }
    return said(document)


def _plain(system: System) -> dict[str, Any]:
    """A system as its map has it, but for how it is reached."""
    return system.model_dump(mode="json", exclude={"connection", "options"})
