"""Scenarios as text: what an engineer would say of hosts, a reflector, ports and faults, and what must then be seen.

    reflector rr 10.0.0.9
    host h1 10.0.0.1 peers rr
    instance red vni 100 rt 64512:1
    start
    h1 attach tap1 red 02:00:00:00:00:01 10.1.0.1
    h2 sees fdb hp-vx100 02:00:00:00:00:01 dst 10.0.0.1

A line is a command (see `COMMANDS` and `HOST_COMMANDS`) or an observation: ``HOST sees|sees no WORDS``, which may
become true within two seconds (``within N HOST sees ...`` for longer), or ``HOST keeps WORDS for N``, which must never
break. WORDS are the beginning of a line of `observations`; ``*`` stands for any word. Time is virtual.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator

from hornpipe.bgp import refresh
from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.attr.pmsi import Pmsi
from hornpipe.bgp.family import EVPN, RTC
from hornpipe.bgp.nlri.evpn import mac_ip_key, mac_ip_payload, multicast_key
from hornpipe.bgp.nlri.table import FAMILIES as FAMILY_TABLE
from hornpipe.bgp.notification import ADMINISTRATIVE_SHUTDOWN, CEASE, HARD_RESET, Notification
from hornpipe.bgp.session.config import MemoryLimit, PrefixLimit
from hornpipe.bgp.update import pack_reach, pack_unreach
from hornpipe.engine.settings import ClientRange, Reflector
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.sim.fleet import FAMILIES, LOCAL_AS, Fleet, settings_of
from hornpipe.sim.host import Host
from hornpipe.sim.injector import Injector
from hornpipe.vpn.spec import InstanceSpec, PortSpec, Refused, SourceSpec
from tests.scenarios import routed, tracing

FAMILY = FAMILY_TABLE[EVPN]
SOON = 2.0
STEP = 0.25
"""How often ``keeps`` looks."""


class Failed(AssertionError):
    pass


class Scenario:
    def __init__(self, text: str) -> None:
        self.lines = [line.split("#")[0].split() for line in text.splitlines()]
        self.fleet = Fleet()
        self.hosts: dict[str, Host] = {}
        self.speakers: dict[str, Injector] = {}
        self.addresses: dict[str, str] = {}
        self.instances: dict[str, InstanceSpec] = {}
        self.writes: dict[str, int] = {}
        self.started = False

    def run(self) -> None:
        for number, words in enumerate(self.lines, 1):
            if not words:
                continue
            try:
                self.line(words)
            except Exception as error:
                raise Failed(f"line {number}: {' '.join(words)}\n{error}") from error

    def line(self, words: list[str]) -> None:
        patience = SOON
        if words[0] == "within":
            patience, words = float(words[1]), words[2:]
        if words[0] in self.hosts and len(words) > 1:
            host, verb, rest = self.hosts[words[0]], words[1], words[2:]
            if verb == "sees":
                self.sees(words[0], rest, patience)
            elif verb == "keeps":
                self.keeps(words[0], rest)
            else:
                HOST_COMMANDS[verb](self, host, rest)
        elif words[0] in self.speakers:
            SPEAKER_COMMANDS[words[1]](self, self.speakers[words[0]], words[2:])
        else:
            COMMANDS[words[0]](self, words[1:])

    # ---- observing

    def sees(self, name: str, words: list[str], patience: float) -> None:
        host, wanted = self.hosts[name], words[0] != "no"
        pattern = " ".join(words if wanted else words[1:])
        if not self.fleet.run_until(lambda: matches(host, pattern) is wanted, patience):
            raise Failed(
                f"after {patience:g} s {name} {'does not see' if wanted else 'sees'}: {pattern}\n" + seen(host)
            )

    def keeps(self, name: str, words: list[str]) -> None:
        host, seconds, pattern = self.hosts[name], float(words[-1]), " ".join(words[:-2])
        end = self.fleet.now + seconds
        while self.fleet.now < end:
            if not matches(host, pattern):
                raise Failed(f"at {self.fleet.now:g} {name} has lost: {pattern}\n" + seen(host))
            self.fleet.run(STEP)


def seen(host: Host) -> str:
    return "\n".join(f"    {line}" for line in observations(host))


def matches(host: Host, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(line, p) for line in observations(host) for p in (pattern, pattern + " *"))


def observations(host: Host) -> Iterator[str]:
    """The kernel as it is, and the engine's tables."""
    kernel = host.kernel.snapshot()
    for (device, mac), (vtep, vni, sticky) in kernel["fdb"].items():
        yield f"fdb {device} {Mac(mac)} dst {Address(vtep)}" + (f" vni {vni}" if vni else "") + sticky * " sticky"
    for device, key in kernel["flood"]:
        vni = int.from_bytes(key[-4:], "big")
        yield f"flood {device} dst {Address(key[:-4])}" + (f" vni {vni}" if vni else "")
    for (device, ip), (mac, router) in kernel["neigh"].items():
        lladdr = Mac(mac) if len(mac) == 6 else Address(mac)
        yield f"neigh {device} {Address(ip)} lladdr {lladdr}" + router * " router"
    yield from routed.fib(kernel, host)
    for (device, mac), port in kernel["master"].items():
        yield f"master {device} {Mac(mac)} dev {port}"
    for name, kind, master, *_ in kernel["links"]:
        yield f"link {name} {kind}" + (f" master {master}" if master else "")
    for device, address, length in kernel["addresses"]:
        yield f"address {device} {Address(address)}/{length}"
    if host.engine is None:
        return
    yield from engine_observations(host)
    yield from routed.routers(host)


