"""A process that counts which of the expected entries a kernel holds, by its notifications.

It is a process of its own so that counting neither delays the injector nor counts as the daemon's time. A filter in the
kernel (classic BPF) lets only the VXLAN device's own entries and the bridge's neighbours through.
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
# linux/filter.h
LOAD_BYTE, LOAD_WORD, JUMP_EQUAL, JUMP_SET, RETURN = 0x30, 0x20, 0x15, 0x45, 0x06


def notification_filter(vxlan: int, bridge: int) -> bytes:
    """Accept RTM_{NEW,DEL}NEIGH with (AF_BRIDGE, NTF_SELF, vxlan) or (AF_INET, bridge)."""
    big = lambda n: int.from_bytes(struct.pack("=I", n), "big")  # noqa: E731 (BPF loads words in network order)
    code = [
        (LOAD_BYTE, 0, 0, 4),
        (JUMP_EQUAL, 1, 0, kernel_limit.RTM_NEWNEIGH),
        (JUMP_EQUAL, 0, 10, kernel_limit.RTM_DELNEIGH),
        (LOAD_BYTE, 0, 0, 16),
        (JUMP_EQUAL, 0, 4, kernel_limit.AF_BRIDGE),
        (LOAD_BYTE, 0, 0, 26),
        (JUMP_SET, 0, 6, NTF_SELF),
        (LOAD_WORD, 0, 0, 20),
        (JUMP_EQUAL, 3, 4, big(vxlan)),
        (JUMP_EQUAL, 0, 3, int(socket.AF_INET)),
        (LOAD_WORD, 0, 0, 20),
        (JUMP_EQUAL, 0, 1, big(bridge)),
        (RETURN, 0, 0, 0xFFFF),
        (RETURN, 0, 0, 0),
    ]
    return b"".join(struct.pack("=HBBI", op, yes, no, value) for op, yes, no, value in code)


def watching_socket(host: Host, vxlan: int, bridge: int) -> socket.socket:
    watcher = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    watcher.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 512 << 20)
    code = notification_filter(vxlan, bridge)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HL", len(code) // 8, ctypes.addressof(buffer))
    watcher.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    watcher.bind((0, GROUP_NEIGH))
    return watcher


class KernelCounter:
    """`expect` something, do it, then `reached`: the moment (time.perf_counter) when the kernel held all of it."""

    def __init__(self, host: Host, vxlan: str, bridge: str) -> None:
        indices = kernel_limit.index(host, vxlan), kernel_limit.index(host, bridge)
        self._socket = watching_socket(host, *indices)
        self._pipe, child = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=self._count, args=(child,), daemon=True)
        self._process.start()

    def expect(self, entries: int, generation: int, neighbours: int) -> None:
        """`entries` forwarding entries towards VTEPs of the generation (third byte of the address), 0 of any."""
        self._pipe.send((entries, generation, neighbours))
        assert self._pipe.recv() == "ready"

    def reached(self, limit: float) -> float | None:
        """None if the limit came first; `progress` then says how far it got."""
        return self._pipe.recv() if self._pipe.poll(limit) else None  # type: ignore[no-any-return]

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
