"""From the configuration file's words to the engine's `Settings`: defaults filled in, interface names looked up."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

from hornpipe.bgp import family as families
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.session.config import EXTERNAL, MemoryLimit, PeerConfig, PrefixLimit, TcpAo
from hornpipe.daemon import hostaddress, keys, schema
from hornpipe.daemon.configerror import ConfigError
from hornpipe.engine.settings import ClientRange, Reflector, Settings
from hornpipe.speaker import ao
from hornpipe.vpn.spec import SourceSpec

CONFIG_SOURCE = "config"
"""The source that owns the instances and ports of the configuration file."""

OVERLAY = (families.EVPN, families.VPNV4, families.VPNV6, families.FLOWSPEC_VPNV4, families.RTC)
"""What a host offers from the start, whatever its instances are today: another family would mean another session.
With RT-Constraint nothing comes that no instance imports."""
UNICAST = (families.IPV4_UNICAST, families.IPV6_UNICAST)
"""And to one that is the underlay's router: the peer at the other end of a link."""

RELAYED = tuple(FAMILIES)
"""What a reflector offers unless told otherwise: every family of the NLRI table."""


def build(
    config: schema.Config,
    file: str,
    resolve: Callable[[str], str] = hostaddress.resolve,
    mtu: Callable[[str], int | None] = hostaddress.underlay_mtu,
    links_mtu: Callable[[str, Sequence[str]], int | None] = hostaddress.links_mtu,
    lacks_ao: Callable[[TcpAo], str] = ao.lacking,
) -> Settings:
    """`file` is for the messages of `ConfigError`; `resolve`, `mtu`, `links_mtu` and `lacks_ao` ask this host."""
    links = [peer.interface for peer in config.peers if peer.interface is not None]
    return _Builder(config, file, resolve, lacks_ao).settings(lambda vtep: links_mtu(vtep, links) or mtu(vtep))


