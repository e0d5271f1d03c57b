"""A RIB with peers around it, told in UPDATE bytes and watched by what the peers receive.

Every test works through the wire format: what is announced is packed, parsed and given to `Rib.update`; what the RIB
hands out is parsed into the peer's view. So a view says what a real peer would hold.
"""

from __future__ import annotations

from typing import NamedTuple

from hornpipe.bgp.attr.block import Attributes, build, decode
from hornpipe.bgp.family import EVPN, IPV4_UNICAST, RTC
from hornpipe.bgp.frame import Framer
from hornpipe.bgp.nlri import rtc
from hornpipe.bgp.nlri.evpn import mac_ip_key, mac_ip_payload
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.update import end_of_rib, pack_reach, pack_unreach, parse
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.outlet import Peer
from hornpipe.rib.path import Path
from hornpipe.rib.rib import Rib
from hornpipe.rib.source import Source

US = bytes((10, 0, 0, 254))
LOCAL_AS = 64512
RD = RouteDistinguisher.parse("10.0.0.1:1")


def target(number: int) -> bytes:
    return bytes(RouteTarget.parse(f"64512:{number}"))


def mac(number: int) -> bytes:
    """The key of a MAC-only route."""
    return mac_ip_key(RD, bytes((2, 0)) + number.to_bytes(4, "big"))


def vni(number: int) -> bytes:
    return mac_ip_payload(number)


PAYLOAD = vni(100)


class Held(NamedTuple):
    """One route as a peer holds it."""

    payload: bytes
    next_hop: bytes
    attributes: Attributes


class Room:
    def __init__(self, reflector: bool = True) -> None:
        self.rib = Rib(US, US if reflector else None, LOCAL_AS)
        self.now = 1000.0
        self.count = 0

    def session(self, number: int, **options: object) -> Session:
        """A neighbour 10.0.0.`number`, up for E-VPN (and RTC if `rtc`)."""
        session = Session(self, number, **options)  # type: ignore[arg-type]
        session.up()
        return session

    def announce(self, key: bytes, *targets: bytes, payload: bytes = PAYLOAD, next_hop: bytes = US) -> None:
        self.rib.announce(EVPN, key, payload, build(local_pref=100, ext_communities=targets), next_hop)

    def withdraw(self, key: bytes) -> None:
        self.rib.withdraw(EVPN, key)

    def best(self, key: bytes) -> Path | None:
        return self.rib.best(EVPN, key)

    def dirty(self) -> set[tuple[int, bytes]]:
        """Takes what is dirty for importers."""
        taken = self.rib.take_imports(1 << 30)
        keys = {(importer, key) for importer, _, key in taken}
        assert len(keys) == len(taken)
        return keys

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        if self.rib.next_deadline() <= self.now:
            self.rib.expire(self.now)


