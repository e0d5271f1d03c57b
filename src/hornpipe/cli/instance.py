"""The words that describe a VPN instance, shared by ``attach`` and ``instance add``."""

from __future__ import annotations

from typing import Any

import click

TYPES = ("evpn", "ipvpn")


def instance_options() -> list[click.Parameter]:
    return [
        click.Option(["--vni"], type=int, help="VXLAN network identifier; else one is allocated"),
        click.Option(["--rt"], multiple=True, metavar="RT", help="route target, imported and exported: 64512:80"),
        click.Option(["--import-rt"], multiple=True, metavar="RT", help="imported only"),
        click.Option(["--export-rt"], multiple=True, metavar="RT", help="exported only"),
        click.Option(["--rd"], help="route distinguisher; else router-id:n"),
        click.Option(["--bridge"], help="an existing bridge; MACs are learnt from it"),
        click.Option(["--gateway"], multiple=True, metavar="ADDRESS[/LEN]", help="one this host answers for"),
        click.Option(["--gateway-mac"], metavar="MAC", help="the MAC it answers with"),
        click.Option(
            ["--host-address"], multiple=True, metavar="ADDRESS/LEN", help="one of this host alone, beside it"
        ),
        click.Option(["--type"], type=click.Choice(TYPES), help="evpn: a broadcast domain (default); ipvpn: a router"),
        click.Option(["--vrf"], metavar="INSTANCE", help="evpn: the ipvpn that routes for it"),
        click.Option(["--irb"], type=click.Choice(["symmetric", "asymmetric"]), help="evpn with vrf: who routes"),
        click.Option(
            ["--encapsulation"],
            multiple=True,
            type=click.Choice(["vxlan", "mpls", "mpls-gre", "mpls-udp"]),
            help="ipvpn: how packets travel, preferred first",
        ),
        click.Option(
            ["--label-mode"], type=click.Choice(["per-instance", "per-port"]), help="ipvpn: what has an MPLS label"
        ),
        click.Option(["--host-table"], is_flag=True, help="ipvpn: routes go to the host's own table"),
        click.Option(["--readvertise-from"], multiple=True, metavar="RT", help="ipvpn: announce routes with it again"),
        click.Option(["--readvertise-to"], multiple=True, metavar="RT", help="ipvpn: ... to this"),
    ]


def instance_spec(name: str, given: dict[str, Any]) -> dict[str, Any] | None:
    """Takes its words out of `given`; None if there were none of them, then the instance is only named."""
    rts = given.pop("rt")
    spec = {
        "vni": given.pop("vni"),
        "rd": given.pop("rd"),
        "import_rts": [*rts, *given.pop("import_rt")],
        "export_rts": [*rts, *given.pop("export_rt")],
        "bridge": given.pop("bridge"),
        "gateways": list(given.pop("gateway")),
        "gateway_mac": given.pop("gateway_mac"),
        "host_addresses": list(given.pop("host_address")),
        "type": given.pop("type"),
        "vrf": given.pop("vrf"),
        "irb": given.pop("irb"),
        "encapsulations": list(given.pop("encapsulation")),
        "label_mode": given.pop("label_mode"),
        "host_table": given.pop("host_table") or None,
        "readvertise": readvertise(list(given.pop("readvertise_from")), list(given.pop("readvertise_to"))),
    }
    said = {key: value for key, value in spec.items() if value not in (None, [])}
    return {"name": name, **said} if said else None


def readvertise(sources: list[str], targets: list[str]) -> dict[str, list[str]] | None:
    if bool(sources) != bool(targets):
        raise click.UsageError("readvertise-from and readvertise-to belong together")
    return {"from_rts": sources, "to_rts": targets} if sources else None
