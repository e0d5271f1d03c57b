"""hornpiped on a host of the lab: started, asked, reloaded, killed."""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from collections.abc import Callable
from typing import Any

from hornpipe.client import ApiError, Client, Unreachable
from hornpipe.demo.host import Host, Process
from hornpipe.demo.until import LIMIT, until

ASN = 64512
RUNTIME_DIR = "/run/hornpipe"
SCRIPTS = sysconfig.get_path("scripts")


class Node:
    """One daemon. Two on one host need runtime directories of their own."""

    def __init__(
        self,
        host: Host,
        configuration: str,
        *,
        runtime_dir: str = RUNTIME_DIR,
        suffix: str = "toml",
        netns: str | None = None,
        wait: bool = True,
    ) -> None:
        """`wait`: until the daemon answers."""
        self.host = host
        self.netns = netns
        self.runtime_dir = runtime_dir
        self.file = f"{runtime_dir}.{suffix}"
        self.configure(configuration)
        self.process = self.start(wait)

    def configure(self, configuration: str) -> None:
        """Write the file; `reload` makes the daemon read it."""
        self.host.write(self.file, configuration)

    def start(self, wait: bool = True) -> Process:
        log = f"hornpiped{self.runtime_dir.replace('/', '-')}.log"
        argv = [sys.executable, "-m", "hornpipe.daemon.main", "--config", self.file, "--runtime-dir", self.runtime_dir]
        self.process = self.host.spawn(*argv, netns=self.netns, log=log)
        if wait:
            self.await_answer()
        return self.process

    def await_answer(self, limit: float = LIMIT) -> None:
        until(f"hornpiped of {self.host.name} answers", self._answers, limit=limit)

    def _answers(self) -> bool:
        if not self.process.running:
            raise AssertionError(f"hornpiped of {self.host.name} ended:\n{self.process.output()[-3000:]}")
        return self.tried(lambda client: bool(client.get("/v1/status")))

    def tried(self, question: Callable[[Client], bool]) -> bool:
        """The answer, False while the daemon does not give one."""
        try:
            with self.client() as client:
                return question(client)
        except (Unreachable, ApiError):
            return False

    def client(self) -> Client:
        return Client(self.host.path(f"{self.runtime_dir}/hornpipe.sock"), timeout=30)

    def rows(self, path: str, **query: Any) -> list[dict[str, Any]]:
        with self.client() as client:
            return list(client.rows(path, **query))

    def status(self) -> dict[str, Any]:
        with self.client() as client:
            answer: dict[str, Any] = client.get("/v1/status")
            return answer

    def established(self, count: int = 1) -> bool:
        return self.tried(lambda c: sum(r["state"] == "ESTABLISHED" for r in c.rows("/v1/peers")) >= count)

    def await_established(self, count: int = 1, limit: float = LIMIT) -> None:
        until(f"{count} session(s) of {self.host.name}", lambda: self.established(count), limit=limit)

    def run(self, command: str, *words: str, check: bool = True) -> str:
        """One of the installed commands (`hornpipe`, `bagpipe-rest-attach`, ...) on the host; what it prints."""
        env = {"HORNPIPE_RUNTIME_DIR": self.runtime_dir, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
        result = self.host.run(command, *words, netns=self.netns, env=env, check=check)
        return result.stdout

    def hornpipe(self, words: str) -> str:
        return self.run("hornpipe", *words.split())

    def reload(self) -> None:
        self.process.signal(signal.SIGHUP)

    def kill(self) -> None:
        """SIGKILL: nothing is said to peers, nothing is cleaned up."""
        self.process.kill()

    def stop(self) -> int:
        return self.process.stop()


def reflector(address: str, *clients: str, asn: int = ASN) -> str:
    """Configuration of a daemon that only reflects; clients are addresses, or prefixes for dynamic neighbours."""
    listed = "".join(
        f'[[reflector.clients]]\n{"prefix" if "/" in client else "address"} = "{client}"\n' for client in clients
    )
    return f"""
[bgp]
local_as = {asn}
local_address = "{address}"
[reflector]
{listed}[dataplane]
driver = "dummy"
"""


def edge(address: str, *peers: str, asn: int = ASN, more: str = "") -> str:
    """Configuration of a provider edge with these route reflectors."""
    reflectors = "".join(f'[[peers]]\naddress = "{peer}"\nconnect_retry = 1\n' for peer in peers)
    return f"""
[bgp]
local_as = {asn}
local_address = "{address}"
listen = false
{reflectors}{more}"""
