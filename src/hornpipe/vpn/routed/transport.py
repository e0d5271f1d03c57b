"""What all routed instances share in the kernel: tunnels that carry MPLS, labels, a VRF that leads nowhere.

MPLS over GRE (RFC 4023) needs one multipoint tunnel, whose neighbour table says where each PE is; MPLS over UDP
(RFC 7510) one tunnel a PE; MPLS over Ethernet the way to the PE as the underlay has it. Everything is counted by use.

Incoming labels are in one table, whoever they belong to (RFC 3031 section 3.14: the platform's label space).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.entry import MplsInput, Tunnel, Vrf
from hornpipe.forwarding.table import LabelValue, NeighValue
from hornpipe.vpn.spec import Encapsulation

if TYPE_CHECKING:
    from hornpipe.forwarding.state import Forwarding
    from hornpipe.vpn.surroundings import Surroundings

GRE = "hp-gre"
SINK = "hp-vrf0"
"""Ports that may send nothing are in it: a VRF without routes. No instance has the number 0."""
NOBODY = ""
"""Entries that no single instance owns."""


class Neighbours:
    """Permanent neighbours on a device that we share: on a tunnel the PEs, elsewhere routers that we were told of."""

    kind: Literal["neigh"] = "neigh"
    instance = NOBODY

    def __init__(self, device: str) -> None:
        self.device = device
        self.users: dict[bytes, Counter[bytes]] = {}
        """IP -> link-layer address -> users."""

    def wanted(self, key: bytes) -> NeighValue | None:
        users = self.users.get(key)
        return (min(users), False) if users else None

    def keys(self) -> Iterable[bytes]:
        return list(self.users)

    def __len__(self) -> int:
        return len(self.users)


class Labels:
    """The label table."""

    kind: Literal["mpls"] = "mpls"
    device = ""
    instance = NOBODY

    def __init__(self) -> None:
        self.values: dict[bytes, LabelValue] = {}

    def wanted(self, key: bytes) -> LabelValue | None:
        return self.values.get(key)

    def keys(self) -> Iterable[bytes]:
        return list(self.values)

    def __len__(self) -> int:
        return len(self.values)


class Transport:
    def __init__(self, around: Surroundings, forwarding: Forwarding) -> None:
        self.around = around
        self.forwarding = forwarding
        self.labels = Labels()
        self._labels: TableState | None = None
        self._neighbours: dict[str, tuple[Neighbours, TableState]] = {}
        self._encapsulations: Counter[str] = Counter()
        self._tunnels: Counter[bytes] = Counter()
        self._sunk = 0

    # ---- encapsulations that may come in

    def enable(self, encapsulations: Iterable[Encapsulation]) -> None:
        """A routed instance may be reached so."""
        for encapsulation in encapsulations:
            self._encapsulations[encapsulation] += 1
            if self._encapsulations[encapsulation] > 1:
                continue
            if encapsulation == "mpls-gre":
                self.forwarding.set(Tunnel(name=GRE, instance=NOBODY, encapsulation="gre", local=self.around.vtep))
                self.forwarding.set(MplsInput(interface=GRE))
            elif encapsulation == "mpls":
                for interface in self.around.terms.mpls_interfaces:
                    self.forwarding.set(MplsInput(interface=interface))

    def disable(self, encapsulations: Iterable[Encapsulation]) -> None:
        for encapsulation in encapsulations:
            self._encapsulations[encapsulation] -= 1
            if self._encapsulations[encapsulation]:
                continue
            if encapsulation == "mpls-gre":
                self.forwarding.remove(("mpls-input", GRE))
                self.forwarding.remove(("tunnel", GRE))
            elif encapsulation == "mpls":
                for interface in self.around.terms.mpls_interfaces:
                    self.forwarding.remove(("mpls-input", interface))

    def interfaces_changed(self, old: Iterable[str], new: Iterable[str]) -> None:
        """The interfaces on which labelled packets come in are others now."""
        if self._encapsulations["mpls"]:
            for interface in sorted(set(old) - set(new)):
                self.forwarding.remove(("mpls-input", interface))
            for interface in sorted(set(new) - set(old)):
                self.forwarding.set(MplsInput(interface=interface))

    # ---- remote PEs

    def want_neighbour(self, device: str, ip: bytes, mac: bytes) -> None:
        if device not in self._neighbours:
            table = Neighbours(device)
            self._neighbours[device] = table, self.forwarding.add_table(table)
        table, state = self._neighbours[device]
        before = table.wanted(ip)
        table.users.setdefault(ip, Counter())[mac] += 1
        if table.wanted(ip) != before:
            state.touch(ip)

    def unwant_neighbour(self, device: str, ip: bytes, mac: bytes) -> None:
        table, state = self._neighbours[device]
        before, users = table.wanted(ip), table.users[ip]
        users[mac] -= 1
        if not users[mac]:
            del users[mac]
        if len(table.users) == 1 and not users:
            self.forwarding.drop_table(table)
            del self._neighbours[device]
            return
        if not users:
            del table.users[ip]
        if table.wanted(ip) != before:
            state.touch(ip)

    @staticmethod
    def tunnel_name(remote: bytes) -> str:
        return f"hp-udp{remote.hex()}"

    def want_tunnel(self, remote: bytes) -> None:
        self._tunnels[remote] += 1
        if self._tunnels[remote] == 1:
            name = self.tunnel_name(remote)
            self.forwarding.set(
                Tunnel(name=name, instance=NOBODY, encapsulation="udp", local=self.around.vtep, remote=remote)
            )
            self.forwarding.set(MplsInput(interface=name))

    def unwant_tunnel(self, remote: bytes) -> None:
        self._tunnels[remote] -= 1
        if not self._tunnels[remote]:
            del self._tunnels[remote]
            name = self.tunnel_name(remote)
            self.forwarding.remove(("mpls-input", name))
            self.forwarding.remove(("tunnel", name))

    # ---- labels

    def set_label(self, label: int, value: LabelValue | None) -> None:
        """None: the label means nothing any more."""
        key = label.to_bytes(4, "big")
        if self.labels.values.get(key) == value:
            return
        if self._labels is None:
            self._labels = self.forwarding.add_table(self.labels)
        if value is None:
            del self.labels.values[key]
        else:
            self.labels.values[key] = value
        self._labels.touch(key)

    # ---- the VRF that leads nowhere

    def want_sink(self) -> None:
        self._sunk += 1
        if self._sunk == 1:
            self.forwarding.set(Vrf(name=SINK, instance=NOBODY, table=self.around.terms.table_base))

    def unwant_sink(self) -> None:
        self._sunk -= 1
        if not self._sunk:
            self.forwarding.remove(("vrf", SINK))
