"""What may not be at the same time: two domains with one VNI, one MAC at two ports, one address in two places.

Asked of a plan before it is committed; a refusal changes nothing. Only what the plan touches is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.domain import Domain, Shape
from hornpipe.vpn.plan import Change, Plan, PortId, text_of
from hornpipe.vpn.routed.terms import Routing
from hornpipe.vpn.spec import Refused

if TYPE_CHECKING:
    from hornpipe.vpn.desired import Desired

Value = TypeVar("Value", int, bytes, str)


class Conflicts:
    """Of one plan. `macs` and `addresses` collect what its ports bring."""

    def __init__(self, desired: Desired, change: Change, plan: Plan) -> None:
        self.desired, self.change, self.plan = desired, change, plan
        self.macs: dict[tuple[str, bytes], PortId] = {}
        self.addresses: dict[tuple[str, bytes], tuple[bytes, PortId]] = {}

    # ---- domains

    def check_domains(self, allocated: Mapping[int, str]) -> None:
        """VNI, RD and foreign bridge are each one domain's. `allocated`: VNIs in force, by the domain that has each."""
        plan = self.plan
        if not any(plan.domains.values()):
            return
        unchanged = [domain for key, domain in self.desired.domains.items() if key not in plan.domains]
        wanted = [domain for domain in plan.domains.values() if domain is not None]
        vnis = {vni: key for vni, key in allocated.items() if self._keeps_allocated(key)}
        # A domain that is renamed keeps its numbers; under the old name they are not another's.
        vnis = {vni: plan.renamed.get(key, key) for vni, key in vnis.items()}
        vnis.update({domain.vni: domain.key for domain in unchanged if domain.vni})
        self._check_unique(wanted, "vni", vnis, lambda domain: domain.vni, str)
        rds = {domain.rd: domain.key for domain in unchanged if domain.rd}
        self._check_unique(wanted, "rd", rds, lambda domain: domain.rd, lambda rd: str(RouteDistinguisher(rd)))
        bridges = {domain.bridge: domain.key for domain in unchanged if domain.bridge}
        self._check_unique(wanted, "bridge", bridges, lambda domain: domain.bridge, str)
        for domain in wanted:
            if isinstance(domain, Domain) and domain.door:
                self._check_door(domain)

    def _check_unique(
        self,
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
                field = self.change.instance_fields.get(domain.names[0], "instance")
                reason = f"{text(value)} is in use by instance {other!r}"
                raise Refused(f"{field}.{what}", reason, "give another", "conflict")

    def _keeps_allocated(self, key: str) -> bool:
        """The domain has an allocated VNI and goes on with it."""
        after = self.plan.domains.get(self.plan.renamed.get(key, key), self.desired.domains.get(key))
        return after is not None and not after.vni

    def _check_door(self, domain: Domain) -> None:
        """A broadcast domain is in one VRF."""
        fields = self.change.instance_fields
        doors = [name for name in domain.names if self.desired.door(name, self.plan) is not None]
        own = [name for name in domain.names if self.desired.after(name, self.plan).spec.vrf]
        port = next((name for name, port in self.change.put.items() if port.spec.evpn in doors), "")
        at = f"{self.change.port_fields.get(port, 'port')}.evpn"
        if domain.bridge:
            raise Refused(
                at, f"its bridge {domain.bridge} is not ours", "name an instance without bridge", "unsupported"
            )
        if not own and len(doors) == 1:
            return
        field = next((fields[name] for name in own if name in fields), "")
        if field:
            reason = f"instance {doors[0]!r} is in the VRF {domain.vrf!r} by a port"
            raise Refused(f"{field}.vrf", reason, "detach that port first", "conflict")
        raise Refused(at, f"instance {doors[0]!r} is in a VRF already", "name another", "conflict")

    # ---- ports

    def check_ports(self) -> None:
        interfaces: dict[str, PortId] = {}
        for port, (domain, checked) in self.plan.entering.items():
            known = self.desired.interfaces.get(checked.interface)
            other = interfaces.get(checked.interface) or self._staying(known)
            if other is not None:
                reason = f"{checked.interface} is port {text_of(other)}"
                raise self._conflict(port, "interface", reason, "one port an interface")
            interfaces[checked.interface] = port
            shape = self._shape(domain)
            if isinstance(shape, Domain):
                self._check_stations(port, checked, shape)
            elif overlap := set(checked.gateways) & {a for endpoint in checked.endpoints for a in endpoint.addresses}:
                reason = f"{Address(overlap.pop())} is the port's own"
                raise self._conflict(port, "gateway", reason, "the host cannot answer for it: give another")
            for endpoint in checked.endpoints:
                for address in endpoint.addresses:
                    self._check_address(port, address, endpoint.mac, domain)
        self._check_gateways()

    def _conflict(self, port: PortId, what: str, reason: str, remedy: str) -> Refused:
        field = self.change.port_fields.get(port[1], "port") if port[0] == self.change.source else "instance"
        return Refused(f"{field}.{what}", reason, remedy, "conflict")

    def _shape(self, domain: str) -> Shape:
        return self.plan.domains.get(domain) or self.desired.domains[domain]

    def _staying(self, port: PortId | None) -> PortId | None:
        return None if port is None or port in self.plan.leaving else port

    def _check_stations(self, port: PortId, checked: CheckedPort, domain: Domain) -> None:
        """A MAC is at one port of its broadcast domain, and none of the gateway's."""
        for endpoint in checked.endpoints:
            at = (domain.key, endpoint.mac)
            other = self.macs.get(at) or self._staying(self.desired.macs.get(at))
            if other is not None or endpoint.mac == domain.gateway_mac:
                whose = f"port {text_of(other)}" if other else "the gateway"
                raise self._conflict(port, "mac", f"{Mac(endpoint.mac)} is at {whose}", "detach it there first")
            self.macs[at] = port
            for address in endpoint.addresses:
                if any(address == own for own, _ in (*domain.gateways, *domain.host_addresses)):
                    reason = f"{Address(address)} is the gateway's"
                    raise self._conflict(port, "addresses", reason, "give another address")

    def _check_address(self, port: PortId, address: bytes, mac: bytes, domain: str) -> None:
        """In a broadcast domain an address has one MAC, in a VRF it is at one port."""
        known = self.addresses.get((domain, address)) or self._bound(domain, address)
        if known is not None and isinstance(self._shape(domain), Routing) and known[1] != port:
            reason = f"{Address(address)} is at port {text_of(known[1])}"
            raise self._conflict(port, "addresses", reason, "detach it there first, or give another address")
        if known is not None and known[0] != mac:
            reason = f"{Address(address)} is bound to MAC {Mac(known[0])}"
            raise self._conflict(port, "addresses", reason, "detach it there first, or give that MAC")
        self.addresses[(domain, address)] = (mac, port)

    def _bound(self, domain: str, address: bytes) -> tuple[bytes, PortId] | None:
        """MAC and port of an address that stays."""
        found = self.desired.addresses.get((domain, address))
        return found if found is not None and found[1] not in self.plan.leaving else None

    def _check_gateways(self) -> None:
        for domain in (domain for domain in self.plan.domains.values() if isinstance(domain, Domain)):
            field = self.change.instance_fields.get(domain.names[0], "instance")
            for what, held in (("gateways", domain.gateways), ("host_addresses", domain.host_addresses)):
                for address, _ in held:
                    if (domain.key, address) in self.addresses or self._bound(domain.key, address) is not None:
                        reason = f"{Address(address)} is an attached port's"
                        raise Refused(f"{field}.{what}", reason, "detach it first", "conflict")
            taken = self._staying(self.desired.macs.get((domain.key, domain.gateway_mac)))
            if domain.gateway_mac and taken is not None:
                raise Refused(f"{field}.gateway_mac", "is an attached port's MAC", "give another", "conflict")
