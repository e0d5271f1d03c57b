"""hornpiped as a process, on loopback addresses and with a kernel in memory: no root needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hornpipe.client import Client
from hornpipe.demo.until import until

BLUE = {"name": "blue", "vni": 100, "import_rts": ["64512:80"], "export_rts": ["64512:80"]}


class Running:
    """`address` is also the router id; everybody listens on a port of the fixture's choice."""

    def __init__(self, directory: Path, address: str, tcp_port: int) -> None:
        self.directory, self.address, self.tcp_port = directory, address, tcp_port
        directory.mkdir(parents=True)
        self.file = directory / "hornpipe.toml"
        self.runtime = directory / "run"
        self.process: subprocess.Popen[str] | None = None
        self.client = Client(f"{self.runtime}/hornpipe.sock", timeout=60)

    def configure(self, peers: tuple[Running, ...] = (), more: str = "", bgp: str = "") -> None:
        lines = [
            "[bgp]\nlocal_as = 64512",
            f'local_address = "{self.address}"\nlisten_address = "{self.address}"\nlisten_port = {self.tcp_port}',
            bgp,
            *(f'[[peers]]\naddress = "{p.address}"\nport = {p.tcp_port}\nconnect_retry = 1' for p in peers),
            '[dataplane]\ndriver = "dummy"',
            more,
        ]
        self.file.write_text("\n".join(lines) + "\n")

    def start(self) -> Running:
        command = [sys.executable, "-m", "hornpipe.daemon.main", "--config", str(self.file)]
        with (self.directory / "log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--runtime-dir", str(self.runtime)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
                env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
            )
        until(f"{self.address} answers", lambda: self.alive and self.get("/v1/status"))
        return self

    @property
    def alive(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"hornpiped ended with {self.process.returncode}:\n{self.log}")
        return (self.runtime / "hornpipe.sock").exists()

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def get(self, path: str) -> Any:
        try:
            return self.client.get(path)
        except Exception as error:
            self.client.close()
            raise OSError(str(error)) from error

    def rows(self, path: str) -> list[dict[str, Any]]:
        return list(self.client.rows(path))

    def peers(self) -> dict[str, dict[str, Any]]:
        return {row["peer"]: row for row in self.rows("/v1/peers")}

    def established(self, *peers: Running) -> bool:
        states = self.peers()
        return all(states[peer.address]["state"] == "ESTABLISHED" for peer in peers)

    def put(self, source: str, *ports: dict[str, Any], instances: tuple[dict[str, Any], ...] = (BLUE,)) -> Any:
        return self.client.call("PUT", f"/v1/sources/{source}", {"instances": list(instances), "ports": list(ports)})

    def hang_up(self, awaited: str) -> None:
        """SIGHUP, and wait for its `awaited` line in the log."""
        before = len(self.log)
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        until(awaited, lambda: awaited in self.log[before:])

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.client.close()
        self.process.send_signal(number)
        return self.process.wait(60)

    def close(self) -> None:
        self.client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def port(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "instance": "blue", "netns": name, "addresses": [f"10.1.0.{number}/24"]}


def settle(seconds: float = 0.3) -> None:
    """For what must not happen: give it the time to."""
    time.sleep(seconds)
