"""Settings under /proc/sys/net, of the network namespace that the calling thread is in."""

from __future__ import annotations

from hornpipe.netlink.failure import Failure

_ROOT = "/proc/sys/net/"


class NotSet(Failure):
    """A setting could not be made."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(0)
        self.args = (f"cannot set net.{name.replace('/', '.')}: {why}",)


def read(name: str) -> str | None:
    """`name` as a path: ``ipv4/conf/all/rp_filter``. None: this kernel does not have it."""
    try:
        with open(_ROOT + name, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def write(name: str, value: int) -> bool:
    """Returns whether that changed anything. What this kernel does not have (IPv6 is switched off) cannot be set."""
    before = read(name)
    if before == str(value):
        return False
    if before is None:
        raise NotSet(name, "this kernel does not have it")
    try:
        with open(_ROOT + name, "w", encoding="ascii") as file:
            file.write(str(value))
    except OSError as error:
        raise NotSet(name, error.strerror or str(error)) from None
    return True


def write_all(values: dict[str, int]) -> None:
    """Those that this kernel has."""
    for name, value in values.items():
        if read(name) is not None:
            write(name, value)
