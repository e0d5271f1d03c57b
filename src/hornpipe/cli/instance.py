"""The words that describe a VPN instance, shared by ``attach`` and ``instance add``."""

from __future__ import annotations

from typing import Any

import click


def instance_options() -> list[click.Parameter]:
    return [
        click.Option(["--vni"], type=int, help="VXLAN network identifier; else one is allocated"),
        click.Option(["--rt"], multiple=True, metavar="RT", help="route target, imported and exported: 64512:80"),
        click.Option(["--import-rt"], multiple=True, metavar="RT", help="imported only"),
        click.Option(["--export-rt"], multiple=True, metavar="RT", help="exported only"),
        click.Option(["--rd"], help="route distinguisher; else router-id:n"),
        click.Option(["--bridge"], help="an existing bridge; MACs are learnt from it"),
        click.Option(["--gateway"], multiple=True, metavar="ADDRESS/LEN", help="an address this host answers for"),
        click.Option(["--gateway-mac"], metavar="MAC", help="the MAC it answers with"),
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
    }
    said = {key: value for key, value in spec.items() if value not in (None, [])}
    return {"name": name, **said} if said else None
