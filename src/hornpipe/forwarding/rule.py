"""Rules of policy routing: traffic that comes in by an interface and matches is looked up in another table.

Such a rule is what redirects traffic into a VRF (RFC 8955 section 7.4). Rules are asked in the order of their
priorities; they stand between `FIRST` and `LAST`, and those of one interface count from `FIRST`. Two rules that differ
in nothing but the priority are the same entry at another place: when one moves, the kernel has it twice for a moment
and never not at all.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple, TypeAlias

import msgspec

from hornpipe.net.prefix import Prefix

FIRST, LAST = 10001, 19998
"""Behind what others commonly have (up to some thousand), before the main table (32766). The kernel driver has one
number on either side for itself."""

Ports: TypeAlias = tuple[int, int]
"""First and last, 1 to 65534, which is what the kernel takes."""
ANY_PORT: Ports = (0, 0)
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp"}


class FibRule(NamedTuple):
    """A rule as the kernel has it."""

    family: int
    """4 or 6."""
    priority: int
    iif: str
    """For what comes in by a VRF's ports, labels or tunnels: the VRF device."""
    table: int
    source: bytes = b""
    """As `route_key` has it; empty: any."""
    destination: bytes = b""
    protocol: int = 0
    """IP protocol; 0: any."""
    source_port: Ports = ANY_PORT
    destination_port: Ports = ANY_PORT

    @property
    def match(self) -> str:
        """In iproute2's words, without the priority."""
        words = [f"from {Prefix(self.source) if self.source else 'all'}"]
        words += [f"to {Prefix(self.destination)}"] if self.destination else []
        words.append(f"iif {self.iif}")
        words += [f"ipproto {PROTOCOLS.get(self.protocol, self.protocol)}"] if self.protocol else []
        for word, (first, last) in (("sport", self.source_port), ("dport", self.destination_port)):
            words += [f"{word} {first}" if first == last else f"{word} {first}-{last}"] if last else []
        words.append(f"lookup {self.table}")
        return ("" if self.family == 4 else "inet6 ") + " ".join(words)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is wanted."""

    kind: ClassVar[str] = "rule"
    rank: ClassVar[int] = 4
    """After all devices; a driver puts rules when the routes of the batch are there."""
    rule: FibRule
    instance: str

    @property
    def name(self) -> str:
        return self.rule.match

    @property
    def key(self) -> tuple[str, str]:
        return ("rule", self.rule.match)

    @property
    def text(self) -> str:
        return f"pref {self.rule.priority} {self.rule.match}"
