"""Single events, one after another: how long one takes through a provider edge that has nothing else to do.

    remote route   one UPDATE sent until the kernel reports the forwarding entry (and, withdrawn, its deletion)
    local attach   hornpipe: the REST call (PUT /v1/ports/NAME) until its UPDATE is here, until the kernel reports the
                   port's entry, until the answer is here; FRR: a MAC added to the kernel's bridge until its UPDATE is
                   here, since FRR learns ports from the kernel

Sender, receiver and netlink watcher are one thread of one process, woken by the event itself.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial

from bench import edge, kernel_limit, pe, report
from bench.kernel_counter import GROUP_NEIGH, SO_RCVBUFFORCE, watching_socket
from hornpipe.demo import sandbox
from hornpipe.demo.host import Host
from hornpipe.demo.site import Site
from tests.lab import wire

Waiting = Mapping[str, tuple[socket.socket, Callable[[], bool]]]
"""What to wait for: a socket, and whether what has come on it is that."""
PAUSE = 0.01
"""Between events: they must not share a batch or a timer."""
MILLI = 1e3


def neigh_socket(host: Host) -> socket.socket:
    """All neighbour and forwarding entry notifications of the host."""
    watcher = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    watcher.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    watcher.bind((0, GROUP_NEIGH))
    return watcher


def await_mac(watcher: socket.socket, kind: int, mac: bytes) -> float:
    """The moment the kernel reports this forwarding entry."""
    watcher.settimeout(5)
    while True:
        data = watcher.recv(512)
        if data[4] == kind and data[16] == kernel_limit.AF_BRIDGE and data[32:38] == mac:
            return time.perf_counter()


def remote_routes(target: edge.Edge, count: int) -> dict[str, list[float]]:
    """UPDATE to entry, and withdrawal to deletion."""
    vxlan, bridge = kernel_limit.index(target.host, target.vxlan), kernel_limit.index(target.host, target.bridge)
    block = wire.common([wire.route_target(edge.RT), wire.VXLAN])
    took: dict[str, list[float]] = {"UPDATE to kernel": [], "withdrawal to kernel": []}
    with watching_socket(target.host, vxlan, bridge, sample=False) as watcher:
        for n in range(count):
            nlri = pe.nlris(16 * (n + 1), 0, 0)[-1]
            mac = nlri[25:31]
            for name, kind, update in (
                ("UPDATE to kernel", kernel_limit.RTM_NEWNEIGH, wire.reach(wire.EVPN, "192.0.3.1", nlri, block)),
                ("withdrawal to kernel", kernel_limit.RTM_DELNEIGH, wire.unreach(wire.EVPN, nlri)),
            ):
                time.sleep(PAUSE)
                begun = time.perf_counter()
                target.peer.send(update)
                took[name].append(await_mac(watcher, kind, mac) - begun)
    return took


def await_all(waiting: Waiting, begun: float, limit: float = 5.0) -> dict[str, float]:
    """Seconds until each of several sockets has brought what its function looks for."""
    left, took = dict(waiting), {}
    while left:
        readable = select.select([source for source, _ in left.values()], [], [], limit)[0]
        if not readable:
            raise AssertionError(f"within {limit:g} s there was no {' and no '.join(left)}")
        for name, (source, found) in list(left.items()):
            if source in readable and found():
                took[name] = time.perf_counter() - begun
                del left[name]
    return took


def has_route(target: edge.Edge, mac: bytes, withdrawn: bool = False) -> bool:
    """Whether what the peer has just sent contains this MAC."""
    return any(mac in wire.nlri_of(body)[withdrawn] for kind, body in target.peer.read() if kind == wire.UPDATE)


def has_entry(watcher: socket.socket, kind: int, mac: bytes) -> bool:
    data = watcher.recv(512)
    return data[4] == kind and data[16] == kernel_limit.AF_BRIDGE and data[32:38] == mac


def answered(api: socket.socket) -> bool:
    return b" 20" in api.recv(65536)[:16]


def make_ports(host: Host, count: int) -> None:
    host.ip("\n".join(f"link add port{n} type veth peer name inner{n}" for n in range(count)))
    host.ip("\n".join(f"link set {name}{n} up" for n in range(count) for name in ("port", "inner")))


def attaches(target: edge.Edge, count: int) -> dict[str, list[float]]:
    """REST calls of hornpipe."""
    make_ports(target.host, count)
    names = ("attach to UPDATE", "attach to kernel", "attach to answer", "detach to UPDATE")
    took: dict[str, list[float]] = {name: [] for name in names}
    with socket.socket(socket.AF_UNIX) as api, neigh_socket(target.host) as watcher:
        api.connect(target.host.path(edge.SOCKET))
        for n in range(count):
            mac = b"\x02\xaa" + n.to_bytes(4, "big")
            port = {
                "instance": "bench",
                "interface": f"port{n}",
                "mac": mac.hex(":"),
                "addresses": [f"10.9.{n >> 8}.{n & 255}"],
            }
            time.sleep(PAUSE)
            begun = time.perf_counter()
            api.sendall(request("PUT", f"/v1/ports/port{n}", port))
            found = await_all(
                {
                    "attach to UPDATE": (target.peer.connection, partial(has_route, target, mac)),
                    "attach to kernel": (watcher, partial(has_entry, watcher, kernel_limit.RTM_NEWNEIGH, mac)),
                    "attach to answer": (api, partial(answered, api)),
                },
                begun,
            )
            for name, value in found.items():
                took[name].append(value)
            time.sleep(PAUSE)
            begun = time.perf_counter()
            api.sendall(request("DELETE", f"/v1/ports/port{n}"))
            found = await_all(
                {
                    "detach to UPDATE": (target.peer.connection, partial(has_route, target, mac, True)),
                    "answer": (api, partial(answered, api)),
                },
                begun,
            )
            took["detach to UPDATE"].append(found["detach to UPDATE"])
    return took


def request(method: str, path: str, body: object = None) -> bytes:
    text = json.dumps(body).encode() if body is not None else b""
    head = [f"{method} {path} HTTP/1.1", "Host: hornpipe", "Content-Type: application/json"]
    return "\r\n".join([*head, f"Content-Length: {len(text)}", "", ""]).encode() + text


def bridge_macs(target: edge.Edge, count: int) -> dict[str, list[float]]:
    """What FRR has instead: an entry on a bridge port."""
    make_ports(target.host, 1)
    target.host.ip(f"link set port0 master {target.bridge}")
    port = kernel_limit.index(target.host, "port0")
    took: dict[str, list[float]] = {"attach to UPDATE": [], "detach to UPDATE": []}
    writer = kernel_limit.Writer(target.host)
    for n in range(count):
        mac = b"\x02\xaa" + n.to_bytes(4, "big")
        for name, kind, flags in (
            ("attach to UPDATE", kernel_limit.RTM_NEWNEIGH, kernel_limit.CREATE),
            ("detach to UPDATE", kernel_limit.RTM_DELNEIGH, 0),
        ):
            time.sleep(PAUSE)
            begun = time.perf_counter()
            writer.write([master_entry(kind, flags | kernel_limit.ACK, port, mac)])
            withdrawn = kind == kernel_limit.RTM_DELNEIGH
            found = {name: (target.peer.connection, partial(has_route, target, mac, withdrawn))}
            took[name].append(await_all(found, begun)[name])
    return took


def master_entry(kind: int, flags: int, port: int, mac: bytes) -> bytes:
    """A static entry in the bridge's table: NTF_MASTER, NUD_NOARP."""
    return struct.pack(
        "=IHHII BxxxiHBB HH6sxx",
        40, kind, kernel_limit.REQUEST | flags, 0, 0, kernel_limit.AF_BRIDGE, port, 0x40, 0x04, 0, 10, 2, mac,
    )  # fmt: skip


