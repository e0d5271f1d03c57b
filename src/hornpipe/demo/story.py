"""The demonstration, step by step: what is built, what is typed, what is checked."""

from __future__ import annotations

import time
from typing import NamedTuple

from hornpipe.demo.flood import Flood
from hornpipe.demo.stage import Stage

HOSTS = {"h1": "192.0.2.1", "h2": "192.0.2.2", "h3": "192.0.2.3"}


class Workload(NamedTuple):
    """A container, as a network namespace of a host."""

    name: str
    vpn: str
    host: str
    number: int

    @property
    def mac(self) -> str:
        return f"02:00:00:0{1 if self.vpn == 'red' else 2}:00:{self.number:02x}"

    @property
    def v4(self) -> str:
        return f"10.1.0.{self.number}"

    @property
    def v6(self) -> str:
        return f"2001:db8:1::{self.number:x}"


VPNS = {"red": 100, "blue": 200}
WEB = Workload("web", "red", "h1", 1)
WORKLOADS = (
    WEB,
    Workload("db", "red", "h2", 2),
    Workload("cache", "red", "h3", 3),
    Workload("shop", "blue", "h1", 1),
    Workload("pay", "blue", "h2", 2),
    Workload("stock", "blue", "h3", 30),
)
NAMED = {w.name: w for w in WORKLOADS}


class Story:
    def __init__(self, stage: Stage) -> None:
        self.stage, self.site, self.screen = stage, stage.site, stage.screen
        self.nodes, self.type = stage.nodes, stage.type

    def tell(self) -> None:
        self.build()
        self.attach_all()
        self.reach()
        self.separate()
        self.move()
        self.look()

    def build(self) -> None:
        self.screen.step("Three hosts and a route reflector, each in namespaces of its own, on one switch")
        self.stage.reflector(*HOSTS.values())
        for name, address in HOSTS.items():
            self.stage.edge(name, address)
        self.stage.await_sessions()

    def attach_all(self) -> None:
        self.screen.step("Two VPNs, red and blue, with the same addresses: a container of each on every host")
        for workload in WORKLOADS:
            self.site[workload.host].ip(f"netns add {workload.name}")
            self.attach(workload, workload.host)

    def attach(self, workload: Workload, host: str) -> None:
        vni = VPNS[workload.vpn]
        self.type(
            host,
            f"attach --netns {workload.name} instance {workload.vpn} vni {vni} rt 64512:{vni} "
            f"mac {workload.mac} ip {workload.v4}/24 ip {workload.v6}/64 wait",
        )

    def ping(self, source: Workload, address: str) -> bool:
        return self.stage.ping(source.host, source.name, address)

    def reach(self) -> None:
        self.screen.step("Do they reach each other, by IPv4 and IPv6?")
        for one, other in (("web", "db"), ("web", "cache"), ("shop", "pay"), ("shop", "stock")):
            source, target = NAMED[one], NAMED[other]
            for address in (target.v4, target.v6):
                good = self.ping(source, address)
                self.screen.found(f"{source.vpn}: {one} on {source.host} pings {other} on {target.host}", good, address)

    def separate(self) -> None:
        self.screen.step("Do the VPNs leak into each other?")
        for one, other in (("web", "db"), ("shop", "pay")):
            source, target = NAMED[one], NAMED[other]
            neighbour = self.site[source.host].run("ip", "neigh", "show", target.v4, netns=one).stdout
            what = f"{source.vpn}: {one} has {target.v4} at the MAC of {other}"
            self.screen.found(what, target.mac in neighbour, target.mac)
        stock = NAMED["stock"]
        lonely = not self.site["h1"].ping(stock.v4, netns="web")
        self.screen.found(f"red: nobody answers for {stock.v4}, which only blue has", lonely)

    def move(self) -> None:
        self.screen.step("web moves from h1 to h3, keeping MAC and IP, while db pings it all the time")
        flood = Flood(self.site["h2"], WEB.v4, netns="db", interval=0.01)
        time.sleep(0.5)
        self.site["h3"].ip(f"netns add {WEB.name}")
        self.screen.command("h1", f"ip -n {WEB.name} link set eth0 down    # it is paused")
        self.site["h1"].ip("link set eth0 down", netns=WEB.name)
        self.attach(WEB, "h3")
        self.type("h1", f"detach --netns {WEB.name}")
        self.site["h1"].ip(f"netns del {WEB.name}")
        self.screen.found("web answers from h3", self.ping(NAMED["db"], WEB.v4) and self.ping(NAMED["db"], WEB.v6))
        loss = flood.stop()
        self.screen.say(f"{loss.lost} of {loss.sent} replies lost, {loss.outage * 1000:.0f} ms without reply")
        self.screen.found("h2 has the route to h3 alone, marked as a move", self.stage.comes(self.moved))

    def moved(self) -> bool:
        """As h2 sees it."""
        routes = self.nodes["h2"].rows("/v1/routes", mac=WEB.mac)
        at_h3 = {row["next_hop"] for row in routes if row["best"]} == {HOSTS["h3"]}
        sequences = {c for row in routes for c in row["communities"] if c.startswith("mac-mobility:")}
        return at_h3 and len(sequences) == 1

    def look(self) -> None:
        self.screen.step("The looking glass")
        self.type("rr", "show peers", show=True)
        self.type("h2", "show instances", show=True)
        self.type("h2", "show routes instance red", show=True)
        self.type("h2", "show fdb", show=True)
        self.type("h2", "show status", show=True)
