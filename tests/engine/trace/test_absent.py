"""What is said where there is no route; the rest of it is in tests/scenarios/trace_*.txt."""

from __future__ import annotations

from hornpipe.rib.admission import AS_LOOP
from tests.scenarios.language import Scenario
from tests.scenarios.tracing import trace

HOSTS = """
reflector rr 10.0.0.9
host h1 10.0.0.1 peers rr
instance red vni 100 rt 64512:1
instance blue type ipvpn rt 64512:2 encap mpls-gre
start
h1 attach tap1 red 02:00:00:00:00:01 10.1.0.1
h1 attach tap2 blue 02:00:00:00:00:02 10.2.0.1 gateway 10.2.0.254
h1 sees peer 10.0.0.9 ESTABLISHED
"""


def test_routes_that_were_not_accepted_are_counted() -> None:
    scenario = Scenario(HOSTS)
    scenario.run()
    host = scenario.hosts["h1"]
    assert trace(host, "tap2", "10.3.0.1").summary == "remote 10.3.0.1 in blue: no route from 10.0.0.9"
    for source in host.running.rib.peers:
        source.reject(AS_LOOP, 3)
    found = trace(host, "tap2", "10.3.0.1")
    assert found.summary.endswith("no route from 10.0.0.9 (10.0.0.9 sent 3 that were not accepted: own AS in AS_PATH)")
    assert [peer.rejected for peer in host.running.peers()] == [{AS_LOOP: 3}]


def test_a_host_without_peers() -> None:
    scenario = Scenario(HOSTS.replace(" peers rr", "").replace("h1 sees peer 10.0.0.9 ESTABLISHED", "run 1"))
    scenario.run()
    found = trace(scenario.hosts["h1"], "tap1", "10.1.0.9")
    assert (found.summary, found.remedy) == (
        "remote 10.1.0.9 in red: no route, and there are no peers",
        "configure [[peers]]",
    )
