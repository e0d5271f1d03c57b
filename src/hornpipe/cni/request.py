"""A call of the plugin as the executable hands it over: program, variables, configuration, descriptors.

What must be there depends on the command (CNI specification, section 2); it is checked here once, against a table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

import msgspec

from hornpipe.cni import failure
from hornpipe.cni.failure import CniFailure

CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
INTERFACE = re.compile(r"[^/:\s]{1,15}")
NEEDED: Mapping[str, tuple[str, ...]] = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"),
    "GC": ("CNI_PATH",),
    "STATUS": ("CNI_PATH",),
}


class Request:
    """`close` closes its descriptors, which are this object's own."""

    def __init__(
        self, program: str, variables: Mapping[str, str], configuration: bytes, descriptors: Sequence[int] = ()
    ) -> None:
        self.program, self.configuration = program, configuration
        self.environment = {key: value for key, value in variables.items() if key.startswith("CNI_") or key == "PATH"}
        named = dict(zip(variables.get("descriptors", "").split(","), descriptors, strict=False))
        self.stderr, self.netns_descriptor = named.get("stderr"), named.get("netns")
        self.netns_errno = int(variables.get("netns_errno", "0"))
        self._descriptors = list(descriptors)

    @classmethod
    def parse(cls, data: bytes, descriptors: Sequence[int] = ()) -> Request:
        """ValueError if it is not what the executable sends."""
        head, ended, configuration = data.partition(b"\0\0")
        program, *pairs = head.decode().split("\0")
        if not ended or not program or not all("=" in pair for pair in pairs):
            raise ValueError("not a request of the CNI executable")
        variables = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
        return cls(program, variables, configuration, descriptors)

    @property
    def command(self) -> str:
        return self.environment.get("CNI_COMMAND", "")

    @property
    def container(self) -> str:
        return self.environment.get("CNI_CONTAINERID", "")

    @property
    def interface(self) -> str:
        return self.environment.get("CNI_IFNAME", "")

    @property
    def netns(self) -> str:
        return self.environment.get("CNI_NETNS", "")

    def check(self) -> None:
        """Raises code 4 naming the variable, as every command needs its own."""
        needed = NEEDED.get(self.command)
        if needed is None:
            raise CniFailure(failure.ENVIRONMENT, f"unknown CNI_COMMAND: {self.command}")
        missing = [name for name in needed if not self.environment.get(name)]
        if missing:
            words = ", ".join(missing)
            raise CniFailure(failure.ENVIRONMENT, "required env variables missing", f"required env: {words}")
        if "CNI_CONTAINERID" in needed and not CONTAINER.fullmatch(self.container):
            raise CniFailure(
                failure.ENVIRONMENT, "invalid characters in containerID", f"CNI_CONTAINERID: {self.container}"
            )
        if "CNI_IFNAME" in needed and (not INTERFACE.fullmatch(self.interface) or self.interface in (".", "..")):
            words = "1 to 15 characters without slash, colon or space"
            raise CniFailure(failure.ENVIRONMENT, f"invalid interface name {self.interface!r}", f"CNI_IFNAME: {words}")

    def check_netns(self) -> None:
        """For ADD and CHECK: it was opened, and it is not the host's own (unless asked for)."""
        if self.netns_descriptor is None:
            why = os.strerror(self.netns_errno) if self.netns_errno else "it was not handed over"
            raise CniFailure(failure.UNKNOWN_CONTAINER, f"network namespace {self.netns} cannot be opened", why)
        if self.environment.get("CNI_NETNS_OVERRIDE", "").lower() in ("1", "true"):
            return
        given, own = os.fstat(self.netns_descriptor), os.stat("/proc/self/ns/net")
        if (given.st_dev, given.st_ino) == (own.st_dev, own.st_ino):
            words = f"CNI_NETNS {self.netns} is the host's own network namespace"
            raise CniFailure(failure.NETNS, "plugin's netns and netns from CNI_NETNS should not be the same", words)

    def arguments(self) -> dict[str, str]:
        """CNI_ARGS: ``KEY=VALUE;KEY=VALUE``."""
        pairs = [pair for pair in self.environment.get("CNI_ARGS", "").split(";") if pair]
        if any("=" not in pair for pair in pairs):
            raise CniFailure(failure.ENVIRONMENT, "CNI_ARGS is not KEY=VALUE;KEY=VALUE", self.environment["CNI_ARGS"])
        return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}

    def close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        self.stderr = self.netns_descriptor = None


class Answer(msgspec.Struct, frozen=True):
    """`output`: what the executable prints, JSON or nothing."""

    status: int
    output: bytes = b""

    def encode(self) -> bytes:
        return b"%d %d\n" % (self.status, len(self.output)) + self.output
