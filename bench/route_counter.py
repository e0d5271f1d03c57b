"""A process that sees when a kernel's table holds the last of the expected routes, by its notifications.

As `bench.kernel_counter` does for forwarding entries: a process of its own, behind a filter in the kernel that lets one
host route in 16 through, chosen by a hash of the address. `verify` then counts all. `deleted` says how many routes of
the sample went meanwhile.
"""

from __future__ import annotations

import ctypes
import errno
import multiprocessing
import multiprocessing.connection
import socket
import struct
import time

from bench.kernel_counter import (
    HASH,
    JUMP_EQUAL,
    LOAD_BYTE,
    LOAD_WORD,
    MULTIPLY,
    RETURN,
    SAMPLE_BITS,
    SHIFT_RIGHT,
    SO_ATTACH_FILTER,
    SO_RCVBUFFORCE,
    chosen,
)
from bench.kernel_limit import ip_of
from hornpipe.demo.host import Host

GROUP_ROUTES = 1 << 6
RTM_NEWROUTE, RTM_DELROUTE = 24, 25
TABLE, PREFIX = 32, 40
"""Where a notification of the kernel has them: RTA_TABLE is the first attribute, RTA_DST the second."""


def notification_filter(table: int) -> bytes:
    """Accept RTM_{NEW,DEL}ROUTE of IPv4 host routes in the table that are in the sample."""
    in_network_order = int.from_bytes(struct.pack("=I", table), "big")  # BPF loads words so
    code = [
        (LOAD_BYTE, 0, 0, 4),
        (JUMP_EQUAL, 1, 0, RTM_NEWROUTE),
        (JUMP_EQUAL, 0, 9, RTM_DELROUTE),
        (LOAD_BYTE, 0, 0, 16),
        (JUMP_EQUAL, 0, 7, int(socket.AF_INET)),
        (LOAD_WORD, 0, 0, TABLE),
        (JUMP_EQUAL, 0, 5, in_network_order),
        (LOAD_WORD, 0, 0, PREFIX),
        (MULTIPLY, 0, 0, HASH),
        (SHIFT_RIGHT, 0, 0, 32 - SAMPLE_BITS),
        (JUMP_EQUAL, 0, 1, 0),
        (RETURN, 0, 0, 0xFFFF),
        (RETURN, 0, 0, 0),
    ]
    return b"".join(struct.pack("=HBBI", op, yes, no, value) for op, yes, no, value in code)


class RouteCounter:
    """`expect` a number of routes, do something, then `reached`: the moment (time.perf_counter) when there were so
    many."""

    def __init__(self, host: Host, table: int) -> None:
        self._host, self._table = host, table
        self._expected = 0
        self._socket = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 512 << 20)
        code = notification_filter(table)
        buffer = ctypes.create_string_buffer(code)
        self._socket.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(code) // 8, ctypes.addressof(buffer))
        )
        self._socket.bind((0, GROUP_ROUTES))
        self._pipe, child = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=self._count, args=(child,), daemon=True)
        self._process.start()

    def expect(self, routes: int) -> None:
        self._expected = routes
        self._pipe.send(sum(chosen(int.from_bytes(ip_of(n), "big")) for n in range(routes)))
        assert self._pipe.recv() == "ready"

    def reached(self, limit: float) -> float | None:
        """None if the limit came first."""
        return self._pipe.recv()[0] if self._pipe.poll(limit) else None

    def deleted(self) -> int:
        """How many routes of the sample have gone since the last `reached`, or come back: 0 if nothing was touched."""
        self._pipe.send(-1)
        assert self._pipe.recv() == "ready"
        return int(self._pipe.recv()[1])

    def verify(self) -> None:
        found = self.held()
        assert found == self._expected, f"the kernel holds {found} routes, not {self._expected}"

    def held(self) -> int:
        return int(self._host.shell(f"ip -4 route show table {self._table} | grep -c '^10[.]' || true"))

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._socket.close()

    def _count(self, pipe: multiprocessing.connection.Connection) -> None:
        routes: set[bytes] = set()
        while True:
            wanted = pipe.recv()
            pipe.send("ready")
            deleted = 0
            self._socket.settimeout(0.3 if wanted < 0 else None)
            while wanted < 0 or len(routes) != wanted:
                try:
                    data = self._socket.recv(512)
                except TimeoutError:
                    break
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    pipe.send((None, deleted))
                    break
                if data[4] == RTM_NEWROUTE:
                    routes.add(data[PREFIX : PREFIX + 4])
                else:
                    deleted += data[PREFIX : PREFIX + 4] in routes
                    routes.discard(data[PREFIX : PREFIX + 4])
            pipe.send((time.perf_counter(), deleted))
