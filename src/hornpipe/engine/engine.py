"""The synchronous facade of the pure core: every input is a call, every output is taken.

Shells (speaker, dataplane, api) push what happened with the time it happened, then call `run` until it returns False,
then take what is to be done: bytes, connects, closes, kernel batches. Nothing here waits, sleeps or reads a clock, and
nothing here decides: sessions and RIB are `Peers`', instances and mobility the `Edge`'s, the kernel is `Forwarding`'s.

Order at start: construct, `restore` (with None if there is no intent file), feed the kernel's links, `kernel_scanned`.
Sessions start when both are done, because an End-of-RIB promises that all local routes have been sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from hornpipe.bgp.session.config import PeerConfig
from hornpipe.engine import views
from hornpipe.engine.events import Events
from hornpipe.engine.gates import CONFIGURED, INTENT_RESTORED, KERNEL_SCANNED, Gates
from hornpipe.engine.intent import Intent, collect, restore
from hornpipe.engine.neighbour import Neighbour
from hornpipe.engine.peers import Peers
from hornpipe.engine.routes import RouteRows
from hornpipe.engine.rows import EntryRow, EventRow, InstanceRow, PeerRow, PortRow, RouteRow, StatusRow
from hornpipe.engine.settings import Settings, check_reload, cluster_of, terms_of
from hornpipe.engine.sources import SourceResult, Sources
from hornpipe.engine.startup import Startup
from hornpipe.engine.status import status_row
from hornpipe.engine.trace import begin
from hornpipe.engine.trace.sightings import Sightings
from hornpipe.engine.trace.tracing import Tracing
from hornpipe.engine.trace.trail import Trail
from hornpipe.forwarding.state import Forwarding
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.rib.rib import Rib
from hornpipe.vpn.edge import Edge
from hornpipe.vpn.holder import holder
from hornpipe.vpn.plan import PortId
from hornpipe.vpn.recall import Recalled
from hornpipe.vpn.spec import InstanceSpec, PortSpec, SourceSpec

CONGESTED = 50_000
"""Changed routes not yet carried through, above which peers are not read: a fifth of a second's work."""


