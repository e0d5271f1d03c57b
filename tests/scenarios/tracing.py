"""What scenarios say of traces, and the damage that they find.

h1 traces tap1 10.1.0.2 ok
h1 breaks fdb hp-vx100 02:00:00:00:00:02
h1 traces tap1 10.1.0.2 broken kernel fdb 02:00:00:00:00:02 dev hp-vx100*
h1 traces tap1 10.1.0.2 says info route *not best*

What is broken by hand is repaired in the next turn, so a trace is looked at first before any time passes.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import TYPE_CHECKING

from hornpipe.dataplane.dummy_inspect import inspect
from hornpipe.engine.rows import EndpointRow, Trace
from hornpipe.forwarding.table import MAIN_TABLE
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.sim.host import Host

if TYPE_CHECKING:
    from tests.scenarios.language import Scenario

SOON = 2.0


def trace(made: Host, port: str, address: str) -> Trace:
    tracing = made.running.trace(port, address)
    while questions := tracing.questions():
        tracing.tell(questions, [inspect(made.kernel, question) for question in questions])
    return tracing.result()


def lines(found: Trace) -> list[str]:
    return [
        f"{row.state} {row.step} {row.subject} {row.reason}".rstrip()
        + (" since" if row.since is not None else "")
        + (f" so: {row.remedy}" if row.remedy else "")
        for row in found.steps
    ]


def traces(scenario: Scenario, made: Host, words: list[str]) -> None:
    """traces PORT ADDRESS ok|unknown | broken WORDS (of the first broken step) | says WORDS (of any step)"""
    port, address, verb, pattern = words[0], words[1], words[2], " ".join(words[3:])

    def holds() -> bool:
        found = trace(made, port, address)
        if verb == "says":
            return any(_matches(line, pattern) for line in lines(found))
        if found.state != verb:
            return False
        return verb != "broken" or _matches(lines(found)[found.broken - 1], f"broken {pattern}")

    if not holds() and not scenario.fleet.run_until(holds, SOON):
        found = trace(made, port, address)
        shown = "\n".join(f"    {line}" for line in lines(found))
        raise AssertionError(f"the trace is {found.state} at {found.broken}: {found.summary}\n{shown}")


def sends(scenario: Scenario, made: Host, words: list[str]) -> None:
    """sends NLRI to PEER [not REASON]: the best path of a route that matches."""
    nlri, peer, reason = words[0], words[2], " ".join(words[4:])

    def found() -> list[str]:
        rows = [row for row in made.running.routes(why=True) if row.best and fnmatch.fnmatchcase(row.nlri, nlri)]
        return [row.not_sent.get(peer, "") for row in rows]

    def holds() -> bool:
        said = found()
        return bool(said) and all(_matches(one, reason) if reason else not one for one in said)

    if not scenario.fleet.run_until(holds, SOON):
        raise AssertionError(f"said: {found()}")


def everything(scenario: Scenario) -> None:
    """At the end of any scenario, traces from every port to every address that is known: each says something, and of
    what is broken what to do."""
    for made in scenario.hosts.values():
        if made.engine is None:
            continue
        found = {row.ip or row.mac for host in scenario.hosts.values() for row in _endpoints(host)}
        found |= {route.ip.partition("/")[0] or route.prefix.partition("/")[0] for route in made.running.routes()}
        for port in made.running.ports():
            routed = made.running.edge.standing(port.instance) in made.running.edge.routers.values()
            for address in sorted(found - {"", "0.0.0.0", "::"}):
                if not routed or not _is_mac(address):
                    _check(trace(made, f"{port.source}/{port.name}", address))


def _endpoints(made: Host) -> list[EndpointRow]:
    return [row for port in made.engine.ports() for row in port.endpoints] if made.engine is not None else []


def _is_mac(text: str) -> bool:
    return len(text) == 17 and text.count(":") == 5


def _check(found: Trace) -> None:
    assert len(found.steps) > 3
    for row in found.steps:
        assert row.subject, row
        assert row.remedy or row.state != "broken", row
    assert (found.state == "broken") == bool(found.broken)


def _matches(line: str, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(line, one) for one in (pattern, pattern + " *"))


def breaks(scenario: Scenario, made: Host, words: list[str]) -> None:
    """breaks KIND ...: see `BREAKS`. What the kernel tells of it is heard at once, and nothing done yet."""
    BREAKS[words[0]](made, words[1:])
    made.running.forwarding.heard(scenario.fleet.now + made.epoch)


def _table(made: Host, device: str) -> int:
    return MAIN_TABLE if device == "main" else made.kernel.links[device].table


def _delete_neigh(made: Host, words: list[str]) -> None:
    """Also one that a port's driver wrote."""
    packed = bytes(Address.parse(words[1]))
    if not made.kernel.delete_neigh(words[0], packed):
        made.kernel.devices.neighbours[words[0]].pop(packed)


BREAKS: dict[str, Callable[[Host, list[str]], object]] = {
    "fdb": lambda made, words: made.kernel.delete_fdb(words[0], bytes(Mac.parse(words[1]))),
    "master": lambda made, words: made.kernel.delete_master(words[0], bytes(Mac.parse(words[1]))),
    "neigh": _delete_neigh,
    "flood": lambda made, words: made.kernel.delete_flood(words[0], bytes(Address.parse(words[1]))),
    "route": lambda made, words: made.kernel.routing.delete_route(
        _table(made, words[0]), bytes(Prefix.parse(words[1]))
    ),
    "nexthops": lambda made, words: made.kernel.routing.flush_nexthops(),
    "label": lambda made, words: made.kernel.routing.delete_label(int(words[0]).to_bytes(4, "big")),
    "rule": lambda made, words: made.kernel.routing.delete_rule(" ".join(words)),
    "flush": lambda made, words: made.kernel.flush_fdb(words[0]),
    "writes": lambda made, words: made.kernel.fail(int(words[0])),
    "down": lambda made, words: made.kernel.set_up(words[0], False),
    "carrier": lambda made, words: made.kernel.set_carrier(words[0], False),
    "mtu": lambda made, words: made.kernel.set_mtu(words[0], int(words[1])),
    "master-of": lambda made, words: made.kernel.set_master(words[0], None),
}

HOST_COMMANDS: dict[str, Callable[[Scenario, Host, list[str]], None]] = {
    "traces": traces,
    "breaks": breaks,
    "sends": sends,
}
