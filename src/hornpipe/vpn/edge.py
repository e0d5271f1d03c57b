"""The provider edge: all instances of this host, between the desired state, the RIB and forwarding.

`change` is the only way desired state comes in: planned as a whole, then carried out in an order that never leaves two
instances with one VNI or a MAC at two ports. `run` is the only way routes come in: keys the RIB marked, in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf

from hornpipe.bgp.family import EVPN
from hornpipe.forwarding.state import Forwarding
from hornpipe.net.mac import Mac
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.vpn.allocate import ANY_RD, Identifier
from hornpipe.vpn.check import CheckedInstance
from hornpipe.vpn.desired import Desired
from hornpipe.vpn.domain import Domain, Shape
from hornpipe.vpn.feasible import check_feasible
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.plan import Change, Plan, PortId
from hornpipe.vpn.recall import Recalled
from hornpipe.vpn.routed.redirect import table_name, target_of
from hornpipe.vpn.routed.router import Router
from hornpipe.vpn.routed.terms import Routing
from hornpipe.vpn.spec import Refused
from hornpipe.vpn.station import Station
from hornpipe.vpn.surroundings import HEARSAY, Routes, Surroundings, Terms
from hornpipe.vpn.underlay import IMPORTER, UnicastRoutes


class Edge:
    def __init__(self, terms: Terms, routes: Routes, forwarding: Forwarding, notify: Callable[[str, str, str], None]):
        self.around = Surroundings(terms, routes, forwarding, notify)
        self.desired = Desired()
        self.around.ports = self.desired.ports
        self.identifiers = self.around.identifiers
        self.unicast = UnicastRoutes(routes, forwarding)
        self.instances: dict[str, Instance] = {}
        """Broadcast domains, by their key."""
        self.routers = self.around.routers
        self.around.bridge_of = self._bridge_of
        self._by_id: dict[int, Instance] = {}
        self._routers_by_id: dict[int, Router] = {}
        self._tokens = 0

    def instance(self, name: str) -> Instance | None:
        """By any of its names, or by its domain's key."""
        definition = self.desired.definitions.get(name)
        return self.instances.get(definition.current.domain if definition is not None else name)

    def standing(self, name: str) -> Instance | Router | None:
        """The instance of this name, of either type."""
        return self.routers.get(name) or self.instance(name)

    def _bridge_of(self, name: str) -> str:
        instance = self.instance(name)
        return instance.devices.bridge if instance is not None and instance.ready else ""

    # ---- desired state

    def change(self, change: Change, now: float) -> None:
        """All or nothing: `Refused` before anything is done."""
        plan = self.desired.plan(change, self.identifiers.vnis)
        check_feasible(self, change, plan)
        self._check_capacity(plan)
        self._carry_out(plan, now)

    def _check_capacity(self, plan: Plan) -> None:
        fresh = [shape for key, shape in plan.domains.items() if shape is not None and key not in self.identifiers.rows]
        going = [key for key, shape in plan.domains.items() if shape is None]
        more = len(fresh) - len(going)
        routers = [shape for shape in plan.domains.values() if isinstance(shape, Routing)]
        vnis = [shape for shape in fresh if not isinstance(shape, Routing) or self._wants_vni(shape)]
        ports = [port for port in plan.entering if port not in plan.leaving and plan.entering[port][0] in self.routers]
        several = len(ports) + len(routers) if routers or ports else 0
        self.identifiers.check_capacity(more, len(vnis) - len(going), several, several)

    def _wants_vni(self, routing: Routing) -> bool:
        return "vxlan" in routing.encapsulations(self.around.terms.encapsulations)

    def _carry_out(self, plan: Plan, now: float) -> None:
        kept = self._take_out(plan)
        self.desired.commit(plan)
        for old, new in plan.renamed.items():
            self._rename(old, new)
        gone = [key for key, shape in plan.domains.items() if shape is None]
        for key in gone:
            if key in self.instances:
                self._close(key)
        shapes = {key: shape for key, shape in plan.domains.items() if shape is not None}
        numbers = self._acquire(shapes)
        self._free_vnis(shapes, numbers)
        self._set_routers({key: shape for key, shape in shapes.items() if isinstance(shape, Routing)}, numbers, now)
        self._set_domains({key: shape for key, shape in shapes.items() if isinstance(shape, Domain)}, numbers, now)
        for key in gone:
            if key in self.routers:
                self._close_router(key)
        for port, (into, checked) in plan.entering.items():
            if into in self.routers:
                self.routers[into].ports.attach(port, checked, now)
            else:
                self.instances[into].attach(port, checked, now, kept.get(into, {}))
        for key, stations in kept.items():
            if key in self.instances:
                self.instances[key].retire(stations.values())
        for key in {domain for domain, _ in (*plan.leaving.values(), *plan.entering.values())} | shapes.keys():
            if key in self.routers and not self.around.restoring:  # then the ports that have the numbers may still come
                self.routers[key].ports.trim()
        self._redirect_anew(now)

    def _redirect_anew(self, now: float) -> None:
        """Instances are others now."""
        self.around.redirection.stale = True
        self._redirect(now)

    def _take_out(self, plan: Plan) -> dict[str, dict[bytes, Station]]:
        """Ports and stations that leave, first; returns the stations by (new) domain, for ports that take them over."""
        kept: dict[str, dict[bytes, Station]] = {}
        for port, (domain, _) in plan.leaving.items():
            after = plan.renamed.get(domain, domain)
            into, checked = plan.entering.get(port, ("", None))
            staying = checked if into == after else None
            if domain in self.routers:
                self.routers[domain].ports.shrink(port, staying)
                continue
            left = self.instances[domain].shrink(port, staying)
            kept.setdefault(after, {}).update(left)
        return kept

    def _rename(self, old: str, new: str) -> None:
        self.identifiers.rename(old, new)
        self.instances[new] = self.instances.pop(old)

    def _close(self, key: str) -> None:
        instance = self.instances.pop(key)
        instance.close()
        del self._by_id[instance.id]
        self.around.routes.drop_importer(instance.id, EVPN)
        self.identifiers.release(key)

    def _close_router(self, key: str, *, keep: bool = False) -> None:
        """`keep`: its numbers."""
        router = self.routers.pop(key)
        router.close()
        del self._routers_by_id[router.id]
        if not keep:
            self.identifiers.release(key)

    def _acquire(self, shapes: Mapping[str, Shape]) -> dict[str, tuple[int, bytes, int]]:
        """Importer id, RD and VNI in force of each; given VNIs first, so that none is allocated that is given."""
        numbers: dict[str, tuple[int, bytes, int]] = {}
        for key, shape in sorted(shapes.items(), key=lambda item: (not item[1].vni, item[0])):
            wants = not isinstance(shape, Routing) or self._wants_vni(shape)
            row, vni = self.identifiers.acquire(key, shape.vni, with_vni=wants)
            rd = shape.rd or bytes(RouteDistinguisher.from_address(self.around.terms.router_id, row.rd))
            numbers[key] = (row.id, rd, vni)
        return numbers

    def _free_vnis(self, shapes: Mapping[str, Shape], numbers: Mapping[str, tuple[int, bytes, int]]) -> None:
        """Devices whose name another may take now go first."""
        for key, (_, _, vni) in numbers.items():
            instance, router = self.instances.get(key), self.routers.get(key)
            if instance is not None and (instance.vni, instance.domain.bridge) != (vni, shapes[key].bridge):
                instance.devices.close()
            if router is not None and router.vni != vni:
                router.devices.close_vni()

    def _set_routers(
        self, routings: Mapping[str, Routing], numbers: Mapping[str, tuple[int, bytes, int]], now: float
    ) -> None:
        for key, routing in routings.items():
            number, rd, vni = numbers[key]
            router = self.routers.get(key)
            self._tokens += 1
            if router is not None and router.routing.terms.host_table != routing.terms.host_table:
                self._close_router(key, keep=True)  # `Desired` has made sure that it has no ports
                router = None
            if router is None:
                router = Router(routing, number, rd, vni, self.around, self._tokens, now)
                self.routers[key] = self._routers_by_id[number] = router
                router.start()
                self._bind(key, now)
            elif (router.routing, router.rd, router.vni) != (routing, rd, vni):
                router.update(routing, rd, vni, self._tokens)

    def _bind(self, key: str, now: float) -> None:
        """Broadcast domains that were there before their router: an intent has what nobody defines first."""
        for instance in self.instances.values():
            if instance.domain.vrf == key and instance.router is None:
                instance.router = self.routers[key]
                instance.router_changed()
                self.routers[key].irb.bind(instance, now)

    def _set_domains(
        self, domains: Mapping[str, Domain], numbers: Mapping[str, tuple[int, bytes, int]], now: float
    ) -> None:
        for key in sorted(domains, key=lambda key: (not domains[key].vni, key)):
            self._set_domain(key, domains[key], *numbers[key], now)

    def _set_domain(self, key: str, domain: Domain, number: int, rd: bytes, vni: int, now: float) -> None:
        instance = self.instances.get(key)
        if instance is None:
            self._tokens += 1
            instance = Instance(domain, number, rd, vni, self.around, self._tokens, now)
            self.instances[key] = self._by_id[number] = instance
            instance.start()
            self.around.routes.set_imports(number, EVPN, domain.import_rts)
            return
        if (instance.domain, instance.rd, instance.vni) == (domain, rd, vni):
            return
        imports, was = instance.domain.import_rts, instance.vni
        if (imports, was) != (domain.import_rts, vni):
            self._tokens += 1
        token = self._tokens if (imports, was) != (domain.import_rts, vni) else instance.token
        instance.update(domain, rd, vni, token, now)
        if imports != domain.import_rts:
            self.around.routes.set_imports(number, EVPN, domain.import_rts)
        elif was != vni:
            instance.reread(now)

    # ---- routes

    def run(self, budget: int, now: float) -> int:
        """Takes up to `budget` changed keys from the RIB; returns how many there were; `budget`: there are more now."""
        dirty = self.around.routes.take_imports(budget)
        concerned: dict[tuple[int, int], list[bytes]] = {}
        for importer, family, key in dirty:
            try:
                concerned[(importer, family)].append(key)
            except KeyError:
                concerned[(importer, family)] = [key]
        for (importer, family), keys in concerned.items():
            instance, router = self._by_id.get(importer), self._routers_by_id.get(importer)
            if instance is not None:
                instance.take(keys, now)
            elif router is not None:
                router.take(family, keys)
            elif importer == IMPORTER:
                self.unicast.take(family, keys)
        made = self._redirect(now) if dirty or self.around.redirection.stale else False
        return max(len(dirty), budget) if made else len(dirty)

    def _redirect(self, now: float) -> bool:
        """Redirect tables are there as long as somebody redirects to them: made before the rules, closed after.
        True: there is a new one, which has routes to import."""
        known = len(self.routers)
        redirection = self.around.redirection
        wanted: set[str] = set()
        stale, redirection.stale = redirection.stale, False
        for target in redirection.targets() if stale else ():
            wanted.add(table_name(target))
            reason = self._set_table(redirection.routing(target), now)
            if reason:
                redirection.refused[target] = reason
        made = len(self.routers) > known
        redirection.sync()
        for key in [key for key in self.routers if stale and target_of(key) and key not in wanted]:
            self._close_router(key)
            self.around.remember()
        return made

    def _set_table(self, routing: Routing, now: float) -> str:
        """Makes or changes a redirect table; returns why it cannot be."""
        for feature in ("vrf", "nexthop"):
            if self.around.forwarding.lacks(feature):
                return f"this kernel lacks {feature}: it takes {self.around.forwarding.lacks(feature)}"
        known = self.routers.get(routing.key)
        shapes = {routing.key: routing}
        try:
            numbers = self._acquire(shapes)
        except Refused as refused:
            if known is None:
                self.identifiers.release(routing.key)
            return refused.reason
        self._set_routers(shapes, numbers, now)
        if known is None:
            self.around.remember()
        return ""

    # ---- kernel

    def links_changed(self, changes: Iterable[tuple[str, bool]], now: float) -> None:
        for name, present in changes:
            if (name in self.around.links) == present:
                continue
            if present:
                self.around.links.add(name)
            else:
                self.around.links.discard(name)
            port = self.desired.interfaces.get(name)
            if port is not None:
                self._port_link(port, now)
            for instance in self.instances.values():
                if instance.domain.bridge == name:
                    instance.bridge_changed(now)
        self.around.redirection.sync()

    def _port_link(self, port: PortId, now: float) -> None:
        domain = self.desired.domain_of(port)
        if domain in self.routers:
            self.routers[domain].ports.link(port, now)
        else:
            self.instances[domain].link(port, self.desired.ports[port], now)

    def underlay_changed(self, addresses: Iterable[bytes], now: float) -> None:
        """The ways to remote PEs are others now, or there are none."""
        changed = frozenset(addresses)
        for router in self.routers.values():
            router.uses_changed(lambda use: use.vtep in changed)
        self.around.redirection.sync()

    def kernel_macs(self, changes: Iterable[tuple[str, str, bytes, bool]], now: float) -> None:
        by_bridge = {instance.devices.bridge: instance for instance in self.instances.values()}
        for bridge, port, mac, present in changes:
            instance = by_bridge.get(bridge)
            if instance is not None and port != instance.devices.vxlan:
                instance.learn(port, bytes(mac), present, now)

    # ---- time

    def next_deadline(self) -> float:
        recovery = self.around.terms.duplicate_recovery
        if not recovery:
            return inf
        frozen = [
            since for instance in self.instances.values() if instance.moves for since in instance.duplicates().values()
        ]
        return min(frozen) + recovery if frozen else inf

    def tick(self, now: float) -> None:
        recovery = self.around.terms.duplicate_recovery
        for instance in self.instances.values() if recovery else ():
            for mac, since in instance.duplicates().items() if instance.moves else ():
                if since + recovery <= now:
                    self._recover(instance, mac, "recovery time is over", now)

    def clear_duplicate(self, name: str, mac: bytes, now: float) -> bool:
        instance = self.instance(name)
        return instance is not None and self._recover(instance, mac, "cleared by command", now)

    def _recover(self, instance: Instance, mac: bytes, why: str, now: float) -> bool:
        if not instance.clear(mac, why):
            return False
        station = instance.stations.get(mac)
        if station is not None:
            instance.judge(station, now)
        return True

    def heard(self, by: float, now: float) -> None:
        """See `Surroundings.heard_by`."""
        if by == self.around.heard_by:
            return
        former, self.around.heard_by = self.around.heard_by, by
        if by == inf and former != -inf:
            self.around.silent_at = now
        for instance in self.instances.values() if by < inf else ():
            known = max(instance.created + HEARSAY, by)
            for station in instance.stations.values():
                if station.late_until == former:  # it waits for just this, not for the instance's membership
                    station.late_until = known

    def settle(self, now: float) -> None:
        """The peers have said what they have."""
        self.around.restored.clear()
        for instance in self.instances.values():
            instance.settle(now)
        self.around.redirection.kept.clear()
        self._redirect_anew(now)
        if self.identifiers.settle({**self.instances, **self.routers}):
            self.around.remember()

    def configure(self, terms: Terms) -> None:
        """Only what `hornpipe.engine.settings.check_reload` lets through: times and limits, the underlay's MTU."""
        old, self.around.terms = self.around.terms, terms
        if old.underlay_mtu != terms.underlay_mtu:
            for instance in self.instances.values():
                instance.devices.update()
        self.around.transport.interfaces_changed(old.mpls_interfaces, terms.mpls_interfaces)
        if (old.underlay_mtu, old.encapsulations) != (terms.underlay_mtu, terms.encapsulations):
            routings = {key: router.routing for key, router in self.routers.items()}
            numbers = self._acquire(routings)
            for key, router in self.routers.items():
                self._tokens += 1
                _, rd, vni = numbers[key]
                router.update(router.routing, rd, vni, self._tokens)
                router.ports.trim()
            self.around.redirection.stale = True

    # ---- intent

    def restore_identifiers(self, rows: Mapping[str, Identifier]) -> None:
        self.identifiers.restore(rows)

    def restore_orphan(self, checked: CheckedInstance, now: float) -> None:
        """An instance that ports to be restored need, and nobody defines."""
        self.desired.adopt_orphan(checked)
        shapes = {checked.domain: self.desired.domains[checked.domain]}
        numbers = self._acquire(shapes)
        self._set_routers({key: shape for key, shape in shapes.items() if isinstance(shape, Routing)}, numbers, now)
        self._set_domains({key: shape for key, shape in shapes.items() if isinstance(shape, Domain)}, numbers, now)

    def recall_identifiers(self, found: Recalled, now: float) -> None:
        """What the kernel shows in place of what the intent has lost. The monotonic clock differs from loss to loss."""
        self.identifiers.recall(found, 1 + int(now * 1000) % len(ANY_RD))

    def settle_identifiers(self, now: float, *, hold: bool = False) -> None:
        """All sources are restored: numbers and orphans that nobody needs go. `hold`: numbers only in `settle`."""
        self.around.redirection.kept = {target for target in map(target_of, self.identifiers.rows) if target}
        self._carry_out(self.desired.plan_unneeded(), now)
        if not hold:
            self.identifiers.settle({**self.instances, **self.routers})
        for router in self.routers.values():
            router.ports.trim()

    def sequences(self) -> list[tuple[str, str, int, bool]]:
        """(domain, MAC, sequence, is elsewhere) of stations that are not in the initial state."""
        return [
            (key, str(Mac(station.mac)), station.sequence, station.up and not station.here)
            for key, instance in sorted(self.instances.items())
            for station in instance.stations.values()
            if not station.learnt and (station.sequence or (station.up and not station.here))
        ]
