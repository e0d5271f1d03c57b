"""The contract of a dataplane driver. Everything here is called in, and calls back in, the asyncio loop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from hornpipe.forwarding.audit import Probe
from hornpipe.forwarding.batch import Batch, Results, Scan
from hornpipe.forwarding.entry import InterfaceAddress
from hornpipe.forwarding.inside import Inside
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.nexthop import Nexthop
from hornpipe.forwarding.question import Found, Question
from hornpipe.forwarding.rule import FibRule
from hornpipe.forwarding.underlay import Way


class EventSink(Protocol):
    """Where a driver says what changed in the kernel without our doing."""

    def link(self, link: Link) -> None: ...

    def port_flags(self, index: int, learning: bool | None, suppress: bool | None) -> None:
        """A bridge port's flags changed; None: not told."""

    def link_gone(self, index: int) -> None: ...

    def address(self, index: int, address: InterfaceAddress, present: bool) -> None: ...

    def neigh(self, index: int, ip: bytes, mac: bytes, intact: bool) -> None: ...

    def fdb(self, index: int, mac: bytes, vtep: bytes, vni: int, present: bool) -> None: ...

    def bridge_fdb(self, bridge: int, port: int, mac: bytes, present: bool, permanent: bool = False) -> None: ...

    def route(self, table: int, key: bytes, nexthop: int | None, present: bool) -> None:
        """A route with `ROUTE_METRIC`, of any protocol, in any table, came, changed or went.

        `nexthop`: as in `Scan.routes`. Routes that go with a device or a nexthop are not always told.
        """

    def main_changed(self) -> None:
        """Something in the main table changed, whosever route it is: ways of the underlay may be others now."""

    def vrf_default_gone(self, table: int) -> None:
        """The unreachable default route of a VRF was removed or replaced."""

    def rule(self, found: FibRule, present: bool) -> None:
        """A rule of ours came or went."""

    def rules_lost(self, family: int) -> None:
        """Rules of ours of this family (4 or 6) may be without effect."""

    def nexthop(self, number: int, content: Nexthop | None) -> None:
        """A nexthop in our range is new, changed or (None) gone."""

    def label(self, key: bytes, index: int, gateway: bytes, present: bool) -> None:
        """The route of an MPLS label (4 bytes, BE) came, changed or went; `index` and `gateway` as in a chunk."""

    def mpls_input(self, index: int, on: bool) -> None:
        """A link takes labelled packets now, or no longer."""

    def closed(self, index: int, on: bool) -> None:
        """Nothing comes in by a link now (`Bridge.closed`), or something again; index 0, off: by all links."""

    def overrun(self) -> None:
        """Events were lost: nothing known of the kernel can be relied on."""

    def burst_end(self) -> None:
        """No more events for now."""


class Driver(Protocol):
    async def start(self, sink: EventSink) -> None:
        """Opens what is needed; events are reported from now on. OSError with a reason if it cannot be."""

    async def scan(self) -> Scan:
        """All links and addresses, and all entries marked ours."""

    async def features(self) -> dict[str, str]:
        """What this kernel lacks: feature -> what would give it ("module vrf (CONFIG_NET_VRF)").

        vrf, mpls (mpls_router and mpls_iptunnel), gre, fou, macvlan, nexthop, vxlan. Asked once, after `start`.
        """

    async def resolve(self, addresses: Collection[bytes]) -> dict[bytes, Way | None]:
        """How the main table leads to each address; None: not at all."""

    async def inspect(self, questions: Sequence[Question]) -> list[Found]:
        """What the kernel holds at this moment, one answer a question. What cannot be asked is not present."""

    async def survey(self, learning: Sequence[str]) -> Scan:
        """All links and addresses, our rules, and what was learnt on these bridges: what `overrun` makes necessary."""

    def lend(self, netns: str, descriptor: int) -> Callable[[], None]:
        """A descriptor of the namespace that `NetnsPort.netns` names, for a path that this process may not see itself
        (a copy is made). What is returned ends that."""

    async def look_inside(self, netns: str) -> Inside:
        """What a namespace has; OSError if it cannot be entered."""

    def submit(self, batch: Batch, done: Callable[[Results], None]) -> None:
        """Executes a batch after those submitted before; never blocks (a synchronous driver calls `done` at once)."""

    async def probe(self, probes: list[Probe]) -> list[Any]:
        """Reads single entries, None for one that is not there, else by `Probe.kind`:

        ``fdb``: (VTEP, VNI or 0) of MAC `key` on link `index`. ``route``: the nexthop's number (`UNREACHABLE` for type
        unreachable) of the route with `ROUTE_METRIC` for exactly `key` in table `index`, None also for one that is not
        as we write it. ``nexthop``: the `Nexthop` with the number `index`.
        """

    def mute(self, indexes: frozenset[int]) -> None:
        """Do not report entries of ours that disappear from these devices: we are deleting them by the thousand."""

    async def flush(self) -> int:
        """Removes everything marked ours; returns the number of devices. For taking the daemon off a host."""

    async def stop(self) -> None:
        """Closes what is open; the kernel keeps what it has."""
