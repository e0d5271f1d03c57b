"""CNI on a host of the lab: the executables installed, a runtime that calls them there, namespaces as containers."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hornpipe.demo.node import Node
from hornpipe.demo.until import LIMIT, until
from tests.cni.leases import leases_in
from tests.cni.libcni import Runtime

BIN = "/run/cni/bin"
REFERENCE = "/usr/lib/cni"
"""Debian's containernetworking-plugins."""


class Cni:
    """`runtime` is a container runtime on the host; `containers` are namespaces with nothing in them."""

    def __init__(self, node: Node) -> None:
        self.node, self.host = node, node.host
        node.run("hornpipe", "cni", "install", "--bin-dir", BIN)
        self.runtime = Runtime([BIN, REFERENCE], Path(self.host.directory) / "cni-cache", self._execute)
        self.runtime.find = self._find  # type: ignore[method-assign]
        until("CNI is served", lambda: Path(self.host.path("/run/hornpipe/cni.sock")).is_socket())

    def _find(self, program: str) -> str:
        """As the host sees it."""
        ours = Path(self.host.path(f"{BIN}/{program}"))
        return f"{BIN}/{program}" if ours.exists() else f"{REFERENCE}/{program}"

    def _execute(self, argv: Sequence[str], env: Mapping[str, str], stdin: str) -> subprocess.CompletedProcess[str]:
        return self.host.run(*argv, env=env, stdin=stdin, check=False, limit=120)

    def namespace(self, name: str) -> str:
        """A new one; its path."""
        self.host.ip(f"netns add {name}")
        return f"/run/netns/{name}"

    def pings(self, name: str, address: str, limit: float = LIMIT) -> None:
        what = f"{name} on {self.host.name} pings {address}"
        until(what, lambda: self.host.ping(address, netns=name), limit=limit, every=0.1)

    def leases(self) -> dict[str, tuple[str, ...]]:
        return leases_in(self.host.path("/run/hornpipe/ipam"))

    def links(self) -> list[str]:
        """Ours on the host."""
        lines = self.host.run("ip", "-o", "link").stdout.splitlines()
        names = [line.split(": ")[1].partition("@")[0] for line in lines]
        return sorted(name for name in names if name.startswith("hp-"))

    def assert_nothing_left(self, who: str = "cni") -> None:
        ports = [row["name"] for row in self.node.rows("/v1/ports")]
        assert ports == [], f"{who}: ports"
        until(f"{who}: no lease is left", lambda: self.leases() == {})
        until(f"{who}: no interface is left", lambda: self.links() == [])
        assert [row["nlri"] for row in self.node.rows("/v1/routes", peer="local")] == [], f"{who}: routes"
