"""What is kept of an attachment, and where: the port of source ``cni`` in the daemon's intent is all there is.

The port's name is CNI's key (network, container, interface), never a pod's name, which is used again. The rest is in
its description, as words a person can read, too: ``pod=default/web uid=... masquerade=10.1.0.0/24``.
"""

from __future__ import annotations

import msgspec

from hornpipe.cni import failure
from hornpipe.cni.failure import CniFailure
from hornpipe.vpn.spec import PortSpec

SOURCE = "cni"
NAME_LENGTH = 200


class Record(msgspec.Struct, frozen=True, kw_only=True):
    network: str
    container: str
    interface: str
    pod: str = ""
    uid: str = ""
    masquerade: tuple[str, ...] = ()
    """Subnets."""

    @property
    def name(self) -> str:
        return f"{self.network}:{self.container}:{self.interface}"

    @property
    def description(self) -> str:
        pairs = (("pod", self.pod), ("uid", self.uid), ("masquerade", ",".join(self.masquerade)))
        return " ".join(f"{key}={value}" for key, value in pairs if value)

    @property
    def key(self) -> tuple[str, str]:
        """As ``cni.dev/valid-attachments`` has it."""
        return self.container, self.interface


def make(network: str, container: str, interface: str, pod: str = "", uid: str = "") -> Record:
    made = Record(
        network=network,
        container=container,
        interface=interface,
        pod="".join(pod.split()),
        uid="".join(uid.split()),
    )
    if len(made.name) > NAME_LENGTH:
        words = f"with its network and interface at most {NAME_LENGTH} characters"
        raise CniFailure(failure.ENVIRONMENT, f"container id {container} is too long", words)
    return made


def of_port(port: PortSpec) -> Record | None:
    """None: not one of ours, though in our source."""
    words = port.name.split(":")
    if len(words) != 3:
        return None
    given = dict(word.partition("=")[::2] for word in port.description.split())
    return Record(
        network=words[0],
        container=words[1],
        interface=words[2],
        pod=given.get("pod", ""),
        uid=given.get("uid", ""),
        masquerade=tuple(filter(None, given.get("masquerade", "").split(","))),
    )