def engine_observations(host: Host) -> Iterator[str]:
    engine = host.running
    for peer in engine.peers():
        yield f"peer {peer.peer} {peer.state} received {peer.received} stale {peer.stale}"
    for instance in engine.instances():
        yield f"instance {instance.name} vni {instance.vni} rd {instance.rd} names {','.join(instance.names)}"
        for mac in instance.duplicates:
            yield f"duplicate {instance.name} {mac}"
    for port in engine.ports():
        yield f"port {port.name} {port.state} {port.reason}".rstrip()
        for row in port.endpoints:
            yield f"endpoint {row.mac} {row.ip or '-'} {row.state} sequence {row.sequence} {row.reason}".rstrip()
    for route in engine.routes():
        words = [
            "route",
            route.peer,
            route.nlri,
            "via",
            route.next_hop,
            "label",
            ",".join(map(str, route.label)) or "-",
        ]
        words += ["stale"] * route.stale + sorted(route.route_targets) + sorted(route.communities)
        yield " ".join(words) + (f" {route.reason}" if route.reason else "")
    for gate in engine.status().gates:
        yield f"gate {gate.gate} {'open' if gate.open else 'closed'}"
    for event in engine.events():
        yield f"event {event.kind} {event.subject} {event.text}".rstrip()


# ---- commands


def options(words: list[str]) -> dict[str, list[str]]:
    """``vni 100 rt 64512:1,64512:2`` as a dict of lists."""
    return {words[at]: words[at + 1].split(",") for at in range(0, len(words), 2)}


def host(scenario: Scenario, words: list[str]) -> None:
    """host NAME ADDRESS [peers NAME,NAME] [vtep ADDRESS] [stale SECONDS] [long-lived SECONDS] [peer-as N]
    [limit ROUTES] [idle SECONDS]: maximum-prefix, and how long a peer is in IDLE for it
    [updates N]: routes and messages a second that are read of a peer [memory MEGABYTES]"""
    name, address, more = words[0], words[1], options(words[2:])
    peers = tuple(scenario.addresses.get(peer, peer) for peer in more.get("peers", []))
    settings = settings_of(
        address,
        peers,
        peering=_peering(more),
        vtep=more.get("vtep", [address])[0],
        stale_time=float(more.get("stale", ["120"])[0]),
        sync_time=float(more.get("sync", ["120"])[0]),
        listen=True,
    )
    _add(scenario, name, Host(settings, len(scenario.hosts)))


