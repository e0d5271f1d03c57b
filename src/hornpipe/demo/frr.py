"""FRR on a host: bgpd alone as route reflector, bgpd and zebra as provider edge.

Each host has its own /run, so the default paths serve. `-u root` is refused ("not part of vty group frrvty"): the
daemons run as frr and must own /run/frr.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from typing import Any

from hornpipe.demo.host import Host, Process
from hornpipe.demo.until import until

DIRECTORIES = ("/usr/lib/frr", "/usr/libexec/frr")
"""Where distributions have the daemons."""


def daemons_directory() -> str | None:
    return next((path for path in DIRECTORIES if os.access(f"{path}/bgpd", os.X_OK)), None)


class Frr:
    """FRR's daemons on one host."""

    def __init__(self, host: Host, bgpd: str, zebra: bool | str = False, daemons: Sequence[str] = ()) -> None:
        """`zebra`: its configuration, or whether there is one at all; `daemons`: which, if not zebra and bgpd."""
        self.host = host
        self.processes: dict[str, Process] = {}
        state = host.path("/run/frr")
        host.shell("mkdir -p /run/frr && mount -t tmpfs -o mode=1777 tmpfs /var/tmp")  # crash logs stay inside too
        shutil.chown(state, "frr", "frr")
        host.write("/run/frr/bgpd.conf", bgpd)
        host.write("/run/frr/zebra.conf", zebra if isinstance(zebra, str) else "")
        host.write("/run/frr/staticd.conf", "")
        if zebra is not False:
            for daemon in daemons or ("zebra", "bgpd"):
                self.start(daemon)
        else:
            self.start("bgpd", "--no_kernel", "--no_zebra")

    def start(self, daemon: str, *options: str) -> Process:
        for stale in ("pid", "vty"):
            self.host.run("rm", "-f", f"/run/frr/{daemon}.{stale}")
        process = self.host.spawn(
            f"{daemons_directory()}/{daemon}", "--config_file", f"/run/frr/{daemon}.conf", "--vty_addr", "127.0.0.1",
            "--log", "stdout", *options, log=f"{daemon}.log",
        )  # fmt: skip
        self.processes[daemon] = process
        until(f"{daemon} answers", lambda: os.path.exists(self.host.path(f"/run/frr/{daemon}.vty")), limit=60)
        return process

    def vtysh(self, *commands: str) -> str:
        # stderr: a harmless complaint about a missing vtysh.conf
        return self.host.run("vtysh", *(part for command in commands for part in ("-c", command)), check=False).stdout

    def configure(self, *lines: str) -> None:
        """Raises with what a daemon says against it."""
        words = [word for line in ("configure", *lines) for word in ("-c", line)]
        said = self.host.run("vtysh", *words, check=False).stdout
        assert "%" not in said, said

    def ask(self, command: str) -> Any:
        return json.loads(self.vtysh(f"{command} json"))

    def established(self, peer: str, family: str = "l2VpnEvpn") -> bool:
        return bool(self.ask("show bgp summary")[family]["peers"][peer]["state"] == "Established")
