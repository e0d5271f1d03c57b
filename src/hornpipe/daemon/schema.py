"""The configuration file as frozen Structs: every section, key, default and bound of ``hornpipe.toml``.

`hornpipe.daemon.config` reads a file into these and `hornpipe.daemon.settings` turns them into what the engine and the
shells take. Descriptions and examples are data: they end up in error messages and in the example file's test.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hornpipe.vpn.spec import Encapsulation, InstanceSpec, PortSpec

AsNumber = Annotated[int, Meta(ge=1, le=4294967295, examples=[64512])]
TcpPort = Annotated[int, Meta(ge=1, le=65535, examples=[179])]
Seconds = Annotated[int, Meta(ge=0, le=65535, examples=[90])]
Hops = Annotated[int, Meta(ge=1, le=255, examples=[1])]
Vni = Annotated[int, Meta(ge=1, le=16777215, examples=[100])]
Label = Annotated[int, Meta(ge=16, le=1048575, examples=[16])]
"""0 to 15 have meanings of their own (RFC 3032 section 2.1)."""
Interface = Annotated[str, Meta(pattern=r"^[^/\s]{1,15}$", examples=["eth1"])]


AttributeLimit = Annotated[int, Meta(ge=64, le=65535, examples=[4096])]
UpdateLimit = Annotated[int, Meta(ge=100, le=10000000, examples=[10000])]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Bgp(Section, frozen=True, kw_only=True):
    local_as: AsNumber
    """Our AS number."""
    local_address: Annotated[str, Meta(examples=["10.0.0.1", "eth0"])]
    """The address sessions are made from, or the interface that has it."""
    router_id: Annotated[str, Meta(examples=["10.0.0.1"])] | None = None
    """BGP identifier and part of route distinguishers; default: local_address if that is IPv4."""
    listen: bool = True
    """Accept sessions; false: only connect."""
    listen_address: Annotated[str, Meta(examples=["10.0.0.1"])] | None = None
    """Default: all addresses."""
    listen_port: TcpPort = 179
    hold_time: Annotated[int, Meta(ge=0, le=65535, examples=[90])] = 90
    """0: no keepalives; else at least 3 (RFC 4271 section 4.2)."""
    rtc: bool = True
    """Offer RT-Constraint (RFC 4684): peers send only what an instance here imports."""
    stale_time: Seconds = 120
    """Seconds the paths of a lost peer are still used, at least what the peer asked for; 0: not at all."""
    graceful_restart_time: Annotated[int, Meta(ge=0, le=4095, examples=[120])] = 120
    """RFC 4724: how long peers should keep our paths while we restart; 0: do not offer it."""
    long_lived_stale_time: Annotated[int, Meta(ge=0, le=16777215, examples=[86400])] = 0
    """RFC 9494: how long paths may be the last choice after that, in both directions; 0: do not offer it."""


class MaximumPrefix(Section, frozen=True, kw_only=True):
    """What passes `maximum` ends the session with Cease/1."""

    maximum: Annotated[int, Meta(ge=1, le=100000000, examples=[100000])]
    warning: Annotated[int, Meta(ge=1, le=100, examples=[75])] = 75
    """Percent at which there is an event."""
    restart: Annotated[int, Meta(ge=0, le=86400, examples=[60])] = 60
    """Seconds until the session may come back; 0: `hornpipe peers reset` brings it back."""
    warn_only: bool = False
    """Never end the session."""
    families: dict[str, Annotated[int, Meta(ge=1, le=100000000, examples=[100000])]] = {}
    """Families with a `maximum` of their own."""


class MaximumMemory(Section, frozen=True, kw_only=True):
    """What passes `megabytes` ends the session with Cease/8."""

    megabytes: Annotated[int, Meta(ge=1, le=1000000, examples=[256])]
    """Of routes and attributes, estimated."""
    warning: Annotated[int, Meta(ge=1, le=100, examples=[75])] = 75
    """Percent at which there is an event."""
    restart: Annotated[int, Meta(ge=0, le=86400, examples=[60])] = 60
    """Seconds until the session may come back; 0: `hornpipe peers reset` brings it back."""
    warn_only: bool = False
    """Never end the session."""


KeyId = Annotated[int, Meta(ge=0, le=255, examples=[1])]


class AuthenticationOption(Section, frozen=True, kw_only=True):
    """A key of TCP-AO."""

    secret: Annotated[str, Meta(min_length=1, max_length=80)]
    send_id: KeyId = 1
    """The peer's receive_id."""
    receive_id: KeyId = 1
    algorithm: Literal["hmac-sha-1", "aes-128-cmac", "hmac-sha-256"] = "hmac-sha-1"