class _Builder:
    def __init__(
        self, config: schema.Config, file: str, resolve: Callable[[str], str], lacks_ao: Callable[[TcpAo], str]
    ) -> None:
        self.config, self.file, self._resolve, self._lacks_ao = config, file, resolve, lacks_ao
        self.local_address = self.address("bgp.local_address", config.bgp.local_address)
        self.router_id = config.bgp.router_id or self._router_id()

    def address(self, key: str, text: str) -> str:
        try:
            return self._resolve(text)
        except ValueError as error:
            raise ConfigError(self.file, key, str(error), "an address, or an interface that has one") from error

    def _router_id(self) -> str:
        if ":" in self.local_address:
            raise ConfigError(self.file, "bgp.router_id", "missing", "local_address is IPv6; for example 10.0.0.1")
        return self.local_address

    def settings(self, mtu: Callable[[str], int | None]) -> Settings:
        config, bgp = self.config, self.config.bgp
        chosen = config.vxlan.local_address
        vtep = self.local_address if chosen is None else self.address("vxlan.local_address", chosen)
        return Settings(
            local_as=bgp.local_as,
            router_id=self.router_id,
            local_address=self.local_address,
            vtep=vtep,
            vxlan_port=config.vxlan.port,
            underlay_mtu=config.vxlan.mtu or mtu(vtep),
            peers=(*self._peers(), *self._static_clients()),
            listen=bgp.listen,
            listen_address=() if bgp.listen_address is None else (bgp.listen_address,),
            listen_port=bgp.listen_port,
            reflector=self._reflector(),
            rtc=bgp.rtc,
            vni_range=config.vxlan.vni_range,
            encapsulations=config.ipvpn.encapsulations,
            label_range=config.ipvpn.label_range,
            table_base=config.ipvpn.table_base,
            mpls_interfaces=config.ipvpn.mpls_interfaces,
            announce=config.underlay.announce,
            install_unicast=config.underlay.install,
            stale_time=float(bgp.stale_time),
            duplicate_moves=config.mobility.duplicate_moves,
            duplicate_time=float(config.mobility.duplicate_time),
            sources=self._sources(),
        )

    def _peers(self) -> list[PeerConfig]:
        return [self._peer(f"peers[{number}]", peer) for number, peer in enumerate(self.config.peers)]

    def _peer(self, key: str, peer: schema.Peer) -> PeerConfig:
        bgp = self.config.bgp
        address = None if peer.address is None else str(ipaddress.ip_address(peer.address))
        return PeerConfig(
            address=address or peer.interface or "",
            interface=peer.interface or "",
            advertise_interval=float(peer.advertise_interval),
            link_fallover=peer.link_fallover,
            port=peer.port,
            local_address=self._source_for(address, f"{key}.local_address", peer.local_address) if address else None,
            local_as=bgp.local_as,
            router_id=ipaddress.IPv4Address(self.router_id).packed,
            peer_as=self._peer_as(peer),
            families=self._families(f"{key}.families", peer.families, unicast=peer.interface is not None),
            extended_next_hop=peer.interface is not None,
            hold_time=bgp.hold_time if peer.hold_time is None else peer.hold_time,
            keepalive=None if peer.keepalive is None else float(peer.keepalive),
            connect_retry=float(peer.connect_retry),
            passive=peer.passive,
            password=peer.password,
            tcp_ao=self._tcp_ao(key, peer),
            ttl_security=peer.ttl_security,
            multihop=peer.multihop,
            graceful_restart_time=bgp.graceful_restart_time,
            long_lived_time=bgp.long_lived_stale_time,
            send_long_lived_stale=peer.send_long_lived_stale,
            prefix_limits=self._limits(f"{key}.maximum_prefix", peer.maximum_prefix),
            memory_limit=_memory(peer.maximum_memory),
            attribute_limit=peer.attribute_limit,
            update_limit=peer.update_limit or 0,
            description=peer.description,
        )

    def _peer_as(self, peer: schema.Peer) -> int:
        if isinstance(peer.remote_as, int):
            return peer.remote_as
        return EXTERNAL if peer.remote_as == "external" else self.config.bgp.local_as

    def _source_for(self, peer: str, key: str, chosen: str | None) -> str | None:
        """The address to connect from: as chosen, else ours if it is of the peer's IP version."""
        if chosen is not None:
            return self.address(key, chosen)
        return self.local_address if (":" in peer) == (":" in self.local_address) else None

    def _families(self, key: str, chosen: tuple[str, ...] | None, unicast: bool = False) -> tuple[int, ...]:
        if chosen is None:
            usual = (*UNICAST * unicast, *OVERLAY) if self.config.reflector is None else self._relayed()
            return tuple(family for family in usual if family != families.RTC or self.config.bgp.rtc)
        return self._parse_families(key, chosen)

    def _relayed(self) -> tuple[int, ...]:
        reflector = self.config.reflector
        if reflector is None or reflector.families is None:
            return RELAYED
        return self._parse_families("reflector.families", reflector.families)

    def _parse_families(self, key: str, names: tuple[str, ...]) -> tuple[int, ...]:
        parsed = []
        for number, name in enumerate(names):
            try:
                parsed.append(families.parse(name))
            except ValueError as error:
                known = ", ".join(families.name(family) for family in RELAYED)
                raise ConfigError(self.file, f"{key}[{number}]", str(error), f"known: {known}") from error
            if parsed[-1] not in RELAYED:
                known = ", ".join(families.name(family) for family in RELAYED)
                raise ConfigError(self.file, f"{key}[{number}]", f"`{name}` cannot be carried", f"one of {known}")
        return tuple(parsed)

    def _tcp_ao(self, key: str, peer: schema.Peer | schema.Client) -> TcpAo | None:
        if peer.tcp_ao is None:
            return None
        if peer.password is not None:
            raise ConfigError(self.file, f"{key}.tcp_ao", "excludes password", "keep one of the two")
        option = keys.option_of(peer.tcp_ao)
        if lacking := self._lacks_ao(option):
            raise ConfigError(self.file, f"{key}.tcp_ao", lacking, "use password (TCP MD5), or another kernel")
        return option

    def _limits(self, key: str, given: schema.MaximumPrefix | None) -> tuple[PrefixLimit, ...]:
        if given is None:
            return ()
        names = tuple(given.families)
        parsed = self._parse_families(f"{key}.families", names)
        maxima = {
            0: given.maximum,
            **{family: given.families[name] for family, name in zip(parsed, names, strict=True)},
        }
        return tuple(
            PrefixLimit(
                maximum=maximum,
                family=family,
                warning=given.warning,
                restart=float(given.restart),
                warn_only=given.warn_only,
            )
            for family, maximum in maxima.items()
        )

    def _static_clients(self) -> list[PeerConfig]:
        reflector, bgp = self.config.reflector, self.config.bgp
        return [
            PeerConfig(
                address=str(ipaddress.ip_address(client.address)),
                local_as=bgp.local_as,
                router_id=ipaddress.IPv4Address(self.router_id).packed,
                peer_as=bgp.local_as if client.remote_as is None else client.remote_as,
                families=self._families("reflector.families", None),
                hold_time=bgp.hold_time,
                passive=True,
                password=client.password,
                tcp_ao=self._tcp_ao(f"reflector.clients[{number}]", client),
                role="client",
                graceful_restart_time=bgp.graceful_restart_time,
                long_lived_time=bgp.long_lived_stale_time,
                send_long_lived_stale=client.send_long_lived_stale,
                prefix_limits=self._limits(f"reflector.clients[{number}].maximum_prefix", client.maximum_prefix),
                memory_limit=_memory(client.maximum_memory),
                attribute_limit=client.attribute_limit,
                update_limit=client.update_limit or 0,
                forwarding_preserved=True,
                description=client.description,
            )
            for number, client in enumerate(reflector.clients if reflector is not None else ())
            if client.address is not None
        ]

    def _reflector(self) -> Reflector | None:
        reflector, bgp = self.config.reflector, self.config.bgp
        if reflector is None:
            return None
        ranges = tuple(
            ClientRange(
                prefix=client.prefix,
                remote_as=client.remote_as or 0,
                limit=client.limit,
                password=client.password,
                tcp_ao=self._tcp_ao(f"reflector.clients[{number}]", client),
                families=self._families("reflector.families", None),
                hold_time=bgp.hold_time,
                graceful_restart_time=bgp.graceful_restart_time,
                long_lived_time=bgp.long_lived_stale_time,
                send_long_lived_stale=client.send_long_lived_stale,
                prefix_limits=self._limits(f"reflector.clients[{number}].maximum_prefix", client.maximum_prefix),
                memory_limit=_memory(client.maximum_memory),
                attribute_limit=client.attribute_limit,
                update_limit=client.update_limit or 0,
                description=client.description,
            )
            for number, client in enumerate(reflector.clients)
            if client.prefix is not None
        )
        return Reflector(cluster_id=reflector.cluster_id, clients=ranges)

    def _sources(self) -> dict[str, SourceSpec]:
        if not (self.config.instances or self.config.ports):
            return {}
        return {CONFIG_SOURCE: SourceSpec(instances=self.config.instances, ports=self.config.ports)}


def _memory(given: schema.MaximumMemory | None) -> MemoryLimit | None:
    if given is None:
        return None
    return MemoryLimit(
        megabytes=given.megabytes,
        warning=given.warning,
        restart=float(given.restart),
        warn_only=given.warn_only,
    )
