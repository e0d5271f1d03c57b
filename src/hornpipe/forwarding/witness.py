"""What the kernel's events say of routes, nexthops and labels: what is ours and was changed is written again."""

from __future__ import annotations

from hornpipe.forwarding.entry import NetnsPort, Port
from hornpipe.forwarding.link import Links
from hornpipe.forwarding.losses import Losses
from hornpipe.forwarding.nexthop import Nexthop
from hornpipe.forwarding.rare import RareEntries
from hornpipe.forwarding.rule import FibRule, Rule
from hornpipe.forwarding.table import MAIN_TABLE
from hornpipe.forwarding.tables import Tables


class Witness:
    def __init__(self, links: Links, rare: RareEntries, bulk: Tables, losses: Losses) -> None:
        self._links = links
        self._rare = rare
        self._bulk = bulk
        self._losses = losses

    def route(self, table: int, key: bytes, nexthop: int | None, present: bool) -> None:
        """A route with our metric came, changed or went."""
        self._bulk.doubt_route(table, key)
        device = self._links.name_of(self._links.vrfs.get(table, 0))
        if not device and table != MAIN_TABLE:
            return
        for state in self._bulk.on("route", device):
            way = state.ways.get(key)
            if way is not None and not (present and nexthop == way.number) and state.table.wanted(key) is not None:
                state.touch(key)
                self._losses.note("route", device, key)

    def vrf_default_gone(self, table: int) -> None:
        """A VRF's unreachable default was changed by somebody else."""
        self._rare.look_again(("vrf", self._links.name_of(self._links.vrfs.get(table, 0))))

    def neighbour(self, device: str, ip: bytes, mac: bytes) -> None:
        """A neighbour on any link; without MAC it is gone."""
        port = self._rare.wanted.get(("port", device))
        if not isinstance(port, Port | NetnsPort) or port.routed is None:
            return
        if dict(port.routed.neighbours).get(ip, mac) != mac:
            self._rare.look_again(port.key)
            self._losses.note("neigh", device, ip)

    def mpls_input(self, index: int, on: bool) -> None:
        """A link takes labelled packets now, or no longer."""
        if on != (index in self._links.mpls_input):
            (self._links.mpls_input.add if on else self._links.mpls_input.discard)(index)
            self._rare.affected(self._links.name_of(index), True)

    def closed(self, index: int, on: bool) -> None:
        """Nothing comes in by a link now, or again; index 0: by all links something may."""
        closed = self._links.closed
        for one in [index] if index else list(closed):
            if on != (one in closed):
                (closed.add if on else closed.discard)(one)
                self._rare.affected(self._links.name_of(one), False)

    def rule(self, found: FibRule, present: bool) -> None:
        """A rule of ours came or went."""
        (self._links.rules.add if present else self._links.rules.discard)(found)
        entry = self._rare.wanted.get(("rule", found.match))
        if isinstance(entry, Rule) and entry.rule == found and not present:
            self._rare.todo[entry.key] = None
            self._losses.note("rule", "", entry.name.encode())

    def nexthop(self, number: int, content: Nexthop | None) -> None:
        """A nexthop in our range was changed by somebody else, or is gone."""
        self._bulk.nexthops.event(number, content)

    def label(self, key: bytes, index: int, gateway: bytes, present: bool) -> None:
        """The route of a label came, changed or went."""
        self._bulk.doubt("mpls", "", key)
        found = (self._links.name_of(index), gateway) if present else None
        for state in self._bulk.on("mpls", ""):
            if state.table.wanted(key) not in (None, found):
                state.touch(key)
                self._losses.note("mpls", "", key)
