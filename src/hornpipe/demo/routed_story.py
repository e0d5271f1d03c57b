"""The demonstration of routed VPNs, step by step.

h1, h2   hornpipe: tenants red and blue, each with a stretched subnet `lan` under an anycast gateway, a routed port
         on h2, and one router (an ipvpn) for both, spoken of by type 5 and by VPN-IPv4
wan      FRR: an office of each tenant, reached by MPLS over GRE
rr       hornpipe as route reflector
"""

from __future__ import annotations

import json

from hornpipe.demo import external
from hornpipe.demo.frr import Frr
from hornpipe.demo.stage import REFLECTOR, Stage

FEATURES = ("vrf", "mpls", "gre", "vxlan", "nexthop")
HOSTS = {"h1": "192.0.2.1", "h2": "192.0.2.2"}
WAN = "192.0.2.9"
TENANTS = {"red": 1, "blue": 2}
GATEWAY, GATEWAY6, GATEWAY_MAC = "10.1.0.1", "2001:db8:1::1", "02:00:5e:00:00:01"
WEB, WEB6 = "10.1.0.10", "2001:db8:1::10"
DB, DB6 = "10.1.0.20", "2001:db8:1::20"
API, API6 = "10.2.0.10", "2001:db8:2::10"
OFFICE = "10.9.0.10"
ONLY_BLUE = "10.3.0.10"
NOWHERE = "10.66.0.1"
TRACED = "red-web:eth0"


