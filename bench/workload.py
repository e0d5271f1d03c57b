"""What the benchmarks send: prepared UPDATEs, so that the injector only writes bytes.

Routes are spread over VNIs; each VNI has its own route target and so its own attribute block, as real ones have.
Packed, an UPDATE is full of one block's routes (about 100); single, it has one route, as a port that is attached makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.lab import wire


class Shape(NamedTuple):
    """How a family's routes look on the wire."""

    family: wire.Family
    size: int
    """Bytes of one NLRI."""
    key: slice
    """What identifies the route in it: not the label, which a withdrawal need not repeat."""
    nlri: Callable[[int, int], bytes]
    """(number, VNI or label) -> NLRI."""


def evpn_nlri(number: int, vni: int) -> bytes:
    rd = wire.rd("192.0.2.1", vni % 60000)
    return wire.mac_ip(rd, b"\x02\x00" + number.to_bytes(4, "big"), (0x0A000000 + number).to_bytes(4, "big"), vni)


def vpnv4_nlri(number: int, vni: int) -> bytes:
    return wire.vpnv4(wire.rd("192.0.2.1", vni % 60000), (0x0A000000 + number).to_bytes(4, "big"), 16 + vni)


EVPN = Shape(wire.EVPN, wire.TYPE2_V4, slice(0, 36), evpn_nlri)
VPNV4 = Shape(wire.VPNV4, 16, slice(4, 16), vpnv4_nlri)


class Workload(NamedTuple):
    shape: Shape
    routes: int
    next_hop: str = "192.0.2.1"
    vnis: int = 1000

    def by_vni(self) -> Iterator[tuple[int, list[bytes]]]:
        per = -(-self.routes // self.vnis)
        for index in range(0, self.routes, per):
            vni = 1000 + index // per
            yield vni, [self.shape.nlri(n, vni) for n in range(index, min(index + per, self.routes))]

    def block(self, vni: int, med: int | None = None) -> bytes:
        return wire.common([wire.route_target(f"64512:{vni}"), wire.VXLAN], med)

    def announce(self, per_update: int = 100, med: int | None = None) -> bytes:
        messages = []
        for vni, nlris in self.by_vni():
            block = self.block(vni, med)
            for start in range(0, len(nlris), per_update):
                joined = b"".join(nlris[start : start + per_update])
                messages.append(wire.reach(self.shape.family, self.next_hop, joined, block))
        return b"".join(messages)

    def withdraw(self, per_update: int = 100) -> bytes:
        messages = []
        for _vni, nlris in self.by_vni():
            for start in range(0, len(nlris), per_update):
                messages.append(wire.unreach(self.shape.family, b"".join(nlris[start : start + per_update])))
        return b"".join(messages)
