"""Systems that holds name and that the data map does not have (any more).

The one rule: nothing is carried out on a map under which a hold would bind nothing: a hold is bound to systems by name,
and nobody but people can tell what one is called now.
"""

from ledger.ledger import Ledger
from rights.datamap import DataMap


def places_lost(ledger: Ledger, data_map: DataMap) -> str:
    """What cannot stand, in one sentence that says what to do; empty if every system that a hold in force names is in
    the map."""
    lost = [name for name in ledger.held_places() if name not in data_map.systems]
    if not lost:
        return ""
    names = ", ".join(lost)
    return (
        f"holds in force name what the data map does not have: {names}. Under another name it would slip them: give it "
        "its old name back; or, with a map that still has it, place these holds anew on what it is to be called "
        "as well, or on everything, and have the old ones released (habeas hold)"
    )
