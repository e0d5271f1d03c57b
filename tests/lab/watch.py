"""A netlink watcher: what happened to a host's links, neighbours and forwarding entries, and exactly when.

`ip monitor` prints text some time later; this keeps (monotonic time, event) for each notification, so a test can state
that no entry was deleted and added again, and a benchmark can time one entry. The socket lives in the host's namespace,
the reader is a thread here.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import NamedTuple

from hornpipe.demo.host import Host
from hornpipe.demo.until import LIMIT

RTM_NEWLINK, RTM_DELLINK, RTM_NEWNEIGH, RTM_DELNEIGH = 16, 17, 28, 29
RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWNEXTHOP, RTM_DELNEXTHOP = 24, 25, 104, 105
NAMES = {RTM_NEWLINK: "new link", RTM_DELLINK: "del link"}
NAMES |= dict.fromkeys((RTM_NEWNEIGH, RTM_NEWROUTE, RTM_NEWNEXTHOP), "new")
NAMES |= dict.fromkeys((RTM_DELNEIGH, RTM_DELROUTE, RTM_DELNEXTHOP), "del")
GROUP_LINK, GROUP_NEIGH = 1, 1 << 2
GROUP_ROUTES = 1 << 6 | 1 << 10 | 1 << 31
"""IPv4, IPv6 and nexthop objects."""
AF_BRIDGE = 7
NDA_DST, NDA_LLADDR = 1, 2
RTA_DST, RTA_TABLE = 1, 15
NHA_ID = 1
IFLA_IFNAME = 3
NTF_SELF, NTF_EXT_LEARNED = 0x02, 0x10
SO_RCVBUFFORCE = 33
QUIET = 1.2
"""Seconds: of links the kernel tells at least once a second."""


class Event(NamedTuple):
    at: float
    """Monotonic seconds."""
    what: str
    """`new`, `del` (of anything but a link), `new link`, `del link`."""
    kind: str
    """`fdb` (a bridge's entry), `vtep` (the VXLAN device's own entry), `neigh`, `link`, `route` or `nexthop`."""
    ifindex: int
    """Of a route its table; of a nexthop 0."""
    key: str
    """MAC of a forwarding entry, IP of a neighbour, name of a link, prefix of a route, number of a nexthop."""
    value: str
    """Remote VTEP of a `vtep`, MAC of a `neigh`."""
    state: int = 0
    flags: int = 0


def attributes(data: bytes, position: int) -> dict[int, bytes]:
    found = {}
    while position + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, position)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[position + 4 : position + length]
        position += length + 3 & ~3
    return found


def address(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed) if packed else ""


def parse(kind: int, body: bytes, at: float) -> Event:
    if kind in (RTM_NEWLINK, RTM_DELLINK):
        ifindex = struct.unpack_from("=i", body, 4)[0]
        name = attributes(body, 16).get(IFLA_IFNAME, b"").rstrip(b"\0").decode()
        return Event(at, NAMES[kind], "link", ifindex, name, "")
    if kind in (RTM_NEWROUTE, RTM_DELROUTE):
        family, length = body[0], body[1]
        found = attributes(body, 12)
        network = found.get(RTA_DST, bytes(4 if family == socket.AF_INET else 16))
        table = struct.unpack("=I", found[RTA_TABLE])[0]
        return Event(at, NAMES[kind], "route", table, f"{address(network)}/{length}", "")
    if kind in (RTM_NEWNEXTHOP, RTM_DELNEXTHOP):
        number = struct.unpack("=I", attributes(body, 8)[NHA_ID])[0]
        return Event(at, NAMES[kind], "nexthop", 0, str(number), "")
    family, ifindex, state, flags, _type = struct.unpack_from("=B3xiHBB", body)
    found = attributes(body, 12)
    dst, lladdr = address(found.get(NDA_DST, b"")), found.get(NDA_LLADDR, b"").hex(":")
    if family == AF_BRIDGE:
        return Event(at, NAMES[kind], "vtep" if dst else "fdb", ifindex, lladdr, dst, state, flags)
    return Event(at, NAMES[kind], "neigh", ifindex, dst, lladdr, state, flags)


class Watch:
    """Records from construction until `stop`."""

    def __init__(self, host: Host, groups: int = GROUP_LINK | GROUP_NEIGH) -> None:
        self.events: list[Event] = []
        self.overruns = 0
        self._over = threading.Event()
        self._socket = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._socket.bind((0, groups))
        self._socket.settimeout(0.1)
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                data = self._socket.recv(1 << 18)
            except TimeoutError:
                if self._over.is_set():
                    return
                continue
            except OSError:  # ENOBUFS: the kernel had to drop some
                self.overruns += 1
                continue
            at = time.monotonic()
            position = 0
            with self._changed:
                while position + 16 <= len(data):
                    length, kind = struct.unpack_from("=IH", data, position)
                    if kind in NAMES:
                        self.events.append(parse(kind, data[position + 16 : position + length], at))
                    position += length + 3 & ~3
                self._changed.notify_all()

    def quiet(self) -> int:
        """Waits until the kernel has told of what came before, which may be late: of links it tells once a second. The
        place in `events` that has been reached."""
        end = time.monotonic() + LIMIT
        with self._changed:
            while self._changed.wait(QUIET):
                assert time.monotonic() < end, f"never quiet: {self.events[-20:]}"
            return self.mark()

    def mark(self) -> int:
        """The place in `events` that has been reached."""
        return len(self.events)

    def since(self, mark: int = 0, **wanted: object) -> list[Event]:
        """Events from `mark` on whose fields have the wanted values."""
        return [e for e in self.events[mark:] if all(getattr(e, field) == value for field, value in wanted.items())]

    def wait_for(self, mark: int, limit: float, **wanted: object) -> Event:
        """The first such event from `mark` on, woken by its arrival."""
        end = time.monotonic() + limit
        with self._changed:
            while not (found := self.since(mark, **wanted)):
                if not self._changed.wait(end - time.monotonic()) and time.monotonic() > end:
                    raise AssertionError(f"no event {wanted} within {limit:g} s; seen: {self.events[mark:][-20:]}")
            return found[0]

    def stop(self) -> list[Event]:
        self._over.set()  # what the kernel has queued is still read
        self._thread.join()
        self._socket.close()
        assert not self.overruns, "the watcher lost events"
        return self.events

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_exception: object) -> None:
        if not self._over.is_set():
            self.stop()
