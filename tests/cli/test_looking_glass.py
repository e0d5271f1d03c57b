"""bagpipe-looking-glass: the tree as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hornpipe.cli import looking_glass
from tests.api.fake_engine import route_row
from tests.api.serving import Serving


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path) as serving:
        serving.engine.route_rows = [route_row()]
        yield serving


def look(daemon: Serving, line: str, capsys: pytest.CaptureFixture[str]) -> str:
    looking_glass.main(["--port", str(daemon.bagpipe), *line.split()])
    return capsys.readouterr().out


def test_a_leaf_is_its_value(daemon: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert look(daemon, "summary BGP_established_peers", capsys) == "1\n"
    assert look(daemon, "summary version", capsys) == "1.2.3\n"


def test_a_tree_is_indented(daemon: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    lines = look(daemon, "", capsys).splitlines()
    assert lines[0] == "summary:"
    assert "  BGP_established_peers: 1" in lines
    assert "  route_counts:" in lines
    assert "    local_routes_count: 2" in lines
    assert "bgp: (...)" in lines


def test_collections_are_starred(daemon: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    lines = look(daemon, "bgp peers", capsys).splitlines()
    assert lines == ["* 10.0.0.254 (...)", "  state: Established", "* 2001:db8::9 (...)", "  state: Active"]
    assert "state: Established" in look(daemon, "bgp peers 10.0.0.254 protocol", capsys)
    assert look(daemon, "bgp peers 2001:db8::9 protocol state", capsys) == "Active\n"


def test_recursion_follows_the_links(daemon: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    text = look(daemon, "-r bgp", capsys)
    assert "* 10.0.0.254\n" in text
    assert "    as_info:\n      local: 64512\n" in text
    assert "[type:macadv]" in text


def test_rows_in_a_list_begin_at_their_star(daemon: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    lines = look(daemon, "bgp adv_routes", capsys).splitlines()
    assert lines == []
    daemon.engine.route_rows = [route_row(peer="local")]
    lines = look(daemon, "bgp adv_routes", capsys).splitlines()
    assert lines[0].startswith("* [type:macadv]")
    assert lines[1] == "    afi-safi: l2vpn/evpn"


def test_empty_lists(daemon: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert "ipv4/rtc,*: -" in look(daemon, "bgp routes", capsys).splitlines()


def test_nothing_there(daemon: Serving) -> None:
    with pytest.raises(SystemExit, match="No such looking glass path: bgp nope"):
        looking_glass.main(["--port", str(daemon.bagpipe), "bgp", "nope"])


def test_no_server() -> None:
    with pytest.raises(SystemExit, match=r"No server at http://127\.0\.0\.1:1 : Connection refused"):
        looking_glass.main(["--port", "1", "summary"])
