"""The routing part of the kernel in memory: nexthops, routes, labels, as Linux keeps and silently loses them.

A nexthop needs a device that is up and has carrier, and goes without a word when that ends; a group loses the member
and goes with its last one; routes go with their nexthop, those of IPv4 without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hornpipe.dataplane.driver import EventSink
from hornpipe.forwarding.batch import Scan
from hornpipe.forwarding.entry import address_text
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.nexthop import UNREACHABLE, Group, Nexthop, One
from hornpipe.forwarding.question import Found
from hornpipe.forwarding.rule import FibRule
from hornpipe.forwarding.table import MAIN_TABLE


class DummyRouting:
    def __init__(self, links: dict[str, Link], sink: Callable[[], EventSink | None]) -> None:
        self.nexthops: dict[int, Nexthop] = {}
        self.routes: dict[tuple[int, bytes], int] = {}
        """(routing table, `route_key`) -> number of the nexthop"""
        self.foreign: set[tuple[int, bytes]] = set()
        """Those of the routes that somebody else put in the place of ours."""
        self.labels: dict[bytes, tuple[int, bytes]] = {}
        self.mpls_input: set[int] = set()
        self.closed: set[int] = set()
        """Links by which nothing comes in."""
        self.defaults: set[int] = set()
        """Tables that end in an unreachable default route."""
        self.rules: set[FibRule] = set()
        """Of policy routing, those of ours."""
        self._links = links
        self._sink = sink

    # ---- what the driver does

    def put_nexthop(self, number: int, content: Nexthop) -> str:
        if isinstance(content, Group):
            if not content.members or any(not self._is_single(member) for member, _ in content.members):
                return "Invalid nexthop id"
            self.nexthops[number] = content
            return ""
        link = self.link(content.oif)
        if link is None:
            return "Invalid device"
        if not (link.up and link.carrier):
            return "Network is down"
        self.nexthops[number] = content
        return ""

    def _is_single(self, number: int) -> bool:
        return isinstance(self.nexthops.get(number), One)

    def delete_nexthop(self, number: int) -> None:
        self.nexthops.pop(number, None)
        self._settle()

    def add_route(self, table: int, key: bytes, number: int) -> str:
        if number != UNREACHABLE:
            content = self.nexthops.get(number)
            if content is None:
                return "Nexthop id does not exist"
            if len(key) == 17 and any(one.family == 4 for one, _ in self._ones(content)):
                return "IPv6 routes can not use an IPv4 nexthop"
        self.routes[(table, key)] = number
        self.foreign.discard((table, key))
        return ""

    def drop_route(self, table: int, key: bytes) -> None:
        if (table, key) not in self.foreign:
            self.routes.pop((table, key), None)

    def add_label(self, key: bytes, index: int, gateway: bytes) -> str:
        if self.link(index) is None:
            return "No such device"
        self.labels[key] = (index, gateway)
        return ""

    # ---- what happens by itself

    def device_lost(self, index: int, gone: bool) -> None:
        """It is down, without carrier or (`gone`) deleted."""
        for number in [number for number, one in self.nexthops.items() if isinstance(one, One) and one.oif == index]:
            del self.nexthops[number]
        self._settle()
        if gone:
            self.labels = {key: value for key, value in self.labels.items() if value[0] != index}
            self.mpls_input.discard(index)
            self.closed.discard(index)

    def _settle(self) -> None:
        """Groups without members and routes without nexthop go."""
        for number, content in list(self.nexthops.items()):
            if isinstance(content, Group):
                left = tuple(member for member in content.members if member[0] in self.nexthops)
                if left:
                    self.nexthops[number] = Group(left)
                else:
                    del self.nexthops[number]
        for (table, key), number in list(self.routes.items()):
            if number != UNREACHABLE and number not in self.nexthops:
                self._lose_route(table, key, tell=len(key) == 17)

    def _lose_route(self, table: int, key: bytes, tell: bool) -> None:
        number = self.routes.pop((table, key))
        self.foreign.discard((table, key))
        sink = self._sink()
        if tell and sink is not None:
            sink.route(table, key, number, False)
            if table == MAIN_TABLE:
                sink.main_changed()

    # ---- what others do

    def delete_route(self, table: int, key: bytes) -> None:
        """``ip route del``"""
        if (table, key) in self.routes:
            self._lose_route(table, key, tell=True)

    def replace_route(self, table: int, key: bytes) -> None:
        """``ip route replace unreachable PREFIX metric 300``: somebody else's takes our route's place."""
        self.routes[(table, key)] = UNREACHABLE
        self.foreign.add((table, key))
        sink = self._sink()
        if sink is not None:
            sink.route(table, key, None, True)

    def flush_routes(self, table: int, tell: bool = True) -> None:
        """``ip route flush table TABLE``; without `tell` the events are lost."""
        for at, key in list(self.routes):
            if at == table:
                self._lose_route(table, key, tell)
        self.defaults.discard(table)
        sink = self._sink()
        if tell and sink is not None:
            sink.vrf_default_gone(table)

    def flush_nexthops(self, tell: bool = True) -> None:
        """``ip nexthop flush``"""
        for number in list(self.nexthops):
            self.nexthops.pop(number)
            sink = self._sink()
            if tell and sink is not None:
                sink.nexthop(number, None)
        self._settle()

    def flush_rules(self) -> None:
        """``ip rule flush``"""
        gone, self.rules = self.rules, set()
        sink = self._sink()
        if sink is not None:
            for rule in gone:
                sink.rule(rule, False)
            for family in (4, 6):
                sink.rules_lost(family)

    def delete_rule(self, match: str) -> None:
        """``ip rule del``"""
        gone = {rule for rule in self.rules if rule.match == match}
        self.rules -= gone
        sink = self._sink()
        if sink is not None:
            for rule in gone:
                sink.rule(rule, False)

    def delete_label(self, key: bytes) -> None:
        """``ip -f mpls route del LABEL``"""
        index, gateway = self.labels.pop(key)
        sink = self._sink()
        if sink is not None:
            sink.label(key, index, gateway, False)

    # ---- reading

    def link(self, index: int) -> Link | None:
        return next((link for link in self._links.values() if link.index == index), None)

    def _ones(self, content: Nexthop) -> list[tuple[One, int]]:
        if isinstance(content, One):
            return [(content, 1)]
        found = [(self.nexthops[number], weight) for number, weight in content.members]
        return [(one, weight) for one, weight in found if isinstance(one, One)]

    def scan(self, scan: Scan) -> None:
        scan.nexthops = dict(self.nexthops)
        for (table, key), number in self.routes.items():
            if (table, key) not in self.foreign:
                scan.routes.setdefault(table, {})[key] = number
        names = {link.index: link.name for link in self._links.values()}
        if self.labels:
            scan.tables[("mpls", "")] = {key: (names[index], gateway) for key, (index, gateway) in self.labels.items()}
        scan.mpls_input = list(self.mpls_input)
        scan.closed = list(self.closed)
        scan.rules = sorted(self.rules)

    def probe_route(self, table: int, key: bytes) -> int | None:
        return None if (table, key) in self.foreign else self.routes.get((table, key))

    def lookup(self, table: int, address: bytes) -> Found:
        """The longest match."""
        value, width = int.from_bytes(address, "big"), 8 * len(address)
        for length in range(width, -1, -1):
            kept = value >> (width - length) << (width - length)
            key = bytes((length,)) + kept.to_bytes(len(address), "big")
            number = self.routes.get((table, key))
            if number is not None:
                words = "; ".join(self.words(number)) or "unreachable"
                fields = {"dst": f"{address_text(key[1:])}/{length}", "nhid": str(number), **self._first(number)}
                return Found(present=number != UNREACHABLE, text=f"{fields['dst']} {words}", fields=fields)
        return Found(present=False, text="Network is unreachable")

    def _first(self, number: int) -> dict[str, str]:
        """The kernel answers a lookup with one way, of several with any."""
        content = self.nexthops.get(number)
        for one, _ in self._ones(content) if content is not None else ():
            link = self.link(one.oif)
            if link is not None:
                return {"dev": link.name}
        return {}

    def words(self, number: int) -> list[str]:
        """Each way out of a nexthop, with names for indexes."""
        content = self.nexthops.get(number)
        found = []
        for one, weight in self._ones(content) if content is not None else ():
            link = self.link(one.oif)
            labels = "/".join(map(str, one.labels))
            found.append(
                f"{'encap mpls ' + labels + ' ' if labels else ''}"
                f"{'via ' + address_text(one.gateway) + ' ' if one.gateway else ''}"
                f"dev {link.name if link is not None else one.oif} weight {weight}"
            )
        return sorted(found)

    def snapshot(self) -> dict[str, Any]:
        names = {link.index: link.name for link in self._links.values()}
        return {
            "routes": {place: tuple(self.words(number)) for place, number in self.routes.items()},
            "nexthops": sorted(map(self.words, self.nexthops)),
            "labels": {key: (names[index], gateway) for key, (index, gateway) in self.labels.items()},
            "mpls input": {names[index] for index in self.mpls_input},
            "closed": {names[index] for index in self.closed},
            "defaults": set(self.defaults),
            "rules": {(rule.priority, rule.match) for rule in self.rules},
        }
