"""A local MAC: behind a port, learnt from the kernel, or the gateway's own."""

from __future__ import annotations

from math import inf

from hornpipe.vpn.plan import PortId


class Attachment:
    """A port in an instance, as far as it concerns the instance: its interface and whether that is there."""

    __slots__ = ("interface", "port", "since", "stations", "up")

    def __init__(self, port: PortId | None, interface: str, up: bool, since: float) -> None:
        self.port = port
        """None: an interface of a foreign bridge that the API does not know."""
        self.interface = interface
        self.up = up
        self.since = since
        self.stations: dict[bytes, Station] = {}
        """Behind it, by MAC."""


class Station:
    __slots__ = (
        "addresses",
        "announced",
        "attachment",
        "came",
        "gateway",
        "held",
        "here",
        "late_until",
        "learnt",
        "lost",
        "mac",
        "reason",
        "sequence",
        "sticky",
        "unique",
    )

    def __init__(self, mac: bytes, attachment: Attachment, *, sticky: bool = False, gateway: bool = False) -> None:
        self.mac = mac
        self.attachment = attachment
        attachment.stations[mac] = self
        self.addresses: tuple[bytes, ...] = ()
        self.sequence = 0
        """MAC mobility sequence we advertise; kept in the intent."""
        self.sticky = sticky
        self.gateway = gateway
        """The host answers for it; every host may (anycast), so it is never contested."""
        self.unique = False
        """Of `gateway`: no other host answers for it."""
        self.learnt = False
        """The kernel saw it; it is forgotten when it is seen elsewhere."""
        self.here = False
        """The station is here as far as we know: advertised, forwarded to the port."""
        self.held = False
        """It was elsewhere before a restart: wait for the peers before saying otherwise."""
        self.late_until = 0.0
        """Until then a claim by somebody else that becomes known may be older than the station's coming here."""
        self.came = -inf
        """When its caller put it here; -inf: that was in a former process, or the kernel saw it."""
        self.reason = ""
        self.lost: dict[bytes, str] = {}
        """Addresses that are elsewhere with another MAC -> why."""
        self.announced: set[bytes] = set()
        """NLRI keys."""

    @property
    def up(self) -> bool:
        return self.attachment.up

    def move(self, attachment: Attachment) -> None:
        """Behind another port of this host."""
        self.leave()
        self.attachment = attachment
        attachment.stations[self.mac] = self

    def leave(self) -> None:
        self.attachment.stations.pop(self.mac, None)