def _limits(more: dict[str, list[str]]) -> tuple[PrefixLimit, ...]:
    if "limit" not in more:
        return ()
    return (PrefixLimit(maximum=int(more["limit"][0]), restart=float(more.get("idle", ["60"])[0])),)


def _memory(more: dict[str, list[str]]) -> MemoryLimit | None:
    if "memory" not in more:
        return None
    return MemoryLimit(megabytes=int(more["memory"][0]), restart=float(more.get("idle", ["60"])[0]))


def _peering(more: dict[str, list[str]]) -> dict[str, object]:
    """What concerns all sessions of a host."""
    return {
        "prefix_limits": _limits(more),
        "memory_limit": _memory(more),
        "update_limit": int(more.get("updates", ["0"])[0]),
        "long_lived_time": int(more.get("long-lived", ["0"])[0]),
        "peer_as": int(more.get("peer-as", [str(LOCAL_AS)])[0]),
    }


def reflector(scenario: Scenario, words: list[str]) -> None:
    """reflector NAME ADDRESS [clients N] [limit ROUTES] [idle SECONDS] [updates N] [memory MEGABYTES]
    [long-lived SECONDS [anyway yes]] [peers NAME,NAME]
    anyway: clients that do not know what long-lived stale routes are, hear them too"""
    more = options(words[2:])
    ranges = ClientRange(
        prefix="10.0.0.0/8",
        families=FAMILIES,
        limit=int(more.get("clients", ["100"])[0]),
        long_lived_time=int(more.get("long-lived", ["0"])[0]),
        send_long_lived_stale="anyway" in more,
        prefix_limits=_limits(more),
        memory_limit=_memory(more),
        update_limit=int(more.get("updates", ["0"])[0]),
    )
    peers = tuple(scenario.addresses.get(peer, peer) for peer in more.get("peers", []))
    settings = settings_of(words[1], peers, Reflector(clients=(ranges,)), _peering(more))
    _add(scenario, words[0], Host(settings, len(scenario.hosts)))


def _add(scenario: Scenario, name: str, made: Host) -> None:
    scenario.hosts[name] = made
    scenario.addresses[name] = made.address
    scenario.fleet.add(made, start=scenario.started)


def speaker(scenario: Scenario, words: list[str]) -> None:
    """speaker NAME ADDRESS to HOST [rtc] [as N] [id ADDRESS] [long-lived SECONDS] [restart SECONDS] [expects AS]
    [hold SECONDS]:
    announces what the scenario says, as another vendor's PE would."""
    families = FAMILIES if "rtc" in words else tuple(family for family in FAMILIES if family != RTC)
    more = options([word for word in words[4:] if word != "rtc"])
    scenario.addresses[words[0]] = words[1]
    local_as = int(more.get("as", [str(LOCAL_AS)])[0])
    scenario.speakers[words[0]] = scenario.fleet.inject(
        words[1],
        scenario.addresses[words[3]],
        families,
        local_as=local_as,
        peer_as=int(more.get("expects", [str(LOCAL_AS)])[0]),
        router_id=more.get("id", [words[1]])[0],
        long_lived_time=int(more.get("long-lived", ["0"])[0]),
        graceful_restart_time=int(more.get("restart", ["120"])[0]),
        hold_time=int(more.get("hold", ["90"])[0]),
        forwarding_preserved=True,
    )


