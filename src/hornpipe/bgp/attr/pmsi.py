"""PMSI tunnel (RFC 6514 section 5): how broadcast reaches the originator of an inclusive multicast route.

With ingress replication the tunnel identifier is the address of the endpoint (RFC 7432 section 11.2), and the label
field is a VNI where the encapsulation is VXLAN (RFC 8365 section 5.1.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from hornpipe.bgp.attr.malformed import Malformed
from hornpipe.net.ip import Address

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes

INGRESS_REPLICATION: Final = 6
LEAF_INFORMATION_REQUIRED: Final = 1

TUNNEL_NAMES: Final[dict[int, str]] = {
    0: "no-tunnel",
    1: "rsvp-te-p2mp",
    2: "mldp-p2mp",
    3: "pim-ssm",
    4: "pim-sm",
    5: "bidir-pim",
    6: "ingress-replication",
    7: "mldp-mp2mp",
}


class Pmsi(NamedTuple):
    flags: int
    tunnel_type: int
    label: int
    """The raw 24 bits."""
    endpoint: bytes
    """The tunnel identifier as it is: with ingress replication a packed address."""

    def encode(self) -> bytes:
        """The attribute's value."""
        return bytes((self.flags, self.tunnel_type)) + self.label.to_bytes(3, "big") + self.endpoint

    def __str__(self) -> str:
        kind = TUNNEL_NAMES.get(self.tunnel_type, f"tunnel-{self.tunnel_type}")
        where = str(Address(self.endpoint)) if self.tunnel_type == INGRESS_REPLICATION else self.endpoint.hex()
        return " ".join(part for part in (kind, where, f"label {self.label}") if part)


def ingress_replication(label: int, endpoint: bytes) -> Pmsi:
    return Pmsi(0, INGRESS_REPLICATION, label, endpoint)


def decode(value: bytes, attributes: Attributes, as4: bool) -> None:
    if len(value) < 5:
        raise Malformed(f"PMSI_TUNNEL of {len(value)} bytes")
    pmsi = Pmsi(value[0], value[1], int.from_bytes(value[2:5], "big"), value[5:])
    if pmsi.tunnel_type == INGRESS_REPLICATION and len(pmsi.endpoint) not in (4, 16):
        raise Malformed(f"PMSI_TUNNEL with an endpoint of {len(pmsi.endpoint)} bytes")
    attributes.pmsi = pmsi
