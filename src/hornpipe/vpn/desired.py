"""The desired state of all sources together: which instances there are, which ports are in them, and what may not be.

Every change of one source is first planned (`plan`), which either refuses it or says exactly what will differ, and then
committed (`commit`), which cannot fail. So a change happens as a whole or not at all. The indices below make planning a
change cost what the change is, not what the state is.

An instance name belongs to the source that defined it first. Others may define it equally (the old agents send the
instance with every attach) but not differently. It lives while a source defines it or a port needs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.vpn.check import CheckedInstance, CheckedPort
from hornpipe.vpn.domain import Domain, merge
from hornpipe.vpn.spec import Refused

PortId = tuple[str, str]
"""(source, port name)."""


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
    domains: dict[str, Domain | None] = {}
    """None: gone."""
    renamed: dict[str, str] = {}
    """Old domain key -> new one, where the same broadcast domain goes on under other RTs."""
    leaving: dict[PortId, tuple[str, CheckedPort]] = {}
    entering: dict[PortId, tuple[str, CheckedPort]] = {}


class Desired:
    def __init__(self) -> None:
        self.definitions: dict[str, Definition] = {}
        self.ports: dict[PortId, CheckedPort] = {}
        self.domains: dict[str, Domain] = {}
        self.interfaces: dict[str, PortId] = {}
        self.names: dict[str, set[str]] = {}
        """Domain -> instance names."""
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
        old_ports = {
            name: self.ports[(source, name)] for name in change.drop | change.put.keys() if (source, name) in self.ports
        }
        leaving = Counter(port.instance for port in old_ports.values())
        entering = Counter(port.instance for port in change.put.values())
        names = {port.instance for port in change.put.values()} | {port.instance for port in old_ports.values()}
        for name in sorted(names | change.define.keys() | change.undefine):
            old = self.definitions.get(name)
            holders = dict(old.holders) if old else {}
            if name in change.undefine:
                holders.pop(source, None)
            new = change.define.get(name)
            if new is not None:
                owner = next(iter(holders), source)
                if owner != source and not same_meaning(holders[owner], new):
                    raise Refused(
                        change.instance_fields.get(name, "instance"),
                        f"instance {name!r} belongs to source {owner!r} and is defined otherwise there",
                        "attach ports without defining it, or define it equally",
                        "conflict",
                    )
                holders[source] = new
            ports = old.ports if old else set()
            needed = len(ports) - leaving[name] + entering[name] > 0
            current = next(iter(holders.values()), old.current if old and needed else None)
            plan.definitions[name] = Definition(current, holders, ports) if current is not None else None
        for name, port in change.put.items():
            if plan.definitions[port.instance] is None:
                raise Refused(
                    change.port_fields.get(name, "port") + ".instance",
                    f"there is no instance {port.instance!r}",
                    "define it in the same call or before",
                    "missing",
                )

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
            plan.domains[domain] = merge(domain, [self._after(plan, name) for name in sorted(names)]) if names else None
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

    def _keeps_allocated(self, key: str, plan: Plan) -> bool:
        """The domain has an allocated VNI and goes on with it."""
        after = plan.domains.get(plan.renamed.get(key, key), self.domains.get(key))
        return after is not None and not after.vni

    def _check_ports(self, change: Change, plan: Plan) -> None:
        interfaces: dict[str, PortId] = {}
        macs: dict[tuple[str, bytes], PortId] = {}
        addresses: dict[tuple[str, bytes], bytes] = {}

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
            gateways = self._gateways(plan, domain)
            for endpoint in checked.endpoints:
                at = (domain, endpoint.mac)
                other = macs.get(at) or self._staying(self._macs.get(at), plan)
                if other is not None or endpoint.mac == gateways.gateway_mac:
                    whose = f"port {text_of(other)}" if other else "the gateway"
                    raise conflict(port, "mac", f"{Mac(endpoint.mac)} is at {whose}", "detach it there first")
                macs[at] = port
                for address in endpoint.addresses:
                    if any(address == gateway for gateway, _ in gateways.gateways):
                        raise conflict(
                            port, "addresses", f"{Address(address)} is the gateway's", "give another address"
                        )
                    mac = addresses.get((domain, address)) or self._bound(domain, address, plan)
                    if mac is not None and mac != endpoint.mac:
                        reason = f"{Address(address)} is bound to MAC {Mac(mac)}"
                        raise conflict(port, "addresses", reason, "detach it there first, or give that MAC")
                    addresses[(domain, address)] = endpoint.mac
        self._check_gateways(change, plan, addresses)

    def _check_gateways(self, change: Change, plan: Plan, entering: dict[tuple[str, bytes], bytes]) -> None:
        for domain in (domain for domain in plan.domains.values() if domain is not None):
            field = change.instance_fields.get(domain.names[0], "instance")
            for gateway, _ in domain.gateways:
                if (domain.key, gateway) in entering or self._bound(domain.key, gateway, plan) is not None:
                    reason = f"{Address(gateway)} is an attached port's"
                    raise Refused(f"{field}.gateways", reason, "detach it first", "conflict")
            if domain.gateway_mac and self._staying(self._macs.get((domain.key, domain.gateway_mac)), plan) is not None:
                raise Refused(f"{field}.gateway_mac", "is an attached port's MAC", "give another", "conflict")

    def _gateways(self, plan: Plan, domain: str) -> Domain:
        return plan.domains.get(domain) or self.domains[domain]

    @staticmethod
    def _staying(port: PortId | None, plan: Plan) -> PortId | None:
        return None if port is None or port in plan.leaving else port

    def _bound(self, domain: str, address: bytes, plan: Plan) -> bytes | None:
        found = self._addresses.get((domain, address))
        return found[0] if found is not None and found[1] not in plan.leaving else None

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
            if after is not None:
                self.definitions[name] = after
                self.names.setdefault(after.current.domain, set()).add(name)
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

    def _index(self, port: PortId, domain: str, checked: CheckedPort, add: bool) -> None:
        if add:
            self.interfaces[checked.interface] = port
        else:
            del self.interfaces[checked.interface]
        for endpoint in checked.endpoints:
            if add:
                self._macs[(domain, endpoint.mac)] = port
            else:
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
            self.definitions[instance.name] = Definition(instance, {}, set())
            names = self.names.setdefault(instance.domain, set())
            names.add(instance.name)
            members = [self.definitions[name].current for name in sorted(names)]
            self.domains[instance.domain] = merge(instance.domain, members)

    def plan_unneeded(self) -> Plan:
        """After a restore: orphans that no port needed after all."""
        plan = Plan()
        for name, definition in self.definitions.items():
            if not definition.holders and not definition.ports:
                plan.definitions[name] = None
        self._plan_domains(plan)
        return plan


Value = TypeVar("Value", int, bytes, str)


def _check_unique(
    change: Change,
    wanted: Iterable[Domain],
    what: str,
    seen: dict[Value, str],
    value_of: Callable[[Domain], Value],
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
    return (a.domain, a.vni, a.rd, a.import_rts, a.export_rts, a.gateways, a.gateway_mac) == (
        b.domain,
        b.vni,
        b.rd,
        b.import_rts,
        b.export_rts,
        b.gateways,
        b.gateway_mac,
    ) and (a.spec.bridge, a.spec.mtu, a.spec.arp_suppression, a.spec.shared) == (
        b.spec.bridge,
        b.spec.mtu,
        b.spec.arp_suppression,
        b.spec.shared,
    )
