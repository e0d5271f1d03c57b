"""Reading: tables, JSON, one-line rows, prefixes, aliases, families."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hornpipe.cli.main import COMMANDS, command
from hornpipe.cli.objects import OBJECTS
from tests.api.fake_engine import entry_row, route_row, vpn_route_row
from tests.api.serving import Serving
from tests.cli.conftest import Ran

Hornpipe = Callable[[str], Ran]


def attach(hornpipe: Hornpipe) -> None:
    ran = hornpipe("attach tap0 instance red vni 100 rt 64512:80 mac 02:00:00:00:00:01 ip 10.1.0.1 ip 2001:db8::1")
    assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_peers_as_a_table(daemon: Serving, hornpipe: Hornpipe) -> None:
    ran = hornpipe("show peers")
    heading, first, second = ran.out.splitlines()
    assert heading.split() == ["PEER", "AS", "STATE", "SINCE", "RECEIVED", "SENT", "FAMILIES", "REASON"]
    assert first.split()[:3] == ["10.0.0.254", "64512", "ESTABLISHED"]
    assert second.endswith("connection refused")
    assert second.index("64512") == first.index("64512")


@pytest.mark.parametrize(
    "line",
    [
        "show peers",
        "peers show",
        "peers",
        "peer",
        "neighbor",
        "neighbors show",
        "sh pe",
        "pe sh",
        "show neigh" + "bour",
    ],
)
def test_many_ways_to_ask_for_peers(daemon: Serving, hornpipe: Hornpipe, line: str) -> None:
    assert [row["peer"] for row in hornpipe(f"-j {line}").json] == ["10.0.0.254", "2001:db8::9"]


@pytest.mark.parametrize("line", ["ro sh", "rib", "show rib", "route list", "sh ro", "routes"])
def test_many_ways_to_ask_for_routes(daemon: Serving, hornpipe: Hornpipe, line: str) -> None:
    daemon.engine.route_rows = [route_row()]
    assert len(hornpipe(f"{line} -j").json) == 1


def test_neigh_is_not_neighbor(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.entry_rows = [entry_row("neigh", "10.1.0.5", device="hp-br100", value="lladdr 02:00:00:00:00:05")]
    assert "lladdr" in hornpipe("neigh").out
    assert "lladdr" in hornpipe("show neigh").out


def test_an_ambiguous_word_names_what_it_could_be(daemon: Serving, hornpipe: Hornpipe) -> None:
    ran = hornpipe("r")
    assert ran.status == 1
    assert "'r' could be replay, routes, rr" in ran.err


def test_an_unknown_word_is_usage(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert hornpipe("shwo").status == 1
    assert hornpipe("show peerz").status == 1
    assert hornpipe("peer frobnicate").status == 1


def test_json_is_compact_or_pretty(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert "\n" not in hornpipe("-j show peers").out.rstrip("\n")
    pretty = hornpipe("show -j -p peers").out
    assert pretty.startswith("[\n")
    assert json.loads(pretty)[0]["since"].endswith("Z")


def test_oneline(daemon: Serving, hornpipe: Hornpipe) -> None:
    first, second = hornpipe("-o peers").out.splitlines()
    assert first.startswith("peer 10.0.0.254 remote_as 64512")
    assert "families l2vpn-evpn,rtc" in first
    assert "reason connection refused" in second


def test_one_peer_is_a_paragraph(daemon: Serving, hornpipe: Hornpipe) -> None:
    lines = dict(line.split(maxsplit=1) for line in hornpipe("show peers 10.0.0.254").out.splitlines() if "  " in line)
    assert lines["state"] == "ESTABLISHED"
    assert hornpipe("peer 10.0.0.254").out == hornpipe("show peers 10.0.0.254").out
    ran = hornpipe("show peers 10.9.9.9")
    assert ran.status == 1
    assert "no peer 10.9.9.9" in ran.err


def test_families(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert [row["peer"] for row in hornpipe("-4 -j peers").json] == ["10.0.0.254"]
    assert [row["peer"] for row in hornpipe("-j -6 peers").json] == ["2001:db8::9"]
    daemon.engine.route_rows = [route_row(), route_row(ip="2001:db8::5"), route_row(ip="")]
    assert len(hornpipe("-j routes").json) == 3
    assert [row["ip"] for row in hornpipe("-j -6 routes").json] == ["2001:db8::5"]


def test_routes_are_narrowed_with_and_without_dashes(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.route_rows = [route_row(), route_row("02:00:00:00:00:06", "10.1.0.6", best=False)]
    for line in ("routes mac 02:00:00:00:00:06", "show routes --mac 02:00:00:00:00:06", "ro best false"):
        ran = hornpipe(line)
        assert len(ran.out.splitlines()) == 2, line
        assert "[mac:02:00:00:00:00:06]" in ran.out
    assert "*>" in hornpipe("routes best true").out
    assert hornpipe("routes type nonsense").status == 1


def test_why_a_route_is_not_used(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.route_rows = [route_row()]
    assert "WHY NOT" not in hornpipe("routes").out, "all is as it should be"
    daemon.engine.route_rows += [
        route_row(best=False, reason="longer AS path"),
        vpn_route_row(imported_by=(), not_imported={"blue": "no common encapsulation", "green": "own next hop"}),
    ]
    heading, _, second, third = hornpipe("routes").out.splitlines()
    assert "IMPORTED BY" in heading
    assert second.endswith("red          longer AS path")
    assert third.endswith("blue: no common encapsulation; green: own next hop")


def test_forwarding(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.entry_rows = [entry_row(), entry_row("flood", "10.0.0.2", "error", reason="no such device")]
    assert "dst 10.0.0.2" in hornpipe("show fdb").out
    assert "STATUS" not in hornpipe("show fdb").out, "all is as it should be"
    assert hornpipe("show flood status error").out.split()[-5:] == ["red", "error", "no", "such", "device"]
    assert len(hornpipe("forwarding").out.splitlines()) == 3
    assert hornpipe("show fdb instance blue").out == ""


def test_ports_and_instances(daemon: Serving, hornpipe: Hornpipe) -> None:
    attach(hornpipe)
    assert "02:00:00:00:00:01 10.1.0.1,2001:db8::1" in hornpipe("ports").out
    assert "interface" in hornpipe("show ports tap0").out
    assert hornpipe("show ports tap9").status == 1
    row = hornpipe("show instances").out.splitlines()[1].split()
    assert row[:3] == ["red", "evpn", "100"]
    assert "import rts" in hornpipe("instance red").out
    assert [row["name"] for row in hornpipe("-j show sources").json] == ["api"]
    assert "tap0" in hornpipe("source show api").out


def test_status(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.ready = False
    text = hornpipe("show").out
    assert text == hornpipe("status").out == hornpipe("show status").out
    assert ["peers-synced", "closed", "waits", "for", "10.0.0.254"] in [line.split() for line in text.splitlines()]
    assert "entries" in text
    assert hornpipe("-j status").json["gates"][0]["open"] is False


def test_what_the_kernel_lacks(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert "missing" not in hornpipe("status").out
    daemon.engine.missing = ("vrf: module vrf (CONFIG_NET_VRF)", "mpls: module mpls_router (CONFIG_MPLS_ROUTING)")
    lines = [line.split(maxsplit=1) for line in hornpipe("show status").out.splitlines()]
    assert ["vrf", "module vrf (CONFIG_NET_VRF)"] in lines
    assert ["mpls", "module mpls_router (CONFIG_MPLS_ROUTING)"] in lines
    assert hornpipe("-j status").json["missing_features"][0] == "vrf: module vrf (CONFIG_NET_VRF)"


def test_routed_instances(daemon: Serving, hornpipe: Hornpipe) -> None:
    attach(hornpipe)
    assert hornpipe("instance add blue type ipvpn rt 64512:90").status == 0
    heading, *rows = (line.split() for line in hornpipe("show instances").out.splitlines())
    assert heading[:5] == ["NAME", "TYPE", "VRF", "VNI", "LABEL"]
    assert rows[1][:4] == ["blue", "ipvpn", "hp-vrf2", "1002"]
    daemon.engine.route_rows = [vpn_route_row(), route_row()]
    heading, row = hornpipe("routes family vpnv4").out.splitlines()
    assert "10.0.0.2:7:10.2.0.0/24" in row
    assert len(hornpipe("routes ip 10.2.0.0/24").out.splitlines()) == 2
    daemon.engine.entry_rows = [
        entry_row("route", "10.2.0.0/24", device="hp-vrf2", value="via 10.0.0.2 dev hp-gre encap mpls 300"),
        entry_row("tunnel", "hp-gre", device="hp-gre", value="gre local 10.0.0.1 remote any"),
    ]
    heading, row = hornpipe("fib").out.splitlines()
    assert row.split()[:5] == ["10.2.0.0/24", "hp-vrf2", "via", "10.0.0.2", "dev"]
    assert len(hornpipe("forwarding kind tunnel").out.splitlines()) == 2


def test_events(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.happen("peer.up", "10.0.0.254")
    daemon.engine.happen("port.up", "tap0")
    assert [row["kind"] for row in hornpipe("-j events").json] == ["peer.up", "port.up"]
    assert [row["kind"] for row in hornpipe("-j events since 1").json] == ["port.up"]


def test_colour(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert "\033[32mESTABLISHED" in hornpipe("-c peers").out
    assert "\033[33mACTIVE" in hornpipe("--color=always peers").out
    assert "\033" not in hornpipe("-c=never peers").out
    assert hornpipe("peers --color=green").status == 1
    assert "\033" not in hornpipe("peers").out, "not a terminal"


def test_without_a_daemon(hornpipe: Hornpipe, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HORNPIPE_API", raising=False)
    monkeypatch.setenv("HORNPIPE_RUNTIME_DIR", str(tmp_path))
    ran = hornpipe("show peers")
    assert ran.status == 2
    assert f"{tmp_path}/hornpipe.sock: No such file or directory" in ran.err
    assert hornpipe("-S http://127.0.0.1:1 show peers").status == 2


def test_another_daemon_by_option(daemon: Serving, hornpipe: Hornpipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HORNPIPE_RUNTIME_DIR", "/nonexistent")
    assert hornpipe(f"-S http://127.0.0.1:{daemon.tcp} peers").status == 0
    assert hornpipe(f"peers show --socket {daemon.socket}").status == 0


def test_help_and_version(hornpipe: Hornpipe) -> None:
    assert "attach a port to a VPN instance" in hornpipe("").out
    assert hornpipe("--help").status == 0
    assert "instance" in hornpipe("attach --help").out
    assert "BGP sessions" in hornpipe("show --help").out
    assert hornpipe("-V").out.startswith("hornpipe ")
    assert "end a session" in hornpipe("peer --help").out


def test_every_command_loads() -> None:
    root = command()
    import click

    ctx = click.Context(root)
    for name in COMMANDS:
        made = root.get_command(ctx, name)
        assert made is not None
        for verb in getattr(made, "entries", {}):
            below = made.get_command(ctx, verb)  # type: ignore[attr-defined]
            assert below is not None
            assert below.help


def test_every_object_is_a_command() -> None:
    assert {item.name for item in OBJECTS} <= set(COMMANDS)
