"""One routed instance at work: what this host has in the VRF, what is imported, and the way out for each prefix.

A prefix's way out follows from four things, the first that has one:

1. what is here (`Local`): stations, routes behind ports; subnets of bridges in the VRF are the kernel's own routes;
2. imported routes, ranked as RFC 4271 section 9.1.2 has it with an interior cost of zero; equal ones are equal ways;
3. of the default route, the fallback;
4. nothing: the VRF ends in an unreachable route.

A route of another VRF of this host (a shared route target) leads straight to that VRF's device: a *leak*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.forwarding.table import Hops
from hornpipe.rib.best import equal, rank
from hornpipe.rib.path import Path
from hornpipe.vpn.field import derived_mac
from hornpipe.vpn.routed.carrier import MPLS_CARRIERS
from hornpipe.vpn.routed.chain import Chain
from hornpipe.vpn.routed.devices import RouterDevices
from hornpipe.vpn.routed.imported import Imported
from hornpipe.vpn.routed.irb import RouterIrb
from hornpipe.vpn.routed.local import Local
from hornpipe.vpn.routed.origin import RouterOrigin
from hornpipe.vpn.routed.ports import RouterPorts
from hornpipe.vpn.routed.reach import Reach, Use
from hornpipe.vpn.routed.redirect import FLOWS, Flows
from hornpipe.vpn.routed.terms import MPLS_ENCAPSULATIONS, MPLS_TUNNELS, Routing

if TYPE_CHECKING:
    from hornpipe.vpn.routed.carrier import Carrier
    from hornpipe.vpn.spec import Encapsulation
    from hornpipe.vpn.surroundings import Surroundings

FAMILIES = (VPNV4, VPNV6, EVPN)
MAX_WAYS = 64
"""More equal ways than that are cut off: a nexthop group of the kernel holds some hundred, and nobody has them."""
DEFAULTS = (bytes(5), bytes(17))


class Router:
    def __init__(
        self, routing: Routing, id: int, rd: bytes, vni: int, around: Surroundings, token: int, now: float
    ) -> None:
        self.routing, self.id, self.rd, self.vni = routing, id, rd, vni
        self.token = token
        """Changes with all that a path's use follows from, so that uses cached for former terms are not found."""
        self.around = around
        self.created = now
        self.encapsulations = routing.encapsulations(around.terms.encapsulations)
        self.mac = derived_mac("router", str(around.terms.router_id.hex()), routing.key)
        """Inner destination of what comes in by the L3 VNI; of this host and VRF alone."""
        self.devices = RouterDevices(self, around.forwarding)
        self.imported = {family: Imported(self, family, around.routes.best) for family in FAMILIES}
        self.local = Local()
        self.origin = RouterOrigin(self)
        self.ports = RouterPorts(self)
        self.irb = RouterIrb(self)
        self.chain = Chain(self)
        self.flows = Flows(self)
        self.leak = Use("leak")
        self.chosen: dict[bytes, Hops | None] = {}
        """Prefix with several routes -> what was made of them."""
        self._uses: dict[tuple[object, ...], Use] = {}
        self._hops: dict[Hops, Hops] = {}
        self._overlays: Counter[bytes] = Counter()
        """Open uses by their gateway address."""

    @property
    def key(self) -> str:
        return self.routing.key

    @property
    def speaks(self) -> bool:
        """Without export route targets nobody could import what we say."""
        return bool(self.routing.export_rts)

    @property
    def has_mpls(self) -> bool:
        return any(encapsulation in MPLS_ENCAPSULATIONS for encapsulation in self.encapsulations)

    # ---- life

    def start(self) -> None:
        self.devices.start()
        if self.vni:
            self.devices.open_vni()
        self.around.own(self.rd, self)
        self.around.transport.enable(self.encapsulations)
        self.ports.set_instance_label()
        self.ports.fallback(self.routing.terms.fallback)
        for family in FAMILIES:
            self.around.routes.set_imports(self.id, family, self.routing.targets)
        self.flows.subscribe()

    def update(self, routing: Routing, rd: bytes, vni: int, token: int) -> None:
        """The same router under other terms."""
        old, was = self.routing, (self.rd, self.vni, self.encapsulations)
        self.routing, self.rd, self.vni = routing, rd, vni
        self.encapsulations = routing.encapsulations(self.around.terms.encapsulations)
        if was[0] != rd:
            self.around.disown(was[0], self)
            self.around.own(rd, self)
        changed = was != (rd, vni, self.encapsulations) or (old.import_rts, old.targets) != (
            routing.import_rts,
            routing.targets,
        )
        self.around.transport.enable(self.encapsulations)
        if self.vni:
            self._renumber_vni(was[1])
        if changed:
            self.token = token
            self.reread()
        if was[1] != vni:  # the bridge has another name
            self.uses_changed(lambda use: use.encapsulation == "vxlan")
        if not self.vni:
            self.devices.close_vni()
        self.around.transport.disable(was[2])
        if old.targets != routing.targets:
            for family in FAMILIES:
                self.around.routes.set_imports(self.id, family, routing.targets)
        if old.import_rts != routing.import_rts:
            self.flows.reread()
        self.ports.fallback(routing.terms.fallback)
        self.origin.renumber()
        self.ports.resay()
        self.irb.resay()
        self.chain.terms_changed()

    def _renumber_vni(self, was: int) -> None:
        """Devices are named by the VNI: another one's are others."""
        if was and was != self.vni:
            self.devices.close_vni()
        self.devices.open_vni()

    def close(self) -> None:
        self.origin.withdraw_all()
        self.around.disown(self.rd, self)
        self.chain.close()
        self.flows.close()
        self.ports.close()
        for family in FAMILIES:
            self.around.routes.drop_importer(self.id, family)
        for imported in self.imported.values():
            for use in imported.uses.values():
                use.count -= 1
                if not use.count:
                    self.close_use(use)
        self.devices.close()
        self.around.transport.disable(self.encapsulations)
        for imported in self.imported.values():
            imported.clear()
        for held in (self.chosen, self._uses, self._hops):
            held.clear()

    # ---- imported routes

    def take(self, family: int, keys: Collection[bytes]) -> None:
        """Keys whose best path changed for us."""
        if family in FLOWS:
            self.flows.take(family, keys)
            return
        touch: dict[bytes, None] = {}
        doubt: dict[bytes, None] = {}
        self.imported[family].take(keys, touch, doubt)
        self._reconsider(doubt, touch)
        self.touch(touch)
        if self.chain.readvertise is not None:
            self.chain.take(family, keys)

    def reread(self) -> None:
        """What is imported means something else now."""
        for family in FAMILIES:
            keys = dict.fromkeys(self.imported[family].uses)
            keys.update(dict.fromkeys(self.around.routes.matching(self.id, family)))
            self.take(family, keys)

    def touch(self, prefixes: dict[bytes, None]) -> None:
        if self.devices.routes is not None:
            self.devices.routes.touch_keys(prefixes)

    def is_mixed(self, imported: Imported) -> bool:
        """A prefix of one family may have routes elsewhere."""
        return bool(self.chosen) or any(other.index for other in self.imported.values() if other is not imported)

    def is_contended(self, prefix: bytes) -> bool:
        return prefix in self.chosen or sum(prefix in imported.index for imported in self.imported.values()) > 1

    def _reconsider(self, prefixes: Iterable[bytes], touch: dict[bytes, None]) -> None:
        """Of prefixes with several routes, those whose way out is another one now."""
        for prefix in prefixes:
            hops = self._imported_hops(prefix)
            known = prefix in self.chosen
            before = self.chosen.pop(prefix, None)
            if sum(len(imported.candidates(prefix)) for imported in self.imported.values()) > 1:
                self.chosen[prefix] = hops
            if not known or before != hops:
                touch[prefix] = None

    def use(self, reach: Reach, mark: int, key: bytes) -> Use | None:
        """What a path means here, for the first time."""
        if reach.local:
            return self.leak if not self.why(reach, key) else None
        if self.why(reach, key):
            return reach.remember(mark, None)
        if reach.gateway:
            use = Use("overlay", gateway=reach.gateway, order=reach.order, six=bool(mark & 1))
        else:
            encapsulation = self._encapsulation(reach)
            assert encapsulation is not None  # or `why` had said so
            use = Use(
                encapsulation,
                self.encapsulations.index(encapsulation),
                vtep=reach.vtep,
                vni=reach.vni,
                mac=reach.router_mac,
                labels=(reach.label,) if reach.label >= 0 else (),
                order=reach.order,
                six=bool(mark & 1),
            )
        return reach.remember(mark, self._uses.setdefault(use.mark(), use))

    def why(self, reach: Reach, key: bytes) -> str:
        """Why a path is not imported; empty: it is. `key` is the route's, for whose it is."""
        if reach.reason:
            return reach.reason
        if reach.targets.isdisjoint(self.routing.import_rts):
            return "no route target in common"
        if reach.local:
            return "it is this instance's own" if self.around.owner(key) is self else ""
        if reach.gateway:
            return ""
        encapsulation = self._encapsulation(reach)
        if encapsulation is None:
            ours, theirs = ", ".join(self.encapsulations) or "none", ", ".join(reach.offers)
            return f"no encapsulation in common: {theirs} there, {ours} here"
        if encapsulation in MPLS_TUNNELS and len(reach.vtep) != 4:
            return f"{encapsulation} over IPv6 is not supported"
        return ""

    def _encapsulation(self, reach: Reach) -> Encapsulation | None:
        """The first of ours that the PE takes. One that names none (FRR does not) is configured for what it takes, and
        so are we: if that is not plain MPLS, it is our first tunnel."""
        for word in self.encapsulations:
            if word in reach.offers:
                return word
        return next((word for word in self.encapsulations if word in MPLS_TUNNELS), None) if reach.unnamed else None

    # ---- ways out

    def open(self, use: Use) -> None:
        """The first route that means it has come."""
        if use is self.leak:
            return
        self._uses.setdefault(use.mark(), use)
        if use.encapsulation == "overlay":
            self._overlays[use.gateway] += 1
        else:
            use.carrier = self._carrier(use)
            use.carrier.open()
        self.resolve(use)

    def _carrier(self, use: Use) -> Carrier:
        if use.encapsulation == "vxlan":
            return self.devices.macs.carrier(use.vtep, use.vni, use.mac)
        return MPLS_CARRIERS[use.encapsulation](self.around.transport, use.vtep)

    def close_use(self, use: Use) -> None:
        """The last route that meant it has gone."""
        if self._uses.get(use.mark()) is use:
            del self._uses[use.mark()]
        if use.encapsulation == "overlay":
            self._overlays[use.gateway] -= 1
        if use.carrier is not None:
            carrier, use.carrier = use.carrier, None
            carrier.close()

    def resolve(self, use: Use) -> bool:
        """Works out the way; True: it is another one now."""
        before = use.hops
        if use.carrier is not None:
            hop, use.reason = use.carrier.hop(use.labels, use.six), use.carrier.reason()
        else:
            hop, use.reason = self.irb.overlay(use.gateway)
        use.hops = self._intern((hop,)) if hop is not None else None
        return before != use.hops

    def _intern(self, hops: Hops) -> Hops:
        if len(self._hops) > 2 * len(self._uses) + 4096:
            self._hops.clear()  # equal ones that are made again are equal, only not the same object
        return self._hops.setdefault(hops, hops)

    def uses_changed(self, concerned: Callable[[Use], bool]) -> None:
        """Something that ways out follow from has changed: they are worked out again."""
        changed = {id(use) for use in self._open_uses() if concerned(use) and self.resolve(use)}
        if not changed:
            return
        touch: dict[bytes, None] = {}
        for imported in self.imported.values():
            touch.update(dict.fromkeys(imported.using(lambda use: id(use) in changed)))
        for prefix in touch:
            if prefix in self.chosen:
                self.chosen[prefix] = self._imported_hops(prefix)
        self.touch(touch)

    def _open_uses(self) -> list[Use]:
        found = {id(use): use for imported in self.imported.values() for use in imported.uses.values()}
        return [use for use in found.values() if use is not self.leak]

    @property
    def overlays(self) -> bool:
        """Some route has a gateway address."""
        return any(self._overlays.values())

    def has_overlay(self, gateway: bytes) -> bool:
        return self._overlays[gateway] > 0

    def remotes(self) -> set[bytes]:
        """VTEPs that routes lead to."""
        return {use.vtep for use in self._uses.values() if use.vtep}

    def carrier_changed(self, carrier: Carrier) -> None:
        self.uses_changed(lambda use: use.carrier is carrier)

    # ---- what the kernel is to have

    def hops(self, prefix: bytes) -> Hops | None:
        """None: no route."""
        ways = self.local.ways.get(prefix)
        if ways:
            return None if self.local.is_connected(prefix) else self._intern(self.local.hops(prefix))
        if prefix in self.chosen:
            hops = self.chosen[prefix]
        else:
            hops = self._imported_hops(prefix)
        if hops is not None and prefix[0] == 8 * len(prefix) - 8 and self.irb.is_here(prefix[1:]):
            return None
        if hops is None and prefix in DEFAULTS:
            return self.ports.fallback_hops(prefix)
        return hops

    def _imported_hops(self, prefix: bytes) -> Hops | None:
        family = VPNV4 if len(prefix) == 5 else VPNV6
        plain, evpn = self.imported[family], self.imported[EVPN]
        key, other = plain.index.get(prefix), evpn.index.get(prefix)
        if key is None or other is None:
            one, key = (evpn, other) if key is None else (plain, key)
            if isinstance(key, bytes):  # as nearly always: nothing to rank
                use = one.uses[key]
                return use.hops if use is not self.leak else self._leaked(prefix, key)
        return self._best_hops(prefix, [*plain.candidates(prefix), *evpn.candidates(prefix)])

    def _best_hops(self, prefix: bytes, candidates: list[tuple[Path, Use, bytes]]) -> Hops | None:
        ways: dict[int, list[tuple[Use, Hops]]] = {}
        paths: list[Path] = []
        for path, use, key in candidates:
            hops = use.hops if use is not self.leak else self._leaked(prefix, key)
            if hops:
                if id(path) not in ways:
                    paths.append(path)
                ways.setdefault(id(path), []).append((use, hops))
        if not paths:
            return None
        best = [way for path in equal(rank(paths)) for way in ways[id(path)]]
        # A PE that can be reached in several ways is reached in the one that we prefer (RFC 9012 section 4.1).
        preferred: dict[bytes, int] = {}
        for use, _ in best:
            preferred[use.vtep] = min(use.preference, preferred.get(use.vtep, use.preference))
        chosen = {(use.order, hop) for use, hops in best if use.preference == preferred[use.vtep] for hop in hops}
        return self._intern(tuple(dict.fromkeys(hop for _, hop in sorted(chosen)))[:MAX_WAYS])

    def _leaked(self, prefix: bytes, key: bytes) -> Hops | None:
        owner = self.around.owner(key)
        if owner is None or owner is self:
            return None
        hops = owner.local.hops(prefix) or owner.chain.hops(prefix, key[1:9])
        return self._intern(hops) if hops else None

    def prefixes(self) -> list[bytes]:
        found = dict.fromkeys(self.local.ways)
        for imported in self.imported.values():
            found.update(dict.fromkeys(imported.index))
        found.update(dict.fromkeys(self.ports.fallback_prefixes()))
        return list(found)

    # ---- changes of what is here

    def local_changed(self, prefixes: Iterable[bytes]) -> None:
        """Ways to prefixes of this host are others now: here, and where they are leaked to."""
        touch = dict.fromkeys(prefixes)
        self.touch(touch)
        for router in self.around.routers.values():
            if router is not self:
                router.leak_changed(touch)

    def leak_changed(self, prefixes: dict[bytes, None]) -> None:
        mine = {p: None for p in prefixes if any(p in imported.index for imported in self.imported.values())}
        for prefix in mine:
            if prefix in self.chosen:
                self.chosen[prefix] = self._imported_hops(prefix)
        self.touch(mine)
