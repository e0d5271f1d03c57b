"""A host: network, mount and host-name namespaces of its own, with its own /run.

Like a machine of its own it has `ip netns` names, /run/hornpipe and 127.0.0.1 for itself, so the same commands with the
same defaults run on each host. A holder process keeps the namespaces; commands enter them by `nsenter`, which becomes
the command (its process id is the command's). Sockets can be made inside from here, since a socket stays in the
namespace it was made in.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from hornpipe.demo.sandbox import CLONE_NEWNET

HOLD = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock
mount -t sysfs sysfs /sys
hostname "$1"
ip link set lo up
echo ready
exec sleep infinity
"""


class CommandFailed(AssertionError):
    """A command on a host ended with an error; the text has its output."""


class Process:
    """A long-running command on a host, with its output in a file."""

    def __init__(self, host: Host, argv: Sequence[str], log: Path, popen: subprocess.Popen[bytes]) -> None:
        self.host, self.argv, self.log, self.popen = host, list(argv), log, popen

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def stop(self, limit: float = 10.0) -> int:
        """SIGTERM, and SIGKILL after `limit` seconds; the exit status."""
        if self.running:
            self.popen.terminate()
            try:
                self.popen.wait(limit)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        return self.popen.wait()

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()


class Host:
    """One host of the lab. Close it, or use it as a context: everything inside ends with it."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.processes: list[Process] = []
        argv = ["unshare", "--mount", "--net", "--uts", "sh", "-c", HOLD, "hold", name]
        self._holder = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        if self._holder.stdout.readline().strip() != b"ready":
            error = self._holder.stderr.read().decode(errors="replace")
            self._holder.wait()
            raise CommandFailed(f"host {name} cannot be made: {error.strip()}")

    @property
    def pid(self) -> int:
        """The holder's process id: what `ip link ... netns` and `nsenter -t` take."""
        return self._holder.pid

    def path(self, inside: str) -> str:
        """The path by which a file of this host (`/run/...`) is reached from outside."""
        return f"/proc/{self.pid}/root{inside}"

    def argv(self, command: Sequence[str], netns: str | None = None) -> list[str]:
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--uts", "--"]
        return [*enter, *(["ip", "netns", "exec", netns] if netns else []), *command]

    def run(
        self,
        *command: str,
        netns: str | None = None,
        check: bool = True,
        stdin: str = "",
        limit: float = 60.0,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; with `netns`, in that namespace of the host."""
        result = subprocess.run(
            self.argv(command, netns),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=limit,
            env=dict(os.environ, **(env or {})),
        )
        if check and result.returncode:
            shown = " ".join(command)
            raise CommandFailed(
                f"{self.name}{':' + netns if netns else ''}# {shown}\nexit status {result.returncode}\n"
                f"{result.stdout}{result.stderr}"
            )
        return result

    def shell(self, line: str, netns: str | None = None, check: bool = True) -> str:
        return self.run("sh", "-c", line, netns=netns, check=check).stdout

    def ip(self, lines: str, netns: str | None = None) -> str:
        """Many `ip` commands, one a line, in one process."""
        return self.run("ip", "-batch", "-", netns=netns, stdin=_commands(lines)).stdout

    def bridge(self, lines: str, netns: str | None = None) -> str:
        return self.run("bridge", "-batch", "-", netns=netns, stdin=_commands(lines)).stdout

    def spawn(
        self, *command: str, netns: str | None = None, log: str | None = None, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a command that goes on; its output goes to `log` in the host's directory."""
        path = self.directory / (log or f"{Path(command[0]).name}.log")
        with path.open("ab") as output:
            popen = subprocess.Popen(
                self.argv(command, netns),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, **(env or {})),
            )
        process = Process(self, command, path, popen)
        self.processes.append(process)
        return process

    def popen(self, *command: str, netns: str | None = None) -> subprocess.Popen[str]:
        """Start a command whose output the caller reads."""
        return subprocess.Popen(
            self.argv(command, netns),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def shell_here(self) -> None:
        """An interactive shell on the terminal."""
        subprocess.run(self.argv([os.environ.get("SHELL", "/bin/sh")]))

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket inside this host's network namespace, used from here."""
        with open("/proc/self/ns/net") as here, open(f"/proc/{self.pid}/ns/net") as there:
            _setns(there)
            try:
                return socket.socket(family, kind, protocol)
            finally:
                _setns(here)

    def write(self, inside: str, text: str) -> str:
        """Write a file under the host's /run; its path as the host sees it."""
        path = Path(self.path(inside))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return inside

    def ping(self, address: str, netns: str | None = None, count: int = 1, limit: float = 1.0) -> bool:
        command = ["ping", "-n", "-q", "-c", str(count), "-i", "0.2", "-W", f"{limit:g}", address]
        return self.run(*command, netns=netns, check=False).returncode == 0

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.running:
                process.popen.kill()
        for process in self.processes:
            process.popen.wait()
        self._holder.kill()
        self._holder.wait()
        for stream in (self._holder.stdout, self._holder.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def cable(a: Host, a_name: str, b: Host, b_name: str, *, mtu: int | None = None) -> None:
    """A veth pair between two hosts, both ends up."""
    size = ["mtu", str(mtu)] if mtu else []
    argv = ["ip", "link", "add", a_name, *size, "netns", str(a.pid), "type", "veth"]
    argv += ["peer", "name", b_name, *size, "netns", str(b.pid)]
    result = subprocess.run(argv, capture_output=True, text=True)
    if result.returncode:
        raise CommandFailed(f"{' '.join(argv)}: {result.stderr.strip()}")
    a.ip(f"link set {a_name} up")
    b.ip(f"link set {b_name} up")


def _commands(lines: str) -> str:
    kept = [line.strip() for line in lines.splitlines()]
    return "".join(f"{line}\n" for line in kept if line and not line.startswith("#"))


def _setns(namespace: IO[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace.fileno(), CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