def instance(scenario: Scenario, words: list[str]) -> None:
    """instance NAME [vni N] [rt RT,RT | import RT export RT] [gateway ADDRESS/LENGTH,...] [rd RD] [shared yes]
    and what `routed.instance_fields` says"""
    more = options(words[1:])
    both = tuple(more.get("rt", ()))
    scenario.instances[words[0]] = InstanceSpec(
        name=words[0],
        vni=int(more["vni"][0]) if "vni" in more else None,
        rd=more["rd"][0] if "rd" in more else None,
        import_rts=tuple(more.get("import", both)),
        export_rts=tuple(more.get("export", both)),
        gateways=tuple(more.get("gateway", ())),
        bridge=more["bridge"][0] if "bridge" in more else None,
        shared="shared" in more,
        **routed.instance_fields(more),
    )


def start(scenario: Scenario, words: list[str]) -> None:
    """start: all hosts that are there; hosts named later start at once."""
    scenario.started = True
    for made in scenario.hosts.values():
        scenario.fleet.start(made)


def pair(fault: Callable[[Scenario, str, str], None]) -> Callable[[Scenario, list[str]], None]:
    return lambda scenario, words: fault(scenario, scenario.addresses[words[0]], scenario.addresses[words[1]])


COMMANDS: dict[str, Callable[[Scenario, list[str]], None]] = {
    "host": host,
    "reflector": reflector,
    "speaker": speaker,
    "instance": instance,
    "start": start,
    "run": lambda scenario, words: scenario.fleet.run(float(words[0])),
    "reset": pair(lambda scenario, a, b: scenario.fleet.network.reset(a, b)),
    "cut": pair(lambda scenario, a, b: scenario.fleet.network.cut(a, b)),
    "heal": pair(lambda scenario, a, b: scenario.fleet.network.heal(a, b)),
}


def attach(scenario: Scenario, made: Host, words: list[str]) -> None:
    """attach INTERFACE INSTANCE MAC [ADDRESS,...] [sticky], and what `routed.port_fields` says"""
    sticky = "sticky" in words
    words = [word for word in words if word != "sticky"]
    addresses = tuple(words[3].split(",")) if len(words) > 3 else ()
    spec, more = scenario.instances[words[1]], routed.port_fields(options(words[4:]))
    if words[0].startswith("evpn:"):
        routed.attach_door(scenario, made, words, spec, more)
    else:
        made.attach(scenario.fleet.now, words[0], spec, words[2], addresses, sticky=sticky, **more)


def refuses(scenario: Scenario, made: Host, words: list[str]) -> None:
    """refuses FIELD COMMAND...: the command is refused for this field, and nothing changes."""
    before = made.running.intent()
    try:
        HOST_COMMANDS[words[1]](scenario, made, words[2:])
    except Refused as refused:
        if refused.field != words[0]:
            raise Failed(f"refused for {refused.field}: {refused}") from refused
        if made.running.intent() != before:
            raise Failed("refused, but something has changed") from refused
        return
    raise Failed("not refused")


def define(scenario: Scenario, made: Host, words: list[str]) -> None:
    """define INSTANCE [as SOURCE]: the source puts the instance, with its ports kept."""
    source = words[2] if len(words) > 2 else "sim"
    engine = made.running
    old = engine.sources.get(source, SourceSpec())
    spec = scenario.instances[words[0]]
    instances = tuple(one for one in old.instances if one.name != spec.name)
    engine.put_source(source, SourceSpec(instances=(*instances, spec), ports=old.ports), scenario.fleet.now)


def port(scenario: Scenario, made: Host, words: list[str]) -> None:
    """port INTERFACE INSTANCE MAC [ADDRESS,...]: attach without making the interface or defining the instance."""
    addresses = tuple(words[3].split(",")) if len(words) > 3 else ()
    spec = PortSpec(name=words[0], instance=words[1], interface=words[0], mac=words[2], addresses=addresses)
    made.running.attach("sim", None, spec, scenario.fleet.now)


def writes(made: Host, words: list[str]) -> None:
    kinds = [" ".join(write) for write in made.kernel.writes]
    if kinds:
        raise Failed(f"written: {kinds}")


