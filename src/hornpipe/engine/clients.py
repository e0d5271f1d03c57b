"""Dynamic neighbours: whom a reflector accepts by prefix, how many of them, and with what configuration."""

from __future__ import annotations

from hornpipe.bgp.session.config import PeerConfig
from hornpipe.engine.neighbour import packed_address
from hornpipe.engine.settings import ClientRange, Settings
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix


class NotAccepted(Exception):
    """Why."""


class Clients:
    def __init__(self) -> None:
        self._counts: dict[ClientRange, int] = {}
        """Those that came by each range and are still known."""

    def admit(self, address: str, settings: Settings) -> ClientRange:
        """The most specific range; the client counts from now on. Raises `NotAccepted`."""
        packed = packed_address(address)
        ranges = settings.reflector.clients if settings.reflector is not None else ()
        matching = [clients for clients in ranges if contains(clients.prefix, packed)]
        if not matching:
            raise NotAccepted("not configured")
        chosen = max(matching, key=_length)
        if self._counts.get(chosen, 0) >= chosen.limit:
            raise NotAccepted(f"limit of {chosen.limit} clients of {chosen.prefix}")
        self._counts[chosen] = self._counts.get(chosen, 0) + 1
        return chosen

    def forget(self, clients: ClientRange) -> None:
        """One of this range is no longer known."""
        self._counts[clients] -= 1


def config_of(address: str, clients: ClientRange, settings: Settings) -> PeerConfig:
    return PeerConfig(
        address=address,
        local_as=settings.local_as,
        router_id=bytes(Address.parse(settings.router_id)),
        peer_as=clients.remote_as or settings.local_as,
        families=clients.families,
        hold_time=clients.hold_time,
        passive=True,
        password=clients.password,
        tcp_ao=clients.tcp_ao,
        role="client",
        graceful_restart_time=clients.graceful_restart_time,
        long_lived_time=clients.long_lived_time,
        send_long_lived_stale=clients.send_long_lived_stale,
        prefix_limits=clients.prefix_limits,
        memory_limit=clients.memory_limit,
        attribute_limit=clients.attribute_limit,
        update_limit=clients.update_limit,
        forwarding_preserved=True,
        dynamic=True,
        description=clients.description,
    )


def canonical(address: str) -> str:
    """As in the configuration: an IPv4 peer on a dual-stack socket is an IPv4 peer, a link-local one has its zone."""
    bare, _, zone = address.partition("%")
    parsed = Address.parse(bare[7:] if bare.startswith("::ffff:") and "." in bare else bare)
    return f"{parsed}%{zone}" if zone and parsed.is_link_local else str(parsed)


def contains(prefix: str, address: bytes) -> bool:
    """`prefix` may be a single address."""
    if "/" not in prefix:
        return bytes(Address.parse(prefix)) == address
    return Prefix.parse(prefix).contains(address)


def _length(clients: ClientRange) -> int:
    return Prefix.parse(clients.prefix).length if "/" in clients.prefix else 128
