"""/metrics: the rows as Prometheus samples, read at the moment of the scrape; nothing is counted twice.

Labels are bounded by the configuration (peers, gates, states); there is never one a MAC or a prefix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from hornpipe.api.context import Context

STATES = ("IDLE", "CONNECT", "ACTIVE", "OPENSENT", "OPENCONFIRM", "ESTABLISHED")
PORT_STATES = ("up", "pending", "error", "moved", "down")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class RowCollector(Collector):
    def __init__(self, context: Context) -> None:
        self.context = context

    def describe(self) -> list[Metric]:
        """Empty: the registry need not ask for all rows when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("hornpipe_build", "What is running.", value={"version": self.context.version})
        yield from self._status()
        yield from self._peers()
        yield from self._ports()

    def _status(self) -> Iterator[Metric]:
        status = self.context.engine.status()
        yield GaugeMetricFamily("hornpipe_ready", "1 if the daemon is ready.", value=float(status.ready))
        started = self.context.wall(status.started)
        yield GaugeMetricFamily("hornpipe_start_time_seconds", "When the daemon started.", value=started)
        yield GaugeMetricFamily("hornpipe_instances", "VPN instances.", value=status.instances)
        yield GaugeMetricFamily("hornpipe_alarms", "Conditions that want a person.", value=len(status.alarms))
        missing = GaugeMetricFamily("hornpipe_kernel_feature_missing", "1: this kernel lacks it.", labels=["feature"])
        for text in status.missing_features:
            missing.add_metric([text.partition(":")[0]], 1.0)
        yield missing
        gates = GaugeMetricFamily("hornpipe_gate_open", "1 if the start-up gate is open.", labels=["gate"])
        for gate in status.gates:
            gates.add_metric([gate.gate], float(gate.open))
        yield gates
        routes = GaugeMetricFamily("hornpipe_routes", "Routes by origin.", labels=["origin"])
        routes.add_metric(["local"], status.routes_local)
        routes.add_metric(["received"], status.routes_received)
        yield routes
        entries = GaugeMetricFamily("hornpipe_forwarding_entries", "Entries the kernel should hold.", labels=["status"])
        for state in ("pending", "done", "error"):
            entries.add_metric([state], status.entries.get(state, 0))
        yield entries

    def _peers(self) -> Iterator[Metric]:
        rows = self.context.engine.peers()
        up = GaugeMetricFamily("hornpipe_peer_up", "1 if the session is established.", labels=["peer", "remote_as"])
        state = GaugeMetricFamily("hornpipe_peer_state", "1 for the state it is in.", labels=["peer", "state"])
        routes = GaugeMetricFamily("hornpipe_peer_routes", "Routes of the session.", labels=["peer", "table"])
        flaps = CounterMetricFamily("hornpipe_peer_flaps", "Sessions lost.", labels=["peer"])
        errors = CounterMetricFamily("hornpipe_peer_update_errors", "UPDATEs handled by RFC 7606.", labels=["peer"])
        messages = CounterMetricFamily("hornpipe_peer_messages", "BGP messages.", labels=["peer", "direction"])
        updates = CounterMetricFamily("hornpipe_peer_updates", "BGP UPDATEs.", labels=["peer", "direction"])
        memory = GaugeMetricFamily("hornpipe_peer_memory_bytes", "What its routes hold, estimated.", labels=["peer"])
        throttled = CounterMetricFamily(
            "hornpipe_peer_throttled_seconds", "Not read, for it said more than its update_limit.", labels=["peer"]
        )
        for row in rows:
            up.add_metric([row.peer, str(row.remote_as)], float(row.state == "ESTABLISHED"))
            for name in STATES:
                state.add_metric([row.peer, name], float(row.state == name))
            for table in ("received", "stale", "sent", "pending"):
                routes.add_metric([row.peer, table], getattr(row, table))
            flaps.add_metric([row.peer], row.flaps)
            errors.add_metric([row.peer], row.errors)
            memory.add_metric([row.peer], row.memory)
            throttled.add_metric([row.peer], row.throttled)
            messages.add_metric([row.peer, "in"], row.messages_in)
            messages.add_metric([row.peer, "out"], row.messages_out)
            updates.add_metric([row.peer, "in"], row.updates_in)
            updates.add_metric([row.peer, "out"], row.updates_out)
        yield from (up, state, routes, flaps, errors, memory, throttled, messages, updates)

    def _ports(self) -> Iterator[Metric]:
        count = Counter(row.state for row in self.context.engine.ports())
        ports = GaugeMetricFamily("hornpipe_ports", "Attached ports by state.", labels=["state"])
        for state in PORT_STATES:
            ports.add_metric([state], count[state])  # type: ignore[index]  # the states are the literals of a row
        yield ports


def exposition(context: Context) -> bytes:
    return generate_latest(context.registry)
