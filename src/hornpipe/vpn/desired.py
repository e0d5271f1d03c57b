"""The desired state of all sources together: which instances there are, which ports are in them, and what may not be.

Every change of one source is first planned (`plan`), which either refuses it or says exactly what will differ, and then
committed (`commit`), which cannot fail. So a change happens as a whole or not at all. The indices below make planning a
change cost what the change is, not what the state is.

An instance name belongs to the source that defined it first. Others may define it equally (the old agents send the
instance with every attach) but not differently. It lives while a source defines it or a port needs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.vpn.check import PORT_OF_EVPN, PORT_OF_IPVPN, CheckedInstance, CheckedPort, check_belongs, door_name
from hornpipe.vpn.domain import Domain, Shape, shape
from hornpipe.vpn.routed.terms import Routing
from hornpipe.vpn.spec import InstanceSpec, Refused

PortId = tuple[str, str]
"""(source, port name)."""


def _host_table(checked: CheckedInstance) -> bool:
    return checked.router is not None and checked.router.host_table


class Conflict(Protocol):
    def __call__(self, port: PortId, what: str, reason: str, remedy: str) -> Refused: ...


def text_of(port: PortId) -> str:
    return f"{port[1]!r} of source {port[0]!r}"


class Definition:
    """One instance name: who defines it (the first one rules) and which ports are in it."""

    __slots__ = ("current", "holders", "ports")

    def __init__(self, current: CheckedInstance, holders: dict[str, CheckedInstance], ports: set[PortId]) -> None:
        self.current, self.holders, self.ports = current, holders, ports


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one source wants different. `fields` maps names of instances and ports to the JSON path for a refusal."""

    source: str
    define: dict[str, CheckedInstance] = {}
    undefine: frozenset[str] = frozenset()
    put: dict[str, CheckedPort] = {}
    drop: frozenset[str] = frozenset()
    instance_fields: dict[str, str] = {}
    port_fields: dict[str, str] = {}


class Plan(msgspec.Struct, kw_only=True):
    """What will differ. Ports: out of their old domain first, then into the new one.

    Definitions share their sets of ports with the present ones; only `commit` changes these.
    """

    definitions: dict[str, Definition | None] = {}
    domains: dict[str, Shape | None] = {}
    """None: gone."""
    renamed: dict[str, str] = {}
    """Old domain key -> new one, where the same broadcast domain goes on under other RTs."""
    leaving: dict[PortId, tuple[str, CheckedPort]] = {}
    entering: dict[PortId, tuple[str, CheckedPort]] = {}


