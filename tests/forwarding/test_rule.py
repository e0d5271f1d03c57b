"""Rules as entries: what they say, where they stand, what becomes of those that others delete."""

from __future__ import annotations

import pytest

from hornpipe.dataplane.dummy import connect, sync
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.listing import listing
from hornpipe.forwarding.rule import FibRule, Rule
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import route_key

NET = route_key(bytes((10, 5, 0, 0)), 16)


def rule(priority: int = 10001, port: int = 80) -> Rule:
    found = FibRule(4, priority, "hp-vrf1", 10002, destination=NET, protocol=6, destination_port=(port, port))
    return Rule(rule=found, instance="red")


@pytest.fixture
def kernel() -> DummyKernel:
    return DummyKernel()


def started(kernel: DummyKernel, *rules: Rule) -> Forwarding:
    made = Forwarding()
    for one in rules:
        made.set(one)
    connect(made, kernel)
    sync(made, kernel, 0.0)
    return made


def held(kernel: DummyKernel) -> list[tuple[int, int]]:
    return sorted((one.priority, one.destination_port[0]) for one in kernel.routing.rules)


def test_a_row_reads_like_ip_rule(kernel: DummyKernel) -> None:
    row = next(listing(started(kernel, rule()), kind="rule"))
    assert (row.device, row.instance, row.status) == ("hp-vrf1", "red", "done")
    assert row.value == "pref 10001 from all to 10.5.0.0/16 iif hp-vrf1 ipproto tcp dport 80 lookup 10002"


def test_a_rule_that_moves_is_there_before_it_goes(kernel: DummyKernel) -> None:
    made = started(kernel, rule())
    made.set(rule(10002))
    made.set(rule(port=81))
    batch = made.take(100, 1.0)
    assert batch is not None
    assert {one.rule for one in batch.puts if isinstance(one, Rule)} == {rule(10002).rule, rule(port=81).rule}
    assert [one.rule for one in batch.removals if isinstance(one, Rule)] == [rule().rule]
    made.report(batch, kernel.apply(batch), 1.0)
    assert held(kernel) == [(10001, 81), (10002, 80)]


def test_back_at_its_place_before_anything_was_done(kernel: DummyKernel) -> None:
    made = started(kernel, rule())
    made.set(rule(10002))
    made.set(rule())
    kernel.writes.clear()
    sync(made, kernel, 1.0)
    assert held(kernel) == [(10001, 80)]


def test_what_is_there_is_adopted_and_what_nobody_wants_pruned(kernel: DummyKernel) -> None:
    started(kernel, rule(), rule(10002, 81))
    kernel.writes.clear()
    made = started(kernel, rule())
    assert kernel.writes == []
    assert held(kernel) == [(10001, 80), (10002, 81)]
    made.prune()
    sync(made, kernel, 1.0)
    assert held(kernel) == [(10001, 80)]


def test_flushed_rules_come_back(kernel: DummyKernel) -> None:
    made = started(kernel, rule(), rule(10002, 81))
    kernel.routing.flush_rules()
    sync(made, kernel, 1.0)
    assert held(kernel) == [(10001, 80), (10002, 81)]


def test_a_removal_that_failed_is_tried_again(kernel: DummyKernel) -> None:
    made = started(kernel, rule())
    made.set(rule(10002))
    kernel.fail(2)
    sync(made, kernel, 1.0)
    made.tick(10.0)
    sync(made, kernel, 10.0)
    assert held(kernel) == [(10002, 80)]
    made.remove(rule().key)
    kernel.fail(1)
    sync(made, kernel, 11.0)
    made.tick(20.0)
    sync(made, kernel, 20.0)
    assert held(kernel) == []


def test_events_lost_are_made_up_for(kernel: DummyKernel) -> None:
    made = started(kernel, rule())
    kernel.routing.rules.clear()
    made.resync(kernel.links.values(), (), ())
    sync(made, kernel, 1.0)
    assert held(kernel) == [(10001, 80)]
