"""What a fault leaves behind."""

from __future__ import annotations

from hornpipe.sim.faults import Fault, migrate
from hornpipe.sim.world import Shape, World


def test_a_station_is_on_its_way_until_both_hosts_have_done_what_they_were_asked() -> None:
    """Else it migrates once more from where it is to be detached already, and stays where it was attached for ever."""
    world = World(1, Shape(hosts=3, reflectors=1, ports=1, instances=1, span=3))
    world.populate()
    world.run(30.0)
    address, target = world.hosts[0], world.hosts[1]
    (station,) = world.inventory.ports[address]
    world.fleet.kill(world.host(address))
    assert f"from {address} to {target}" in migrate(world, Fault(0.0, "migrate", 1.0, 0, 0))
    world.run(1.0)
    assert station in world.inventory.ports[target]
    assert migrate(world, Fault(0.0, "migrate", 1.0, 0, 7)) == "", "it is on its way"
    world.start(address)
    world.run(1.0)
    assert [host for host in world.hosts if station in world.inventory.ports[host]] == [target]
    assert not world.moving