HOST_COMMANDS: dict[str, Callable[[Scenario, Host, list[str]], None]] = {
    **routed.HOST_COMMANDS,
    **tracing.HOST_COMMANDS,
    "attach": attach,
    "port": port,
    "define": define,
    "refuses": refuses,
    "detach": lambda scenario, made, words: made.detach(scenario.fleet.now, words[0]),
    "corrupt": lambda scenario, made, words: setattr(made, "stored", b'{"version": 1, "sour'),
    "prune": lambda scenario, made, words: made.running.prune(scenario.fleet.now),
    "drain": lambda scenario, made, words: made.running.drain(True, scenario.fleet.now),
    "undrain": lambda scenario, made, words: made.running.drain(False, scenario.fleet.now),
    "forget": lambda scenario, made, words: made.running.delete_source(words[0], scenario.fleet.now),
    "kill": lambda scenario, made, words: scenario.fleet.kill(made),
    "stop": lambda scenario, made, words: scenario.fleet.stop(made),
    "start": lambda scenario, made, words: scenario.fleet.start(made),
    "link": lambda scenario, made, words: made.kernel.add_link(words[0], *words[1:2]),
    "unlink": lambda scenario, made, words: made.kernel.delete_link(words[0]),
    "enslave": lambda scenario, made, words: made.kernel.set_master(words[0], words[1]),
    "learn": lambda scenario, made, words: made.kernel.learn(words[0], words[1], bytes(Mac.parse(words[2]))),
    "age": lambda scenario, made, words: made.kernel.delete_master(words[0], bytes(Mac.parse(words[1]))),
    "damage": lambda scenario, made, words: made.kernel.delete_fdb(words[0], bytes(Mac.parse(words[1]))),
    "flush-rules": lambda scenario, made, words: made.kernel.routing.flush_rules(),
    "mark": lambda scenario, made, words: made.kernel.writes.clear(),
    "wrote": lambda scenario, made, words: writes(made, words),
    "clear": lambda scenario, made, words: made.running.clear_duplicate(words[0], words[1], scenario.fleet.now),
    "clear-peer": lambda scenario, made, words: made.running.reset_peer(
        scenario.addresses[words[0]], scenario.fleet.now
    ),
}


def announce(scenario: Scenario, made: Injector, words: list[str]) -> None:
    """announce mac MAC [ip IP] rd RD rt RT vni N via VTEP [sequence N] [sticky yes] [encapsulation N] ...
    announce multicast IP rd RD rt RT vni N via VTEP [tunnel N]
    announce mac ... [l3vni N router-mac MAC]: a route for the host, too (symmetric IRB)
    and what `routed.ANNOUNCE` has"""
    kind, more = words[0], options(words[2:])
    if kind in routed.ANNOUNCE:
        routed.ANNOUNCE[kind](made, Prefix.parse(words[1]), more)
        return
    rd = RouteDistinguisher.parse(more["rd"][0])
    vtep = bytes(Address.parse(more["via"][0]))
    communities = routed.communities(more, ("8",))
    if "sequence" in more or "sticky" in more:
        communities.append(extended.mac_mobility(int(more.get("sequence", ["0"])[0]), "sticky" in more))
    if "gateway" in more:
        communities.append(extended.default_gateway())
    if "router" in more:
        communities.append(extended.nd_flags(extended.ND_ROUTER))
    vni = int(more["vni"][0])
    if kind == "multicast":
        pmsi = Pmsi(0, int(more.get("tunnel", ["6"])[0]), vni, bytes(Address.parse(words[1])))
        attributes = build(local_pref=100, ext_communities=communities, pmsi=pmsi)
        made.announce(multicast_key(rd, bytes(Address.parse(words[1]))), b"", attributes, vtep)
    else:
        ip = bytes(Address.parse(more["ip"][0])) if "ip" in more else b""
        key = mac_ip_key(rd, Mac.parse(words[1]), ip, int(more.get("tag", ["0"])[0]))
        attributes = build(local_pref=100, ext_communities=communities)
        l3vni = int(more["l3vni"][0]) if "l3vni" in more else None
        made.announce(key, mac_ip_payload(vni, l3vni), attributes, vtep)


