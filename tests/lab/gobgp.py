"""GoBGP (Debian's gobgpd) on a host, as route reflector of the classic recipe: iBGP, clients, l2vpn-evpn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hornpipe.demo.host import Host, Process
from hornpipe.demo.until import until

GLOBAL = """\
[global.config]
  as = {asn}
  router-id = "{router_id}"
  local-address-list = ["{router_id}"]
"""
CLIENT = """\
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{client}"
    peer-as = {asn}
  [neighbors.route-reflector.config]
    route-reflector-client = true
    route-reflector-cluster-id = "{router_id}"
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.timers.config]
    connect-retry = 1
    idle-hold-time-after-reset = 1
"""
RESTART = """\
  [neighbors.graceful-restart.config]
    enabled = true
    restart-time = 120
"""
RESTART_FAMILY = """\
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
"""
FAMILY = """\
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "{family}"
"""


def configuration(
    router_id: str,
    clients: Sequence[str],
    asn: int = 64512,
    families: Sequence[str] = ("l2vpn-evpn",),
    restart: bool = False,
) -> str:
    """gobgpd.conf; `restart`: with graceful restart, which the classic recipe has not."""
    text = GLOBAL.format(asn=asn, router_id=router_id)
    for client in clients:
        text += CLIENT.format(asn=asn, router_id=router_id, client=client)
        text += RESTART if restart else ""
        for family in families:
            text += FAMILY.format(family=family) + (RESTART_FAMILY if restart else "")
    return text


class Gobgp:
    """One gobgpd; `start` again after `process.kill()` is its restart."""

    def __init__(self, host: Host, configuration: str) -> None:
        self.host = host
        host.write("/run/gobgpd.toml", configuration)
        self.process = self.start()

    def start(self) -> Process:
        self.process = self.host.spawn(
            "gobgpd", "--config-type=toml", "--config-file=/run/gobgpd.toml", "--api-hosts=127.0.0.1:50051",
            "--log-level=info", "--pprof-disable",
        )  # fmt: skip
        until("gobgpd answers", lambda: self.host.run("gobgp", "global", check=False).returncode == 0)
        return self.process

    def ask(self, *arguments: str) -> Any:
        """`gobgp -j ARGUMENTS`, decoded."""
        return json.loads(self.host.run("gobgp", "-j", *arguments).stdout or "null")

    def established(self, peer: str) -> bool:
        return any(
            neighbor["state"].get("neighbor_address") == peer and neighbor["state"].get("session_state") == 6
            for neighbor in self.ask("neighbor") or []
        )

    def text(self, family: str = "evpn") -> str:
        return self.host.run("gobgp", "global", "rib", "-a", family).stdout
