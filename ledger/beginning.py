"""Beginning requests: the verb with which a dispatcher takes up what was opened, many at a time.

The one rule: what has begun is not begun again; a request found further on is left as it stands.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ARRAY, Text, bindparam, case, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.chain import Said, append_many
from ledger.gates import read_gates
from ledger.linking import Joined, Linking
from ledger.models import case_keys, plans, requests
from ledger.plans import keep_map
from ledger.requestrow import ROWS, RequestRow, request_row
from ledger.store import written
from rights.datamap import DataMap
from rights.gate import Gate
from rights.plan import Plan
from rights.request import Phase, Right

_ids = bindparam("ids", type_=ARRAY(Text))
_BEGIN: Final = (
    update(requests)
    .where(
        requests.c.tenant == bindparam("of"),
        requests.c.id == func.any(_ids),
        # Said outright, not as a parameter: else a prepared statement could not use what it knows of the column.
        requests.c.phase == literal_column(f"'{Phase.RECEIVED}'"),
        requests.c.map_digest.is_(None),
    )
    .values(
        map_digest=bindparam("digest"),
        phase=case((requests.c.confirmed_at.is_not(None), Phase.LOCATING.value), else_=Phase.CONFIRMING.value),
    )
    .returning(requests.c.id)
)
_PLAN: Final = upsert(plans).from_select(
    ["tenant", "request_id", "round", "body", "at"],
    select(
        bindparam("tenant", type_=Text),
        func.unnest(_ids),
        literal_column("0"),
        bindparam("body", type_=Text),
        bindparam("at", type_=plans.c.at.type),
    ),
)
_THESE: Final = ROWS.where(requests.c.id == func.any(_ids))
_KEYS: Final = select(case_keys.c.case_id, case_keys.c.kek, case_keys.c.wrapped).where(
    case_keys.c.tenant == bindparam("tenant"),
    case_keys.c.case_id == func.any(_ids),
    case_keys.c.purpose == literal_column("'history'"),
    case_keys.c.wrapped.is_not(None),
)


class Begun(NamedTuple):
    """A request that is about to run. Not to be shown: it has the key of the run's history."""

    request: RequestRow
    new: bool
    """This call has begun it."""
    history_key: bytes | None
    gate: Gate


class Beginning(Linking):
    """The verb that begins."""

    def begin(
        self,
        request_ids: Sequence[str],
        data_map: DataMap,
        make: Callable[[Right, tuple[str, ...]], Plan],
        *,
        at: datetime,
    ) -> list[Begun]:
        """Begin requests in one commit: pinned to a map, in their first phase, and planned if the asker is confirmed.

        `make` gives the plan for a right under some laws. Ids that are unknown are left out.
        """
        its = {"tenant": self.tenant, "of": self.tenant, "ids": list(request_ids)}
        with self._begin() as connection:
            self._take_turns(connection, request_ids)
            keep_map(connection, self.tenant, data_map, self._kept_maps)
            begun = set(connection.scalars(_BEGIN, {**its, "digest": data_map.digest}))
            rows = [request_row(row) for row in connection.execute(_THESE, its)]
            fresh = [row for row in rows if row.id in begun]
            alike: defaultdict[tuple[Right, tuple[str, ...]], list[str]] = defaultdict(list)
            for row in fresh:
                if row.confirmed:
                    alike[row.right, row.regimes].append(row.id)
            bodies = {kind: make(*kind).model_dump_json() for kind in alike}
            for kind, ids in alike.items():
                connection.execute(_PLAN, {**its, "ids": ids, "body": bodies[kind], "at": at})
            keys = {row.case_id: row for row in connection.execute(_KEYS, its)}
            proven = [row.id for row in fresh if row.confirmed]
            joined = self._join_all(connection, proven, data_map.shared_kinds, at) if proven else Joined([], {})
            gates = read_gates(connection, self.tenant, proven) if proven else {}
            said = [said for row in fresh for said in _said(row, bodies, at)]
            append_many(connection, self.tenant, [*said, *joined.said])
            self._govern(connection, joined, at)
        self._kept_maps.add(data_map.digest)
        return [
            Begun(
                row,
                row.id in begun,
                self._keys.unwrap(key.kek, key.wrapped) if (key := keys.get(row.id)) else None,
                gates.get(row.id, Gate()),
            )
            for row in rows
        ]


def _said(row: RequestRow, bodies: Mapping[tuple[Right, tuple[str, ...]], str], at: datetime) -> list[Said]:
    """What the journal says of a beginning: the same as of its parts, done one by one."""
    said: list[tuple[str, dict[str, object]]] = [
        ("map_pinned", {"digest": row.map_digest}),
        ("moved", {"phase": row.phase}),
    ]
    if row.confirmed:
        plan = hashlib.sha256(bodies[row.right, row.regimes].encode()).hexdigest()
        said.append(("planned", {"round": 0, "map": row.map_digest, "plan": plan}))
    return [Said(kind, written(body), at, row.id) for kind, body in said]
