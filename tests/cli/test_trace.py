"""``hornpipe trace`` and the details of a route."""

from __future__ import annotations

from collections.abc import Callable

from hornpipe.engine.trace.step import State, Step, Verdict, asked, said
from tests.api.fake_engine import route_row, vpn_route_row
from tests.api.serving import Serving
from tests.cli.conftest import Ran

Hornpipe = Callable[[str], Ran]


def step(state: State, what: str = "port", **more: object) -> Step:
    return said(what, f"subject of {what}", Verdict(state, f"reason of {what}", **more))  # type: ignore[arg-type]


def attach(hornpipe: Hornpipe) -> None:
    assert hornpipe("attach tap0 instance red rt 64512:80 mac 02:00:00:00:00:01 ip 10.1.0.1").status == 0


def test_a_way_that_works(daemon: Serving, hornpipe: Hornpipe) -> None:
    attach(hornpipe)
    daemon.engine.steps = [step("ok", since=5.0), step("info", "route")]
    ran = hornpipe("trace tap0 10.1.0.2")
    assert ran.status == 0
    heading, first, second, verdict = ran.out.splitlines()
    assert heading.split() == ["#", "STEP", "STATE", "SINCE", "WHAT"]
    assert first.split()[:3] == ["1", "port", "ok"]
    assert first.endswith("  subject of port: reason of port")
    assert second.endswith("reason of route")
    assert verdict == "api/tap0 to 10.1.0.2: nothing is broken here"


def test_where_it_breaks_and_what_to_do(daemon: Serving, hornpipe: Hornpipe) -> None:
    attach(hornpipe)
    daemon.engine.steps = [
        step("ok"),
        step("unknown", "gateway", remedy="look there"),
        step("broken", "kernel", since=5.0, remedy="mend it"),
        step("broken", "remote", remedy="or that"),
    ]
    ran = hornpipe("tr tap0 02:00:00:00:00:02")
    assert ran.status == 1
    *_, broken, remedy = ran.out.splitlines()
    assert broken.startswith("api/tap0 to 02:00:00:00:00:02: broken at step 3, for ")
    assert broken.endswith(": kernel subject of kernel: reason of kernel")
    assert remedy == "what to do: mend it"
    found = hornpipe("-j trace tap0 02:00:00:00:00:02")
    assert found.status == 1
    assert (found.json["state"], found.json["broken"], found.json["remedy"]) == ("broken", 3, "mend it")
    assert found.json["since"].endswith("Z")
    assert found.json["steps"][2]["since"].endswith("Z")
    assert found.json["steps"][0]["since"] is None


def test_what_is_not_certain_is_no_failure(daemon: Serving, hornpipe: Hornpipe) -> None:
    attach(hornpipe)
    question = ("link", "tap0", b"")
    daemon.engine.steps = [step("ok"), asked("kernel", "link tap0", question, lambda found: Verdict("ok"))]  # type: ignore[arg-type]
    ran = hornpipe("trace tap0 10.1.0.2")
    assert ran.status == 0
    assert "the kernel did not answer" in ran.out
    assert ran.out.splitlines()[-1] == "api/tap0 to 10.1.0.2: nothing is broken here; not certain at step 2"


def test_a_port_that_is_none(daemon: Serving, hornpipe: Hornpipe) -> None:
    ran = hornpipe("trace nobody 10.1.0.2")
    assert ran.status == 1
    assert ran.err == "hornpipe: port: no port nobody (see `hornpipe show ports`)\n"
    assert hornpipe("trace nobody").status == 1


def test_one_route_with_all_its_reasons(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.unsent = {"10.0.0.254": "it came from this peer (split horizon)"}
    daemon.engine.route_rows = [vpn_route_row(imported_by=(), not_imported={"blue": "no common encapsulation"})]
    for line in ("show routes 10.2.0.0/24 --why", "routes -d 10.2.0.0/24", "show routes why 10.2.0.0/24"):
        lines = [one.split() for one in hornpipe(line).out.splitlines()]
        assert ["blue", "no", "common", "encapsulation"] in lines
        assert ["10.0.0.254", "it", "came", "from", "this", "peer", "(split", "horizon)"] in lines
        assert ["sent", "to", "2001:db8::9"] in lines
    assert hornpipe("-j routes 10.2.0.0/24 why").json[0]["not_sent"] == daemon.engine.unsent
    assert "split horizon" not in hornpipe("routes 10.2.0.0/24").out


def test_a_route_is_found_by_what_it_looks_like(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.route_rows = [
        route_row(), route_row("02:00:00:00:00:06", "2001:db8::6"), vpn_route_row("10.2.0.0/24"),
    ]  # fmt: skip
    for word, found in (
        ("10.1.0.5", "10.1.0.5"),
        ("2001:db8::6", "2001:db8::6"),
        ("02:00:00:00:00:06", "2001:db8::6"),
        ("0200.0000.0006", "2001:db8::6"),
    ):
        assert [row["ip"] for row in hornpipe(f"-j show routes {word}").json] == [found], word
    assert [row["prefix"] for row in hornpipe("-j show routes 10.2.0.0/24").json] == ["10.2.0.0/24"]


def test_what_a_peer_is_sent(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.route_rows = [route_row()]
    daemon.engine.unsent = {"10.0.0.254": "it came from this peer (split horizon)"}
    assert hornpipe("show routes to 10.0.0.254").out == ""
    assert len(hornpipe("-j show routes to 2001:db8::9").json) == 1
