"""The RIB: UPDATEs and local routes in; changed keys for the VPN instances and UPDATEs for the peers out.

A route is a key in its family's `Table`, pointing at a shared `Path`. Input marks what it concerns and returns;
output is taken when there is room for it: `take_imports` by the VPN layer, `take_updates` by a peer's socket.
Between the two lives only a set of keys each, so a burst costs the newest state and not its history.

RFC 4271 section 9, RFC 4456 (reflection), RFC 4684 (RT-Constraint), RFC 4724 (stale paths, End-of-RIB), RFC 7606.
Time is an argument: monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from hornpipe.bgp.attr.block import build, check
from hornpipe.bgp.family import IPV4_UNICAST, RTC
from hornpipe.bgp.family import name as family_name
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.update import Update, end_of_rib
from hornpipe.rib import constraint
from hornpipe.rib.admission import admit
from hornpipe.rib.best import DEFAULT_LOCAL_PREF
from hornpipe.rib.constraint import PATIENCE, Interest
from hornpipe.rib.identity import Identity
from hornpipe.rib.intake import Intake
from hornpipe.rib.loc import LocRib
from hornpipe.rib.outlet import Outlet, Peer
from hornpipe.rib.packing import pack
from hornpipe.rib.path import Block, Path
from hornpipe.rib.source import Source
from hornpipe.rib.table import Table
from hornpipe.rib.withdrawn import Withdrawals

NOT_LONG_LIVED: Final[Mapping[int, float]] = {}
AT_ONCE: Final = 2048
"""Routes of a lost session handled in the call itself: two milliseconds."""


class Rib(LocRib):
    """`cluster_id` makes it a route reflector. `next_hop` is that of our own memberships; the router id by default."""

    def __init__(
        self, router_id: bytes, cluster_id: bytes | None, local_as: int, *, next_hop: bytes | None = None
    ) -> None:
        super().__init__(Identity(router_id, cluster_id, local_as))
        self.local = Source("local", local=True, router_id=router_id, remote_as=local_as)
        self.peers: dict[Source, Peer] = {}
        self.withdrawals = Withdrawals()
        self._aging: dict[Intake, None] = {}
        """Where stale paths are kept."""
        self._busy: dict[Intake, None] = {}
        """Where chores wait, see `work`."""
        self._waiting: dict[Peer, None] = {}
        """Peers whose memberships are not complete yet."""
        self._held_until = 0.0
        """When End-of-RIB may be sent; 0: it may."""
        self._next_hop = router_id if next_hop is None else next_hop
        self._rtc_attributes = build(local_pref=DEFAULT_LOCAL_PREF)
        self._interest = Interest(local_as, cluster_id is not None, self._ask, self._unask)

    # ---- sources: Adj-RIB-In -----------------------------------------------------------------------------------------

    def source_up(
        self, source: Source, families: Collection[int], now: float, stale_until: float | None = None
    ) -> None:
        """A session is established for these families. Stale paths of others go now; those of these families are
        replaced as routes arrive and go at End-of-RIB or at their deadline, which `stale_until` extends."""
        if source.families:
            self.source_down(source, None, now)
        source.families = frozenset(family for family in families if family in FAMILIES)
        for family, intake in list(source.intakes.items()):
            if family not in source.families:
                intake.drop()
                self._settle(intake)
        for family in source.families:
            if family not in source.intakes:
                source.intakes[family] = Intake(source, self._table(family))
            source.intakes[family].end_of_rib = False
            if stale_until is not None:
                source.intakes[family].extend(stale_until)

    def source_down(
        self,
        source: Source,
        stale_until: float | None,
        now: float,
        families: Collection[int] | None = None,
        *,
        long_lived: Mapping[int, float] = NOT_LONG_LIVED,
        reason: str = "",
    ) -> None:
        """The session is over. Its paths are kept, stale, until then (only those of `families` if given); None: they go
        at once. After that those of the families in `long_lived` are kept until the time that has (RFC 9494).
        Memberships always go: they are the session's."""
        source.families = frozenset()
        for family, intake in list(source.intakes.items()):
            until = stale_until
            if until is None or (families is not None and family not in families):
                until = now if family in long_lived else None
            if until is None or family == RTC:
                intake.drop()
            else:
                intake.keep(now, until, long_lived.get(family, 0.0), reason)
                intake.age(now, False, self._admitter(intake))
            self._settle(intake)

    def drop_stale(self, source: Source, family: int) -> None:
        """The peer did not preserve its forwarding state (RFC 4724 section 4.2): what is stale is wrong."""
        intake = source.intakes.get(family)
        if intake is not None:
            intake.sweep()
            self._settle(intake)

    def _settle(self, intake: Intake) -> None:
        """After what is kept changed. A first slice of the chores is done at once: it is all there is, usually."""
        intake.work(AT_ONCE)
        if intake.chores:
            self._busy[intake] = None
        else:
            self._busy.pop(intake, None)
        if intake.kept:
            self._aging[intake] = None
            return
        self._aging.pop(intake, None)
        source, family = intake.source, intake.table.family
        gone = not intake.chores and not source.local and family not in source.families
        if gone and source.intakes.get(family) is intake:
            del source.intakes[family]

    def _admitter(self, intake: Intake) -> Callable[[bytes, bytes], Block]:
        source, family, identity = intake.source, intake.table.family, self.identity
        return lambda next_hop, raw: admit(source, family, next_hop, raw, identity)

    @property
    def busy(self) -> bool:
        """`work` has something to do."""
        return bool(self._busy)

    def work(self, budget: int) -> int:
        """Carries on with what a lost session left to do, about `budget` routes; returns how many it were."""
        done = 0
        while self._busy and done < budget:
            intake = next(iter(self._busy))
            done += intake.work(budget - done)
            if not intake.chores:
                self._settle(intake)
        return done

    def update(self, source: Source, update: Update, now: float) -> None:
        """One UPDATE of an established session. Raises `SessionReset` where RFC 7606 ends the session."""
        if update.attributes and update.hides_nlri:
            check(update.attributes, internal=source.internal, as4=source.as4)
        if update.unreach:
            self._withdrawn(source, update.unreach_family, update.unreach, now)
        if update.v4_withdrawn:
            self._withdrawn(source, IPV4_UNICAST, update.v4_withdrawn, now)
        if update.reach_family:
            self._announced(source, update.reach_family, update.next_hop, update.reach, update)
        if update.v4_nlri:
            self._announced(source, IPV4_UNICAST, b"", update.v4_nlri, update)
        if update.end_of_rib:
            self.end_of_rib(source, update.end_of_rib)

    def _announced(self, source: Source, family: int, next_hop: bytes, data: bytes, update: Update) -> None:
        intake = source.intakes.get(family)
        if intake is None or family not in source.families:
            source.reject(f"{family_name(family)} was not negotiated", 1)
            return
        table = intake.table
        errors: list[str] = []
        routes = table.spec.split(data, errors)
        source.heard += len(routes)
        if errors:
            source.error(errors[0])
        if update.error:
            source.error(update.error)
            self._forget(source, table, [key for key, _ in routes])
            return
        mark = (next_hop, update.attributes)
        block = intake.blocks.get(mark)
        if block is None:
            block = admit(source, family, next_hop, update.attributes, self.identity)
            intake.enter(mark, block)
        if block.fault:
            source.error(block.fault)
        if block.rejected:
            source.reject(block.rejected, len(routes))
            self._forget(source, table, [key for key, _ in routes])
            return
        table.learn(block, routes)
        if family == RTC and source in self.peers:
            constraint.asked(self.peers[source], [key for key, _ in routes])

    def _withdrawn(self, source: Source, family: int, data: bytes, now: float) -> None:
        if family not in source.families:
            source.reject(f"{family_name(family)} was not negotiated", 1)
            return
        table = source.intakes[family].table
        errors: list[str] = []
        keys = table.spec.split_withdraw(data, errors)
        source.heard += len(keys)
        if errors:
            source.error(errors[0])
        self.withdrawals.note(now, source.name, family, keys)
        self._forget(source, table, keys)

    def _forget(self, source: Source, table: Table, keys: list[bytes]) -> None:
        table.forget(source, keys)
        if table.family == RTC and source in self.peers:
            constraint.left(self.peers[source], keys)

    def end_of_rib(self, source: Source, family: int) -> None:
        """The source has sent all it has: what it did not send again is gone."""
        intake = source.intakes.get(family)
        if intake is None:
            return
        intake.end_of_rib = True
        intake.sweep()
        self._settle(intake)
        if family == RTC and source in self.peers:
            self._complete(self.peers[source])

    def _complete(self, peer: Peer) -> None:
        peer.rtc_ready = True
        self._waiting.pop(peer, None)
        self.ready_peers.add(peer)

    # ---- local routes ------------------------------------------------------------------------------------------------

    def announce(self, family: int, key: bytes, payload: bytes, attributes: bytes, next_hop: bytes) -> None:
        """`attributes` as `hornpipe.bgp.attr.block.build` makes them."""
        intake = self.local.intakes.get(family)
        if intake is None:
            intake = self.local.intakes[family] = Intake(self.local, self._table(family))
        mark = (next_hop, attributes)
        block = intake.blocks.get(mark)
        if block is None:
            block = admit(self.local, family, next_hop, attributes, self.identity)
            intake.enter(mark, block)
        intake.table.learn(block, [(key, payload)])

    def withdraw(self, family: int, key: bytes) -> None:
        if family in self.local.intakes:
            self.tables[family].forget(self.local, [key])

    def drain(self, draining: bool) -> None:
        """Our own routes are about to go (RFC 8326 section 4.1): all peers hear them again, marked or not any more."""
        if self.identity.draining == draining:
            return
        self.identity.draining = draining
        for family, intake in self.local.intakes.items():
            if family == RTC:
                continue
            table = self.tables[family]
            for block in intake.all_blocks():
                block.out_internal = block.out_external = None
                for path in block.paths.values():
                    for outlet in table.audience(block).outlets:
                        self._again(outlet, path)

    def _again(self, outlet: Outlet, path: Path) -> None:
        """The routes of a path are sent also if they look as they did when they were sent last."""
        for key in outlet.table.best_keys(path):
            if outlet.dirty.setdefault(key, path) is not None:
                outlet.forced.add(key)
        if outlet.dirty:
            self.ready_peers.add(outlet.peer)

    def _ask(self, key: bytes) -> None:
        self.announce(RTC, key, b"", self._rtc_attributes, self._next_hop)

    def _unask(self, key: bytes) -> None:
        self.withdraw(RTC, key)

    # ---- peers: Adj-RIB-Out ------------------------------------------------------------------------------------------

    def peer_up(self, peer: Peer, now: float) -> None:
        """A session is established for sending; what it may hear becomes dirty for it."""
        former = self.peers.get(peer.source)
        if former is not None:
            self.peer_down(former)
        self.peers[peer.source] = peer
        for family in sorted(peer.families, key=lambda family: family != RTC):  # memberships leave first
            if family in FAMILIES:
                self._open(peer, self._table(family))
        if peer.rtc:
            peer.rtc_deadline = now + PATIENCE
            self._waiting[peer] = None
        self.ready_peers.add(peer)

    def _open(self, peer: Peer, table: Table) -> None:
        outlet = peer.outlets[table.family] = Outlet(peer, table)
        table.join(outlet)
        if outlet.constrained:
            return
        for path in self._visible(outlet):
            outlet.dirty.update(dict.fromkeys(table.best_keys(path)))

    def _visible(self, outlet: Outlet) -> Iterator[Path]:
        table = outlet.table
        for block in table.blocks:
            if outlet in table.audience(block).outlets:
                yield from block.paths.values()

    def peer_down(self, peer: Peer) -> None:
        if self.peers.get(peer.source) is peer:
            del self.peers[peer.source]
        self.ready_peers.discard(peer)
        self._waiting.pop(peer, None)
        for outlet in peer.outlets.values():
            outlet.table.quit(outlet)
        peer.outlets = {}

    def refresh(self, peer: Peer, family: int) -> None:
        """ROUTE-REFRESH (RFC 2918): everything again, changed or not."""
        outlet = peer.outlets.get(family)
        if outlet is None:
            return
        for key, sent in outlet.dirty.items():
            if sent is not None:
                outlet.forced.add(key)
        for path in self._visible(outlet):
            self._again(outlet, path)

    def take_updates(self, peer: Peer, budget: int) -> list[bytes]:
        """At most `budget` whole messages, memberships first. They count as sent."""
        messages: list[bytes] = []
        for outlet in peer.outlets.values():
            self._take(outlet, messages, budget)
            if len(messages) >= budget:
                return messages
        self.ready_peers.discard(peer)
        return messages

    def _take(self, outlet: Outlet, messages: list[bytes], budget: int) -> None:
        while len(messages) < budget:
            if outlet.queue:
                messages.append(outlet.queue.pop())
            elif outlet.dirty:
                pack(outlet, self.identity)
            elif outlet.initial and self._may_end(outlet):
                messages.append(end_of_rib(outlet.table.family))
                outlet.initial = False
            else:
                return

    def _may_end(self, outlet: Outlet) -> bool:
        if outlet.table.family == RTC:
            return True  # never held: the peer waits for it before it sends us anything
        return not self._held_until and (not outlet.constrained or outlet.peer.rtc_ready)

    def has_updates(self, peer: Peer) -> bool:
        return peer in self.ready_peers

    def hold_end_of_rib(self, until: float) -> None:
        """After a restart of ours: no End-of-RIB until `release_end_of_rib` or then, because a peer that hears it drops
        what others have not sent us again yet (RFC 4724 section 4.1)."""
        self._held_until = until

    @property
    def holds_end_of_rib(self) -> bool:
        return self._held_until > 0.0

    def release_end_of_rib(self) -> None:
        self._held_until = 0.0
        self.ready_peers.update(self.peers.values())

    # ---- time --------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        deadline = self._held_until or math.inf
        for intake in self._aging:
            deadline = min(deadline, intake.deadline)
        for peer in self._waiting:
            deadline = min(deadline, peer.rtc_deadline)
        return deadline

    def expire(self, now: float) -> None:
        if self._held_until and self._held_until <= now:
            self.release_end_of_rib()
        for intake in list(self._aging):
            if intake.deadline <= now:
                intake.age(now, intake.table.family in intake.source.families, self._admitter(intake))
                self._settle(intake)
        for peer in list(self._waiting):
            if peer.rtc_deadline <= now:
                self._complete(peer)
