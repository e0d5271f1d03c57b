"""All there is to say of one route: imported by whom, sent to whom, and why not."""

from __future__ import annotations

from hornpipe.engine.rows import RouteRow
from tests.scenarios.language import Scenario

SITE = """
reflector rr 10.0.0.9
host h1 10.0.0.1 peers rr,10.0.0.7
speaker pe 10.0.0.7 to h1
instance red vni 100 rt 64512:1
start
h1 attach tap1 red 02:00:00:00:00:01 10.1.0.1
h1 sees peer 10.0.0.7 ESTABLISHED
pe announce mac 02:00:00:00:00:07 rd 10.0.0.7:1 rt 64512:1 vni 100 via 10.0.0.7
pe announce mac 02:00:00:00:00:08 rd 10.0.0.7:2 rt 64512:8 vni 100 via 10.0.0.7
h1 sees route 10.0.0.7 *02:00:00:00:00:08*
run 1
"""


def site() -> Scenario:
    scenario = Scenario(SITE)
    scenario.run()
    return scenario


def rows(scenario: Scenario, mac: str, **more: object) -> list[RouteRow]:
    found = scenario.hosts["h1"].running.routes(family="l2vpn-evpn", **more)  # type: ignore[arg-type]
    return [row for row in found if row.mac == mac]


def test_who_is_sent_it_and_why_others_are_not() -> None:
    scenario = site()
    (own,) = [row for row in rows(scenario, "02:00:00:00:00:01", why=True) if row.ip]
    assert set(own.sent_to) == {"10.0.0.9", "10.0.0.7"}
    assert own.not_sent == {}
    (learnt,) = rows(scenario, "02:00:00:00:00:07", why=True)
    assert learnt.sent_to == ()
    assert learnt.not_sent == {
        "10.0.0.9": "learnt by iBGP: only a reflector passes routes on",
        "10.0.0.7": "it came from this peer (split horizon)",
    }


def test_it_costs_nothing_unless_it_is_asked_for() -> None:
    assert {(row.sent_to, str(row.not_sent)) for row in rows(site(), "02:00:00:00:00:01")} == {((), "{}")}


def test_why_nobody_imports_it() -> None:
    scenario = site()
    assert rows(scenario, "02:00:00:00:00:08")[0].reason == ""
    assert rows(scenario, "02:00:00:00:00:08", why=True)[0].reason == "not imported: no instance here imports 64512:8"
    assert rows(scenario, "02:00:00:00:00:07", why=True)[0].reason == ""


def test_what_a_peer_is_sent() -> None:
    scenario = site()
    assert rows(scenario, "02:00:00:00:00:07", to="10.0.0.9") == []
    assert len(rows(scenario, "02:00:00:00:00:01", to="10.0.0.9")) == 2
    assert rows(scenario, "02:00:00:00:00:01", to="10.0.0.77") == []


def test_without_a_session_nothing_is_sent() -> None:
    scenario = site()
    scenario.line(["cut", "h1", "rr"])
    scenario.line(["reset", "h1", "rr"])
    scenario.line(["run", "1"])
    (own,) = [row for row in rows(scenario, "02:00:00:00:00:01", why=True) if row.ip]
    assert own.not_sent["10.0.0.9"].startswith("no session: ")
