"""What others do to the kernel, and what it does by itself, each a row of docs/reliability.md (`./dev reliability`)."""

from __future__ import annotations

import json
import signal
import time

import pytest

from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import wire
from tests.lab.overlay import VNI, Workload, make_pair
from tests.lab.test_faults import announce, far_entries, fresh, with_speaker
from tests.lab.trial import Trial

pytestmark = pytest.mark.netns

BRIDGE, VXLAN = f"hp-br{VNI}", f"hp-vx{VNI}"


def test_ageing(site: Site) -> None:
    """A station that says nothing for long is where its caller attached it, until it is detached."""
    _, (one, two) = make_pair(site, "hornpipe")
    host = one.node.host
    host.shell("ip netns add quiet; ip netns exec quiet sysctl -qw net.ipv6.conf.default.disable_ipv6=1")
    one.node.hornpipe("attach --netns quiet instance red ip 10.1.0.9/24 mac 02:00:00:00:00:09 wait")
    host.shell(f"ip link set {BRIDGE} type bridge ageing_time 100")
    trial = Trial("FDB ageing at 1 s, a station silent for 5 s", one, two)
    time.sleep(5)
    assert two.node.rows("/v1/routes", mac="02:00:00:00:00:09")
    trial.begins()
    trial.repaired("it is reached", lambda: two.node.host.ping("10.1.0.9", netns=two.name))
    trial.end().untouched()
    one.node.hornpipe("detach --netns quiet")
    until("it has gone", lambda: not two.node.rows("/v1/routes", mac="02:00:00:00:00:09"))


LOCAL_MACS = 300_000


def test_overflow(site: Site) -> None:
    """The daemon hears nothing for a while: 300 000 MACs come meanwhile, and entries of ours go."""
    one, connect = with_speaker(site)
    host = one.node.host
    host.ip("netns add lan\nlink add trunk type veth peer name eth0 netns lan\nlink set trunk up")
    host.ip("link set eth0 up", netns="lan")  # a port without carrier takes no entries
    one.node.hornpipe("attach trunk instance red learn wait")
    speaker = connect()
    announce(speaker, range(100))
    speaker.send(wire.unreach(wire.EVPN))
    until("all entries", lambda: far_entries(one) == 100)
    own = len(speaker.expect_routes(3))
    trial = Trial("netlink overflow: 300 000 local MACs and 100 deleted entries unheard", one, flood=False)
    one.node.process.signal(signal.SIGSTOP)
    names = (bytes((2, 1, 0)) + number.to_bytes(3, "big") for number in range(LOCAL_MACS))
    host.bridge("\n".join(f"fdb add {name.hex(':')} dev trunk master dynamic" for name in names))
    host.shell(f"bridge fdb flush dev {VXLAN} self")
    trial.begins()
    one.node.process.signal(signal.SIGCONT)
    speaker.expect_routes(LOCAL_MACS, limit=120)
    trial.repaired("entries are back", lambda: far_entries(one) == 100)
    trial.end()
    assert metric(one, "hornpipe_kernel_resyncs_total") >= 1
    rows = one.node.status()
    assert rows["routes_local"] >= LOCAL_MACS + own
    speaker.close()


def metric(workload: Workload, name: str) -> float:
    with workload.node.client() as client:
        text = client.request("GET", "/metrics").body.decode()
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))


LINKS = {
    "uplink down for 1 s": ("ip link set u0 down", "ip link set u0 up", "h2"),
    "carrier of the uplink lost for 1 s": ("ip link set to-h2 down", "ip link set to-h2 up", "switch"),
    "bridge down for 1 s": (f"ip link set {BRIDGE} down", f"ip link set {BRIDGE} up", "h2"),
}


@pytest.mark.parametrize("fault", LINKS)
def test_link_bounce(site: Site, fault: str) -> None:
    _, (one, two) = make_pair(site, "hornpipe")
    down, up, where = LINKS[fault]
    host = site.switch if where == "switch" else site[where]
    trial = Trial(fault, one, two)
    for _ in range(3):
        host.shell(down)
        time.sleep(1)
        trial.begins()
        host.shell(up)
        trial.repaired("packets flow", lambda: two.node.host.ping(one.v4, netns=two.name))
    trial.end()


VM = "02:00:00:00:00:08"


def plug_in(workload: Workload, name: str) -> None:
    """A virtual machine's tap, as a veth pair, in the workload's instance."""
    host = workload.node.host
    host.ip(f"link add {name} type veth peer name eth0 address {VM} netns vm\nlink set {name} up")
    host.ip("link set eth0 up\naddr add 10.1.0.8/24 dev eth0", netns="vm")