class RoutedStory:
    def __init__(self, stage: Stage) -> None:
        self.stage, self.site, self.screen = stage, stage.site, stage.screen
        self.nodes, self.type = stage.nodes, stage.type
        self.wan: Frr | None = None

    def tell(self) -> None:
        self.build()
        self.attach_all()
        self.reach()
        self.answer()
        self.leave()
        self.separate()
        self.look()
        self.explain()

    def build(self) -> None:
        self.screen.step("Two hosts, a route reflector, and a router of another make (FRR)")
        self.stage.reflector(*HOSTS.values(), WAN)
        for name, address in HOSTS.items():
            self.stage.edge(name, address)
        wan = self.site.host("wan", f"{WAN}/24")
        for tenant, number in TENANTS.items():
            external.customer(wan, tenant, 1000 + number, f"{tenant}-office", OFFICE, "10.9.0.1")
        targets = {tenant: f"64512:500{number}" for tenant, number in TENANTS.items()}
        self.wan = external.router(wan, WAN, REFLECTOR, HOSTS, targets)
        self.screen.say(f"wan {WAN}: FRR, VPN-IPv4 to {REFLECTOR}, MPLS over GRE; behind it an office of each tenant")
        self.stage.await_sessions(others=1)

    # ---- what is typed

    def attach_all(self) -> None:
        self.screen.step("Two tenants with the same addresses: a router each (VXLAN here, MPLS over GRE to the world)")
        for tenant, number in TENANTS.items():
            for host in HOSTS:
                self.type(
                    host,
                    f"instances add {tenant} type ipvpn vni 500{number} rt 64512:500{number} "
                    "encapsulation vxlan encapsulation mpls-gre",
                )
        self.screen.step("... a subnet that both hosts have, with one gateway (anycast), and a routed port on h2")
        for tenant in TENANTS:
            self.attach_to_lan("h1", tenant, "web", WEB, WEB6)
            self.attach_to_lan("h2", tenant, "db", DB, DB6)
            self.attach("h2", tenant, "api", f"ip {API}/24 ip {API6}/64 gateway 10.2.0.1 gateway 2001:db8:2::1")
        self.attach("h2", "blue", "extra", f"ip {ONLY_BLUE}/24 gateway 10.3.0.1")

    def attach_to_lan(self, host: str, tenant: str, name: str, four: str, six: str) -> None:
        number = TENANTS[tenant]
        self.site[host].ip(f"netns add {tenant}-{name}")
        self.type(
            host,
            f"attach --netns {tenant}-{name} instance {tenant}-lan vni 10{number} rt 64512:10{number} vrf {tenant} "
            f"gateway {GATEWAY}/24 gateway {GATEWAY6}/64 gateway-mac {GATEWAY_MAC} "
            f"ip {four}/24 ip {six}/64 via {GATEWAY} via {GATEWAY6} wait",
        )

    def attach(self, host: str, tenant: str, name: str, words: str) -> None:
        self.site[host].ip(f"netns add {tenant}-{name}")
        self.type(host, f"attach --netns {tenant}-{name} instance {tenant} {words} wait")

    # ---- what is promised

    def pings(self, what: str, host: str, netns: str, *addresses: str) -> None:
        for address in addresses:
            self.screen.found(what, self.stage.ping(host, netns, address), address)

    def reach(self) -> None:
        self.screen.step("Between the hosts: bridged in a subnet, routed between subnets (VXLAN, symmetric IRB)")
        for tenant in TENANTS:
            self.pings(f"{tenant}: web on h1 pings db on h2, one subnet", "h1", f"{tenant}-web", DB, DB6)
            self.pings(f"{tenant}: web on h1 pings api on h2, another subnet", "h1", f"{tenant}-web", API, API6)

    def answer(self) -> None:
        self.screen.step("The gateway: one address and one MAC on both hosts")
        for tenant in TENANTS:
            for host, name in (("h1", "web"), ("h2", "db")):
                netns = f"{tenant}-{name}"
                answers = self.stage.ping(host, netns, GATEWAY)
                here = self.neighbour(host, netns, GATEWAY) == GATEWAY_MAC
                self.screen.found(f"{tenant}: {host} answers {name} for {GATEWAY}", answers and here, GATEWAY_MAC)

    def neighbour(self, host: str, netns: str, address: str) -> str:
        """The MAC that a workload has for an address."""
        rows = json.loads(self.site[host].run("ip", "-j", "neigh", "show", address, netns=netns).stdout or "[]")
        return next((row.get("lladdr", "") for row in rows), "")

    def leave(self) -> None:
        self.screen.step("To the offices behind FRR, and back: MPLS over GRE")
        for tenant in TENANTS:
            for host, name in (("h1", "web"), ("h2", "api")):
                self.pings(f"{tenant}: {name} on {host} pings the office behind wan", host, f"{tenant}-{name}", OFFICE)
            self.pings(f"{tenant}: the office pings web on h1", "wan", f"{tenant}-office", WEB)
        routes = self.site["h1"].ip("route show table all 10.9.0.0/24").splitlines()
        for line in routes:
            self.screen.say(" ".join(line.split()))
        labelled = sum("encap mpls" in line for line in routes)
        self.screen.found("h1 has a route with a label for each of them", labelled == len(TENANTS))

    def separate(self) -> None:
        self.screen.step("Do the tenants leak into each other?")
        for tenant in TENANTS:
            mac = self.site["h2"].run("cat", "/sys/class/net/eth0/address", netns=f"{tenant}-db").stdout.strip()
            seen = self.neighbour("h1", f"{tenant}-web", DB)
            self.screen.found(f"{tenant}: web has {DB} at the MAC of its own db", bool(mac) and seen == mac, seen)
        reached = self.stage.ping("h1", "blue-web", ONLY_BLUE)
        self.screen.found(f"blue: web reaches {ONLY_BLUE}, which only blue has", reached)
        self.screen.found("red: web does not", not self.site["h1"].ping(ONLY_BLUE, netns="red-web"))

    def look(self) -> None:
        self.screen.step("The looking glass")
        self.type("rr", "show peers", show=True)
        self.type("h1", "show instances", show=True)
        self.type("h1", "-4 show routes instance red", show=True)
        self.type("h1", "show fib", show=True)
        self.type("h1", "show status", show=True, most=30)

    # ---- why

    def explain(self) -> None:
        self.screen.step("The way of a packet, step by step, as the kernel has it now")
        way = self.traced(OFFICE)
        self.screen.found("nothing is broken on the way to the office", "nothing is broken" in way and WAN in way)
        self.screen.step("... to an address that nobody announces, and when the other router is gone")
        self.screen.found(f"it says that there is no route to {NOWHERE}", "broken at step" in self.traced(NOWHERE))
        assert self.wan is not None
        self.screen.command("wan", "pkill bgpd")
        self.wan.processes["bgpd"].stop()
        if not self.stage.comes(lambda: "broken at step" in self.ask(OFFICE)):
            self.screen.say("the route is still there")
        self.screen.found(f"it says that {REFLECTOR} has withdrawn the route", "withdrawn" in self.traced(OFFICE))

    def ask(self, address: str) -> str:
        return self.nodes["h1"].run("hornpipe", "trace", TRACED, address, check=False)

    def traced(self, address: str) -> str:
        self.screen.command("h1", f"hornpipe trace {TRACED} {address}")
        output = self.ask(address)
        self.screen.output(output, most=40)
        return output
