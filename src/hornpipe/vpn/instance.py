"""One broadcast domain at work: stations here, imported routes, and who wins where both claim the same (RFC 7432 15).

Everything that may change a station's verdict ends in `judge`: attach, an interface that comes or goes, a remote route,
the end of a start. It compares claims (`hornpipe.vpn.mobility`), counts moves, and then makes routes and forwarding
follow; it never matters what was true before, except for the sequence number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.devices import Devices
from hornpipe.vpn.domain import Domain
from hornpipe.vpn.imported import Imported
from hornpipe.vpn.mobility import RACE, Claim, Moves, next_sequence, outranked, unheard
from hornpipe.vpn.origin import Origin
from hornpipe.vpn.plan import PortId
from hornpipe.vpn.remote import Remote
from hornpipe.vpn.station import Attachment, Station

if TYPE_CHECKING:
    from hornpipe.vpn.routed.router import Router
    from hornpipe.vpn.surroundings import Surroundings


class Instance:
    def __init__(
        self, domain: Domain, id: int, rd: bytes, vni: int, around: Surroundings, token: int, now: float
    ) -> None:
        self.domain, self.id, self.rd, self.vni = domain, id, rd, vni
        self.token = token
        """Changes with import RTs and VNI, so that values cached for the former ones are not found."""
        self.around = around
        self.created = now
        self.stations: dict[bytes, Station] = {}
        self.addresses: dict[bytes, Station] = {}
        """Local IP -> its station."""
        self.attachments: dict[PortId, Attachment] = {}
        self.moves: dict[bytes, Moves] = {}
        self.imported = Imported(self, around.best, around.vtep)
        self.origin = Origin(self, around.routes, around.vtep)
        self.devices = Devices(self, around.forwarding)
        self.router: Router | None = None
        """Whose VRF the bridge is in."""

    @property
    def key(self) -> str:
        return self.domain.key

    @property
    def ready(self) -> bool:
        """A foreign bridge must be there; ours is made."""
        return not self.domain.bridge or self.domain.bridge in self.around.links

    # ---- life

    def start(self) -> None:
        self.router = self.around.routers.get(self.domain.vrf)
        self.devices.start()
        self.origin.renumber()
        self._gateway(self.created)
        if self.router is not None:
            self.router.irb.bind(self, self.created)

    def update(self, domain: Domain, rd: bytes, vni: int, token: int, now: float) -> None:
        """The same broadcast domain under other terms."""
        old, was, self.domain = self.domain, self.rd, domain
        renumbered = (rd, vni, domain.export_rts, domain.bridge) != (was, self.vni, old.export_rts, old.bridge)
        renumbered = renumbered or (domain.vrf, domain.symmetric) != (old.vrf, old.symmetric)
        self.rd, self.vni, self.token = rd, vni, token
        router = self.around.routers.get(domain.vrf)
        if self.router is not None and (self.router, rd, domain.key) != (router, was, old.key):
            self.router.irb.unbind(old.key, was)
        if router is not self.router:
            self.router = router
            self.devices.touch_attached()
        if self.devices.started:
            self.devices.update()
        else:
            self.devices.start()
        self._gateway(now)
        if renumbered:
            self.origin.renumber()
        if router is not None:
            router.irb.bind(self, now)

    def router_changed(self) -> None:
        """There is one now, or its L3 VNI, route targets or device are others."""
        self.devices.update()
        self.devices.touch_attached()
        self.origin.renumber()

    def close(self) -> None:
        if self.router is not None:
            self.router.irb.unbind(self.key, self.rd)
        self.origin.withdraw_all()
        self.devices.close()
        # What refers to each other is looked for hours from now, perhaps: what it holds is let go of at once.
        self.imported.clear()
        for held in (self.stations, self.addresses, self.attachments, self.moves):
            held.clear()

    def _gateway(self, now: float) -> None:
        """The host's own stations: the gateway MAC with its addresses, and one with those of this host alone."""
        own = {
            self.domain.gateway_mac: (self.domain.gateways, False),
            self.devices.host_mac: (self.domain.host_addresses, True),
        }
        own.pop(b"", None)
        for former in [station for station in self.stations.values() if station.gateway]:
            if former.mac not in own:
                self._remove(former)
        for mac, (held, unique) in own.items():
            addresses = tuple(sorted((address for address, _ in held), key=lambda a: (len(a), a)))
            station = self.stations.get(mac)
            if station is None or not station.gateway:
                station = Station(mac, Attachment(None, "", True, now), gateway=True)
                self.stations[station.mac] = station
                self.devices.touch_mac(station.mac)
            station.unique = unique
            self._readdress(station, addresses)
            station.here = True
            self.origin.sync(station)

    # ---- ports

    def attach(self, port: PortId, checked: CheckedPort, now: float, kept: dict[bytes, Station]) -> None:
        """The port is as `checked` says. `kept`: stations that just left another port here; they did not move."""
        up = self.around.is_up(checked, self.domain.bridge)
        attachment = self.attachments.get(port)
        moved = attachment is not None and attachment.interface != checked.interface
        if attachment is None:
            attachment = self.attachments[port] = Attachment(port, checked.interface, up, now)
            if not up:
                self.around.notify("port.pending", f"{port[0]}/{port[1]}", f"waiting for interface {checked.interface}")
        elif (attachment.interface, attachment.up) != (checked.interface, up):
            attachment.interface, attachment.up, attachment.since = checked.interface, up, now
        self.devices.port(port, checked)
        for endpoint in checked.endpoints:
            station = self.stations.get(endpoint.mac)
            fresh = (station is None or station.learnt) and not self.around.restoring
            if station is None:
                station = kept.pop(endpoint.mac, None)
                fresh = station is None and not self.around.restoring
                if station is None:
                    station = Station(endpoint.mac, attachment)
                    restored = self.around.restored.pop((self.key, endpoint.mac), None)
                    if restored is not None:
                        station.sequence, station.held = restored
                self.stations[endpoint.mac] = station
            if station.attachment is not attachment or moved:
                station.move(attachment)
                self.devices.touch_mac(station.mac)
            station.sticky, station.learnt = checked.spec.sticky, False
            self._readdress(station, endpoint.addresses)
            self.judge(station, now, fresh)

    def shrink(self, port: PortId, checked: CheckedPort | None) -> dict[bytes, Station]:
        """Stations the port has no more leave; `checked` None: the port goes. Returns who left."""
        attachment = self.attachments.get(port)
        if attachment is None:
            return {}
        staying = {endpoint.mac for endpoint in checked.endpoints} if checked is not None else set()
        behind = list(attachment.stations.values())
        left = [station for station in behind if station.mac not in staying and (not station.learnt or checked is None)]
        for station in left:
            self._remove(station)
        self.devices.unport(port, checked.interface if checked is not None else "")
        if checked is None:
            del self.attachments[port]
        return {station.mac: station for station in left if not station.learnt}

    def retire(self, left: Iterable[Station]) -> None:
        """Stations that no port took over: the API's word that they are not here. It ends duplicate suspicion too."""
        for station in left:
            self.moves.pop(station.mac, None)
            if station.sequence:
                self.around.remember()

    def link(self, port: PortId, checked: CheckedPort, now: float) -> None:
        """The port's interface, or the foreign bridge, came or went."""
        attachment = self.attachments[port]
        up = self.around.is_up(checked, self.domain.bridge)
        self.devices.port(port, checked)
        if up != attachment.up:
            attachment.up, attachment.since = up, now
            subject = f"{port[0]}/{port[1]}"
            if up:
                self.around.notify("port.up", subject, f"interface {checked.interface} is there")
            else:
                self.around.notify("port.pending", subject, f"waiting for interface {checked.interface}")
        for station in list(attachment.stations.values()):
            if station.learnt and not up:
                self._remove(station)
            else:
                self.judge(station, now, up and not station.held and not self.around.starting)

    def bridge_changed(self, now: float) -> None:
        """A foreign bridge came or went, and all behind it."""
        self.origin.flood()
        for port, checked in self.devices.ports.items():
            self.link(port, checked, now)
        if not self.ready:
            for station in [station for station in self.stations.values() if station.learnt]:
                self._remove(station)
        for station in [station for station in self.stations.values() if station.gateway]:
            self.origin.sync(station)
        if self.router is not None:
            self.router.irb.bind(self, now)

    def reread(self, now: float) -> None:
        """What is imported means something else now (another VNI of ours)."""
        keys = self.imported.keys()
        self.take(keys, now)

    # ---- what the kernel learnt

    def learn(self, port: str, mac: bytes, present: bool, now: float) -> None:
        station = self.stations.get(mac)
        if not present:
            if station is not None and station.learnt and station.attachment.interface == port:
                self._remove(station)
            return
        if station is not None and not station.learnt:
            return  # the caller told the truth; a frame from elsewhere is no reason to doubt it
        attachment = self._attachment_of(port, now)
        if attachment is None:
            return
        if station is not None:
            station.move(attachment)  # moved between ports of this host: nothing changes outside
            return
        station = self.stations[mac] = Station(mac, attachment)
        station.learnt = True
        self.judge(station, now, True)

    def _attachment_of(self, interface: str, now: float) -> Attachment | None:
        for port, attachment in self.attachments.items():
            if attachment.interface == interface:
                return attachment if self.domain.bridge or self.around.learns(port) else None
        return Attachment(None, interface, True, now) if self.domain.bridge else None

    # ---- stations

    def _readdress(self, station: Station, addresses: tuple[bytes, ...]) -> None:
        for address in station.addresses:
            if address not in addresses and self.addresses.get(address) is station:
                del self.addresses[address]
                station.lost.pop(address, None)
                self.devices.touch_ip(address)
        for address in addresses:
            if self.addresses.get(address) is not station:
                self.addresses[address] = station
                self.devices.touch_ip(address)
        station.addresses = addresses

    def _remove(self, station: Station) -> None:
        if self.stations.get(station.mac) is station:
            del self.stations[station.mac]
        station.leave()
        self.origin.withdraw(station)
        for address in station.addresses:
            if self.addresses.get(address) is station:
                del self.addresses[address]
                self.devices.touch_ip(address)
        self.devices.touch_mac(station.mac)

    def holds(self, ip: bytes) -> bool:
        """The address is here, so that no remote neighbour may be installed for it."""
        station = self.addresses.get(ip)
        return station is not None and station.here and ip not in station.lost

    # ---- verdicts

    def judge(self, station: Station, now: float, fresh: bool = False) -> None:
        """Decide whether the station is here, and make routes and forwarding follow. `fresh`: it has just come."""
        if station.gateway:
            return
        remote = self.imported.station(station.mac)
        moves = self.moves.get(station.mac)
        if moves is not None and moves.frozen_since is not None:
            if remote is not None and station.up:
                return  # 15.1: "stop sending and processing any BGP MAC/IP Advertisement routes for that MAC"
            self.clear(station.mac, "nobody else claims it any more" if remote is None else "the port is down")
        if not station.up:
            verdict, station.reason = False, ""
        elif station.held and remote is None:
            verdict, station.reason = False, "was elsewhere before the restart"
        else:
            station.held = False
            verdict = self._contest(station, remote, now, fresh)
        if verdict != station.here:
            station.here = verdict
            self.around.remember()
            self.devices.touch_mac(station.mac)
            for address in station.addresses:
                self.devices.touch_ip(address)
        self.origin.sync(station)
        if station.learnt and not verdict:
            self._remove(station)
            self.devices.unlearn(station.attachment.interface, station.mac)

    def _contest(self, station: Station, remote: Remote | None, now: float, fresh: bool) -> bool:
        if fresh:
            if not station.learnt:
                station.late_until = self.around.knows_by(self.created, now)
                station.came = now
            self._claim(station, remote, now)
        lost = self._outranked(station, remote)
        if lost and (now < station.late_until or self._is_old(station, remote, now)):
            # The remote claim was there before the station came here, we only had not heard of it: the instance or the
            # session is new. This happens once, so that two hosts cannot outbid each other for ever. Or it says itself
            # that it is no answer to ours.
            station.late_until = 0.0
            self._claim(station, remote, now)
            lost = self._outranked(station, remote)
        was_elsewhere, station.reason = bool(station.reason), ""
        if remote is not None and lost:
            station.reason = f"{'sticky ' if remote.claim.sticky else ''}at {Address(remote.vtep)}" + (
                f", sequence {remote.claim.sequence}" if remote.claim.sequence else ""
            )
            if station.here:
                self.around.notify("mac.moved", f"{self.key} {Mac(station.mac)}", f"now {station.reason}")
                self._count(station, now)
        elif not lost and not station.here and was_elsewhere:
            self.around.notify("mac.returned", f"{self.key} {Mac(station.mac)}", "no better claim any more")
        if remote is not None and station.sticky and not remote.local and not lost:
            station.reason = f"sticky, but {Address(remote.vtep)} claims it too"
            self.around.notify("mac.sticky", f"{self.key} {Mac(station.mac)}", station.reason)
        self._contest_addresses(station)
        return not lost

    def _is_old(self, station: Station, remote: Remote | None, now: float) -> bool:
        """Who made the claim did not count on from ours, which could be heard all the time."""
        claim = Claim(station.sequence, station.sticky, self.around.vtep)
        known = station.here and self.around.silent_at < station.came < now - RACE
        return known and remote is not None and unheard(claim, remote.claim)

    def _outranked(self, station: Station, remote: Remote | None) -> bool:
        claim = Claim(station.sequence, station.sticky, self.around.vtep)
        return outranked(claim, remote.claim if remote is not None else None)

    def _claim(self, station: Station, remote: Remote | None, now: float) -> None:
        """It came here from elsewhere: outbid whoever says otherwise, for the MAC and for its addresses."""
        sequence = next_sequence(station.sequence, station.sticky, remote.claim if remote is not None else None)
        for address in station.addresses:
            other = self.imported.others(address, station.mac)
            if other is not None and not other.gateway:
                sequence = next_sequence(sequence, station.sticky, other.claim)
        if sequence != station.sequence:
            station.sequence = sequence
            self.around.remember()
        if remote is not None and station.learnt:
            self._count(station, now)

    def _contest_addresses(self, station: Station) -> None:
        """An address may have gone to another MAC elsewhere; the same ranking decides (RFC 9721 section 6)."""
        claim = Claim(station.sequence, station.sticky, self.around.vtep)
        lost: dict[bytes, str] = {}
        for address in station.addresses:
            other = self.imported.others(address, station.mac)
            if other is not None and outranked(claim, other.claim):
                lost[address] = f"with another MAC at {Address(other.vtep)}"
        for address in sorted(lost.keys() ^ station.lost.keys()):
            self.devices.touch_ip(address)
        station.lost = lost

    def _count(self, station: Station, now: float) -> None:
        moves = self.moves.setdefault(station.mac, Moves())
        if moves.note(now, self.around.duplicate_moves, self.around.duplicate_time):
            text = f"moved {len(moves.times)} times in {self.around.duplicate_time:g} s: duplicate"
            self.around.notify("mac.duplicate", f"{self.key} {Mac(station.mac)}", text)

    def clear(self, mac: bytes, why: str) -> bool:
        """Ends the alarm; the caller judges the station afterwards."""
        moves = self.moves.pop(mac, None)
        if moves is None or moves.frozen_since is None:
            return False
        self.around.notify("mac.cleared", f"{self.key} {Mac(mac)}", why)
        return True

    def duplicates(self) -> dict[bytes, float]:
        return {mac: moves.frozen_since for mac, moves in self.moves.items() if moves.frozen_since is not None}

    # ---- imported routes

    def take(self, keys: Iterable[bytes], now: float) -> None:
        """Keys whose best path changed for us."""
        macs: dict[bytes, None] = {}
        ips: dict[bytes, None] = {}
        self.imported.take(keys, macs, ips)
        self.devices.touch_remote(macs, ips)
        if self.router is not None:
            self.router.irb.ips_changed(ips)
        if self.stations:
            concerned = {self.stations[mac].mac: None for mac in macs if mac in self.stations}
            concerned.update({self.addresses[ip].mac: None for ip in ips if ip in self.addresses})
            for mac in concerned:
                station = self.stations.get(mac)
                if station is not None:
                    self.judge(station, now)

    def touch_flood(self, key: bytes) -> None:
        self.devices.touch_flood(key)

    def settle(self, now: float) -> None:
        """The peers have said what they have: nothing is held back any more."""
        for station in [station for station in self.stations.values() if station.held]:
            station.held = False
            self.judge(station, now)
