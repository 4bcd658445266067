"""What is counted for Prometheus, from the ledger alone.

The one rule: numbers, and words of closed lists as labels; whoever asks gets what the ledger says at that moment.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ledger.due import Owed
from ledger.ledger import Ledger
from rights.deadlines import Risk
from starter.desk import now


class LedgerMetrics(Collector):
    """Counts that are read from the ledger when they are asked for, so that every worker tells the same."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """Open requests, missed deadlines, open tasks, what waits in the outbox, what the map's last check found."""
        moment = now()
        rows = self._ledger.open_requests()
        risks = [row.clock.risk(moment) for row in rows]
        requests = GaugeMetricFamily(
            "habeas_open_requests",
            "Open requests, by right, phase and nearness of the legal due date.",
            labels=["right", "phase", "risk"],
        )
        cells = Counter((str(r.right), str(r.phase), str(k)) for r, k in zip(rows, risks, strict=True))
        for labels, number in sorted(cells.items()):
            requests.add_metric(labels, number)
        yield requests
        overdue = len(past_due(self._ledger.owed_by(moment), moment))
        yield GaugeMetricFamily(
            "habeas_overdue_requests",
            "Requests past their legal due date: open, or closed with the letter that answers not sent.",
            overdue,
        )
        tasks = GaugeMetricFamily("habeas_open_tasks", "Tasks that wait for a person, by code.", labels=["code"])
        open_tasks = (t for t in self._ledger.tasks() if t.ruling is None)
        for code, number in sorted(Counter(str(t.code) for t in open_tasks).items()):
            tasks.add_metric([code], number)
        yield tasks
        yield GaugeMetricFamily(
            "habeas_outbox_backlog",
            "Messages to Temporal that are not delivered yet.",
            self._ledger.backlog(),
        )
        if check := self._ledger.map_check():
            findings = GaugeMetricFamily(
                "habeas_map_findings",
                "What the last comparison of the data map with its systems found, by severity.",
                labels=["severity"],
            )
            for severity, number in check.numbers.items():
                findings.add_metric([severity], number)
            yield findings
            age = (moment - check.at).total_seconds()
            yield GaugeMetricFamily("habeas_map_check_age_seconds", "Time since that comparison.", age)


def past_due(owed: Sequence[Owed], moment: datetime) -> list[Owed]:
    """Those of them who are late; nobody is while their clock stands still."""
    return [one for one in owed if one.request.clock.risk(moment) is Risk.OVERDUE]


def exposition(ledger: Ledger) -> bytes:
    """All of it as Prometheus reads it."""
    registry = CollectorRegistry()
    registry.register(LedgerMetrics(ledger))
    return generate_latest(registry)
