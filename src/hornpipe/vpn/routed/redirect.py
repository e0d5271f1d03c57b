"""Traffic that flow specifications redirect into a VRF (RFC 8955 section 7.4, in its VPN form).

A routed instance imports the flow specifications of its route targets, as it imports routes. One with a redirect to a
route target becomes rules of policy routing (`hornpipe.vpn.routed.traffic`): what comes in by the instance's interfaces
and matches is looked up in a *redirect table*, which is a router of its own that imports the routes of that route
target, for all instances that redirect there. Rules come in the order of section 5.1, and only while the table has a
way out for their IP version: until then traffic goes where it went.

What a packet from a VRF's port came in by is, to a rule, the VRF's device for IPv6 and the port for IPv4 (measured on
Linux 6.1; for IPv4 other versions differ). So IPv4 has rules for both. They are about what ports send: tunnels and the
L3 VNI's bridge have none, for what comes from another PE was redirected there, or has passed the service. (IPv6 by the
L3 VNI comes in by the VRF's device all the same.)

The numbers of a redirect table are kept across a restart like those of an instance, and it is there from the start
until the peers have said what they have, so that its route target is subscribed to (RFC 4684) and its routes stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from hornpipe.bgp.family import FLOWSPEC_VPNV4, FLOWSPEC_VPNV6
from hornpipe.bgp.nlri import flowspec
from hornpipe.forwarding.rule import FIRST, FibRule, Rule
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.path import Path
from hornpipe.vpn.routed.origin import RouteId
from hornpipe.vpn.routed.terms import REDIRECT_PREFIX, RouterTerms, Routing
from hornpipe.vpn.routed.traffic import Inexpressible, OrderKey, Traffic, order_key, traffic_of
from hornpipe.vpn.spec import Encapsulation

if TYPE_CHECKING:
    from hornpipe.vpn.routed.router import Router
    from hornpipe.vpn.surroundings import Surroundings

FLOWS = {FLOWSPEC_VPNV4: (4, 32), FLOWSPEC_VPNV6: (6, 128)}
"""Family -> IP version, bits of an address."""
MAX_TABLES = 64
MAX_FLOWS = 512
"""Flow specifications of one instance: peers announce as many as they like, and each costs every packet a comparison.
The priorities are enough for so many with `MAX_RULES` each."""


def table_name(target: bytes) -> str:
    return REDIRECT_PREFIX + str(RouteTarget(target)).replace(":", "_")


def target_of(name: str) -> bytes:
    """Of a redirect table; empty: it is none."""
    if not name.startswith(REDIRECT_PREFIX):
        return b""
    try:
        return bytes(RouteTarget.parse(name.removeprefix(REDIRECT_PREFIX).replace("_", ":")))
    except ValueError:
        return b""


class Flow(NamedTuple):
    """A flow specification that an instance imports."""

    version: int
    target: bytes
    """Where to; empty with a `reason`."""
    order: OrderKey
    traffic: tuple[Traffic, ...] = ()
    reason: str = ""
    """Why it is not done."""


def flow_of(family: int, key: bytes, path: Path) -> Flow:
    version, width = FLOWS[family]
    redirects = path.attributes.redirects
    if not redirects:
        return Flow(version, b"", (), reason="it redirects to no route target, and nothing else is done")
    target = min(redirects)
    try:
        components = flowspec.parse(key, width, vpn=True)
        return Flow(version, target, order_key(components), traffic_of(components))
    except Inexpressible as why:
        return Flow(version, b"", (), reason=str(why))
    except ValueError as why:
        return Flow(version, b"", (), reason=f"{why} cannot be read")


class Flows:
    """The flow specifications of one router."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.held: dict[RouteId, Flow] = {}
        self.revision = 0
        self._left_out = False
        """There were more than `MAX_FLOWS`."""

    @property
    def is_table(self) -> bool:
        """A redirect table redirects nothing itself."""
        return bool(target_of(self.router.key))

    def subscribe(self) -> None:
        for family in FLOWS if not self.is_table else ():
            self.router.around.routes.set_imports(self.router.id, family, self.router.routing.import_rts)

    def reread(self) -> None:
        """The route targets are others now."""
        self.subscribe()
        for family in FLOWS if not self.is_table else ():
            known = [key for of, key in self.held if of == family]
            self.take(family, dict.fromkeys((*known, *self.router.around.routes.matching(self.router.id, family))))

    def close(self) -> None:
        for family in FLOWS if not self.is_table else ():
            self.router.around.routes.drop_importer(self.router.id, family)
        self.held.clear()
        self.revision += 1
        self.router.around.redirection.users.pop(self.router.key, None)

    def take(self, family: int, keys: Iterable[bytes]) -> None:
        """Keys whose best path changed for us."""
        around = self.router.around
        for key in keys:
            path = around.routes.best(family, key)
            if path is None or not self._concerns(path) or self._is_own(key, path):
                self.held.pop((family, key), None)
            elif (family, key) in self.held or len(self.held) < MAX_FLOWS:
                self.held[(family, key)] = flow_of(family, key, path)
            else:
                self._left_out = True
        if self._left_out and len(self.held) < MAX_FLOWS:
            self._left_out = False
            self.reread()
        self.revision += 1
        if any(flow.target for flow in self.held.values()):
            around.redirection.users[self.router.key] = None
        else:
            around.redirection.users.pop(self.router.key, None)
        around.redirection.stale = True

    def _concerns(self, path: Path) -> bool:
        return not self.router.routing.import_rts.isdisjoint(path.attributes.route_targets)

    def _is_own(self, key: bytes, path: Path) -> bool:
        return path.source.local and self.router.around.owner_of(flowspec.rd_of(key)) is self.router

    def reason(self, family: int, key: bytes, path: Path) -> str:
        """Why a flow specification with a route target of ours is not carried out; empty: it is."""
        flow = self.held.get((family, key))
        if flow is None:
            own = self._is_own(key, path)
            return "it is this instance's own" if own else f"there are more than {MAX_FLOWS}"
        return flow.reason or self.router.around.redirection.reason(self.router, flow)

    def interfaces(self, version: int) -> tuple[str, ...]:
        """What packets are said to come in by."""
        router = self.router
        found = [router.devices.vrf] if router.devices.vrf else []
        if version == 4 or not found:
            ports = router.ports.ports.values()
            found += [there.device for there in ports if there.up and there.checked.spec.direction != "to-port"]
            for instance in router.irb.instances.values():
                if not instance.domain.door and instance.ready:
                    found += instance.devices.ingress
        return tuple(dict.fromkeys(found))


