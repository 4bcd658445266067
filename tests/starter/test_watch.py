"""`habeas request watch`: it ends when a request waits for a person, and not while a decision is on its way."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from rights.request import Phase
from starter.desk import load_settings, now, open_ledger
from starter.watch import follow
from tests.starter.conftest import Deployment


def test_what_its_run_has_not_heard_of_is_not_taken_for_waiting(deployment: Deployment) -> None:
    """However long a busy worker takes to deliver it."""
    request = deployment.open(right="erasure")
    ledger = open_ledger(load_settings())
    ledger.move(request, Phase.CONFIRMING, at=now())
    watched = partial(follow, ledger, request, "UTC", as_json=True, every=0.01, settles=0.05)
    with ThreadPoolExecutor(1) as beside:
        told = beside.submit(watched)
        time.sleep(0.5)
        assert not told.done(), "its run has not begun yet"
        ledger.delivered([message.id for message in ledger.claim(10)])
        assert told.result(60), "it waits for whoever asks to be known"
    ledger.close_connections()
