"""``hornpipe attach`` and ``hornpipe detach``: one port, in words.

    hornpipe attach tap0 instance red vni 100 rt 64512:80 mac 02:00:00:00:00:05 ip 10.1.0.5
    hornpipe attach --netns web instance red rt 64512:80 ip 10.1.0.5/24 ip 2001:db8::5/64 via 10.1.0.1
    hornpipe attach --container web instance red ip 10.1.0.5/24 wait
    hornpipe attach tap1 instance blue type ipvpn rt 64512:90 mac 02:00:00:00:00:06 ip 10.2.0.5 gateway 10.2.0.1

With words that describe an instance it is defined or updated along, and goes with its last port; without them it must
be there.
"""

from __future__ import annotations

from typing import Any

import click

from hornpipe.cli.command import Verb
from hornpipe.cli.instance import instance_options, instance_spec
from hornpipe.cli.verbs import output, wait_options
from hornpipe.client import path_of


def where_options() -> list[click.Parameter]:
    return [
        click.Argument(["port"], required=False, metavar="[PORT]"),
        click.Option(["--interface"], metavar="NAME", help="interface of this host; default: PORT"),
        click.Option(["--netns"], metavar="NAME|PATH", help="namespace: a veth pair is made, one end moved inside"),
        click.Option(["--container"], metavar="NAME", help="the namespace of a running podman or docker container"),
        click.Option(["--evpn"], metavar="INSTANCE", help="ipvpn: the bridge of this instance is the port"),
        click.Option(["--if", "--netns-interface", "inside"], default="eth0", help="its name inside (eth0)"),
    ]


def port_name(
    port: str | None, interface: str | None, netns: str | None, container: str | None, evpn: str | None, inside: str
) -> str:
    """PORT, else the interface, else where the veth ends, else the instance whose bridge it is."""
    name = port or interface or (f"{container or netns}:{inside}" if container or netns else None)
    name = name or (f"evpn:{evpn}" if evpn else None)
    if name is None:
        raise click.UsageError("which port? Give PORT, or one of interface, netns, container and evpn")
    return name


DIRECTIONS = ("both", "to-port", "from-port")


def attach_command(name: str) -> click.Command:
    params = [
        *where_options(),
        click.Option(["--instance"], required=True, metavar="NAME", help="the VPN instance"),
        *instance_options(),
        click.Option(["--mac"], help="the station's MAC; in a namespace one is derived"),
        click.Option(["--ip"], multiple=True, metavar="ADDRESS[/LEN]", help="an address of the station"),
        click.Option(["--via"], multiple=True, metavar="ADDRESS", help="default route inside the namespace"),
        click.Option(["--route"], multiple=True, metavar="PREFIX", help="ipvpn: what else is behind the port"),
        click.Option(["--advertise-subnet"], is_flag=True, help="ipvpn: announce the addresses' prefixes, not hosts"),
        click.Option(["--direction"], type=click.Choice(DIRECTIONS), help="ipvpn: from-port announces nothing"),
        click.Option(["--local-pref"], type=int, metavar="N", help="ipvpn: LOCAL_PREF of its routes (100)"),
        click.Option(["--lb-order"], type=int, metavar="N", help="ipvpn: its place among others with the same prefix"),
        click.Option(["--mtu"], type=int),
        click.Option(["--sticky"], is_flag=True, help="this MAC must not move (RFC 7432 section 15.2)"),
        click.Option(["--learn"], is_flag=True, help="learn further MACs on this port"),
        click.Option(["--description"], metavar="TEXT"),
        *wait_options(),
    ]
    return Verb(
        name, params=params, callback=attach, help=__doc__.partition("\n\n")[0].split(": ")[0] + ": add a port."
    )


def attach(
    port: str | None,
    interface: str | None,
    netns: str | None,
    container: str | None,
    evpn: str | None,
    inside: str,
    instance: str,
    wait: bool,
    timeout: float | None,
    **given: Any,
) -> None:
    if sum(word is not None for word in (interface, netns, container, evpn)) > 1:
        raise click.UsageError("interface, netns, container and evpn exclude each other")
    name = port_name(port, interface, netns, container, evpn, inside)
    if container is not None:
        from hornpipe.cli.container import netns_of

        netns = netns_of(container)
    gateways = port_gateways(given)
    members = {
        "instance": instance_spec(instance, given) or instance,
        **where(interface or name, netns, inside, evpn),
        "mac": given["mac"],
        "addresses": list(given["ip"]) or None,
        "gateway": gateways or None,
        "routes": list(given["route"]) or None,
        "advertise_subnet": given["advertise_subnet"] or None,
        "direction": given["direction"],
        "local_pref": given["local_pref"],
        "lb_consistent_hash_order": given["lb_order"],
        "mtu": given["mtu"],
        "sticky": given["sticky"] or None,
        "learn": given["learn"] or None,
        "description": given["description"],
    }
    with output().client() as client:
        output().done(client.attach(name, wait=wait, timeout=timeout, **members))


def where(interface: str, netns: str | None, inside: str, evpn: str | None) -> dict[str, str]:
    if netns:
        return {"netns": netns, "netns_interface": inside}
    return {"evpn": evpn} if evpn else {"interface": interface}


def port_gateways(given: dict[str, Any]) -> list[str]:
    """``via``, and what of ``gateway`` is the port's: an ipvpn has it on each port, an evpn on its bridge."""
    of_port = [text for text in given["gateway"] if given["type"] == "ipvpn" or "/" not in text]
    given["gateway"] = [text for text in given["gateway"] if text not in of_port]
    return list(dict.fromkeys([*given["via"], *(text.partition("/")[0] for text in of_port)]))


def detach_command(name: str) -> click.Command:
    params = [*where_options(), click.Option(["--source"], metavar="NAME", help="whose port (api)")]
    return Verb(name, params=params, callback=detach, help="Detach a port.")


def detach(
    port: str | None,
    interface: str | None,
    netns: str | None,
    container: str | None,
    evpn: str | None,
    inside: str,
    source: str | None,
) -> None:
    name = port_name(port, interface, netns, container, evpn, inside)
    with output().client() as client:
        if source is None:
            source = owner(list(client.rows("/v1/ports")), name)
        output().done(client.call("DELETE", f"{path_of('v1', 'ports', name)}?source={path_of(source)[1:]}"))


def owner(rows: list[dict[str, Any]], name: str) -> str:
    """Whose port of this name is meant: ours, else the only one there is."""
    owners = [row["source"] for row in rows if row["name"] == name]
    if len(owners) > 1 and "api" not in owners:
        raise click.UsageError(f"port {name} is one of each of {', '.join(owners)}: say whose with source")
    return "api" if "api" in owners or not owners else owners[0]
