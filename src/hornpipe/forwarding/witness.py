"""What the kernel's events say of routes, nexthops and labels: what is ours and was changed is written again."""

from __future__ import annotations

from hornpipe.forwarding.entry import NetnsPort, Port
from hornpipe.forwarding.link import Links
from hornpipe.forwarding.nexthop import Nexthop
from hornpipe.forwarding.rare import RareEntries
from hornpipe.forwarding.table import MAIN_TABLE
from hornpipe.forwarding.tables import Tables


class Witness:
    def __init__(self, links: Links, rare: RareEntries, bulk: Tables) -> None:
        self._links = links
        self._rare = rare
        self._bulk = bulk

    def route(self, table: int, key: bytes, nexthop: int | None, present: bool) -> None:
        """A route with our metric came, changed or went."""
        device = self.device_of(table)
        for state in self._bulk.states.values():
            if state.kind == "route" and state.device == device and state.table.wanted(key) is not None:
                state.touch(key)

    def device_of(self, table: int) -> str | None:
        """The VRF of a routing table; empty: the main table's; None: nobody's."""
        if table == MAIN_TABLE:
            return ""
        return next((link.name for link in self._links.by_index.values() if link.table == table), None)

    def vrf_default_gone(self, table: int) -> None:
        device = self.device_of(table)
        if device:
            self._rare.look_again(("vrf", device))

    def neighbour(self, device: str, ip: bytes, mac: bytes) -> None:
        """A neighbour on any link; without MAC it is gone."""
        port = self._rare.wanted.get(("port", device))
        if not isinstance(port, Port | NetnsPort) or port.routed is None:
            return
        if dict(port.routed.neighbours).get(ip, mac) != mac:
            self._rare.look_again(port.key)

    def mpls_input(self, index: int, on: bool) -> None:
        """A link takes labelled packets now, or no longer."""
        (self._links.mpls_input.add if on else self._links.mpls_input.discard)(index)
        self._rare.affected(self._links.name_of(index), True)

    def nexthop(self, number: int, content: Nexthop | None) -> None:
        """A nexthop in our range was changed by somebody else, or is gone."""

    def label(self, key: bytes, index: int, gateway: bytes, present: bool) -> None:
        for state in self._bulk.states.values():
            if state.kind == "mpls" and state.table.wanted(key) not in (None, (self._links.name_of(index), gateway)):
                state.touch(key)
