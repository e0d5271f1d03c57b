"""The reflector's engine without sockets: microseconds a route from UPDATE bytes to tables, and to other peers' bytes.

    python bench/engine_rr.py [--routes 100000] [--blocks 1000] [--rounds 3]

Type 2 MAC/IP routes of 1000 attribute blocks (VNIs), packed 100 to an UPDATE or one each, parsed by `bgp.update` as
from a session; then the worst case, a block of its own for every route (MAC mobility). The figures are the best of some
rounds. The last column compares with the load of the same packing, so machines can be compared by it.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable

from hornpipe.bgp.attr.block import build
from hornpipe.bgp.attr.extended import encapsulation, mac_mobility
from hornpipe.bgp.family import EVPN, RTC
from hornpipe.bgp.nlri import rtc
from hornpipe.bgp.nlri.evpn import mac_ip_key, mac_ip_payload
from hornpipe.bgp.nlri.evpn_wire import join, join_withdraw
from hornpipe.bgp.update import pack_reach, pack_unreach, parse
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.outlet import Peer
from hornpipe.rib.rib import Rib
from hornpipe.rib.source import Source

US = bytes((10, 99, 0, 1))
BUDGET = 64
"""Messages a turn, about what a socket takes."""

Routes = list[tuple[int, bytes, bytes]]
"""(block, key, payload)"""


def target(block: int) -> bytes:
    return bytes(RouteTarget.parse(f"64512:{block + 1}"))


def make_routes(count: int, blocks: int) -> Routes:
    made: Routes = []
    for number in range(count):
        block = number * blocks // count
        rd = RouteDistinguisher.parse(f"10.0.0.1:{block + 1}")
        mac = b"\x02\x00" + number.to_bytes(4, "big")
        ip = b"\x0a" + (number & 0xFFFFFF).to_bytes(3, "big")
        made.append((block, mac_ip_key(rd, mac, ip), mac_ip_payload(block + 1)))
    return made


def announcements(routes: Routes, per_update: int, med: int | None = None, sequences: bool = False) -> list[bytes]:
    """UPDATE bodies; with `sequences` each has another MAC mobility sequence number."""
    bodies: list[bytes] = []
    at = 0
    while at < len(routes):
        block = routes[at][0]
        communities = [target(block), encapsulation(8)]
        if sequences:
            communities.append(mac_mobility(at + 1))
        attributes = build(local_pref=100, med=med, ext_communities=communities)
        nlris: list[bytes] = []
        while at < len(routes) and routes[at][0] == block and len(nlris) < per_update:
            nlris.append(join(routes[at][1], routes[at][2]))
            at += 1
        bodies += [message[19:] for message in pack_reach(EVPN, b"\x0a\x00\x00\x01", attributes, nlris, 65535)]
    return bodies


def withdrawals(routes: Routes, per_update: int) -> list[bytes]:
    nlris = [join_withdraw(key) for _, key, _ in routes]
    groups = [nlris[at : at + per_update] for at in range(0, len(nlris), per_update)]
    return [message[19:] for group in groups for message in pack_unreach(EVPN, group, 65535)]


class Reflector:
    def __init__(self) -> None:
        self.rib = Rib(US, US, 64512)
        self.sender = self.source(11)
        self.rib.source_up(self.sender, (EVPN,), 0.0)

    def source(self, number: int) -> Source:
        address = bytes((10, 99, 0, number))
        return Source(f"10.99.0.{number}", client=True, router_id=address, address=address, remote_as=64512)

    def receiver(self, number: int, rtc: bool = False) -> Peer:
        source = self.source(number)
        families = frozenset((EVPN, RTC)) if rtc else frozenset((EVPN,))
        peer = Peer(source, families, rtc=rtc)
        self.rib.source_up(source, families, 0.0)
        self.rib.peer_up(peer, 0.0)
        self.drain()
        return peer

    def feed(self, bodies: list[bytes]) -> None:
        """As from a socket: some UPDATEs, then whatever peers can be sent."""
        update, sender = self.rib.update, self.sender
        for at in range(0, len(bodies), BUDGET):
            for body in bodies[at : at + BUDGET]:
                update(sender, parse(body), 0.0)
            self.drain()

    def drain(self) -> int:
        count = 0
        while self.rib.ready_peers:
            for peer in list(self.rib.ready_peers):
                count += len(self.rib.take_updates(peer, BUDGET))
        while self.rib.take_imports(2000):
            pass
        return count


class Bench:
    def __init__(self, routes: int, blocks: int, rounds: int) -> None:
        self.routes = make_routes(routes, blocks)
        self.blocks = blocks
        self.rounds = rounds
        self.first = 0.0

    def show(self, name: str, prepare: Callable[[], Callable[[], object]], first: bool = False) -> None:
        best = float("inf")
        for _ in range(self.rounds):
            work = prepare()
            gc.collect()
            gc.freeze()
            start = time.process_time()
            work()
            best = min(best, time.process_time() - start)
            gc.unfreeze()
        each = best / len(self.routes) * 1e6
        if first:
            self.first = each
        print(f"  {name:<44} {best:8.3f} s {each:8.2f} us/route {each / self.first:8.2f} x")

    def run(self, per_update: int) -> None:
        print(f"\n{len(self.routes)} type 2 routes, {self.blocks} blocks, {per_update} a UPDATE")
        load = announcements(self.routes, per_update)
        replace = announcements(self.routes, per_update, med=5)
        withdraw = withdrawals(self.routes, per_update)

        def reflector(receivers: int = 0, rtc_targets: int = 0, *, loaded: bool = False, imports: int = 0) -> Reflector:
            made = Reflector()
            for number in range(imports):
                made.rib.set_imports(number, EVPN, frozenset((target(number),)))
            for number in range(receivers):
                peer = made.receiver(21 + number, rtc=rtc_targets > 0)
                for block in range(rtc_targets):
                    subscribe(made, peer, block)
            if loaded:
                made.feed(load)
            return made

        def feeding(bodies: list[bytes], made: Reflector) -> Callable[[], object]:
            return lambda: made.feed(bodies)

        self.show("load, nothing imported, no peer", lambda: feeding(load, reflector()), first=True)
        self.show("parse alone", lambda: lambda: [parse(body) for body in load])
        self.show("load, all imported", lambda: feeding(load, reflector(imports=self.blocks)))
        self.show("the same again", lambda: feeding(load, reflector(loaded=True)))
        self.show("load to 1 client", lambda: feeding(load, reflector(1)))
        self.show("load to 10 clients", lambda: feeding(load, reflector(10)))
        some = self.blocks // 20
        self.show(
            f"load to 10 clients, RTC: {some} of {self.blocks} targets", lambda: feeding(load, reflector(10, some))
        )
        self.show("replace (MED), 1 client", lambda: feeding(replace, reflector(1, loaded=True)))
        self.show("withdraw, 1 client", lambda: feeding(withdraw, reflector(1, loaded=True)))
        self.show("late joiner", lambda: late_join(reflector(loaded=True)))
        self.show("second source of the same routes", lambda: second(reflector(loaded=True), load))
        self.show("peer loss, 1 client", lambda: loss(reflector(1, loaded=True)))
        self.show("peer loss, kept stale", lambda: stale(reflector(1, loaded=True)))
        self.show("stale, then the same again and End-of-RIB", lambda: again(reflector(1, loaded=True), load))

    def distinct(self) -> None:
        print(f"\n{len(self.routes)} type 2 routes, an attribute block each")
        load = announcements(self.routes, 1, sequences=True)

        def loading(receivers: int) -> Callable[[], object]:
            made = Reflector()
            for number in range(receivers):
                made.receiver(21 + number)
            return lambda: made.feed(load)

        self.show("load, nothing imported, no peer", lambda: loading(0), first=True)
        self.show("load to 1 client", lambda: loading(1))

    def memory(self) -> None:
        load = announcements(self.routes, 100)
        gc.collect()
        tracemalloc.start()
        made = Reflector()
        before, _ = tracemalloc.get_traced_memory()
        for body in load:
            made.rib.update(made.sender, parse(body), 0.0)
        after, _ = tracemalloc.get_traced_memory()
        replace = announcements(self.routes, 100, med=5)
        middle, _ = tracemalloc.get_traced_memory()
        for body in replace:
            made.rib.update(made.sender, parse(body), 0.0)
        again, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        count = len(self.routes)
        print(f"\nmemory: {(after - before) / count:.0f} bytes a route loaded", end="")
        print(f", {(after - before + again - middle) / count:.0f} after all were replaced")


def subscribe(made: Reflector, peer: Peer, block: int) -> None:
    attributes = build(local_pref=100)
    message = pack_reach(RTC, peer.source.address, attributes, [rtc.key(64512, target(block))])[0]
    made.rib.update(peer.source, parse(message[19:]), 0.0)


def late_join(made: Reflector) -> Callable[[], object]:
    return lambda: made.receiver(40)


def second(made: Reflector, load: list[bytes]) -> Callable[[], object]:
    made.sender = made.source(12)
    made.rib.source_up(made.sender, (EVPN,), 0.0)
    return lambda: made.feed(load)


def loss(made: Reflector) -> Callable[[], object]:
    def work() -> None:
        made.rib.source_down(made.sender, None, 0.0)
        made.drain()

    return work


def stale(made: Reflector) -> Callable[[], object]:
    return lambda: made.rib.source_down(made.sender, 100.0, 0.0)


def again(made: Reflector, load: list[bytes]) -> Callable[[], object]:
    def work() -> None:
        made.rib.source_down(made.sender, 100.0, 0.0)
        made.rib.source_up(made.sender, (EVPN,), 1.0)
        made.feed(load)
        made.rib.end_of_rib(made.sender, EVPN)
        assert not made.rib.ready_peers

    return work


def main() -> None:
    options = argparse.ArgumentParser(description="the reflector's engine without sockets")
    options.add_argument("--routes", type=int, default=100_000)
    options.add_argument("--blocks", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    bench = Bench(chosen.routes, chosen.blocks, chosen.rounds)
    bench.run(100)
    bench.run(1)
    bench.distinct()
    bench.memory()


if __name__ == "__main__":
    main()
