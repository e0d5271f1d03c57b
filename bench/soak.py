"""`./dev soak`: real daemons under churn, resets, kills and damage; what must hold at the end.

Three edges and two reflectors on one switch, a scripted speaker that announces and withdraws a few hundred routes at a
time. One edge and one reflector run from beginning to end: their memory must be flat and their event loops never late
(99.9 % of the timer's samples within 50 ms). At the end that edge's kernel and routes are compared with what the same
daemon makes of an empty kernel.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections.abc import Callable

from bench.flat import growth, is_flat, share_within, warming
from bench.usage import cpu_seconds, resident_mb
from hornpipe.client import ApiError, Unreachable
from hornpipe.demo import node
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from tests.lab import wire
from tests.lab.speaker import SessionEnded, Speaker

REFLECTORS = ("192.0.2.100", "192.0.2.101")
EDGES = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
SPEAKER = "192.0.2.50"
VNIS = (100, 101, 102)
ROUTES = 400
"""Of the speaker, an instance."""
LATE, SHARE = 0.05, 0.999
BUCKET = re.compile(r'^hornpipe_loop_lag_seconds_bucket\{le="([^"]+)"\} ([0-9.e+]+)', re.MULTILINE)


class Soak:
    def __init__(self, site: Site, seed: int) -> None:
        self.random = random.Random(seed)
        self.site = site
        self.reflectors = [
            Node(site.host(f"rr{number}", f"{address}/24"), node.reflector(address, "192.0.2.0/24"))
            for number, address in enumerate(REFLECTORS, 1)
        ]
        self.edges = [
            Node(site.host(f"h{number}", f"{address}/24"), node.edge(address, *REFLECTORS))
            for number, address in enumerate(EDGES, 1)
        ]
        self.outside = site.host("speaker", f"{SPEAKER}/24")
        self.speaker: Speaker | None = None
        self.announced: set[int] = set()
        self.ports: dict[str, tuple[int, int]] = {}
        """Interface -> (edge, VNI)."""
        self.numbers = 0
        self.memory: dict[str, list[tuple[float, float]]] = {"edge": [], "reflector": []}
        self.done: dict[str, int] = {}
        for edge in range(len(self.edges)):
            for vni in VNIS:
                self.attach(edge, vni)
        for each in self.edges:
            each.await_established(2)

    # ---- what goes on

    def attach(self, edge: int, vni: int) -> None:
        self.numbers += 1
        name = f"tap{self.numbers}"
        self.edges[edge].host.ip(
            f"link add {name} type veth peer name far-{name}\nlink set {name} up\nlink set far-{name} up"
        )
        self._plug(edge, vni, name)

    def _plug(self, edge: int, vni: int, name: str) -> None:
        number = int(name[3:])
        target = f"64512:{vni}"
        instance = {"name": f"t{vni}", "vni": vni, "import_rts": [target], "export_rts": [target]}
        with self.edges[edge].client() as client:
            client.attach(
                name, instance=instance, interface=name,
                mac=f"02:00:00:01:{number >> 8 & 255:02x}:{number & 255:02x}",
                addresses=[f"10.{vni}.{number >> 8 & 255}.{number & 255}"],
            )  # fmt: skip
        self.ports[name] = (edge, vni)

    def detach(self, name: str) -> None:
        edge, _ = self.ports.pop(name)
        with self.edges[edge].client() as client:
            client.detach(name)
        self.edges[edge].host.ip(f"link del {name}")

    def churn(self) -> None:
        if len(self.ports) > 40 or (len(self.ports) > 12 and self.random.random() < 0.5):
            self.detach(self.random.choice(sorted(self.ports)))
        else:
            self.attach(self.random.randrange(len(self.edges)), self.random.choice(VNIS))

    def migrate(self) -> None:
        name = self.random.choice(sorted(self.ports))
        source, vni = self.ports[name]
        target = (source + 1) % len(self.edges)
        self.edges[target].host.ip(
            f"link add {name} type veth peer name far-{name}\nlink set {name} up\nlink set far-{name} up"
        )
        self._plug(target, vni, name)
        with self.edges[source].client() as client:
            client.detach(name)
        self.edges[source].host.ip(f"link del {name}")

    def routes(self) -> None:
        """A wave of routes of the speaker comes or goes."""
        speaker = self._speaker()
        vni = self.random.choice(VNIS)
        rd = wire.rd(SPEAKER, vni)
        keys = [
            wire.mac_ip(rd, b"\x02\0\0\x02" + n.to_bytes(2, "big"), bytes((10, vni, 200 + (n >> 8), n & 255)), vni)
            for n in range(ROUTES)
        ]
        block = wire.common([wire.route_target(f"64512:{vni}"), wire.VXLAN])
        for start in range(0, ROUTES, 80):
            nlri = b"".join(keys[start : start + 80])
            message = wire.unreach(wire.EVPN, nlri)
            if vni not in self.announced:
                message = wire.reach(wire.EVPN, SPEAKER, nlri, block)
            speaker.send(message)
        self.announced ^= {vni}

    def _speaker(self) -> Speaker:
        if self.speaker is not None:
            try:
                self.speaker.send(wire.message(wire.KEEPALIVE))
                while self.speaker.receive(0.0):
                    pass
                return self.speaker
            except (OSError, SessionEnded):
                self.speaker.close()
        self.announced = set()
        self.speaker = Speaker.connect(self.outside, REFLECTORS[0], SPEAKER, hold=0)
        return self.speaker

    def reset(self) -> None:
        edge = self.random.choice(self.edges)
        with edge.client() as client:
            client.call("POST", f"/v1/peers/{self.random.choice(REFLECTORS)}/reset")

    def restart(self) -> None:
        """By SIGKILL or SIGTERM, of one that is not watched."""
        chosen = self.random.choice([*self.edges[1:], self.reflectors[1]])
        chosen.kill() if self.random.random() < 0.5 else chosen.stop()
        chosen.start(wait=False)
        chosen.await_answer(limit=120.0)

    def damage(self) -> None:
        host, vni = self.random.choice(self.edges).host, self.random.choice(VNIS)
        ours = "extern_learn"
        line = self.random.choice(
            (
                f"ip link del hp-vx{vni}",
                f"ip link set hp-br{vni} down",
                f"bridge fdb show dev hp-vx{vni} | grep {ours} | grep self | head -3 | while read mac rest; do "
                f"bridge fdb del $mac dev hp-vx{vni} self; done",
                f"ip neigh show dev hp-br{vni} | head -3 | while read ip rest; do "
                f"ip neigh del $ip dev hp-br{vni}; done",
                f"ip -br link show master hp-br{vni} | grep tap | head -1 | while IFS='@ ' read name rest; do "
                "ip link set $name nomaster; done",
            )
        )
        host.shell(line, check=False)

    ACTIONS: tuple[tuple[int, Callable[[Soak], None]], ...] = (
        (40, churn), (10, migrate), (10, routes), (4, reset), (1, restart), (6, damage),
    )  # fmt: skip

    # ---- what is looked at

    def sample(self, now: float) -> None:
        for name, watched in (("edge", self.edges[0]), ("reflector", self.reflectors[0])):
            self.memory[name].append((now, resident_mb([watched.process.pid])))

    def run(self, seconds: float) -> None:
        """Without a pause at first: what is bounded (notes of losses and withdrawals, free lists) is then full."""
        begin, warm = time.monotonic(), warming(seconds)
        weights = [weight for weight, _ in self.ACTIONS]
        due = 0.0
        while (now := time.monotonic() - begin) < seconds:
            if now >= due:
                self.sample(now)
                due = now + max(0.5, seconds / 600)
            action = self.random.choices(self.ACTIONS, weights)[0][1]
            name = action.__name__
            try:
                action(self)
            except (ApiError, Unreachable) as error:
                name = f"{name} refused ({error})"
            self.done[name] = self.done.get(name, 0) + 1
            if now >= warm:
                time.sleep(self.random.uniform(0.0, 0.2))

    def lag(self, watched: Node) -> dict[float, float]:
        with watched.client() as client:
            text = client.request("GET", "/metrics").body.decode()
        return {float(bound): float(count) for bound, count in BUCKET.findall(text)}

    def state(self) -> dict[str, list[str]]:
        """What the first edge forwards by and knows."""
        host = self.edges[0].host
        fdb = [line for line in host.shell("bridge fdb show").splitlines() if "extern_learn" in line or " dst " in line]
        neighbours = [line for line in host.shell("ip neigh show nud noarp").splitlines() if " dev hp-" in line]
        routes = [f"{row['nlri']} {row['next_hop']}" for row in self.edges[0].rows("/v1/routes")]
        return {"fdb": sorted(fdb), "neigh": sorted(neighbours), "routes": sorted(set(routes))}

    def compare(self) -> list[str]:
        """The first edge against itself after a start with nothing in the kernel."""
        time.sleep(15.0)  # damage is repaired, restarted reflectors have waited for their clients
        for each in self.edges:
            each.await_established(2, limit=60)
        lived, edge = self.state(), self.edges[0]
        edge.stop()
        edge.hornpipe("flush --yes")
        edge.start()
        edge.await_established(2)
        differences: list[str] = []

        def same() -> bool:
            fresh = self.state()
            differences[:] = [
                f"{kind} {'only lived' if line in lived[kind] else 'only fresh'}: {line}"
                for kind in lived
                for line in sorted(set(lived[kind]) ^ set(fresh[kind]))
            ]
            return not differences

        end = time.monotonic() + 30.0
        while not same() and time.monotonic() < end:
            time.sleep(0.5)
        return differences


def verdict(soak: Soak, seconds: float) -> list[str]:
    """Prints what was measured; what is wrong."""
    wrong = []
    print("actions: " + ", ".join(f"{count} {name}" for name, count in sorted(soak.done.items())))
    for name, watched in (("edge", soak.edges[0]), ("reflector", soak.reflectors[0])):
        samples = soak.memory[name]
        grown, cpu = growth(samples), cpu_seconds([watched.process.pid])
        print(f"{name}: resident {samples[-1][1]:.1f} MB, grows by {grown:+.2f} MB; CPU {cpu:.1f} of {seconds:.0f} s")
        quarters = [samples[len(samples) * quarter // 4 - 1][1] for quarter in (1, 2, 3, 4)]
        print(f"{name}: MB at the end of each quarter: " + ", ".join(f"{value:.1f}" for value in quarters))
        if not is_flat(samples):
            wrong.append(f"memory of the {name} grows by {grown:.2f} MB")
        buckets = soak.lag(watched)
        share = share_within(buckets, LATE)
        print(f"{name}: {100 * share:.3f} % of {max(buckets.values()):.0f} samples of the event loop within 50 ms")
        if share < SHARE:
            wrong.append(f"the event loop of the {name} is late: {100 * share:.3f} % within 50 ms")
    differences = soak.compare()
    state = soak.state()
    print("final state: " + ", ".join(f"{len(lines)} {kind}" for kind, lines in state.items()))
    return wrong + [f"not as after a fresh start: {line}" for line in differences[:10]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    print(f"{options.minutes:g} minutes, seed {seed}", flush=True)
    with Site() as site:
        soak = Soak(site, seed)
        soak.run(options.minutes * 60)
        wrong = verdict(soak, options.minutes * 60)
    for line in wrong:
        print(f"WRONG: {line}")
    print("ok" if not wrong else f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