class Peer(Section, frozen=True, kw_only=True):
    """One of `address` and `interface`."""

    address: Annotated[str, Meta(examples=["10.0.0.254"])] | None = None
    interface: Interface | None = None
    """Whoever is at the other end of this link, found by its router advertisements (RFC 8950): no addresses needed."""
    advertise_interval: Annotated[int, Meta(ge=1, le=1800, examples=[10])] = 10
    """Seconds between our own router advertisements on it."""
    link_fallover: bool = True
    """The session ends when the link is lost; false: when the hold time is over."""
    remote_as: AsNumber | Literal["internal", "external"] | None = None
    """Default: local_as (iBGP). `external`, of an `interface`: any but ours."""
    port: TcpPort = 179
    local_address: Annotated[str, Meta(examples=["10.0.0.1", "eth0"])] | None = None
    password: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    """TCP MD5 signature (RFC 2385)."""
    tcp_ao: AuthenticationOption | None = None
    """TCP-AO (RFC 5925), instead; Linux 6.7 or later."""
    passive: bool = False
    """Never connect, wait for the peer."""
    hold_time: Seconds | None = None
    keepalive: Seconds | None = None
    connect_retry: Annotated[int, Meta(ge=1, le=3600, examples=[5])] = 5
    ttl_security: Hops | None = None
    """RFC 5082: accept only packets from at most this many hops away."""
    multihop: Hops | None = None
    """TTL of an eBGP session's packets; default 1 for eBGP."""
    send_long_lived_stale: bool = False
    """Send it long-lived stale routes even if it does not know them, as the last choice: LOCAL_PREF 0 and NO_EXPORT
    (RFC 9494 section 4.6). Internal peers only."""
    families: tuple[str, ...] | None = None
    """Default: l2vpn-evpn, vpnv4, vpnv6, l3vpn-ipv4-flowspec, and rtc if bgp.rtc; of an `interface` ipv4-unicast and
    ipv6-unicast, too; with a reflector all it reflects."""
    maximum_prefix: MaximumPrefix | None = None
    """Routes a family may have; default: any number."""
    maximum_memory: MaximumMemory | None = None
    """What its routes may hold here; default: any amount."""
    attribute_limit: AttributeLimit = 65535
    """Bytes of path attributes a route may have; longer ones are not accepted."""
    update_limit: UpdateLimit | None = None
    """Routes announced or withdrawn a second, a message counting as one more; who is faster is read more slowly.
    Default: any number."""
    description: str = ""


class Client(Section, frozen=True, kw_only=True):
    """One of `address` (a static client) and `prefix` (dynamic ones)."""

    address: Annotated[str, Meta(examples=["10.0.0.2"])] | None = None
    prefix: Annotated[str, Meta(examples=["10.0.0.0/24"])] | None = None
    remote_as: AsNumber | None = None
    limit: Annotated[int, Meta(ge=1, le=100000, examples=[100])] = 1000
    """How many sessions at once a prefix may have."""
    password: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    tcp_ao: AuthenticationOption | None = None
    send_long_lived_stale: bool = False
    """Send it long-lived stale routes even if it does not know them, as the last choice: LOCAL_PREF 0 and NO_EXPORT
    (RFC 9494 section 4.6). Internal peers only."""
    maximum_prefix: MaximumPrefix | None = None
    """Routes a family of each client may have; default: any number."""
    maximum_memory: MaximumMemory | None = None
    """What each client's routes may hold here; default: any amount."""
    attribute_limit: AttributeLimit = 65535
    """Bytes of path attributes a route may have; longer ones are not accepted."""
    update_limit: UpdateLimit | None = None
    """Routes announced or withdrawn a second, a message counting as one more; who is faster is read more slowly.
    Default: any number."""
    description: str = ""


class Reflector(Section, frozen=True, kw_only=True):
    cluster_id: Annotated[str, Meta(examples=["10.0.0.254"])] | None = None
    """RFC 4456; default: router_id."""
    clients: tuple[Client, ...] = ()
    families: tuple[str, ...] | None = None
    """Default: all families this program can relay."""


class Vxlan(Section, frozen=True, kw_only=True):
    local_address: Annotated[str, Meta(examples=["10.0.0.1", "eth0"])] | None = None
    """The VTEP: where other hosts send encapsulated frames; default: bgp.local_address."""
    port: TcpPort = 4789
    mtu: Annotated[int, Meta(ge=1280, le=65535, examples=[9000])] | None = None
    """MTU of the underlay; default: that of the interface which has the VTEP address."""
    vni_range: tuple[Vni, Vni] = (16, 1048575)
    """First and last VNI given to instances that name none."""


