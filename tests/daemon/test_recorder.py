"""A record is a ring of files, any of which can be where a replay begins, and the replay ends bit for bit the same."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.update import pack_unreach
from hornpipe.daemon import checkpoint
from hornpipe.daemon.recorder import INPUTS, RecordingEngine, recording, segments
from hornpipe.daemon.replay import NotARecord, digest, rebuild, report
from hornpipe.engine.engine import Engine
from hornpipe.engine.settings import ClientRange, Reflector, Settings
from hornpipe.sim.fleet import Fleet, peer_of, settings_of
from hornpipe.sim.host import Host
from hornpipe.vpn.spec import InstanceSpec
from tests.rib.room import mac

RED = InstanceSpec(name="red", vni=100, import_rts=("64512:1",), export_rts=("64512:1",))
SECRET = "correct horse battery staple"
CLIENTS = Reflector(clients=(ClientRange(prefix="10.0.0.0/24", password=SECRET),))


class Recorded(Host):
    """A host whose engine records."""

    def __init__(self, settings: Settings, path: Path, limit: int = 1 << 24) -> None:
        super().__init__(settings)
        self.path, self.limit = path, limit

    def make(self, now: float) -> Engine:
        return recording(self.settings, now, "test", str(self.path), self.limit)

    def turn(self, now: float) -> None:
        super().turn(now)
        if isinstance(self.engine, RecordingEngine):
            self.engine.flush_record()

    def end(self) -> Engine:
        engine = self.running
        assert isinstance(engine, RecordingEngine)
        engine.record.finish(digest(engine))
        return engine


def fleet_of(path: Path, limit: int = 1 << 24) -> tuple[Fleet, Recorded, list[Host]]:
    """A recording reflector and two hosts."""
    fleet = Fleet()
    reflector = Recorded(settings_of("10.0.0.9", reflector=CLIENTS), path, limit)
    fleet.add(reflector)
    hosts = [Host(settings_of(f"10.0.0.{number}", ("10.0.0.9",)), number) for number in (1, 2)]
    for host in hosts:
        fleet.add(host)
    return fleet, reflector, hosts


def attach(fleet: Fleet, host: Host, number: int) -> None:
    host.attach(fleet.now, f"tap{number}", RED, f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}")


STEPS: dict[str, Callable[[Fleet, list[Host], int], None]] = {
    "attach": lambda fleet, hosts, n: attach(fleet, hosts[n % 2], n),
    "detach": lambda fleet, hosts, n: _detach(fleet, hosts[n % 2]),
    "reset": lambda fleet, hosts, n: fleet.network.reset("10.0.0.9", hosts[n % 2].address),
    "kill": lambda fleet, hosts, n: _restart(fleet, hosts[n % 2]),
    "cut": lambda fleet, hosts, n: fleet.network.cut("10.0.0.9", hosts[n % 2].address),
    "heal": lambda fleet, hosts, n: fleet.network.heal("10.0.0.9", hosts[n % 2].address),
    "wait": lambda fleet, hosts, n: fleet.run(float(n)),
}


def _detach(fleet: Fleet, host: Host) -> None:
    for row in host.running.ports()[:1]:
        host.detach(fleet.now, row.name)


def _restart(fleet: Fleet, host: Host) -> None:
    fleet.kill(host)
    fleet.run(1.0)
    fleet.start(host)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 200)), max_size=25))
def test_any_history_replays_to_the_same_tables(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("record") / "record"
    fleet, reflector, hosts = fleet_of(path, limit=64 << 10)
    for step, number in history:
        STEPS[step](fleet, hosts, number)
        fleet.run(0.1)
    live = reflector.end()
    whole = rebuild(str(path))
    assert whole.same is True
    assert [msgspec.to_builtins(row) for row in whole.engine.routes()] == [
        msgspec.to_builtins(row) for row in live.routes()
    ]
    for file in segments(str(path)):
        assert rebuild(str(file)).same is True


def test_the_ring_keeps_its_limit_and_its_end(tmp_path: Path) -> None:
    path, limit = tmp_path / "record", 200_000
    fleet, reflector, hosts = fleet_of(path, limit)
    for number in range(300):
        attach(fleet, hosts[0], number)
        fleet.run(2.0)
    live = reflector.end()
    files = segments(str(path))
    assert len(files) > 2
    assert files[0].name != "record.000001"  # the oldest have gone
    assert sum(file.stat().st_size for file in files) <= limit * 1.2
    replayed = rebuild(str(path))
    assert replayed.same is True
    assert len(list(replayed.engine.routes())) == len(list(live.routes())) > 100
    assert "tables as they were then" in report(replayed)


def test_a_gap_or_a_change_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "record"
    fleet, reflector, hosts = fleet_of(path)
    attach(fleet, hosts[0], 1)
    fleet.run(5.0)
    reflector.end()
    assert rebuild(str(path)).same is True
    (file,) = segments(str(path))
    data = file.read_bytes()
    file.write_bytes(data.replace(b"\x02\x00\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x09"))
    assert rebuild(str(path)).same is False
    file.write_bytes(data[:-30])
    assert rebuild(str(path)).end == "torn"
    with pytest.raises(NotARecord, match="no such record"):
        rebuild(str(tmp_path / "other"))


def test_a_throttled_peer_is_in_it(tmp_path: Path) -> None:
    """What was read, and when, is all there is to it."""
    path = tmp_path / "record"
    fleet = Fleet()
    clients = ClientRange(prefix="10.0.0.0/24", update_limit=1000)
    reflector = Recorded(settings_of("10.0.0.9", reflector=Reflector(clients=(clients,))), path)
    fleet.add(reflector)
    peer = fleet.inject("10.0.0.2", "10.0.0.9")
    fleet.run(2.0)
    for number in range(1, 40):
        keys = [FAMILIES[EVPN].join_withdraw(mac(each)) for each in range(100 * number % 1999)]
        peer.say(pack_unreach(EVPN, keys, 4096))
        fleet.run(number % 7 / 10)
    fleet.run(60.0)
    live = reflector.end()
    assert [row.throttled > 10 for row in live.peers()] == [True]
    replayed = rebuild(str(path))
    assert replayed.same is True
    assert replayed.engine.peers() == live.peers()
    assert replayed.engine.events() == live.events()


def test_what_the_kernel_showed_of_a_lost_intent_is_in_it(tmp_path: Path) -> None:
    """The kernel itself is not recorded, so the numbers that it gave have to be."""
    path = tmp_path / "record"
    host = Recorded(settings_of("10.0.0.1"), path)
    for number, name in ((16, "blue"), (17, "red")):
        host.kernel.add_link(f"hp-br{number}", "bridge", alias=f"hornpipe:{name}")
    host.stored = b"{ torn"
    host.start(5.0)
    auto = msgspec.structs.replace(RED, vni=None)
    host.attach(6.0, "tap0", auto, "02:00:00:00:00:01")
    host.turn(6.0)
    assert [row.vni for row in host.end().instances()] == [17]
    replayed = rebuild(str(path))
    assert replayed.same is True
    assert [row.vni for row in replayed.engine.instances()] == [17]


def test_no_secret_is_written(tmp_path: Path) -> None:
    path = tmp_path / "record"
    fleet, reflector, hosts = fleet_of(path, limit=128 << 10)
    with_peer = msgspec.structs.replace(
        reflector.settings, peers=(peer_of("10.0.0.8", "10.0.0.9", password=SECRET, passive=True),)
    )
    reflector.running.configure(with_peer, fleet.now)
    for number in range(60):
        attach(fleet, hosts[0], number)
        fleet.run(1.0)
    changed = msgspec.structs.replace(
        with_peer, peers=(peer_of("10.0.0.8", "10.0.0.9", password="another", passive=True),)
    )
    assert reflector.running.configure(changed, fleet.now) == ["peer 10.0.0.8"]
    assert reflector.running.configure(changed, fleet.now) == []
    reflector.end()
    assert len(segments(str(path))) > 1
    for file in segments(str(path)):
        assert SECRET.encode() not in file.read_bytes()
        assert rebuild(str(file)).same is True  # that the password changed is known, what it is is not


def test_an_engine_with_everything_in_it_fits_a_checkpoint(tmp_path: Path) -> None:
    """Whoever puts a closure into the engine is told here."""
    fleet, reflector, hosts = fleet_of(tmp_path / "record")
    for number in range(4):
        attach(fleet, hosts[number % 2], number)
    fleet.run(5.0)
    reflector.end()
    engine = hosts[0].running
    again = checkpoint.read(checkpoint.write(engine, vars(engine), b"salt"))
    assert digest(again) == digest(engine)
    assert list(again.routes()) == list(engine.routes())
    again.detach("sim", "tap0", fleet.now)  # it is alive
    assert [row.name for row in again.ports()] == ["tap2"]


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("owned",))


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Evil()),
        pickle.dumps(Path("/")),
        b"cos\nsystem\n(S'true'\ntR.",
        b"chornpipe.daemon.flush\nflush\n.",
        b"chornpipe.engine.engine\nrandom.system\n.",
        b"",
        b"\x80\x05]\x94.",
    ],
)
def test_a_checkpoint_of_somebody_else_can_do_nothing(data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(checkpoint.Impossible):
        checkpoint.read(data)
    assert capsys.readouterr().out == ""


def test_every_input_of_the_engine_is_recorded() -> None:
    """A public method that takes the time changes something, so it is an input."""
    import inspect

    takers = {
        name
        for name, method in inspect.getmembers(Engine, inspect.isfunction)
        if not name.startswith("_") and "now" in inspect.signature(method).parameters
    }
    assert takers <= set(INPUTS)
