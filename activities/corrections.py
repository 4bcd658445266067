"""Corrections out of the vault, and what they write over into it.

The one rule: what stood in a field is sealed before it is written over, and nothing that is kept later takes its place.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from connectors.protocol import Correction, Key, OldValues
from ledger.ledger import Ledger
from rights.plan import Step

Disputed = Mapping[str, Mapping[Key, Mapping[str, tuple[str | None, ...]]]]
"""By collection, row and field, the values that stood there, each once, first what stood there first. There is a second
one where somebody wrote between two attempts."""


def seal_corrections(
    ledger: Ledger, request_id: str, system: str, corrections: Iterable[Correction], *, at: datetime
) -> None:
    """Keep what is to be corrected in a system; it replaces what was to be corrected there before."""
    body = [
        {"collection": one.collection, "values": dict(one.values), "key": None if one.key is None else list(one.key)}
        for one in corrections
    ]
    text = json.dumps(body).encode()
    ledger.seal(request_id, "working", f"corrections/{system}", text, at=at)
    # With the values that are written over, for as long as these: a backup may have to be corrected once more.
    ledger.seal(request_id, "disputed", f"corrections/{system}", text, at=at)


def read_corrections(sealed: bytes | None) -> tuple[Correction, ...]:
    """Read back what `seal_corrections` wrote; none of nothing."""
    return tuple(
        Correction(one["collection"], one["values"], None if one["key"] is None else tuple(one["key"]))
        for one in json.loads(sealed or b"[]")
    )


def kept_corrections(ledger: Ledger, request_id: str, system: str) -> tuple[Correction, ...]:
    """What a request has corrected in a system, as long as its old values are kept; none once they are not.

    Raises:
        VaultError: it was changed or moved, or its key-encryption key is gone.
    """
    return read_corrections(ledger.unseal(request_id, "disputed", f"corrections/{system}"))


def keep_old(ledger: Ledger, step: Step, clock: Callable[[], datetime], old: OldValues) -> None:
    """Seal what a step is about to write over."""
    body = {name: [[list(key), dict(values)] for key, values in rows.items()] for name, rows in old.items()}
    ledger.keep_old(step.request_id, step.system, json.dumps(body).encode(), at=clock())


def disputed(ledger: Ledger, request_id: str, system: str) -> Disputed:
    """All that a request has written over in a system, as long as it is kept.

    Raises:
        VaultError: it was changed or moved, or its key-encryption key is gone.
    """
    found: dict[str, dict[Key, dict[str, tuple[str | None, ...]]]] = defaultdict(lambda: defaultdict(dict))
    for sealed in ledger.kept_old(request_id, system):
        for name, rows in json.loads(sealed).items():
            for key, values in rows:
                row = found[name][tuple(key)]
                for one, value in values.items():
                    row[one] = tuple(dict.fromkeys((*row.get(one, ()), value)))
    return found