def trial(name: str, count: int) -> dict[str, list[float]]:
    print(f"   {name}: {count} single events of each kind", file=sys.stderr)
    with Site() as site:
        target = edge.start(site, name)
        target.peer.send(pe.vteps(0) + wire.unreach(wire.EVPN))
        time.sleep(1.5)
        target.peer.receive(0)
        local = attaches if name.startswith("hornpipe") else bridge_macs
        return {**remote_routes(target, count), **local(target, count)}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--only", default="", help="contenders whose name contains this")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    arguments = parser.parse_args(argv)
    names = [name for name in edge.contenders() if arguments.only.lower() in name.lower()]
    results = {name: trial(name, arguments.events) for name in names}
    ours = results.get(edge.OURS, {})
    rows = []
    for name, took in results.items():
        for event, values in took.items():
            median, high = statistics.median(values), statistics.quantiles(values, n=20)[-1]
            times = report.ratio(statistics.median(ours[event]), median) if event in ours and took is not ours else "–"
            rows.append([event, name, *(f"{MILLI * v:.2f}" for v in (min(values), median, high)), times])
    rows.sort(key=lambda row: list(ours or results[names[0]]).index(row[0]))
    header = ["event", "provider edge", "best ms", "median ms", "95 % ms", "median, times hornpipe's"]
    parts = [report.table(header, rows), (__doc__ or "").strip()]
    if arguments.dry:
        print("\n\n".join(parts))
    else:
        command = "python -m bench.latency" + "".join(f" {a}" for a in argv or sys.argv[1:])
        report.publish("latency", "Provider edges: single events", parts, command)
    return 0


if __name__ == "__main__":
    if not sandbox.inside():
        sys.exit(sandbox.run([sys.executable, "-m", "bench.latency", *sys.argv[1:]]))
    sys.exit(main())
