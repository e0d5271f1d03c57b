"""How often the kernel was not as we had left it, for /metrics: what no event told of.

``hornpipe_drift_repairs_total``: tables and nexthops that the slow audit found damaged and wrote again.
``hornpipe_kernel_resyncs_total``: dumps of the kernel after it had dropped events for us.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from hornpipe.dataplane.pump import Dataplane


class Drift(Collector):
    def __init__(self, dataplane: Dataplane, registry: CollectorRegistry) -> None:
        self._dataplane = dataplane
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        repairs, resyncs = self._dataplane.repairs, self._dataplane.resyncs
        yield CounterMetricFamily("hornpipe_drift_repairs", "Tables the audit found damaged.", value=repairs)
        yield CounterMetricFamily("hornpipe_kernel_resyncs", "Dumps after lost kernel events.", value=resyncs)
