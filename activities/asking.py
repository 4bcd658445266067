"""How far the question of who asks is, as a workflow needs to know it.

The one rule: it is the same for people who are known and for people who are not, but for what is proven.
"""

from activities.tools import Tools
from ledger.requestrow import RequestRow
from rights.identity import Unreached, Waiting, identity_law
from rights.unproven import coming, together


def before_any_question(tools: Tools, row: RequestRow) -> Waiting:
    """Of a request that has just begun."""
    if row.confirmed:
        return Waiting()
    return Waiting(needed=identity_law().needed_under(row.right, row.regimes), directory=_directory(tools))


def waiting(tools: Tools, row: RequestRow) -> Waiting:
    """Of a request as the ledger has it."""
    if row.confirmed or not row.phase.open:
        return Waiting()
    state = tools.ledger.identity_state(row.id)
    due = coming(
        together(row.regimes),
        row.right,
        received_at=row.clock.received_at,
        asked_at=state.asked_at,
        reminded=state.reminded,
        lapsed_at=state.lapsed_at,
    )
    start = before_any_question(tools, row)
    owed = state.became == Unreached.CATEGORIES and not tools.ledger.categories_told(row.id)
    return start.model_copy(
        update={"read": state.read, "unsent": state.unsent, "alone": state.alone, "categories": owed, "due": due}
    )


def _directory(tools: Tools) -> str:
    system = tools.data_map.directory
    return system.system if system else ""
