"""What the kernel itself can take: MAC/IP entries from one writer that has nothing else to do.

Each MAC/IP is a forwarding entry (one message makes the bridge's and the VXLAN device's) and a neighbour for ARP
suppression, with the fields every E-VPN daemon sends. Messages are packed beforehand, 200 a sendmsg, and only the last
of a send asks for an acknowledgement: the fastest way measured.
"""

from __future__ import annotations

import argparse
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator

from bench import report
from hornpipe.demo import sandbox
from hornpipe.demo.host import Host
from hornpipe.demo.site import Site

RTM_NEWNEIGH, RTM_DELNEIGH = 28, 29
REQUEST, ACK, REPLACE, CREATE = 1, 4, 0x100, 0x400
AF_BRIDGE = 7
PER_SEND = 200
BRIDGE, VXLAN = "br100", "vx100"
DEVICES = f"""
link add name {BRIDGE} type bridge mcast_snooping 0 forward_delay 0
link add name {VXLAN} type vxlan id 100 dstport 4789 local {{local}} nolearning
link set {VXLAN} master {BRIDGE}
link set {BRIDGE} up
link set {VXLAN} up
"""


def mac_of(number: int) -> bytes:
    return b"\x02\x00" + number.to_bytes(4, "big")


def ip_of(number: int) -> bytes:
    return (0x0A000000 + number).to_bytes(4, "big")


def fdb_message(kind: int, flags: int, vxlan: int, bridge: int, mac: bytes, vtep: bytes) -> bytes:
    """NTF_SELF | NTF_MASTER | NTF_EXT_LEARNED, NUD_REACHABLE; NDA_LLADDR, NDA_DST, NDA_MASTER."""
    return struct.pack(
        "=IHHII BxxxiHBB HH6sxx HH4s HHI",
        56, kind, REQUEST | flags, 0, 0, AF_BRIDGE, vxlan, 0x02, 0x16, 0, 10, 2, mac, 8, 1, vtep, 8, 9, bridge,
    )  # fmt: skip


def neigh_message(kind: int, flags: int, bridge: int, ip: bytes, mac: bytes) -> bytes:
    """NUD_NOARP, NTF_EXT_LEARNED; NDA_DST, NDA_LLADDR."""
    return struct.pack(
        "=IHHII BxxxiHBB HH4s HH6sxx",
        48, kind, REQUEST | flags, 0, 0, socket.AF_INET, bridge, 0x40, 0x10, 0, 8, 1, ip, 10, 2, mac,
    )  # fmt: skip


def batches(messages: list[bytes]) -> Iterator[bytes]:
    """PER_SEND messages each, the last one with NLM_F_ACK."""
    for start in range(0, len(messages), PER_SEND):
        part = messages[start : start + PER_SEND]
        last = bytearray(part[-1])
        last[6] |= ACK
        yield b"".join(part[:-1]) + bytes(last)


class Writer:
    """A netlink socket in the host's namespace."""

    def __init__(self, host: Host) -> None:
        self.socket = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.bind((0, 0))

    def write(self, prepared: list[bytes]) -> float:
        begun = time.perf_counter()
        for data in prepared:
            self.socket.send(data)
            answer = self.socket.recv(1 << 16)
            error = struct.unpack_from("=i", answer, 16)[0]
            if error:
                raise OSError(-error, "the kernel refused an entry")
        return time.perf_counter() - begun


def devices(host: Host, local: str) -> tuple[int, int]:
    """A bridge with a VXLAN device, as a daemon would make them: (bridge's, VXLAN device's) index."""
    host.ip(DEVICES.format(local=local))
    host.bridge(f"link set dev {VXLAN} neigh_suppress on learning off")
    return index(host, BRIDGE), index(host, VXLAN)


def index(host: Host, device: str) -> int:
    return int(host.shell(f"cat /sys/class/net/{device}/ifindex"))


def mac_ip_messages(
    kind: int, flags: int, bridge: int, vxlan: int, count: int, vtep: Callable[[int], bytes]
) -> list[bytes]:
    messages = []
    for n in range(count):
        messages.append(fdb_message(kind, flags, vxlan, bridge, mac_of(n), vtep(n)))
        messages.append(neigh_message(kind, flags, bridge, ip_of(n), mac_of(n)))
    return messages


def vtep_of(number: int, second: int = 0) -> bytes:
    """16 remote VTEPs; `second` shifts them, for a move."""
    return bytes([192, 0, 3 + second, 1 + number % 16])


def measure(count: int) -> dict[str, float]:
    """Seconds for the kernel to take all, move all (other VTEP) and lose all."""
    with Site() as site:
        host = site.host("pe", "192.0.2.1/24")
        bridge, vxlan = devices(host, "192.0.2.1")
        writer = Writer(host)
        add, flags = RTM_NEWNEIGH, CREATE | REPLACE
        load = list(batches(mac_ip_messages(add, flags, bridge, vxlan, count, vtep_of)))
        move = list(batches([fdb_message(add, flags, vxlan, bridge, mac_of(n), vtep_of(n, 1)) for n in range(count)]))
        drop = list(batches(mac_ip_messages(RTM_DELNEIGH, 0, bridge, vxlan, count, lambda n: vtep_of(n, 1))))
        return {"load": writer.write(load), "move": writer.write(move), "withdraw": writer.write(drop)}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.kernel_limit", description=__doc__)
    parser.add_argument("--routes", type=int, default=100_000)
    arguments = parser.parse_args(argv)
    figures = measure(arguments.routes)
    print(report.table(["phase", "s", "MAC/IP per second"], [
        [name, report.seconds(took), f"{arguments.routes / took:,.0f}"] for name, took in figures.items()
    ]))  # fmt: skip
    return 0


if __name__ == "__main__":
    if not sandbox.inside():
        sys.exit(sandbox.run([sys.executable, "-m", "bench.kernel_limit", *sys.argv[1:]]))
    sys.exit(main())
