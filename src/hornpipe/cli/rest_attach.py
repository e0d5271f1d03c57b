"""``bagpipe-rest-attach``: BaGPipe's tool with its flags, defaults and output, so that old walk-throughs run unchanged.

It talks to BaGPipe's REST API on 127.0.0.1 (port 8082), which hornpiped serves with ``[api] bagpipe = true``, and needs
no configuration file. `--docker-container-id` is that of murat1985's fork: podman's containers will do as well.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from hornpipe.cli import netns_port
from hornpipe.cli.bagpipe_api import api_port
from hornpipe.client import Client, Unreachable

DEFAULT_INSTANCE = "bagpipe-test"
DEFAULT_RT = {"ipvpn": "64512:512", "evpn": "64512:513"}
IPVPN_MAC = "52:54:00:99:99:22"
CLASSIFIER = {
    "--source-prefix": "sourcePrefix",
    "--destination-prefix": "destinationPrefix",
    "--source-port": "sourcePort",
    "--destination-port": "destinationPort",
    "--protocol": "protocol",
}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bagpipe-rest-attach",
        usage="%(prog)s [--attach|--detach] --network-type (ipvpn|evpn) --port (<port>|netns) --ip <ip>[/<mask>] "
        "[options]",
    )
    add = made.add_argument
    add("--attach", dest="operation", action="store_const", const="attach", help="attach a local port")
    add("--detach", dest="operation", action="store_const", const="detach", help="detach a local port")
    add("--network-type", choices=["ipvpn", "evpn"])
    add("--vpn-instance-id", default=DEFAULT_INSTANCE, help="default: (ipvpn|evpn)-bagpipe-test")
    add("--docker-container-id", help="a running container, for --port netns; its process names the namespace")
    add("--port", help="interface, netns[:interface] or evpn:instance")
    add("--ip", help="address[/length], by default /24")
    add("--direction", choices=["to-port", "from-port", "both"], default="both")
    for flag, what in (("--rt", "import and export"), ("--import-rt", "import only"), ("--export-rt", "export only")):
        add(flag, action="append", default=[], help=f"route target, {what}; may be repeated")
    add("--gateway-ip", help="default: the last address of the prefix")
    add("--mac", help="needed for evpn unless the port is a netns")
    add("--advertise-singleton", dest="advertise_subnet", action="store_false", default=False)
    add("--advertise-subnet", dest="advertise_subnet", action="store_true")
    add("--ovs-preplug", action="store_true", help="put the port into an OVS bridge first (ipvpn)")
    add("--ovs-bridge", default="br-int")
    add("--ovs-vlan", type=int)
    add("--netns", help="name of the namespace; default: the VPN instance id")
    add("--if2vpn", default="tovpn", help="name of the interface inside (%(default)s)")
    for flag in (
        "--readv-from-rt",
        "--readv-to-rt",
        "--redirect-rts",
        "--attract-to-rt",
        "--static-destination-prefix",
    ):
        add(flag, action="append", default=[])
    for flag in CLASSIFIER:
        add(flag)
    add("--lb-consistent-hash-order", type=int, default=0)
    add("--vni", type=int, default=0)
    add("--local-pref", type=int)
    return made


def check(options: argparse.Namespace, made: argparse.ArgumentParser) -> None:
    for flag, value in (
        ("--attach or --detach", options.operation),
        ("--port <localport>", options.port),
        ("--network-type", options.network_type),
        ("--ip", options.ip),
    ):
        if not value:
            made.error(f"Need to specify {flag}")
    if not re.search(r"/[0-9]+$", options.ip):
        options.ip += "/24"
    try:
        network = ipaddress.ip_interface(options.ip).network
    except ValueError as error:
        made.error(f"--ip: {error}")
    if not options.gateway_ip:
        options.gateway_ip = str(network[-2] if network.num_addresses > 1 else network[0])
        print(f"using {options.gateway_ip} as gateway address")


def plug(options: argparse.Namespace) -> None:
    """``--port netns``: makes the pair when attaching; the port is its outer end from here on."""
    pid = None
    if options.docker_container_id:
        from hornpipe.cli.container import pid_of

        pid = pid_of(options.docker_container_id)
    if options.vpn_instance_id == DEFAULT_INSTANCE:
        options.vpn_instance_id = str(pid) if pid else f"{options.network_type}-{DEFAULT_INSTANCE}"
    if not options.port.startswith("netns"):
        return
    options.netns = options.netns or (str(pid) if pid else options.vpn_instance_id)
    host = options.port.partition(":")[2] or netns_port.host_name(options.netns)
    if options.operation == "attach":
        print(f"Will plug local namespace {options.netns} into network")
        if pid:
            options.netns = netns_port.name_process_netns(pid)
        netns_port.make(options.netns, host, options.if2vpn, vlan=options.ovs_vlan, create=pid is None)
        netns_port.configure(
            options.netns, options.if2vpn, mac=options.mac, address=options.ip, gateway=options.gateway_ip
        )
    options.port = host
    options.mac = options.mac or netns_port.mac_of(options.netns, options.if2vpn)
    print(f"Local port: {options.port} ({options.mac})")


def local_port(options: argparse.Namespace, made: argparse.ArgumentParser) -> dict[str, Any]:
    kind, _, name = options.port.partition(":")
    if kind == "evpn" and name:
        if options.network_type != "ipvpn":
            made.error("Can only plug an evpn into an ipvpn")
        print(f"will plug evpn {name} into the IPVPN")
        return {"evpn": {"id": name}}
    found: dict[str, Any] = {"linuxif": options.port}
    if options.ovs_preplug and options.network_type == "ipvpn":
        print(f"pre-plugging {options.port} into {options.ovs_bridge}")
        netns_port.run("ovs-vsctl", "--if-exists", "del-port", options.ovs_bridge, options.port, needed=False)
        netns_port.run("ovs-vsctl", "add-port", options.ovs_bridge, options.port)
        vlan = {"vlan": options.ovs_vlan} if options.ovs_vlan else {}
        found["ovs"] = {"port_name": options.port, "plugged": True, **vlan}
    return found


def attract_traffic(options: argparse.Namespace, made: argparse.ArgumentParser) -> dict[str, Any]:
    if not options.redirect_rts:
        return {}
    words = {flag.removeprefix("--").replace("-", "_"): member for flag, member in CLASSIFIER.items()}
    classifier = {member: value for word, member in words.items() if (value := getattr(options, word)) is not None}
    if not classifier:
        made.error("Need to specify --redirect-rt and at least one traffic classifier option")
    found = {"redirect_rts": options.redirect_rts, "classifier": classifier}
    if options.attract_to_rt:
        if not options.static_destination_prefix:
            made.error("Need to specify --attract-to-rt and at least one static destination prefix option")
        # BaGPipe's server reads `to_rt`, its tool sends `to`: one of them works
        found |= {"to": options.attract_to_rt, "to_rt": options.attract_to_rt}
        found["static_destination_prefixes"] = options.static_destination_prefix
    return found


def body(options: argparse.Namespace, made: argparse.ArgumentParser) -> dict[str, Any]:
    """The members in the order BaGPipe's tool sends them."""
    rts = options.rt or ([] if options.import_rt or options.export_rt else [DEFAULT_RT[options.network_type]])
    port = local_port(options, made)
    if not options.mac and options.network_type == "evpn":
        made.error("Need to specify --mac for an EVPN network attachment if port is not 'netns'")
    readvertise = {"from_rt": options.readv_from_rt, "to_rt": options.readv_to_rt} if options.readv_to_rt else None
    container = options.docker_container_id
    return {
        "import_rt": [*rts, *options.import_rt],
        "export_rt": [*rts, *options.export_rt],
        "local_port": port,
        "vpn_instance_id": options.vpn_instance_id,
        **({"docker_container_id": container} if container else {}),
        "vpn_type": options.network_type,
        "gateway_ip": options.gateway_ip,
        "mac_address": options.mac or IPVPN_MAC,
        "ip_address": options.ip,
        "advertise_subnet": options.advertise_subnet,
        "readvertise": readvertise,
        "attract_traffic": attract_traffic(options, made),
        "lb_consistent_hash_order": options.lb_consistent_hash_order,
        "vni": options.vni,
        **({"local_pref": options.local_pref} if options.local_pref else {}),
        "direction": options.direction,
    }


