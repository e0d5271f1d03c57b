"""Network namespaces: finding one, and a socket inside it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.netlink.failure import Failure

NAMED = "/run/netns"
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class NoNamespace(Failure):
    def __init__(self, netns: str, why: str) -> None:
        super().__init__(0)
        self.args = (f"network namespace {netns} {why}",)


def path_of(netns: str) -> str:
    """A path as it is, a name in /run/netns, or the process id of a container."""
    if "/" in netns:
        return netns
    named = os.path.join(NAMED, netns)
    return f"/proc/{netns}/ns/net" if netns.isdigit() and not os.path.exists(named) else named


class Lent:
    """Descriptors that others hold of namespaces, by path. Used in the kernel thread alone."""

    def __init__(self) -> None:
        self._held: dict[str, list[int]] = {}

    def put(self, netns: str, descriptor: int) -> None:
        self._held.setdefault(netns, []).append(descriptor)

    def drop(self, netns: str, descriptor: int) -> None:
        held = self._held[netns]
        held.remove(descriptor)
        if not held:
            del self._held[netns]
        os.close(descriptor)

    def get(self, netns: str) -> int | None:
        held = self._held.get(netns)
        return held[-1] if held else None


@contextmanager
def opened(netns: str, lent: Lent) -> Iterator[int]:
    """A descriptor of the namespace."""
    held = lent.get(netns)
    if held is not None:
        yield held
        return
    try:
        descriptor = os.open(path_of(netns), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NoNamespace(netns, "does not exist") from None
    except OSError as error:
        raise NoNamespace(netns, f"cannot be opened: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def entered(netns: str, descriptor: int) -> Iterator[None]:
    """The calling thread is in the namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, _CLONE_NEWNET):
            raise NoNamespace(netns, f"cannot be entered: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            if _libc.setns(home, _CLONE_NEWNET):
                os.abort()  # in the wrong namespace every further step would damage somebody else
    finally:
        os.close(home)


@contextmanager
def socket_inside(netns: str, descriptor: int) -> Iterator[RouteSocket]:
    """The thread enters the namespace only while the socket is made: a socket stays where it was made."""
    with entered(netns, descriptor):
        inside = RouteSocket()
    try:
        yield inside
    finally:
        inside.close()