class Redirection:
    """All redirect tables of this host, and the rules that lead to them."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.users: dict[str, None] = {}
        """Routers that have flow specifications to carry out."""
        self.stale = False
        """Flow specifications have changed."""
        self.kept: set[bytes] = set()
        """Targets that were redirected to before a restart, until the peers have said what they have."""
        self.refused: dict[bytes, str] = {}
        """Target -> why it has no table."""
        self._rules: dict[str, dict[tuple[str, str], Rule]] = {}
        """Router -> what is wanted for it."""
        self._seen: dict[str, object] = {}
        """Router -> what its rules were made of."""

    def targets(self) -> list[bytes]:
        """That there are to be tables for: those there are first, so that none has to go for another."""
        wanted = dict.fromkeys(self.kept)
        for key in self.users:
            wanted.update(dict.fromkeys(flow.target for flow in self._flows(key) if flow.target))
        ordered = sorted(wanted, key=lambda target: (table_name(target) not in self.around.routers, target))
        self.refused = dict.fromkeys(ordered[MAX_TABLES:], f"there are {MAX_TABLES} redirect tables already")
        return ordered[:MAX_TABLES]

    def _flows(self, key: str) -> list[Flow]:
        router = self.around.routers.get(key)
        return list(router.flows.held.values()) if router is not None else []

    def table(self, target: bytes) -> Router | None:
        return self.around.routers.get(table_name(target))

    def routing(self, target: bytes) -> Routing:
        """A table reaches other PEs in all the ways that some instance of this host does."""
        encapsulations: dict[Encapsulation, None] = {}
        for _, router in sorted(self.around.routers.items()):
            if not router.flows.is_table:
                encapsulations.update(dict.fromkeys(router.encapsulations))
        name = table_name(target)
        return Routing(
            key=name,
            names=(name,),
            vni=0,
            rd=b"",
            import_rts=frozenset((target,)),
            export_rts=(),
            mtu=0,
            terms=RouterTerms(
                encapsulations=tuple(encapsulations),
                label_mode="per-port",  # and there are no ports: it needs no label
                host_table=False,
                readvertise=None,
                attract=None,
                fallback=None,
            ),
            description="redirected by flow specifications",
        )

    # ---- rules

    def sync(self) -> None:
        """Makes rules follow: what they are made of is compared, and only where it differs are they made again."""
        for key in [key for key in self._rules if key not in self.users]:
            self._settle(key, {})
            self._seen.pop(key, None)
        for key in self.users:
            router = self.around.routers[key]
            tables = {flow.target: self._ready(flow.target) for flow in router.flows.held.values() if flow.target}
            seen = (router.flows.revision, [router.flows.interfaces(version) for version in (4, 6)], tables)
            if self._seen.get(key) != seen:
                self._seen[key] = seen
                wanted: dict[tuple[str, str], Rule] = {}
                for rule in self._wanted(router):
                    wanted.setdefault(rule.key, rule)  # of equal ones the first
                self._settle(key, wanted)

    def _ready(self, target: bytes) -> tuple[int, ...]:
        """The table's number, and the IP versions that it has routes of."""
        table = self.table(target)
        if table is None:
            return ()
        return table.devices.table, *(version for version in (4, 6) if has_routes(table, version))

    def _wanted(self, router: Router) -> Iterator[Rule]:
        places = {4: FIRST, 6: FIRST}
        for flow in sorted(router.flows.held.values(), key=lambda flow: flow.order):
            table = self.table(flow.target) if flow.target else None
            if table is None or not has_routes(table, flow.version):
                continue
            for traffic in flow.traffic:
                priority = places[flow.version]
                places[flow.version] += 1
                for interface in router.flows.interfaces(flow.version):
                    rule = FibRule(flow.version, priority, interface, table.devices.table, *traffic)
                    yield Rule(rule=rule, instance=router.key)

    def _settle(self, key: str, wanted: dict[tuple[str, str], Rule]) -> None:
        before = self._rules.pop(key, {})
        for former in before:
            if former not in wanted:
                self.around.forwarding.remove(former)
        for rule in wanted.values():
            self.around.forwarding.set(rule)
        if wanted:
            self._rules[key] = wanted

    def reason(self, router: Router, flow: Flow) -> str:
        if flow.target in self.refused:
            return self.refused[flow.target]
        table = self.table(flow.target)
        if table is None or not has_routes(table, flow.version):
            return f"no usable IPv{flow.version} route with {RouteTarget(flow.target)} to redirect to"
        return ""


def has_routes(table: Router, version: int) -> bool:
    """Of this IP version, and a way out for one of them."""
    size = 5 if version == 4 else 17
    indexes = [imported.index for imported in table.imported.values()]
    return any(len(prefix) == size and table.hops(prefix) for index in indexes for prefix in index)
