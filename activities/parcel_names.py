"""Where spools and parcels stand in the store.

The one rule: a name holds a request's id and a system's name, no more.
"""


def spool_name(request_id: str, system: str) -> str:
    """Where a system's spool stands in the store."""
    return f"{request_id}/{system}.spool"


def parcel_name(request_id: str) -> str:
    """Where a request's parcel stands in the store."""
    return f"{request_id}/parcel.zip.sealed"