class Ipvpn(Section, frozen=True, kw_only=True):
    encapsulations: tuple[Encapsulation, ...] = ("mpls-gre",)
    """Of routed instances that name none and have no VNI, preferred first: vxlan (E-VPN type 5), mpls (directly over
    Ethernet), mpls-gre (RFC 4023), mpls-udp (RFC 7510). Empty: such instances are refused."""
    label_range: tuple[Label, Label] = (16, 1048575)
    """First and last MPLS label given to instances and ports."""
    table_base: Annotated[int, Meta(ge=256, le=4294000000, examples=[10000])] = 10000
    """The kernel's routing table of instance n is this plus n."""
    mpls_interfaces: tuple[Interface, ...] = ()
    """Where labelled packets come in directly over Ethernet."""


class Underlay(Section, frozen=True, kw_only=True):
    announce: tuple[str, ...] = ()
    """Prefixes of this host announced as IPv4 and IPv6 unicast, such as its loopback."""
    install: bool = False
    """Received unicast routes go to the host's main table: an underlay without another routing daemon."""


class Mobility(Section, frozen=True, kw_only=True):
    duplicate_moves: Annotated[int, Meta(ge=1, le=1000, examples=[5])] = 5
    """This many moves within duplicate_time make a MAC a duplicate (RFC 7432 section 15.1)."""
    duplicate_time: Annotated[int, Meta(ge=1, le=86400, examples=[180])] = 180


class Api(Section, frozen=True, kw_only=True):
    socket: Annotated[str, Meta(examples=["/run/hornpipe/hornpipe.sock"])] | None = None
    """Default: hornpipe.sock in the runtime directory."""
    socket_mode: Annotated[str, Meta(pattern="^0?[0-7]{3}$", examples=["0660"])] = "0660"
    socket_group: str | None = None
    """Default: the group hornpipe if there is one."""
    listen: Annotated[str, Meta(examples=["127.0.0.1:8090"])] | None = None
    """The same API on TCP. Default: off. Beyond loopback it needs `token_file`."""
    token_file: Annotated[str, Meta(examples=["/etc/hornpipe/token"])] | None = None
    """A file nobody but its owner may read, with the token that TCP clients must send: ``Authorization: Bearer TOKEN``.
    Default: none is asked for, which is why others than loopback are refused."""
    bagpipe: bool | Annotated[str, Meta(examples=["127.0.0.1:8082"])] = False
    """BaGPipe's REST API; true: on 127.0.0.1:8082. Its clients know no token, so on loopback none is asked for."""


class Cni(Section, frozen=True, kw_only=True):
    enabled: bool = True
    """Serve the CNI plugin that `hornpipe cni install` puts where container runtimes look for it."""
    socket: Annotated[str, Meta(examples=["/run/hornpipe/cni.sock"])] | None = None
    """Default: cni.sock in the runtime directory; for root alone."""
    block_store: Annotated[str, Meta(examples=["/mnt/shared/hornpipe"])] = "auto"
    """Where hosts claim their blocks of address pools: `kubernetes`, `host` (this one alone) or a shared directory;
    auto: Kubernetes if the daemon runs in it, else host."""


class Dataplane(Section, frozen=True, kw_only=True):
    driver: Literal["linux", "dummy"] = "linux"
    flush_on_stop: bool = False
    """Take everything of ours out of the kernel when the daemon ends; false: traffic goes on without it."""


class Recorder(Section, frozen=True, kw_only=True):
    file: Annotated[str, Meta(examples=["/var/lib/hornpipe/record"])] | None = None
    """Everything the engine is told goes here, for `hornpipe replay FILE`. Default: off."""
    limit_mb: Annotated[int, Meta(ge=1, le=100000, examples=[64])] = 64


class Log(Section, frozen=True, kw_only=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "human", "logfmt", "json"] = "auto"
    """auto: human on a terminal, else logfmt."""


class Config(Section, frozen=True, kw_only=True):
    bgp: Bgp
    peers: tuple[Peer, ...] = ()
    reflector: Reflector | None = None
    vxlan: Vxlan = Vxlan()
    ipvpn: Ipvpn = Ipvpn()
    underlay: Underlay = Underlay()
    mobility: Mobility = Mobility()
    api: Api = Api()
    cni: Cni = Cni()
    dataplane: Dataplane = Dataplane()
    recorder: Recorder = Recorder()
    log: Log = Log()
    instances: tuple[InstanceSpec, ...] = ()
    """Instances and ports of the configuration: the source named ``config``."""
    ports: tuple[PortSpec, ...] = ()