def send(operation: str, content: bytes, port: int) -> None:
    print(f"request: {content!r}")
    with Client(f"http://127.0.0.1:{port}") as client:
        headers = {"Accept": "text/plain", "Content-Type": "application/json"}
        try:
            response = client.request("POST", f"/{operation}_localport", content, headers)
        except Unreachable as error:
            sys.exit(f"error: {error} (hornpiped serves it when its configuration says [api] bagpipe = true)")
    if response.status >= 400:
        print(f"   {response.body!r}")
        reason = response.body.decode(errors="replace").partition("\n")[0].partition(" ")[2]
        sys.exit(f"error {response.status}, reason: {reason}")
    print(f"response: {response.status} {response.body!r}")


def main(argv: Sequence[str] | None = None, port: int | None = None) -> None:
    from click import ClickException

    made = parser()
    options = made.parse_args(argv)
    check(options, made)
    try:
        plug(options)
        content = json.dumps(body(options, made)).encode()
        send(options.operation, content, port or api_port())
        if options.operation == "detach" and options.docker_container_id and options.netns:
            netns_port.forget_process_netns(options.netns, options.port)
    except netns_port.CommandFailed as error:
        sys.exit(f"error: {error}")
    except ClickException as error:
        sys.exit(f"error: {error.format_message()}")


if __name__ == "__main__":
    main()