class Session:
    def __init__(
        self,
        room: Room,
        number: int,
        *,
        client: bool = True,
        remote_as: int = LOCAL_AS,
        rtc: bool = False,
        families: tuple[int, ...] = (EVPN,),
        limit: int = 4096,
        long_lived: bool = False,
        long_lived_anyway: bool = False,
    ) -> None:
        self.room = room
        self.address = bytes((10, 0, 0, number))
        self.source = Source(
            f"10.0.0.{number}",
            id=number,
            internal=remote_as == LOCAL_AS,
            client=client,
            router_id=self.address,
            address=self.address,
            remote_as=remote_as,
        )
        self.rtc = rtc
        self.families = frozenset((*families, RTC) if rtc else families)
        self.limit = limit
        self.knows = {"long_lived": long_lived, "long_lived_anyway": long_lived_anyway}
        self.peer = Peer(self.source, self.families)
        self.established = False
        self.forget_view()

    def forget_view(self) -> None:
        self.view: dict[tuple[int, bytes], Held] = {}
        self.ended: list[int] = []
        self.refreshing = False
        self.announced = 0
        self.withdrawn = 0
        self.messages = 0

    # ---- the session

    def up(self) -> None:
        self.forget_view()
        self.established = True
        self.peer = Peer(self.source, self.families, limit=self.limit, rtc=self.rtc, **self.knows)
        self.room.rib.source_up(self.source, self.families, self.room.now)
        self.room.rib.peer_up(self.peer, self.room.now)

    def down(self, keep: float | None = None) -> None:
        self.established = False
        until = None if keep is None else self.room.now + keep
        self.room.rib.peer_down(self.peer)
        self.room.rib.source_down(self.source, until, self.room.now)

    # ---- what the neighbour says

    def say(self, *messages: bytes) -> None:
        for message in messages:
            self.room.rib.update(self.source, parse(message[19:]), self.room.now)

    def announce(
        self,
        *keys: bytes,
        targets: tuple[bytes, ...] = (),
        payload: bytes = PAYLOAD,
        next_hop: bytes | None = None,
        family: int = EVPN,
        **attributes: object,
    ) -> None:
        if self.source.internal:
            attributes.setdefault("local_pref", 100)
        else:
            attributes.setdefault("as_path", ((2, (self.source.remote_as,)),))
        communities = (*targets, *attributes.pop("ext_communities", ()))  # type: ignore[misc]
        block = build(ext_communities=communities, **attributes)  # type: ignore[arg-type]
        join = FAMILIES[family].join
        nlris = [join(key, payload) for key in keys]
        self.say(*pack_reach(family, next_hop or self.address, block, nlris, 65535))

    def withdraw(self, *keys: bytes, family: int = EVPN) -> None:
        self.say(*pack_unreach(family, [FAMILIES[family].join_withdraw(key) for key in keys], 65535))

    def end(self, family: int = EVPN) -> None:
        self.say(end_of_rib(family))

    def ask(self, *targets: bytes, origin_as: int = LOCAL_AS) -> None:
        self.ask_keys(*[rtc.key(origin_as, one) for one in targets])

    def ask_keys(self, *keys: bytes) -> None:
        self.announce(*keys, family=RTC, payload=b"")

    def leave(self, *targets: bytes, origin_as: int = LOCAL_AS) -> None:
        self.leave_keys(*[rtc.key(origin_as, one) for one in targets])

    def leave_keys(self, *keys: bytes) -> None:
        self.withdraw(*keys, family=RTC)

    def refresh(self, family: int = EVPN) -> None:
        """ROUTE-REFRESH: until all is heard, what is known may come again."""
        self.refreshing = True
        self.room.rib.refresh(self.peer, family)

    # ---- what the neighbour hears

    def hear(self, budget: int = 1 << 30) -> int:
        """Takes messages into the view; returns how many."""
        messages = self.room.rib.take_updates(self.peer, budget)
        assert len(messages) <= budget
        framer = Framer()
        framer.limit = self.limit
        for kind, body in framer.feed(b"".join(messages)):
            assert kind == 2
            self._hear(body)
        assert framer.error is None
        if not self.room.rib.has_updates(self.peer):
            self.refreshing = False
        self.messages += len(messages)
        return len(messages)

    def _hear(self, body: bytes) -> None:
        update = parse(body)
        assert not update.error
        errors: list[str] = []
        if update.end_of_rib:
            self.ended.append(update.end_of_rib)
        if update.unreach:
            for key in FAMILIES[update.unreach_family].split_withdraw(update.unreach, errors):
                del self.view[update.unreach_family, key]  # a withdraw of what was not sent is an error
                self.withdrawn += 1
        if update.reach_family:
            family = update.reach_family
            attributes = decode(
                update.attributes, update.next_hop, internal=self.source.internal, as4=True, family=family
            )
            for key, payload in FAMILIES[family].split(update.reach, errors):
                old, new = self.view.get((family, key)), Held(payload, update.next_hop, attributes)
                if old is not None and not self.refreshing:  # the same again is an error, too
                    assert (*old[:2], old.attributes.raw) != (*new[:2], new.attributes.raw)
                self.view[family, key] = new
                self.announced += 1
        assert not errors

    def holds(self, family: int = EVPN) -> set[bytes]:
        """Hears everything; the keys the neighbour has now."""
        self.hear()
        assert not self.room.rib.has_updates(self.peer)
        assert self.peer.pending == 0
        assert self.peer.sent == len(self.view)
        return {key for one, key in self.view if one == family}

    def held(self, key: bytes, family: int = EVPN) -> Held:
        self.holds(family)
        return self.view[family, key]


def check_indexes(rib: Rib) -> None:
    """What must hold between the table and its indexes whatever happened."""
    for table in rib.tables.values():
        used: set[tuple[bytes, Path]] = set()
        contended = 0
        for key, entry in table.entries.items():
            paths = entry if isinstance(entry, tuple) else (entry,)
            assert len(paths) == len({path.source for path in paths})
            assert not isinstance(entry, tuple) or len(entry) > 1
            contended += isinstance(entry, tuple)
            used |= {(key, path) for path in paths}
        assert contended == table.contended
        assert used == {(key, p) for block in table.blocks for p in block.paths.values() for key in p.keys}
        for block in table.blocks:
            assert block.paths
            assert all(path.keys for path in block.paths.values())
            assert all(block in table.blocks_by_target[one] for one in block.targets)
        for one, blocks in table.blocks_by_target.items():
            assert blocks
            assert all(one in block.targets and block in table.blocks for block in blocks)
        sources = {block.source for block in table.blocks}
        interned = [b for source in sources for b in source.intakes[table.family].all_blocks() if b.paths]
        assert set(interned) == set(table.blocks)


__all__ = ["EVPN", "IPV4_UNICAST", "PAYLOAD", "RTC", "Held", "Room", "Session", "check_indexes", "mac", "target", "vni"]
