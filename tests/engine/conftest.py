from __future__ import annotations

import pytest

from hornpipe.sim.fleet import Fleet, settings_of
from hornpipe.sim.host import Host


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> Host:
    """A started host without peers, with two interfaces."""
    made = Host(settings_of("10.0.0.1"))
    made.kernel.add_link("tap0")
    made.kernel.add_link("tap1")
    return fleet.add(made)