def test_made_again(site: Site) -> None:
    """A tap that goes and comes again with another index, as at a reboot of its machine."""
    _, (one, two) = make_pair(site, "hornpipe")
    one.node.host.ip("netns add vm")
    plug_in(one, "tap8")
    one.node.hornpipe(f"attach tap8 instance red ip 10.1.0.8/24 mac {VM} wait")
    two_reaches = lambda: two.node.host.ping("10.1.0.8", netns=two.name)  # noqa: E731
    until("it is reached", two_reaches)
    trial = Trial("a port's interface deleted and made again, another index", one, two)
    for _ in range(3):
        one.node.host.ip("link del tap8")
        until("it is known", lambda: port_state(one, "tap8") != "up")
        trial.begins()
        plug_in(one, "tap8")
        trial.repaired("it is reached", two_reaches)
    assert trial.end().lost == 0


def test_renamed(site: Site) -> None:
    """The port is where the name is."""
    _, (one, two) = make_pair(site, "hornpipe")
    one.node.host.ip("netns add vm")
    plug_in(one, "tap8")
    one.node.hornpipe(f"attach tap8 instance red ip 10.1.0.8/24 mac {VM} wait")
    two_reaches = lambda: two.node.host.ping("10.1.0.8", netns=two.name)  # noqa: E731
    until("it is reached", two_reaches)
    trial = Trial("a port's interface renamed, and back", one, two)
    for _ in range(3):
        one.node.host.shell("ip link set tap8 down; ip link set tap8 name other up")
        until("it is known", lambda: port_state(one, "tap8") != "up")
        trial.begins()
        one.node.host.shell("ip link set other down; ip link set other name tap8 up")
        trial.repaired("it is reached", two_reaches)
    trial.end()
    assert trial.lost == 0


def port_state(workload: Workload, name: str) -> str:
    (row,) = (row for row in workload.node.rows("/v1/ports") if row["name"] == name)
    return str(row["state"])


@pytest.mark.parametrize("device", [BRIDGE, VXLAN])
def test_our_device_renamed(site: Site, device: str) -> None:
    _, (one, two) = make_pair(site, "hornpipe")
    kind = "bridge" if device == BRIDGE else "VXLAN device"
    trial = Trial(f"our {kind} renamed by hand", one, two)

    def is_right() -> bool:
        links = two.node.host.run("ip", "link", "show", device, check=False)
        return links.returncode == 0 and two.node.host.ping(one.v4, netns=two.name)

    for number in range(3):
        trial.begins()
        two.node.host.shell(f"ip link set {device} down; ip link set {device} name other{number} up")
        trial.repaired("it has its name", is_right)
    trial.end()
    assert "other" not in two.node.host.shell("ls /sys/class/net")


def test_full_disk(site: Site) -> None:
    """What was put by serves changes on a full disk; without it they are refused beforehand, until there is room."""
    _, (one, two) = make_pair(site, "hornpipe")
    host, directory = two.node.host, two.node.runtime_dir
    assert two.node.stop() == 0
    host.shell(
        f"cp {directory}/intent.json /run/kept; mount -t tmpfs -o size=256k none {directory}; "
        f"cp /run/kept {directory}/intent.json"
    )
    two.node.start()
    until("fresh", fresh(one, two))
    assert change(two, "first") == 200
    trial = Trial("disk full while the intent is written", one, two)
    for number in range(3):
        host.shell(f"cat /dev/zero >{directory}/filler 2>/dev/null || true")
        assert [change(two, f"full{number}") for _ in range(5)] == [200] * 5
        host.shell(f"rm {directory}/intent.spare; cat /dev/zero >>{directory}/filler 2>/dev/null || true")
        until("a change is refused", lambda: change(two, "more") == 507)
        before = two.node.rows("/v1/ports")
        assert change(two, "still-more") == 507
        assert two.node.rows("/v1/ports") == before
        until("there is an alarm", lambda: alarms(two))
        trial.begins()
        host.shell(f"rm {directory}/filler")
        trial.repaired("changes are taken, no alarm", lambda: change(two, "after") == 200 and not alarms(two))
    two.node.kill()
    two.node.start()
    assert {"full2", "after"} <= {row["name"] for row in two.node.rows("/v1/ports")}
    until("fresh", fresh(one, two))
    trial.end().untouched()


def change(workload: Workload, name: str) -> int:
    """Attaches an interface that is not there; the HTTP status. Each time another MAC, so that it is a change."""
    mac = (0x020000000000 | time.monotonic_ns() >> 16 & 0xFFFFFFFF).to_bytes(6, "big").hex(":")
    body = json.dumps({"instance": "red", "interface": name, "mac": mac}).encode()
    with workload.node.client() as client:
        return client.request("PUT", f"/v1/ports/{name}", body).status


def alarms(workload: Workload) -> list[str]:
    return [str(alarm) for alarm in workload.node.status()["alarms"]]
