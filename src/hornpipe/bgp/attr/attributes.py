"""`Attributes`: everything the tables and the VPN logic want to know of one attribute block, decoded once."""

from __future__ import annotations

from hornpipe.bgp.attr.pmsi import Pmsi


class Attributes:
    """One decoded block; interned by its raw bytes and shared by all routes that came with it.

    Absent attributes are None, empty or 0 as annotated. Everything is what was received: no defaults of policy.
    """

    __slots__ = (
        "aggregator",
        "as4",
        "as_path",
        "as_path_length",
        "atomic_aggregate",
        "cache",
        "cluster_list",
        "communities",
        "default_gateway",
        "discarded",
        "dropped",
        "encapsulations",
        "es_import",
        "ext_communities",
        "family",
        "large_communities",
        "link_bandwidth",
        "local_pref",
        "med",
        "mobility",
        "nd_flags",
        "next_hop",
        "origin",
        "originator_id",
        "pmsi",
        "raw",
        "redirects",
        "route_targets",
        "router_mac",
        "rt_records",
        "sort_order",
        "sticky",
        "unknown",
    )

    def __init__(self, raw: bytes, next_hop: bytes, family: int, as4: bool) -> None:
        self.raw: bytes = raw
        self.next_hop: bytes = next_hop
        self.family: int = family
        self.as4: bool = as4
        """Whether AS numbers in `raw` have four octets."""
        self.origin: int = 0
        self.as_path: tuple[tuple[int, tuple[int, ...]], ...] = ()
        """Segments (type, AS numbers), AS4_PATH merged in."""
        self.as_path_length: int = 0
        """For best path: a set counts one, confederation segments nothing (RFC 4271 section 9.1.2.2, RFC 5065)."""
        self.med: int | None = None
        self.local_pref: int | None = None
        self.atomic_aggregate: bool = False
        self.aggregator: tuple[int, bytes] | None = None
        self.communities: tuple[int, ...] = ()
        self.originator_id: bytes | None = None
        self.cluster_list: tuple[bytes, ...] = ()
        self.ext_communities: tuple[bytes, ...] = ()
        self.route_targets: tuple[bytes, ...] = ()
        self.encapsulations: tuple[int, ...] = ()
        self.mobility: int = 0
        """MAC mobility sequence number (RFC 7432 section 7.7); absent is 0 (section 15)."""
        self.sticky: bool = False
        self.default_gateway: bool = False
        self.router_mac: bytes | None = None
        self.es_import: bytes | None = None
        self.nd_flags: int | None = None
        """Flags of the ARP/ND extended community (RFC 9047)."""
        self.redirects: tuple[bytes, ...] = ()
        """Route targets of the VRFs that a flow specification redirects to."""
        self.rt_records: tuple[bytes, ...] = ()
        """Route targets a re-advertised route has passed through."""
        self.sort_order: int | None = None
        """Its place among equal routes (consistent hash sort order)."""
        self.link_bandwidth: float | None = None
        """Bytes a second."""
        self.pmsi: Pmsi | None = None
        self.large_communities: tuple[tuple[int, int, int], ...] = ()
        self.unknown: tuple[tuple[int, int, bytes], ...] = ()
        """(flags, code, value) of attributes without a row in the table."""
        self.discarded: tuple[str, ...] = ()
        """What RFC 7606 attribute discard took out, for people."""
        self.dropped: tuple[int, ...] = ()
        """The type codes of `discarded`, to leave them out when the routes are passed on."""
        self.cache: object = None
        """Free for the layer above: whatever it derives from the block."""
