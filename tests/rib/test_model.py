"""Any sequence of events: every peer and every importer ends with exactly what the naive model says.

Peers and importers take their updates at any time and in small pieces, so keys are dirty while the rest changes.
Withdrawals of what was never sent fail in `Session._hear`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hornpipe.bgp.attr.block import build
from hornpipe.bgp.attr.community import NO_ADVERTISE, NO_EXPORT
from hornpipe.bgp.attr.extended import mac_mobility
from tests.rib.model import LOCAL, Heard, Model, Neighbour, Said
from tests.rib.room import EVPN, LOCAL_AS, RTC, US, Held, Room, Session, check_indexes, mac, target, vni

SCOPES = {"no-export": (NO_EXPORT,), "no-advertise": (NO_ADVERTISE,), "": ()}
TARGETS = [target(number) for number in range(1, 4)]
KEYS = [mac(number) for number in range(2)]
NUMBERS = [1, 2, 3, 4, 5]
IMPORTERS = [1, 2]
MULTIPATH = 2
"""The importer that wants to know of equal paths."""
WHOLE = [(64, int.from_bytes(one, "big")) for one in TARGETS]
PREFIXES = [*WHOLE, (62, WHOLE[0][1] >> 2 << 2), (63, WHOLE[1][1] >> 1 << 1), (16, 0x0002 << 48), (0, 0)]

numbers = st.sampled_from(NUMBERS)
keys = st.sampled_from(KEYS)
target_sets = st.sampled_from([(), (TARGETS[0],), (TARGETS[1],), (TARGETS[0], TARGETS[2])])


def rarely(*values: object) -> st.SearchStrategy[object]:
    """The first value mostly, so that routes differ in little and the later steps of the selection are reached."""
    return st.sampled_from([values[0]] * 5 + list(values[1:]))


saids = st.builds(
    Said,
    payload=rarely(vni(100), vni(200)),
    next_hop=rarely(bytes((10, 9, 9, 1)), bytes((10, 9, 9, 2))),
    targets=target_sets,
    local_pref=rarely(100, 200),
    as_path=rarely((), (65001,), (65002,), (65001, 65003)),
    med=rarely(None, 0, 5),
    sequence=rarely(0, 1),
    scope=rarely("", "no-export", "no-advertise"),
    originator=rarely(None, bytes((10, 0, 0, 3)), bytes((1, 1, 1, 1))),
    loop=rarely(False, False, True),
)


class Machine(RuleBasedStateMachine):
    @initialize(reflector=rarely(True, False))
    def start(self, reflector: bool) -> None:
        self.room = Room(reflector)
        neighbours = [
            Neighbour(1, internal=True, client=True, rtc=False),
            Neighbour(2, internal=True, client=True, rtc=True),
            Neighbour(3, internal=True, client=False, rtc=False),
            Neighbour(4, internal=False, client=False, rtc=False),
            Neighbour(5, internal=True, client=False, rtc=True),
        ]
        self.model = Model(reflector, neighbours)
        self.sessions = {
            one.number: Session(
                self.room,
                one.number,
                client=one.client,
                rtc=one.rtc,
                remote_as=LOCAL_AS if one.internal else 65001,
            )
            for one in neighbours
        }
        self.targets: dict[int, frozenset[bytes]] = {one: frozenset() for one in IMPORTERS}
        self.imported: dict[int, dict[bytes, Said]] = {one: {} for one in IMPORTERS}
        self.equal: dict[bytes, set[tuple[bytes, bytes]]] = {}
        for one in IMPORTERS:
            self.room.rib.set_imports(one, EVPN, frozenset(), multipath=one == MULTIPATH)
        for number in NUMBERS[:3]:
            self.up(number)

    # ---- what happens

    @rule(number=numbers, key=keys, said=saids)
    def announce(self, number: int, key: bytes, said: Said) -> None:
        if not self.sessions[number].established:
            return
        if not self.sessions[number].source.internal:
            said = said._replace(as_path=said.as_path or (65001,), originator=None)
        self.say(number, key, said)

    @rule(number=numbers, of=numbers, key=keys, said=saids, other=rarely(None, 50))
    def lose_what_a_reflector_repeats(self, number: int, of: int, key: bytes, said: Said, other: int | None) -> None:
        """A neighbour of ours is one of another reflector, too, which says the same or nearly so; it is lost."""
        reflector, lost = self.sessions[number], self.sessions[of]
        if not reflector.established or not reflector.source.internal or not lost.established or number == of:
            return
        said = said._replace(loop=False, local_pref=100)
        if not lost.source.internal:
            said = said._replace(as_path=said.as_path or (65001,), originator=None)
        self.say(of, key, said)
        self.say(number, key, said._replace(originator=lost.address if lost.source.internal else None))
        if other is not None:
            self.say(number, key, said._replace(local_pref=other))
        self.down(of, 30.0)

    def say(self, number: int, key: bytes, said: Said) -> None:
        session = self.sessions[number]
        session.announce(
            key,
            targets=said.targets,
            payload=said.payload,
            next_hop=said.next_hop,
            as_path=path_of(said),
            med=said.med,
            communities=SCOPES[said.scope],
            ext_communities=(mac_mobility(said.sequence),) if said.sequence else (),
            originator_id=said.originator,
            **({"local_pref": said.local_pref} if session.source.internal else {}),
        )
        self.model.announce(number, key, said)

    @rule(key=keys, said=saids)
    def announce_own(self, key: bytes, said: Said) -> None:
        said = said._replace(loop=False, originator=None, as_path=())
        block = build(
            local_pref=said.local_pref,
            med=said.med,
            communities=SCOPES[said.scope],
            ext_communities=(*said.targets, *([mac_mobility(said.sequence)] if said.sequence else [])),
        )
        self.room.rib.announce(EVPN, key, said.payload, block, said.next_hop)
        self.model.announce(LOCAL, key, said)

    @rule(number=st.sampled_from([LOCAL, *NUMBERS]), key=keys)
    def withdraw(self, number: int, key: bytes) -> None:
        if number == LOCAL:
            self.room.withdraw(key)
        elif self.sessions[number].established:
            self.sessions[number].withdraw(key)
        else:
            return
        self.model.withdraw(number, key)

    @rule(number=numbers)
    def up(self, number: int) -> None:
        if not self.sessions[number].established:
            self.sessions[number].up()
            self.model.neighbours[number].up = True

    @rule(number=numbers, keep=st.sampled_from([None, 30.0, 60.0]))
    def down(self, number: int, keep: float | None) -> None:
        if self.sessions[number].established:
            self.sessions[number].down(keep)
            self.model.down(number, None if keep is None else self.room.now + keep)

    @rule(number=numbers, family=st.sampled_from([EVPN, RTC]))
    def end_of_rib(self, number: int, family: int) -> None:
        session = self.sessions[number]
        if session.established:
            session.end(family)
            if family == EVPN:
                self.model.end_of_rib(number)

    @rule(number=st.sampled_from([2, 5]), prefix=st.sampled_from(PREFIXES))
    def ask(self, number: int, prefix: tuple[int, int]) -> None:
        if self.sessions[number].established:
            self.sessions[number].ask_keys(nlri(prefix))
            self.model.neighbours[number].asked.add(prefix)

    @rule(number=st.sampled_from([2, 5]), prefix=st.sampled_from(PREFIXES))
    def leave(self, number: int, prefix: tuple[int, int]) -> None:
        if self.sessions[number].established:
            self.sessions[number].leave_keys(nlri(prefix))
            self.model.neighbours[number].asked.discard(prefix)

    @rule(importer=st.sampled_from(IMPORTERS), wanted=st.frozensets(st.sampled_from(TARGETS)))
    def set_imports(self, importer: int, wanted: frozenset[bytes]) -> None:
        self.room.rib.set_imports(importer, EVPN, wanted)
        self.targets[importer] = wanted

    @rule(seconds=st.sampled_from([1.0, 31.0]))
    def time_passes(self, seconds: float) -> None:
        self.room.pass_time(seconds)
        self.model.expire(self.room.now)

    # ---- what is taken, now or later

    @rule(number=numbers, budget=st.sampled_from([1, 2, 100]))
    def hear(self, number: int, budget: int) -> None:
        if self.sessions[number].established:
            self.sessions[number].hear(budget)

    @rule(number=numbers)
    def refresh(self, number: int) -> None:
        if self.sessions[number].established:
            self.sessions[number].refresh()

    @rule(budget=st.sampled_from([1, 100]))
    def take_imports(self, budget: int) -> None:
        for importer, family, key in self.room.rib.take_imports(budget):
            path = self.room.rib.imported(importer, family, key)
            if path is None:
                self.imported[importer].pop(key, None)
            else:
                self.imported[importer][key] = Said(path.payload, path.next_hop, path.attributes.route_targets)
            if importer == MULTIPATH:
                self.equal[key] = {(one.next_hop, one.payload) for one in self.room.rib.equal(family, key)}

    # ---- what must hold

    @rule()
    def everybody_has_what_the_model_says(self) -> None:
        for number, session in self.sessions.items():
            if session.established:
                session.holds()
                heard = {key: as_heard(held) for (family, key), held in session.view.items() if family == EVPN}
                assert heard == self.model.view(number)
        self.take_imports(1 << 30)
        for importer, targets in self.targets.items():
            wanted = self.model.imports(targets)
            assert self.imported[importer] == {key: Said(*said[:3]) for key, said in wanted.items()}
            assert set(self.room.rib.matching(importer, EVPN)) == set(wanted)
        for key in self.imported[MULTIPATH]:
            assert self.equal[key] == {(one.said.next_hop, one.said.payload) for one in self.model.equal(key)}

    @invariant()
    def indexes_agree(self) -> None:
        if hasattr(self, "room"):
            check_indexes(self.room.rib)

    def teardown(self) -> None:
        if hasattr(self, "room"):
            self.everybody_has_what_the_model_says()


def nlri(prefix: tuple[int, int]) -> bytes:
    bits, value = prefix
    if not bits:
        return b"\0"
    return bytes((32 + bits,)) + LOCAL_AS.to_bytes(4, "big") + value.to_bytes(8, "big")[: (bits + 7) // 8]


def path_of(said: Said) -> tuple[tuple[int, tuple[int, ...]], ...]:
    numbers = (*said.as_path, LOCAL_AS) if said.loop else said.as_path
    return ((2, numbers),) if numbers else ()


def as_heard(held: Held) -> Heard:
    attributes = held.attributes
    assert all(cluster == US for cluster in attributes.cluster_list)
    return Heard(
        held.payload,
        held.next_hop,
        attributes.route_targets,
        attributes.local_pref,
        attributes.as_path[0][1] if attributes.as_path else (),
        attributes.med,
        attributes.originator_id,
        len(attributes.cluster_list),
    )


TestModel = Machine.TestCase
TestModel.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