class Desired:
    def __init__(self) -> None:
        self.definitions: dict[str, Definition] = {}
        self.ports: dict[PortId, CheckedPort] = {}
        self.domains: dict[str, Shape] = {}
        self.interfaces: dict[str, PortId] = {}
        self.names: dict[str, set[str]] = {}
        """Domain -> instance names."""
        self.users: dict[str, set[str]] = {}
        """Routed instance -> instances of broadcast domains that it routes for."""
        self._macs: dict[tuple[str, bytes], PortId] = {}
        self._addresses: dict[tuple[str, bytes], tuple[bytes, PortId]] = {}

    def domain_of(self, port: PortId) -> str:
        return self.definitions[self.ports[port].instance].current.domain

    # ---- planning

    def plan(self, change: Change, allocated_vnis: Mapping[int, str]) -> Plan:
        """Raises `Refused`; changes nothing. `allocated_vnis`: VNIs in force, by the domain that has each."""
        plan = Plan()
        self._plan_definitions(change, plan)
        self._plan_ports(change, plan)
        self._plan_domains(plan)
        self._check_domains(change, plan, allocated_vnis)
        self._check_ports(change, plan)
        return plan

    def _plan_definitions(self, change: Change, plan: Plan) -> None:
        source = change.source
        old_ports = [
            self.ports[(source, name)] for name in change.drop | change.put.keys() if (source, name) in self.ports
        ]
        more = Counter(port.instance for port in change.put.values())
        more.subtract(port.instance for port in old_ports)
        doors = {port.spec.evpn for port in (*old_ports, *change.put.values()) if port.spec.evpn}
        names = {port.instance for port in (*old_ports, *change.put.values())} | doors
        names |= change.define.keys() | change.undefine
        # Broadcast domains first: whether a router is needed depends on them.
        routers = {name for name in names if self._is_router(name, change)}
        for name in sorted(names - routers):
            self._plan_definition(name, change, plan, more[name], self._door_after(name, change) is not None)
        for name in names - routers:
            for definition in (self.definitions.get(name), plan.definitions[name]):
                if definition is not None and definition.current.spec.vrf:
                    routers.add(definition.current.spec.vrf)
        for name in sorted(routers):
            self._plan_definition(name, change, plan, more[name], bool(self._users_after(name, plan)))
        self._check_references(change, plan)

    def _is_router(self, name: str, change: Change) -> bool:
        old, new = self.definitions.get(name), change.define.get(name)
        current = new if new is not None else old.current if old is not None else None
        return current is not None and current.router is not None

    def _door_after(self, name: str, change: Change) -> CheckedPort | None:
        """The port of a routed instance that the broadcast domain of this name is, after the change."""
        at = door_name(name)
        found = next((port for port in change.put.values() if port.interface == at), None)
        port = self.interfaces.get(at)
        if found is not None or port is None:
            return found
        moved = port[0] == change.source and (port[1] in change.drop or port[1] in change.put)
        return None if moved else self.ports[port]

    def _users_after(self, name: str, plan: Plan) -> set[str]:
        """Broadcast domains' instances whose router has this name."""
        users = {user for user in self.users.get(name, ()) if user not in plan.definitions}
        return users | {user for user, d in plan.definitions.items() if d is not None and d.current.spec.vrf == name}

    def _plan_definition(self, name: str, change: Change, plan: Plan, more: int, used: bool) -> None:
        """`more`: ports that it will have more; `used`: another instance or a port of one needs it."""
        old = self.definitions.get(name)
        holders = dict(old.holders) if old else {}
        if name in change.undefine:
            holders.pop(change.source, None)
        new = change.define.get(name)
        field = change.instance_fields.get(name, "instance")
        if new is not None:
            owner = next(iter(holders), change.source)
            if owner != change.source and not same_meaning(holders[owner], new):
                raise Refused(
                    field,
                    f"instance {name!r} belongs to source {owner!r} and is defined otherwise there",
                    "attach ports without defining it, or define it equally",
                    "conflict",
                )
            if old is not None and old.current.spec.type != new.spec.type:
                reason = f"instance {name!r} is of type {old.current.spec.type}"
                raise Refused(f"{field}.type", reason, "remove it first, or give another name", "conflict")
            if old is not None and (old.ports or self.users.get(name)) and _host_table(old.current) != _host_table(new):
                reason = "cannot change while the instance has ports or broadcast domains"
                raise Refused(f"{field}.host_table", reason, "detach them first", "conflict")
            holders[change.source] = new
        ports = old.ports if old else set()
        needed = used or len(ports) + more > 0
        current = next(iter(holders.values()), old.current if old and needed else None)
        plan.definitions[name] = Definition(current, holders, ports) if current is not None else None

    def _check_references(self, change: Change, plan: Plan) -> None:
        """What names an instance names one that is there and of the right type."""
        for name, port in change.put.items():
            field = change.port_fields.get(name, "port")
            into = plan.definitions[port.instance]
            if into is None:
                reason = f"there is no instance {port.instance!r}"
                raise Refused(f"{field}.instance", reason, "define it in the same call or before", "missing")
            routed = into.current.router is not None
            check_belongs(
                port.spec, PORT_OF_EVPN if routed else PORT_OF_IPVPN, field, f"a port of an {into.current.spec.type}"
            )
            if port.spec.evpn:
                self._check_type(f"{field}.evpn", port.spec.evpn, "evpn", plan)
        for name in change.define:
            after = plan.definitions[name]
            if after is not None and after.current.spec.vrf:
                field = change.instance_fields.get(name, "instance")
                self._check_type(f"{field}.vrf", after.current.spec.vrf, "ipvpn", plan)

    def _check_type(self, field: str, name: str, type: str, plan: Plan) -> None:
        definition = plan.definitions.get(name, self.definitions.get(name))
        if definition is None:
            raise Refused(field, f"there is no instance {name!r}", "define it in the same call or before", "missing")
        if definition.current.spec.type != type:
            raise Refused(field, f"instance {name!r} is of type {definition.current.spec.type}", f"name an {type}")

    def _plan_ports(self, change: Change, plan: Plan) -> None:
        def leave(port: PortId) -> None:
            plan.leaving[port] = (self.domain_of(port), self.ports[port])

        for name in change.drop:
            if (change.source, name) in self.ports:
                leave((change.source, name))
        for name, port in change.put.items():
            target = plan.definitions[port.instance]
            assert target is not None
            if (change.source, name) in self.ports:
                leave((change.source, name))
            plan.entering[(change.source, name)] = (target.current.domain, port)
        for name, after in plan.definitions.items():
            before = self.definitions.get(name)
            if before is None or after is None or before.current.domain == after.current.domain:
                continue
            for other in before.ports:
                if other not in plan.leaving:
                    leave(other)
                    plan.entering[other] = (after.current.domain, self.ports[other])

    def _plan_domains(self, plan: Plan) -> None:
        members: dict[str, set[str]] = {}

        def names_of(domain: str) -> set[str]:
            return members.setdefault(domain, set(self.names.get(domain, ())))

        for name, after in plan.definitions.items():
            before = self.definitions.get(name)
            if before is not None:
                names_of(before.current.domain).discard(name)
            if after is not None:
                names_of(after.current.domain).add(name)
        for domain, names in members.items():
            plan.domains[domain] = self._shape(domain, sorted(names), plan) if names else None
        for name, after in sorted(plan.definitions.items()):
            before = self.definitions.get(name)
            if before is None or after is None:
                continue
            old, new = before.current.domain, after.current.domain
            if (
                old != new
                and plan.domains[old] is None
                and new not in self.domains
                and new not in plan.renamed.values()
            ):
                plan.renamed.setdefault(old, new)

    def _shape(self, domain: str, names: Sequence[str], plan: Plan) -> Shape:
        doors = [port for port in (self._door(name, plan) for name in names) if port is not None]
        return shape(domain, [self._after(plan, name) for name in names], doors[0] if doors else None)

    def _door(self, name: str, plan: Plan) -> CheckedPort | None:
        """As `_door_after`, once the ports are planned."""
        at = door_name(name)
        port = self._staying(self.interfaces.get(at), plan)
        if port is not None:
            return self.ports[port]
        return next((checked for _, checked in plan.entering.values() if checked.interface == at), None)

    def _after(self, plan: Plan, name: str) -> CheckedInstance:
        definition = plan.definitions.get(name) or self.definitions[name]
        return definition.current

    def _check_domains(self, change: Change, plan: Plan, allocated: Mapping[int, str]) -> None:
        """VNI, RD and foreign bridge are each one domain's."""
        if not any(plan.domains.values()):
            return
        unchanged = [domain for key, domain in self.domains.items() if key not in plan.domains]
        wanted = [domain for domain in plan.domains.values() if domain is not None]
        vnis = {vni: key for vni, key in allocated.items() if self._keeps_allocated(key, plan)}
        # A domain that is renamed keeps its numbers; under the old name they are not another's.
        vnis = {vni: plan.renamed.get(key, key) for vni, key in vnis.items()}
        vnis.update({domain.vni: domain.key for domain in unchanged if domain.vni})
        _check_unique(change, wanted, "vni", vnis, lambda domain: domain.vni, str)
        rds = {domain.rd: domain.key for domain in unchanged if domain.rd}
        _check_unique(change, wanted, "rd", rds, lambda domain: domain.rd, lambda rd: str(RouteDistinguisher(rd)))
        bridges = {domain.bridge: domain.key for domain in unchanged if domain.bridge}
        _check_unique(change, wanted, "bridge", bridges, lambda domain: domain.bridge, str)
        for domain in wanted:
            if isinstance(domain, Domain) and domain.door:
                self._check_door(domain, plan, change)

    def _check_door(self, domain: Domain, plan: Plan, change: Change) -> None:
        """A broadcast domain is in one VRF."""
        doors = [name for name in domain.names if self._door(name, plan) is not None]
        own = [name for name in domain.names if self._after(plan, name).spec.vrf]
        if own or len(doors) > 1:
            reason = f"instance {doors[0]!r} is in the VRF {domain.vrf!r} by a port"
            field = next((change.instance_fields[name] for name in own if name in change.instance_fields), "")
            if field:
                raise Refused(f"{field}.vrf", reason, "detach that port first", "conflict")
            reason = f"instance {doors[0]!r} is in a VRF already"
            port = next((name for name, port in change.put.items() if port.spec.evpn in doors), "")
            raise Refused(f"{change.port_fields.get(port, 'port')}.evpn", reason, "name another", "conflict")

    def _keeps_allocated(self, key: str, plan: Plan) -> bool:
        """The domain has an allocated VNI and goes on with it."""
        after = plan.domains.get(plan.renamed.get(key, key), self.domains.get(key))
        return after is not None and not after.vni

    def _check_ports(self, change: Change, plan: Plan) -> None:
        interfaces: dict[str, PortId] = {}
        macs: dict[tuple[str, bytes], PortId] = {}
        addresses: dict[tuple[str, bytes], tuple[bytes, PortId]] = {}

        def conflict(port: PortId, what: str, reason: str, remedy: str) -> Refused:
            field = change.port_fields.get(port[1], "port") if port[0] == change.source else "instance"
            return Refused(f"{field}.{what}", reason, remedy, "conflict")

        for port, (domain, checked) in plan.entering.items():
            other = interfaces.get(checked.interface) or self._staying(self.interfaces.get(checked.interface), plan)
            if other is not None:
                raise conflict(
                    port, "interface", f"{checked.interface} is port {text_of(other)}", "one port an interface"
                )
            interfaces[checked.interface] = port
            shape = plan.domains.get(domain) or self.domains[domain]
            if isinstance(shape, Domain):
                self._check_stations(port, checked, shape, plan, macs, conflict)
            elif overlap := set(checked.gateways) & {a for endpoint in checked.endpoints for a in endpoint.addresses}:
                reason = f"{Address(overlap.pop())} is the port's own"
                raise conflict(port, "gateway", reason, "the host cannot answer for it: give another")
            for endpoint in checked.endpoints:
                for address in endpoint.addresses:
                    self._check_address(port, address, endpoint.mac, domain, plan, addresses, conflict)
        self._check_gateways(change, plan, {at: mac for at, (mac, _) in addresses.items()})

    def _check_stations(
        self,
        port: PortId,
        checked: CheckedPort,
        domain: Domain,
        plan: Plan,
        macs: dict[tuple[str, bytes], PortId],
        conflict: Conflict,
    ) -> None:
        for endpoint in checked.endpoints:
            at = (domain.key, endpoint.mac)
            other = macs.get(at) or self._staying(self._macs.get(at), plan)
            if other is not None or endpoint.mac == domain.gateway_mac:
                whose = f"port {text_of(other)}" if other else "the gateway"
                raise conflict(port, "mac", f"{Mac(endpoint.mac)} is at {whose}", "detach it there first")
            macs[at] = port
            for address in endpoint.addresses:
                if any(address == own for own, _ in (*domain.gateways, *domain.host_addresses)):
                    raise conflict(port, "addresses", f"{Address(address)} is the gateway's", "give another address")

    def _check_address(
        self,
        port: PortId,
        address: bytes,
        mac: bytes,
        domain: str,
        plan: Plan,
        entering: dict[tuple[str, bytes], tuple[bytes, PortId]],
        conflict: Conflict,
    ) -> None:
        """In a broadcast domain an address has one MAC, in a VRF it is at one port."""
        at = (domain, address)
        known = entering.get(at) or self._bound(domain, address, plan)
        routed = isinstance(plan.domains.get(domain) or self.domains[domain], Routing)
        if known is not None and routed and known[1] != port:
            reason = f"{Address(address)} is at port {text_of(known[1])}"
            raise conflict(port, "addresses", reason, "detach it there first, or give another address")
        if known is not None and known[0] != mac:
            reason = f"{Address(address)} is bound to MAC {Mac(known[0])}"
            raise conflict(port, "addresses", reason, "detach it there first, or give that MAC")
        entering[at] = (mac, port)

    def _check_gateways(self, change: Change, plan: Plan, entering: dict[tuple[str, bytes], bytes]) -> None:
        for domain in (domain for domain in plan.domains.values() if isinstance(domain, Domain)):
            field = change.instance_fields.get(domain.names[0], "instance")
            for what, held in (("gateways", domain.gateways), ("host_addresses", domain.host_addresses)):
                for address, _ in held:
                    if (domain.key, address) in entering or self._bound(domain.key, address, plan) is not None:
                        reason = f"{Address(address)} is an attached port's"
                        raise Refused(f"{field}.{what}", reason, "detach it first", "conflict")
            if domain.gateway_mac and self._staying(self._macs.get((domain.key, domain.gateway_mac)), plan) is not None:
                raise Refused(f"{field}.gateway_mac", "is an attached port's MAC", "give another", "conflict")

    @staticmethod
    def _staying(port: PortId | None, plan: Plan) -> PortId | None:
        return None if port is None or port in plan.leaving else port

    def _bound(self, domain: str, address: bytes, plan: Plan) -> tuple[bytes, PortId] | None:
        found = self._addresses.get((domain, address))
        return found if found is not None and found[1] not in plan.leaving else None

    # ---- committing

    def commit(self, plan: Plan) -> None:
        for port, (domain, checked) in plan.leaving.items():
            self._index(port, domain, checked, False)
            self.definitions[checked.instance].ports.discard(port)
            del self.ports[port]
        for name, after in plan.definitions.items():
            before = self.definitions.pop(name, None)
            if before is not None:
                self.names[before.current.domain].discard(name)
                if before.current.spec.vrf:
                    self.users[before.current.spec.vrf].discard(name)
            if after is not None:
                self._enter(name, after)
        for key, after_domain in plan.domains.items():
            if after_domain is None:
                self.domains.pop(key, None)
                self.names.pop(key, None)
            else:
                self.domains[key] = after_domain
        for port, (key, checked) in plan.entering.items():
            self.ports[port] = checked
            self.definitions[checked.instance].ports.add(port)
            self._index(port, key, checked, True)

    def _enter(self, name: str, definition: Definition) -> None:
        self.definitions[name] = definition
        self.names.setdefault(definition.current.domain, set()).add(name)
        if definition.current.spec.vrf:
            self.users.setdefault(definition.current.spec.vrf, set()).add(name)

    def _index(self, port: PortId, domain: str, checked: CheckedPort, add: bool) -> None:
        if add:
            self.interfaces[checked.interface] = port
        else:
            del self.interfaces[checked.interface]
        # Ports of a router are links of their own, on which MACs of other ports mean nothing.
        switched = self.definitions[checked.instance].current.router is None
        for endpoint in checked.endpoints:
            if switched and add:
                self._macs[(domain, endpoint.mac)] = port
            elif switched:
                del self._macs[(domain, endpoint.mac)]
            for address in endpoint.addresses:
                if add:
                    self._addresses[(domain, address)] = (endpoint.mac, port)
                else:
                    del self._addresses[(domain, address)]

    def orphans(self) -> Iterable[CheckedInstance]:
        """Instances nobody defines any more, that ports still need."""
        return (definition.current for definition in self.definitions.values() if not definition.holders)

    def adopt_orphan(self, instance: CheckedInstance) -> None:
        """An orphan of the intent, put back before the ports that need it."""
        if instance.name not in self.definitions:
            self._enter(instance.name, Definition(instance, {}, set()))
            names = sorted(self.names[instance.domain])
            members = [self.definitions[name].current for name in names]
            self.domains[instance.domain] = shape(instance.domain, members)

    def plan_unneeded(self) -> Plan:
        """After a restore: orphans that nothing needed after all."""
        plan = Plan()
        going = {
            name
            for name, definition in self.definitions.items()
            if not definition.holders and not definition.ports and door_name(name) not in self.interfaces
        }
        # A router is needed by a broadcast domain that stays.
        going = {name for name in going if not self.users.get(name, set()) - going}
        plan.definitions.update(dict.fromkeys(going))
        self._plan_domains(plan)
        return plan