def withdraw(scenario: Scenario, made: Injector, words: list[str]) -> None:
    """withdraw mac MAC [ip IP] rd RD | withdraw multicast IP rd RD | withdraw prefix|vpn|flow PREFIX rd RD"""
    more = options(words[2:])
    if words[0] in routed.WITHDRAW:
        routed.WITHDRAW[words[0]](made, Prefix.parse(words[1]), more)
        return
    rd = RouteDistinguisher.parse(more["rd"][0])
    if words[0] == "multicast":
        made.withdraw(multicast_key(rd, bytes(Address.parse(words[1]))))
    else:
        ip = bytes(Address.parse(more["ip"][0])) if "ip" in more else b""
        made.withdraw(mac_ip_key(rd, Mac.parse(words[1]), ip))


def shout(scenario: Scenario, made: Injector, words: list[str]) -> None:
    """shout N times T rd RD rt RT vni N via VTEP: N MACs from 02:00:01:00:00:00 on are announced in one breath T times,
    each time with another MED, and withdrawn between."""
    more = options(words[1:])
    rd, vtep = RouteDistinguisher.parse(more["rd"][0]), bytes(Address.parse(more["via"][0]))
    payload = mac_ip_payload(int(more["vni"][0]))
    keys = [mac_ip_key(rd, b"\2\0\1" + number.to_bytes(3, "big"), b"") for number in range(int(words[0]))]
    messages: list[bytes] = []
    for med in range(int(more["times"][0])):
        block = build(local_pref=100, med=med, ext_communities=routed.communities(more, ("8",)))
        made.routes.update({(EVPN, key): (key, payload, block, vtep) for key in keys})
        if messages:
            messages += pack_unreach(EVPN, [FAMILY.join_withdraw(key) for key in keys], 4096)
        messages += pack_reach(EVPN, vtep, block, [FAMILY.join(key, payload) for key in keys], 4096)
    made.say(messages)


def shorten(made: Injector, routes: int) -> None:
    """shorten N: it has only so many routes when its session comes up again."""
    made.routes = dict(list(made.routes.items())[:routes])


def leave(scenario: Scenario, made: Injector, words: list[str]) -> None:
    """leave: the speaker's process ends."""
    scenario.fleet.remove(made)


def hears(made: Injector, routes: int) -> None:
    """hears N: so many routes were announced to it in this session, repetitions counted."""
    if made.announcements != routes:
        raise Failed(f"heard {made.announcements} announcements")


def notify(scenario: Scenario, made: Injector, words: list[str]) -> None:
    """notify hold | shutdown | hard: ends the session with a NOTIFICATION; it comes back by itself."""
    if words[0] == "hard":
        message = Notification(CEASE, HARD_RESET, bytes((CEASE, ADMINISTRATIVE_SHUTDOWN)))
    else:
        message = Notification(4) if words[0] == "hold" else Notification.shutdown("maintenance")
    made.session.stop(scenario.fleet.now, message)
    made.settle(scenario.fleet.now)


SPEAKER_COMMANDS: dict[str, Callable[[Scenario, Injector, list[str]], None]] = {
    "announce": announce,
    "withdraw": withdraw,
    "leave": leave,
    "shout": shout,
    "shorten": lambda scenario, made, words: shorten(made, int(words[0])),
    "notify": notify,
    "refresh": lambda scenario, made, words: made.say([refresh.encode(EVPN)] * int(words[0])),
    "hears": lambda scenario, made, words: hears(made, int(words[0])),
    "start": lambda scenario, made, words: made.restart(scenario.fleet.now),
    "silent": lambda scenario, made, words: setattr(made, "sends_end", False),
}
