"""A site: hosts on one switch, the underlay of the lab.

The switch is a Linux bridge in a namespace of its own. Every host has `u0`, with the addresses it was given, MTU 1550
by default so that workloads have 1500 under VXLAN's 50 bytes over IPv4.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hornpipe.demo.host import Host, cable

UNDERLAY_MTU = 1550


class Site:
    """The switch and the hosts that were added; closing it ends every process and namespace."""

    def __init__(self, directory: Path | None = None, mtu: int = UNDERLAY_MTU) -> None:
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="hornpipe-lab-"))
        self.mtu = mtu
        self.hosts: dict[str, Host] = {}
        self.switch = Host("switch", self.directory)
        self.switch.ip(f"link add name br0 mtu {mtu} type bridge mcast_snooping 0\nlink set br0 up")

    def host(self, name: str, addresses: str | Sequence[str] = ()) -> Host:
        """A new host with `u0` on the switch; addresses with prefix lengths, ``192.0.2.1/24``."""
        host = Host(name, self.directory)
        self.hosts[name] = host
        cable(host, "u0", self.switch, f"to-{name}"[:15], mtu=self.mtu)
        self.switch.ip(f"link set {f'to-{name}'[:15]} master br0")
        given = [addresses] if isinstance(addresses, str) else addresses
        host.ip("\n".join(f"addr add {a} dev u0 {'nodad' if ':' in a else ''}" for a in given))
        return host

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def unplug(self, name: str) -> None:
        """Take the host's cable out of the switch: its own carrier stays."""
        self.switch.ip(f"link set {f'to-{name}'[:15]} nomaster")

    def plug(self, name: str) -> None:
        self.switch.ip(f"link set {f'to-{name}'[:15]} master br0")

    def close(self) -> None:
        for host in [*self.hosts.values(), self.switch]:
            host.close()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
