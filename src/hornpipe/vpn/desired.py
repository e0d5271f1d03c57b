"""The desired state of all sources together: which instances there are, and which ports are in them.

Every change of one source is first planned (`plan`), which either refuses it or says exactly what will differ, and then
committed (`commit`), which cannot fail. So a change happens as a whole or not at all. The indices below make planning a
change cost what the change is, not what the state is.

An instance name belongs to the source that defined it first. Others may define it equally (the old agents send the
instance with every attach) but not differently. It lives while a source defines it, a port needs it, or another
instance does: a broadcast domain its router, a port of a router the broadcast domain whose bridge it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from hornpipe.vpn.check import PORT_OF_EVPN, PORT_OF_IPVPN, CheckedInstance, CheckedPort, check_belongs, door_name
from hornpipe.vpn.conflicts import Conflicts
from hornpipe.vpn.domain import Shape, shape
from hornpipe.vpn.plan import Change, Definition, Plan, PortId
from hornpipe.vpn.spec import InstanceSpec, Refused


def _host_table(checked: CheckedInstance) -> bool:
    return checked.router is not None and checked.router.host_table


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
        self.macs: dict[tuple[str, bytes], PortId] = {}
        self.addresses: dict[tuple[str, bytes], tuple[bytes, PortId]] = {}

    def domain_of(self, port: PortId) -> str:
        return self.definitions[self.ports[port].instance].current.domain

    # ---- planning

    def plan(self, change: Change, allocated_vnis: Mapping[int, str]) -> Plan:
        """Raises `Refused`; changes nothing. `allocated_vnis`: VNIs in force, by the domain that has each."""
        plan = Plan()
        self._plan_definitions(change, plan)
        self._plan_ports(change, plan)
        self._plan_domains(plan)
        conflicts = Conflicts(self, change, plan)
        conflicts.check_domains(allocated_vnis)
        conflicts.check_ports()
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
        doors = [port for port in (self.door(name, plan) for name in names) if port is not None]
        return shape(domain, [self.after(name, plan) for name in names], doors[0] if doors else None)

    def door(self, name: str, plan: Plan) -> CheckedPort | None:
        """As `_door_after`, once the ports are planned."""
        at = door_name(name)
        port = self._staying(self.interfaces.get(at), plan)
        if port is not None:
            return self.ports[port]
        return next((checked for _, checked in plan.entering.values() if checked.interface == at), None)

    def after(self, name: str, plan: Plan) -> CheckedInstance:
        """The instance as it will be."""
        definition = plan.definitions.get(name) or self.definitions[name]
        return definition.current

    @staticmethod
    def _staying(port: PortId | None, plan: Plan) -> PortId | None:
        return None if port is None or port in plan.leaving else port

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
                self.macs[(domain, endpoint.mac)] = port
            elif switched:
                del self.macs[(domain, endpoint.mac)]
            for address in endpoint.addresses:
                if add:
                    self.addresses[(domain, address)] = (endpoint.mac, port)
                else:
                    del self.addresses[(domain, address)]

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
