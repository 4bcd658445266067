"""One attempt of a rectification on a file, as an activity makes it; as a process of its own it may be told where to
die: ``python -m tests.activities.rectifier LEDGER KEYS FILE REQUEST kept|written``."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from activities.calls import Doing, make_ready, read
from activities.outcomes import receipt_for
from activities.store import FileStore
from activities.tools import Tools
from connectors.protocol import Call, Intent, OldValues
from connectors.sql import build
from ledger.keys import FileKeys
from ledger.ledger import Ledger, connect
from rights.datamap import DataMap, Mode
from rights.mapfile import read_map
from rights.plan import Operation, Step
from rights.receipt import Receipt, Tally

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)
MAP = """
system: shop
owner: commerce
connector: sql
backups: none
collections:
  customers:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}, name: {category: name}}
"""


def attempt(ledger: Ledger, file: Path, request_id: str, *, mode: Mode = Mode.AUTO, dies: str = "") -> Receipt:
    """Make a step ready and carry it out."""
    (system,) = read_map({"shop.yaml": MAP}).systems.values()
    system = system.model_copy(update={"mode": mode})
    url = f"sqlite:///{file}"
    connector = build(system, {"reader": url, "writer": url})
    data_map, store = DataMap.of({"shop": system}), FileStore(file.parent / "parcels")
    tools = Tools(ledger, {"shop": connector}, data_map, store, environment="test")
    step = Step(request_id=request_id, system="shop", operation=Operation.RECTIFY)

    def work() -> Tally:
        ready = make_ready(tools, Doing(step=step, as_of=AS_OF), read(tools, step), lambda: None)
        tally = connector.rectify(_dying(ready.call, dies))
        ready.answered(tally)
        return tally

    return receipt_for(step, work, AS_OF)


def _dying(call: Call, where: str) -> Call:
    """A call in which the process is killed once old values are kept, or once the system has committed."""

    def keep(old: OldValues) -> None:
        call.keep(old)
        os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def fence(planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        with call.fence(planned, look) as intent:
            yield intent
            os.kill(os.getpid(), signal.SIGKILL)

    differs = {"kept": {"keep": keep}, "written": {"fence": fence}}.get(where, {})
    return replace(call, **differs)  # type: ignore[arg-type]


if __name__ == "__main__":
    url, keys, file, request_id, dies = sys.argv[1:]
    ledger = Ledger(connect(url, pool_size=2), "main", FileKeys(Path(keys)), backup_max_age=timedelta(days=35))
    attempt(ledger, Path(file), request_id, dies=dies)
