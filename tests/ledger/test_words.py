"""Every word of a person, in every phase, as the ledger takes it: written down whole, or refused without a trace.

What a running workflow refuses is in tests/workflows/test_words.py; every door says a word to the ledger first.
"""

from collections.abc import Callable
from typing import Final

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.codes import Code
from rights.request import ALLOWED, Phase
from tests.ledger.builders import AT, close_one, opened_id
from tests.ledger.conftest import Door
from tests.ledger.test_weighing import proposed

_LOOKED: Final = (Phase.LOCATING,)
_WORKS: Final = (*_LOOKED, Phase.FULFILLING)
WAYS: Final = {
    Phase.RECEIVED: (),
    Phase.CONFIRMING: (Phase.CONFIRMING,),
    Phase.DECIDING: (Phase.DECIDING,),
    Phase.COOLING: (Phase.COOLING,),
    Phase.LOCATING: _LOOKED,
    Phase.APPROVING: (*_LOOKED, Phase.APPROVING),
    Phase.FULFILLING: _WORKS,
    Phase.VERIFYING: (*_WORKS, Phase.VERIFYING),
    Phase.PACKAGING: (*_WORKS, Phase.PACKAGING),
    Phase.TELLING: (*_LOOKED, Phase.TELLING),
    Phase.CLOSED: _LOOKED,
}

TRACES: Final = "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM outbox), (SELECT count(*) FROM vault)"


def rule(ledger: Ledger, request_id: str) -> None:
    """Rule on the one task there is."""
    there = [task.id for task in ledger.tasks(request_id=request_id)]
    ledger.rule(request_id, there[0] if there else "none", "give_up", at=AT, note="zq why")


SAY: Final[dict[str, Callable[[Ledger, str], object]]] = {
    "confirm_identity": lambda ledger, request: ledger.confirm_identity(request, at=AT, note="zq why"),
    "decide": proposed,
    "approve": lambda ledger, request: ledger.approve(request, at=AT, note="zq why"),
    "rule": rule,
    "withdraw": lambda ledger, request: ledger.withdraw(request, at=AT, note="zq why"),
}


def said(word: str, ledger: Ledger, request_id: str) -> str:
    """Say it; the sentence it is refused with, or nothing."""
    try:
        SAY[word](ledger, request_id)
    except LedgerRefusal as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize("word", SAY)
def test_a_word_that_a_phase_does_not_allow_is_refused_with_a_sentence_and_no_trace(
    ledger: Ledger, door: Door, word: str
) -> None:
    accepted = set()
    for phase, way in WAYS.items():
        request_id = opened_id(ledger, *way)
        if phase is not Phase.RECEIVED:
            # Before a request has begun there is nobody who could put a step on a desk.
            ledger.open_task(request_id, f"{request_id}/shop/erase/0", Code.HOLD, "shop", at=AT)
        if phase is Phase.CLOSED:
            close_one(ledger, request_id)
        ((entries, messages, values),) = door(TRACES)
        sentence = said(word, ledger, request_id)
        ((now, told, kept),) = door(TRACES)
        if sentence:
            assert len(sentence.split()) > 4
            assert (now, told, kept) == (entries, messages, values), phase
            continue
        accepted.add(phase)
        assert now > entries, phase
        assert told == messages + 1, phase
        assert kept > values, phase

    assert accepted == ALLOWED[word]


def test_every_word_of_a_run_is_in_the_table() -> None:
    assert set(SAY) == set(ALLOWED)
    assert set(WAYS) == set(Phase)
