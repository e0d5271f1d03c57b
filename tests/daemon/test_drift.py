"""What the audit repaired is told to Prometheus as it stands at the scrape."""

from __future__ import annotations

from typing import cast

from prometheus_client import CollectorRegistry

from hornpipe.daemon.drift import Drift
from hornpipe.dataplane.pump import Dataplane


class Counters:
    repairs = 0
    resyncs = 0


def test_the_counters_are_those_of_the_dataplane() -> None:
    counters, registry = Counters(), CollectorRegistry()
    Drift(cast("Dataplane", counters), registry)
    assert registry.get_sample_value("hornpipe_drift_repairs_total") == 0
    counters.repairs, counters.resyncs = 3, 1
    assert registry.get_sample_value("hornpipe_drift_repairs_total") == 3
    assert registry.get_sample_value("hornpipe_kernel_resyncs_total") == 1
