"""Maps and plans for tests, with good defaults."""

from datetime import UTC, datetime
from typing import Any

from rights.datamap import DataMap, System
from rights.mapfile import MapErrors, read_map

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)

SHOP = """\
system: shop
owner: commerce
connector: memory
collections:
  customers:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email}
  orders:
    key: [id]
    fields:
      id: {}
      customer_id: {}
      placed_at: {}
      note: {category: free_text}
    links:
      - {field: customer_id, to: customers.id}
"""


def a_system(**changes: Any) -> System:
    """A system with one collection of people."""
    body: dict[str, Any] = {
        "system": "shop",
        "owner": "commerce",
        "connector": "memory",
        "collections": {"customers": a_collection()},
    }
    return System.model_validate({**body, **changes})


def a_collection(**changes: Any) -> dict[str, Any]:
    """A collection of people, as a map has it."""
    fields = {"id": {}, "email": {"category": "contact", "identity": "email"}}
    return {"key": ["id"], "fields": {**fields, **changes.pop("fields", {})}, **changes}


def a_map(*systems: System) -> DataMap:
    return DataMap.of({system.system: system for system in systems or (a_system(),)})


def wrong(text: str) -> list[str]:
    """What is said of a map file, line by line; nothing if it can stand."""
    try:
        read_map({"shop.yaml": text})
    except MapErrors as errors:
        return str(errors).splitlines()
    return []
