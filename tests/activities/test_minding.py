"""Upkeep minds reports that data is a child's, as the worker is set up."""

from pathlib import Path

from activities.store import FileStore
from activities.tools import Tools
from activities.upkeep import Round, UpkeepActivities
from ledger.ledger import Ledger
from rights.codes import Code
from rights.letterkinds import LetterKind
from tests.ledger.builders import a_map, later
from tests.ledger.conftest import Door
from tests.ledger.test_minors import reported
from tests.ledger.test_minorwatch import DESK


def test_CHI_02_upkeep_minds_reports_each_minute(ledger: Ledger, door: Door, tmp_path: Path) -> None:
    request = reported(ledger)
    upkeep = UpkeepActivities(Tools(ledger, {}, a_map(), FileStore(tmp_path), environment="test"))

    for minutes in (1, 15, 16, 60):
        upkeep.reconcile(Round(as_of=later(minutes=minutes)))

    desk: dict[str, str] = dict(door(DESK, request))
    assert desk.keys() == {Code.MINOR, Code.MINOR_IN_USE, Code.POST_OUT}, "no mail is set up, so a person posts it"
    assert desk[Code.POST_OUT] == LetterKind.MINOR_RESTRICTED
    assert desk[Code.MINOR] == "asked for once in vain"
