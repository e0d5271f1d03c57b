"""A process that sees when a kernel holds the last of the expected entries, by its notifications.

It is a process of its own so that it neither delays the injector nor counts as the daemon's time. So as not to take a
CPU from the daemon, a filter in the kernel (classic BPF) lets only the VXLAN device's own entries and the bridge's
neighbours through, and of these one in 16, chosen by a hash of MAC or IP address so that no daemon's order favours
them: the last of them comes as good as last. `verify` then counts all.
"""

from __future__ import annotations

import ctypes
import errno
import multiprocessing
import multiprocessing.connection
import socket
import struct
import time

from bench import kernel_limit
from hornpipe.demo.host import Host

GROUP_NEIGH = 1 << 2
SO_RCVBUFFORCE, SO_ATTACH_FILTER = 33, 26
NTF_SELF = 0x02
SAMPLE_BITS = 4
HASH = 2654435761
"""Knuth's multiplicative hash: the upper bits of the product choose."""
# linux/filter.h
LOAD_BYTE, LOAD_WORD, JUMP_EQUAL, JUMP_SET, RETURN, MULTIPLY, SHIFT_RIGHT = 0x30, 0x20, 0x15, 0x45, 0x06, 0x24, 0x74


def chosen(word: int) -> bool:
    """The last four bytes of a MAC or an IPv4 address are in the sample."""
    return (word * HASH & 0xFFFFFFFF) >> (32 - SAMPLE_BITS) == 0


def notification_filter(vxlan: int, bridge: int, sample: bool) -> bytes:
    """Accept RTM_{NEW,DEL}NEIGH with (AF_BRIDGE, NTF_SELF, vxlan) or (AF_INET, bridge), all or those in the sample."""

    def big(number: int) -> int:  # BPF loads words in network order
        return int.from_bytes(struct.pack("=I", number), "big")

    code = [
        (LOAD_BYTE, 0, 0, 4),
        (JUMP_EQUAL, 1, 0, kernel_limit.RTM_NEWNEIGH),
        (JUMP_EQUAL, 0, 15, kernel_limit.RTM_DELNEIGH),
        (LOAD_BYTE, 0, 0, 16),
        (JUMP_EQUAL, 0, 6, kernel_limit.AF_BRIDGE),
        (LOAD_BYTE, 0, 0, 26),
        (JUMP_SET, 0, 11, NTF_SELF),
        (LOAD_WORD, 0, 0, 20),
        (JUMP_EQUAL, 0, 9, big(vxlan)),
        (LOAD_WORD, 0, 0, 34),  # the MAC's last four bytes
        (JUMP_EQUAL, 4, 4, 0xFFFFFFFF),  # past the other branch
        (JUMP_EQUAL, 0, 6, int(socket.AF_INET)),
        (LOAD_WORD, 0, 0, 20),
        (JUMP_EQUAL, 0, 4, big(bridge)),
        (LOAD_WORD, 0, 0, 32),  # the IPv4 address
        (MULTIPLY, 0, 0, HASH if sample else 0),
        (SHIFT_RIGHT, 0, 0, 32 - SAMPLE_BITS),
        (JUMP_EQUAL, 1, 0, 0),
        (RETURN, 0, 0, 0),
        (RETURN, 0, 0, 0xFFFF),
    ]
    return b"".join(struct.pack("=HBBI", op, yes, no, value) for op, yes, no, value in code)


def watching_socket(host: Host, vxlan: int, bridge: int, sample: bool = True) -> socket.socket:
    watcher = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    watcher.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 512 << 20)
    code = notification_filter(vxlan, bridge, sample)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HL", len(code) // 8, ctypes.addressof(buffer))
    watcher.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    watcher.bind((0, GROUP_NEIGH))
    return watcher


class KernelCounter:
    """`expect` something, do it, then `reached`: the moment (time.perf_counter) when the kernel held all of it."""

    def __init__(self, host: Host, vxlan: str, bridge: str) -> None:
        self._host, self._vxlan, self._bridge = host, vxlan, bridge
        self._expected = (0, 0)
        indices = kernel_limit.index(host, vxlan), kernel_limit.index(host, bridge)
        self._socket = watching_socket(host, *indices)
        self._pipe, child = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=self._count, args=(child,), daemon=True)
        self._process.start()

    def expect(self, entries: int, generation: int, neighbours: int) -> None:
        """`entries` forwarding entries towards VTEPs of the generation (third byte of the address), 0 of any."""
        self._expected = (entries, neighbours)
        macs = sum(chosen(int.from_bytes(kernel_limit.mac_of(n)[2:], "big")) for n in range(entries))
        addresses = sum(chosen(int.from_bytes(kernel_limit.ip_of(n), "big")) for n in range(neighbours))
        self._pipe.send((macs, generation, addresses))
        assert self._pipe.recv() == "ready"

    def reached(self, limit: float) -> float | None:
        """None if the limit came first."""
        return self._pipe.recv() if self._pipe.poll(limit) else None

    def verify(self) -> None:
        """Count everything; FDB dumps take time in proportion to the square, some seconds for 100 000."""
        entries = int(self._host.shell(f"bridge fdb show dev {self._vxlan} | grep -c '^02.* dst ' || true"))
        neighbours = int(self._host.shell(f"ip neigh show dev {self._bridge} nud noarp | grep -c ^10. || true"))
        assert (entries, neighbours) == self._expected, f"the kernel holds {entries} entries, {neighbours} neighbours"

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._socket.close()

    def _count(self, pipe: multiprocessing.connection.Connection) -> None:
        vteps: dict[bytes, int] = {}
        neighbours: set[bytes] = set()
        current: set[bytes] = set()
        receive = self._socket.recv
        while True:
            entries, generation, wanted = pipe.recv()
            current = {mac for mac, third in vteps.items() if third == generation}
            pipe.send("ready")
            while not (len(current if entries else vteps) == entries and len(neighbours) == wanted):
                try:
                    data = receive(512)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    pipe.send(None)
                    break
                new = data[4] == kernel_limit.RTM_NEWNEIGH
                if data[16] == kernel_limit.AF_BRIDGE:
                    mac = data[32:38]
                    if new:
                        vteps[mac] = third = data[46]
                        (current.add if third == generation else current.discard)(mac)
                    else:
                        vteps.pop(mac, None)
                        current.discard(mac)
                elif new:
                    neighbours.add(data[32:36])
                else:
                    neighbours.discard(data[32:36])
            else:
                pipe.send(time.perf_counter())
