"""Fuzz targets above the wire: request bodies down to the engine, configuration files, the intent file, CNI requests.

A body that an engine accepts is carried through to a kernel in memory and taken back; one that it refuses must leave
nothing behind: not in the intent, not in its tables.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from fuzz.json_mutate import JsonMutator
from fuzz.target import Target
from hornpipe.api.bagpipe import body as bagpipe
from hornpipe.api.bagpipe.refusal import Refusal
from hornpipe.api.ports import PortBody
from hornpipe.cni import network as cni
from hornpipe.cni.failure import CniFailure
from hornpipe.cni.request import Request
from hornpipe.daemon import config, intentformat
from hornpipe.daemon.configerror import ConfigError
from hornpipe.ipam import spec as ipam
from hornpipe.sim.fleet import settings_of
from hornpipe.sim.host import Host
from hornpipe.vpn.spec import InstanceSpec, PortSpec, Refused, SourceSpec

SETTINGS = settings_of("10.0.0.1", encapsulations=("mpls-gre",))
USES = 200
"""Bodies an engine takes before there is a fresh one: what is left over by accident would hide what comes later."""


class Body(Protocol):
    def __call__(self, host: Host, data: bytes) -> object: ...


class Used:
    """A host that is asked for many things, one after the other."""

    def __init__(self, ask: Body) -> None:
        self.ask = ask
        self.count = 0
        self.host = self._fresh()

    def _fresh(self) -> Host:
        host = Host(SETTINGS)
        host.start(0.0)
        for name in ("tap1", "tap2", "tap3", "br-foreign"):
            host.kernel.add_link(name, "bridge" if name.startswith("br") else "veth")
        host.kernel.namespaces["pod"] = set()
        host.turn(1.0)
        self.empty = self._state(host)
        return host

    @staticmethod
    def _state(host: Host) -> Any:
        engine = host.running
        return (
            engine.intent(),
            list(engine.forwarding.entries()),
            engine.rib.local.intakes
            and {family: sorted(table.entries) for family, table in engine.rib.tables.items() if table.entries},
        )

    def __call__(self, data: bytes) -> None:
        self.count += 1
        if self.count % USES == 0:
            self.host = self._fresh()
        host = self.host
        try:
            self.ask(host, data)
        except (Refused, Refusal):
            after = self._state(host)
            assert after[:2] == self.empty[:2], "refused, but something is left of it"
            raise
        host.turn(2.0)
        msgspec.json.encode([*host.running.instances(), *host.running.ports(), *host.running.routes()])
        written = intentformat.write(host.running.intent())
        assert (
            intentformat.read(written).intent
            == intentformat.read(intentformat.write(intentformat.read(written).intent)).intent
        )
        for source in list(host.running.sources):
            host.running.delete_source(source, 3.0)
        host.turn(3.0)
        left = host.running.intent()
        assert not left.sources, "a deleted source is still there"
        host.kernel.writes.clear()
        self.host = host if left == self.empty[0] else self._fresh()


def source(host: Host, data: bytes) -> None:
    host.running.put_source("agent", msgspec.json.decode(data, type=SourceSpec), 1.0)


def port(host: Host, data: bytes) -> None:
    """As ``PUT /v1/ports/NAME`` does it."""
    body: Any = msgspec.json.decode(data, type=PortBody)
    fields = msgspec.structs.asdict(body)
    instance = fields["instance"]
    named = instance.name if isinstance(instance, InstanceSpec) else instance
    spec = PortSpec(**{**fields, "name": fields["name"] or "tap1", "instance": named})
    host.running.attach("api", instance if isinstance(instance, InstanceSpec) else None, spec, 1.0)


def attachment(data: bytes) -> None:
    bagpipe.attachment(bagpipe.parse_json(data))


def detachment(data: bytes) -> None:
    bagpipe.detachment(bagpipe.parse_json(data))


def configuration(data: bytes) -> None:
    config.loads(data.decode(errors="replace"), "hornpipe.toml")


def intent(data: bytes) -> None:
    """What is read is written, and read again the same; and an engine starts with it."""
    read = intentformat.read(data).intent
    assert intentformat.read(intentformat.write(read)).intent == intentformat.read(intentformat.write(read)).intent
    host = Host(SETTINGS)
    host.stored = msgspec.json.encode(read)
    host.start(0.0)
    host.turn(1.0)


def cni_configuration(data: bytes) -> None:
    raw = cni.decode(data)
    cni.version_of(raw)
    cni.names(raw)
    cni.network(raw)
    cni.previous(raw)


def cni_request(data: bytes) -> None:
    request = Request.parse(data)
    request.check()
    request.arguments()


def ipam_configuration(data: bytes) -> None:
    raw = msgspec.json.decode(data)
    if isinstance(raw, dict):
        ipam.parse(raw, "IP=10.1.0.5")


INSTANCES = (
    {"name": "red", "vni": 100, "import_rts": ["64512:1"], "export_rts": ["64512:1"], "gateways": ["10.1.0.1/24"]},
    {
        "name": "blue", "type": "ipvpn", "import_rts": ["64512:2"], "export_rts": ["64512:2"],
        "readvertise": {"from_rts": ["64512:4"], "to_rts": ["64512:5"]},
        "attract_traffic": {"redirect_rts": ["64512:6"], "to_rts": ["64512:7"], "static_prefixes": ["10.9.0.0/16"],
                            "classifier": {"destination_port": "80:90", "protocol": "tcp"}},
        "fallback": {"interface": "tap2", "gateway": "10.2.0.1", "mac": "02:00:00:00:00:09"},
    },
    {"name": "l3", "type": "ipvpn", "vni": 500, "import_rts": ["64512:3"], "export_rts": ["64512:3"]},
    {"name": "sub", "vni": 101, "vrf": "l3", "gateways": ["10.1.1.1/24"], "host_addresses": ["10.1.1.2/24"],
     "import_rts": ["64512:8"], "export_rts": ["64512:8"], "rd": "64512:88"},
    {"name": "wide", "shared": True, "import_rts": ["64512:9"], "export_rts": ["64512:9"]},
    {"name": "old", "bridge": "br-foreign", "vni": 102, "import_rts": ["64512:1"], "export_rts": ["64512:1"]},
)  # fmt: skip
PORTS = (
    {"name": "a", "instance": "red", "interface": "tap1", "mac": "02:00:00:00:00:01", "addresses": ["10.1.0.5/24"]},
    {"name": "b", "instance": "l3", "interface": "tap2", "mac": "02:00:00:00:00:02", "addresses": ["10.2.0.5"],
     "gateway": ["10.2.0.1"], "routes": ["10.8.0.0/16"], "local_pref": 50, "direction": "to-port"},
    {"name": "c", "instance": "red", "netns": "pod", "addresses": ["10.1.0.6/24", "2001:db8::6/64"],
     "gateway": ["10.1.0.1"], "netns_routes": ["10.9.0.0/16 via 10.1.0.1"], "mtu": 1400},
    {"name": "d", "instance": "blue", "evpn": "red", "advertise_subnet": True, "lb_consistent_hash_order": 1},
    {"name": "e", "instance": "wide", "interface": "tap3", "mac": "02:00:00:00:00:03", "sticky": True, "learn": True,
     "endpoints": [{"mac": "02:00:00:00:00:04", "addresses": ["10.1.0.7"]}]},
)  # fmt: skip

SOURCES = (
    {"instances": list(INSTANCES), "ports": list(PORTS[:3])},
    {"instances": [INSTANCES[0], INSTANCES[1]], "ports": [PORTS[0], PORTS[3]], "generation": 4},
    {"instances": [INSTANCES[4]], "ports": [PORTS[4]]},
    {"instances": [INSTANCES[5], INSTANCES[2], INSTANCES[3]]},
)

ATTACHMENTS = (
    {
        "vpn_type": "evpn", "vpn_instance_id": "evpn_1", "mac_address": "02:00:00:00:00:01",
        "ip_address": "10.1.0.5/24", "gateway_ip": "10.1.0.1", "local_port": {"linuxif": "tap1"},
        "import_rt": ["64512:1"], "export_rt": ["64512:1"], "linuxbr": "br-foreign", "vni": 100,
        "advertise_subnet": False, "description": "x",
    },
    {
        "vpn_type": "ipvpn", "vpn_instance_id": "ipvpn_1", "mac_address": "02:00:00:00:00:02",
        "ip_address": "10.2.0.5", "gateway_ip": "10.2.0.1", "local_port": {"evpn": {"id": "evpn_1"}},
        "import_rt": "64512:1,64512:2", "export_rt": "64512:1",
        "readvertise": {"from_rt": ["64512:4"], "to_rt": ["64512:5"]}, "lb_consistent_hash_order": 1,
        "attract_traffic": {"redirect_rts": ["64512:6"], "classifier": {"destinationPort": "80"},
                            "static_destination_prefixes": ["10.0.0.0/8"]},
        "fallback": {"interface": "tap2", "gateway": "10.2.0.1", "mac": "02:00:00:00:00:09"},
        "local_pref": 100, "direction": "both", "instance_description": "y",
    },
)  # fmt: skip

CNI = (
    {
        "cniVersion": "1.0.0", "name": "red", "type": "hornpipe", "instance": INSTANCES[0], "mtu": "1500",
        "ipam": {"type": "hornpipe-ipam", "ranges": [[{"subnet": "10.1.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]},
        "runtimeConfig": {"ips": ["10.1.0.9/24"], "mac": "02:00:00:00:00:0a"}, "args": {"cni": {"ips": ["10.1.0.8"]}},
        "prevResult": {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "/x"}],
                       "ips": [{"address": "10.1.0.5/24", "interface": 0}], "dns": {"nameservers": ["10.0.0.2"]}},
    },
    {"cniVersion": "0.3.1", "name": "blue", "type": "hornpipe", "importrt": "64512:1", "exportrt": "64512:1",
     "isGateway": True, "ipMasq": True,
     "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "rangeStart": "10.1.0.5", "gateway": "10.1.0.1"}},
)  # fmt: skip

INI = b"""[BGP]
local_address=10.0.0.1
peers=10.0.0.254
my_as=64512
enable_rtc=True
[API]
host=localhost
port=8082
[DATAPLANE_DRIVER_IPVPN]
mpls_interface=*gre*
[DATAPLANE_DRIVER_EVPN]
vxlan_ip=10.0.0.1
"""
EXAMPLE = Path(__file__).parent.parent / "packaging" / "hornpipe.toml.example"
SMALL = b"""[bgp]
local_as = 64512
local_address = "10.0.0.1"
[[peers]]
address = "10.0.0.9"
families = ["l2vpn-evpn", "rtc"]
[reflector]
[[reflector.clients]]
prefix = "10.0.0.0/24"
[vxlan]
vni_range = [100, 200]
"""
TREE = {
    "bgp": {"local_as": 64512, "local_address": "10.0.0.1", "router_id": "10.0.0.2", "hold_time": 9, "stale_time": 5},
    "peers": [
        {
            "address": "10.0.0.9",
            "password": "x",
            "families": ["l2vpn-evpn", "rtc"],
            "maximum_prefix": {"maximum": 100},
            "maximum_memory": {"megabytes": 64, "warn_only": True},
            "update_limit": 1000,
        },
        {"interface": "eth1", "remote_as": "external"},
        {"address": "2001:db8::1", "tcp_ao": {"secret": "s", "send_id": 1, "receive_id": 2}, "ttl_security": 1},
    ],
    "reflector": {"cluster_id": "10.0.0.3", "clients": [{"prefix": "10.0.0.0/24", "remote_as": 64513, "limit": 5}]},
    "vxlan": {"vni_range": [100, 200], "port": 4789},
    "ipvpn": {"encapsulations": ["mpls-gre"], "label_range": [16, 1000], "mpls_interfaces": ["eth0"]},
    "api": {"listen": "127.0.0.1:8082"},
    "instances": list(INSTANCES[:3]),
    "ports": list(PORTS[:1]),
}


def _toml(value: object) -> str:
    """On one line; what TOML has not (null) becomes text."""
    if isinstance(value, dict):
        members = [f"{_toml(str(name))} = {_toml(item)}" for name, item in value.items()]
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value) if isinstance(value, float) else msgspec.json.encode(value).decode()


def configuration_tree(data: bytes) -> None:
    """A tree of JSON, as TOML."""
    tree = msgspec.json.decode(data)
    if isinstance(tree, dict):
        text = "\n".join(f"{_toml(str(name))} = {_toml(value)}" for name, value in tree.items())
        config.loads(text, "hornpipe.toml")


def _intent() -> bytes:
    host = Host(SETTINGS)
    host.start(0.0)
    for number, tree in enumerate(SOURCES[:3:2]):
        host.running.put_source(f"s{number}", msgspec.convert(tree, SourceSpec), 1.0)
    return intentformat.write(host.running.intent())


def _json(*trees: object) -> tuple[bytes, ...]:
    return tuple(msgspec.json.encode(tree) for tree in trees)


def _target(
    name: str, run: Callable[[bytes], object], seeds: tuple[bytes, ...], *documented: type[Exception]
) -> Target:
    return Target(name, run, seeds, documented, JsonMutator)


BAD_JSON = (msgspec.MsgspecError, UnicodeDecodeError)
"""What `api.server.decode` answers with a problem of kind invalid."""
PORT_SEEDS = _json(*[{**one, "instance": INSTANCES[0]} for one in PORTS[:3:2]], {**PORTS[1], "instance": INSTANCES[2]})

BODIES: tuple[Target, ...] = (
    _target("api-source", Used(source), _json(*SOURCES), *BAD_JSON, Refused),
    _target("api-port", Used(port), PORT_SEEDS, *BAD_JSON, Refused),
    _target("bagpipe-attach", attachment, _json(*ATTACHMENTS), Refusal),
    _target("bagpipe-detach", detachment, _json(*ATTACHMENTS), Refusal),
    _target("intent", intent, (_intent(),), intentformat.Unreadable),
    _target("cni-configuration", cni_configuration, _json(*CNI), CniFailure, Refused),
    _target("ipam-configuration", ipam_configuration, _json(*CNI), *BAD_JSON, Refused),
    Target(
        "cni-request",
        cni_request,
        (
            b"hornpipe-cni\0CNI_COMMAND=ADD\0CNI_CONTAINERID=a1\0CNI_IFNAME=eth0\0CNI_NETNS=/x\0CNI_ARGS=A=1;B=2\0PATH=/bin\0CNI_PATH=/bin\0\0{}",
        ),
        (ValueError, CniFailure),
    ),
    _target("configuration-tree", configuration_tree, _json(TREE), *BAD_JSON, ConfigError),
    Target("configuration", configuration, (SMALL, EXAMPLE.read_bytes(), INI), (ConfigError,)),
)