class Engine:
    """`jitter` returns a float in [0, 1); it is the only chance in the core."""

    def __init__(self, settings: Settings, now: float, jitter: Callable[[], float], version: str = "") -> None:
        self.settings = settings
        self.version = version
        self.started = self._now = now
        self.intent_revision = 0
        """Counts changes of what `intent` returns; when it moved, the intent is to be written."""
        self._noticed = (0, 0, "")
        self._alarms: dict[str, str] = {}
        """Subject -> text, see `alarm`."""
        self._events = Events()
        router_id, terms = bytes(Address.parse(settings.router_id)), terms_of(settings)
        self.rib = Rib(router_id, cluster_of(settings), settings.local_as)
        self.forwarding = Forwarding()
        self.edge = Edge(terms, self.rib, self.forwarding, self._notify)
        self.edge.unicast.configure(settings.announce, settings.install_unicast)
        self._sources = Sources(self.edge, settings.router_id, self._notify)
        self._peers = Peers(self.rib, settings, jitter, self._notify, self._end_of_rib)
        self.gates = Gates(now)
        self._startup = Startup(self.gates, self._peers, self.rib, self.edge, self.forwarding, self._notify)
        self._routes = RouteRows(self.rib, self.edge, self._peers)
        self._seen = Sightings()
        self.gates.open(CONFIGURED, now)

    def _notify(self, kind: str, subject: str, text: str) -> None:
        self._events.add(self._now, kind, subject, text)

    def _end_of_rib(self, neighbour: Neighbour, family: int) -> None:
        self._startup.end_of_rib(neighbour, family, self._now)

    # ---- clients: all-or-nothing, `Refused` changes nothing

    def put_source(self, source: str, spec: SourceSpec, now: float) -> SourceResult:
        """Replaces one client's whole desired set."""
        self._now = now
        return self._counted(self._sources.put(source, spec, now))

    def delete_source(self, source: str, now: float) -> SourceResult:
        self._now = now
        return self._counted(self._sources.delete(source, now))

    def attach(self, source: str, instance: InstanceSpec | None, port: PortSpec, now: float) -> SourceResult:
        """Adds or replaces one port; `instance`, if given, is defined or updated first and goes with its last port."""
        self._now = now
        return self._counted(self._sources.attach(source, instance, port, now))

    def detach(self, source: str, port: str, now: float) -> SourceResult:
        self._now = now
        return self._counted(self._sources.detach(source, port, now))

    def configure(self, settings: Settings, now: float) -> list[str]:
        """Applies a changed configuration; returns what changed. What did not change is not touched."""
        self._now = now
        check_reload(self.settings, settings)
        changed: list[str] = []
        for source, spec in settings.sources.items():
            changed += self._sources.put(source, spec, now).changed
        for source in sorted(self.settings.sources.keys() - settings.sources.keys()):
            if source in self._sources.held:
                changed += self._sources.delete(source, now).changed
        changed += self._peers.configure(settings, now)
        self.edge.configure(terms_of(settings))
        self.edge.unicast.configure(settings.announce, settings.install_unicast)
        self.settings = settings
        self._count()
        return changed

    @property
    def sources(self) -> Mapping[str, SourceSpec]:
        return {name: held.spec for name, held in self._sources.held.items()}

    def source_revision(self, source: str) -> int:
        """Counts the accepted changes of one source; 0 if there is no such source."""
        held = self._sources.held.get(source)
        return held.revision if held is not None else 0

    def _counted(self, result: SourceResult) -> SourceResult:
        self._count()
        return result

    def _count(self) -> None:
        noticed = (self._sources.revision, self.edge.around.revision, self._startup.lost_why)
        if noticed != self._noticed:
            self._noticed = noticed
            self.intent_revision += 1

    # ---- speaker

    def take_connects(self) -> list[PeerConfig]:
        """Peers to which a TCP connection is to be opened now."""
        return self._peers.take_connects()

    def connected(self, peer: str, local_address: str, now: float) -> int | None:
        """An asked-for connection is open; returns its number. None: it is not needed any more, close it."""
        self._now = now
        return self._peers.connected(peer, local_address, now)

    def connect_failed(self, peer: str, reason: str, now: float) -> None:
        self._now = now
        self._peers.connect_failed(peer, reason, now)

    def accept(self, remote_address: str, local_address: str, now: float) -> int | None:
        """A connection came in; None: close it."""
        self._now = now
        return self._peers.accept(remote_address, local_address, now)

    def located(self, peer: str, address: str, now: float) -> None:
        """An unnumbered peer was found at this link-local address (``fe80::1%eth1``), or its link came back."""
        self._now = now
        self._peers.located(peer, address, now)

    def link_lost(self, peer: str, reason: str, now: float) -> None:
        """The link of an unnumbered peer is gone; its connections are still to be reported as `closed`."""
        self._now = now
        self._peers.link_lost(peer, reason, now)

    def received(self, conn: int, data: bytes, now: float) -> None:
        self._now = now
        self._peers.received(conn, data, now)

    def rests_until(self, conn: int) -> float:
        """Before that nothing is to be read from a connection; minus infinity: it may be read."""
        return self._peers.rests_until(conn)

    def closed(self, conn: int, reason: str, now: float) -> None:
        self._now = now
        self._peers.closed(conn, reason, now)

    def take_bytes(self, conn: int, budget: int, now: float) -> bytes:
        """What to write next, about `budget` bytes; empty: nothing now."""
        return self._peers.take_bytes(conn, budget, now)

    @property
    def ready_connections(self) -> set[int]:
        """Connections for which `take_bytes` has something."""
        return self._peers.ready

    def take_closes(self) -> list[int]:
        """Connections to close once what `take_bytes` still gives for them is written."""
        return self._peers.take_closes()

    @property
    def congested(self) -> bool:
        """Reading from peers should pause: too much is dirty."""
        return self.rib.pending_imports > CONGESTED

    # ---- kernel

    def links_changed(self, changes: Iterable[tuple[str, bool]], now: float) -> None:
        """(interface, present); the first call after start gives all that are present."""
        self._now = now
        changes = list(changes)
        self._seen.links(changes, now)
        self.edge.links_changed(changes, now)

    def kernel_macs(self, changes: Iterable[tuple[str, str, bytes, bool]], now: float) -> None:
        """(bridge, port, MAC, present): addresses the kernel learnt on ports of ours."""
        self._now = now
        self.edge.kernel_macs(changes, now)

    def kernel_scanned(self, now: float) -> None:
        """The links that were there have been told, and `forwarding.adopt` has been called if a driver has one."""
        self._now = now
        self.edge.around.starting = False
        self._startup.opened(KERNEL_SCANNED, now)

    def underlay_changed(self, addresses: Iterable[bytes], now: float) -> None:
        """The ways to these addresses (`forwarding.underlay`) are others now."""
        self._now = now
        addresses = list(addresses)
        self._seen.ways(addresses, now)
        self.edge.unicast.underlay_changed(addresses)
        self.edge.underlay_changed(addresses, now)

    # ---- time

    def next_deadline(self) -> float:
        """When `tick` must be called at the latest; infinity if never."""
        return min(
            self._peers.next_deadline(), self.rib.next_deadline(), self.edge.next_deadline(), self._startup.deadline
        )

    def tick(self, now: float) -> None:
        self._now = now
        self.rib.expire(now)
        self._peers.tick(now)
        self.edge.tick(now)
        self._startup.tick(now)

    def run(self, now: float, budget: int = 2000) -> bool:
        """Carries changes through, about `budget` routes of them; True: there is more."""
        self._now = now
        self.edge.heard(self._peers.heard_by, now)
        more = self.rib.work(budget) >= budget
        more = self.edge.run(budget, now) >= budget or more
        self._startup.turned(now, more)
        self._peers.wake()
        self._count()
        return more

    def stop(self, now: float) -> None:
        """Ends all sessions, silently where graceful restart was negotiated; forwarding stays."""
        self._now = now
        self._peers.stop(now)

    # ---- intent

    def intent(self) -> Intent:
        return collect(self._sources, self.edge, self.draining, self._startup.lost_why)

    def restore(self, intent: Intent | None, now: float, lost: str = "", recalled: Recalled | None = None) -> None:
        """To be called once, before the kernel is scanned. The configuration's own sources come first. `lost`: why
        there is no intent although there was one, or less than there was (`Intent.lost`); then `recalled` is what the
        kernel shows of it."""
        self._now = now
        if lost:
            recalled = recalled or Recalled()
        restore(intent, self.settings.sources, self._sources, self.edge, now, recalled)
        self._startup.restored = intent is not None and bool(intent.sources)
        if lost:
            self._startup.lost(now, lost)
            self.alarm("intent", lost, now)
            self._notify("intent.damaged", "intent", lost)
        self.rib.drain(intent is not None and intent.draining)
        self._startup.opened(INTENT_RESTORED, now)
        self._count()

    # ---- views

    def peers(self) -> Sequence[PeerRow]:
        return [views.peer_row(neighbour, self.rib) for neighbour in self._peers]

    def instances(self) -> Sequence[InstanceRow]:
        return views.instance_rows(self.edge, self.forwarding)

    def ports(self) -> Sequence[PortRow]:
        return views.port_rows(self.edge, self.forwarding)

    def port(self, source: str, name: str) -> PortRow | None:
        port: PortId = (source, name)
        return views.port_row(self.edge, self.forwarding, port) if port in self.edge.desired.ports else None

    def routes(
        self,
        family: str | None = None,
        peer: str | None = None,
        instance: str | None = None,
        where: Callable[[int, bytes], bool] | None = None,
        to: str | None = None,
        why: bool = False,
    ) -> Iterable[RouteRow]:
        """Lazily; not to be held across a change. `where` is asked of (family, key) before a row is made. `to`: only
        what this peer is sent; `why`: with `sent_to` and `not_sent`, which takes a look at every peer."""
        chosen = self.edge.standing(instance) if instance is not None else None
        if instance is not None and chosen is None:
            return ()
        return self._routes.rows(family, peer, chosen, where, to, why)

    def entries(
        self, kind: str | None = None, instance: str | None = None, status: str | None = None, skip: int = 0
    ) -> Iterable[EntryRow]:
        chosen = self.edge.standing(instance) if instance is not None else None
        return views.entry_rows(self.forwarding, kind, chosen.key if chosen is not None else instance, status, skip)

    def holder(self, instance: str, address: str) -> str | None:
        """Who announces an address in an instance by BGP: the next hop. None: nobody but perhaps this host."""
        found = holder(self.edge, instance, bytes(Address.parse(address)))
        return str(Address(found)) if found else None

    def trace(self, port: str, address: str) -> Tracing:
        """The way from a port (name, ``source/name`` or interface) to an IP or MAC; raises `Refused`."""
        return begin.begin(Trail(self.edge, self.rib, self.forwarding, self.peers(), self._seen), port, address)

    def status(self) -> StatusRow:
        return status_row(
            self.version, self.settings, self.started, self.gates, self._peers, self.rib, self.edge, self.forwarding,
            self._alarms,
        )  # fmt: skip

    def events(self, since: int = 0) -> Sequence[EventRow]:
        return self._events.since(since)

    # ---- commands

    def clear_duplicate(self, instance: str, mac: str, now: float) -> bool:
        """Ends the duplicate alarm of a MAC; False if there is none."""
        self._now = now
        return self.edge.clear_duplicate(instance, bytes(Mac.parse(mac)), now)

    def drain(self, draining: bool, now: float) -> bool:
        """Announces all that is ours as about to go (RFC 8326), or not any more; False if it was so already. It
        survives a restart."""
        self._now = now
        if self.rib.identity.draining == draining:
            return False
        self.rib.drain(draining)
        self._notify("host.draining" if draining else "host.serving", self.settings.router_id, "")
        self.intent_revision += 1
        return True

    @property
    def now(self) -> float:
        """The time of the last input."""
        return self._now

    @property
    def draining(self) -> bool:
        return self.rib.identity.draining

    def prune(self, now: float) -> bool:
        """After a lost intent: clients have said all they want, so what they did not may go. False if nothing waits."""
        self._now = now
        alarmed = self._alarms.pop("intent", None) is not None
        return self._startup.trust(now) or alarmed

    def alarm(self, subject: str, text: str, now: float) -> None:
        """A condition an operator must know of, until it is told again with an empty text."""
        self._now = now
        if text:
            self._alarms[subject] = text
        else:
            self._alarms.pop(subject, None)

    def reset_peer(self, peer: str, now: float) -> bool:
        self._now = now
        return self._peers.reset(peer, now)