Value = TypeVar("Value", int, bytes, str)


def _check_unique(
    change: Change,
    wanted: Iterable[Shape],
    what: str,
    seen: dict[Value, str],
    value_of: Callable[[Shape], Value],
    text: Callable[[Value], str],
) -> None:
    for domain in wanted:
        value = value_of(domain)
        if not value:
            continue
        other = seen.setdefault(value, domain.key)
        if other != domain.key:
            field = change.instance_fields.get(domain.names[0], "instance")
            reason = f"{text(value)} is in use by instance {other!r}"
            raise Refused(f"{field}.{what}", reason, "give another", "conflict")


def same_meaning(a: CheckedInstance, b: CheckedInstance) -> bool:
    """Equal but for the words: `10.0.0.05` and `10.0.0.5`, or another description, are no difference."""
    return _meaning(a) == _meaning(b)


def _meaning(checked: CheckedInstance) -> CheckedInstance:
    """The same instance with what is only words taken out: all that has a checked form."""
    spec = checked.spec
    plain = InstanceSpec(
        name="",
        type=spec.type,
        bridge=spec.bridge,
        mtu=spec.mtu,
        arp_suppression=spec.arp_suppression,
        shared=spec.shared,
        vrf=spec.vrf,
        irb=spec.irb,
    )
    return msgspec.structs.replace(checked, spec=plain)
