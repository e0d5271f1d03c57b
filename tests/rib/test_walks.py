"""Long random walks over the events of `test_model`: they cannot be shrunk, but much more happens to one RIB.

A walk is its seed. To see what leads to a failure, run the seed's walk with `STEPS` cut down until it passes.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.rib.model import LOCAL, Said
from tests.rib.room import EVPN, check_indexes, vni
from tests.rib.test_model import IMPORTERS, KEYS, NUMBERS, PREFIXES, RTC, TARGETS, Machine

STEPS = 600
WEIGHTS = {
    "announce": 30,
    "own": 6,
    "withdraw": 14,
    "up": 8,
    "down": 3,
    "end": 4,
    "ask": 4,
    "leave": 3,
    "imports": 2,
    "time": 2,
    "hear": 12,
    "take": 6,
    "refresh": 1,
}


def said(random: Random) -> Said:
    """One that says the usual, but for a few things."""
    one = Said(vni(100), bytes((10, 9, 9, 1)), random.choice([(), (TARGETS[0],), (TARGETS[1],), tuple(TARGETS[:2])]))
    others = {
        "payload": [vni(200)],
        "next_hop": [bytes((10, 9, 9, 2))],
        "local_pref": [200],
        "as_path": [(65001,), (65002,), (65001, 65003)],
        "med": [0, 5],
        "sequence": [1],
        "scope": ["no-export", "no-advertise"],
        "originator": [bytes((10, 0, 0, 3)), bytes((1, 1, 1, 1))],
        "loop": [True],
    }
    different = random.sample(sorted(others), random.choice([0, 0, 1, 1, 2]))
    return one._replace(**{name: random.choice(others[name]) for name in different})


def step(machine: Machine, random: Random) -> None:
    number, key = random.choice(NUMBERS), random.choice(KEYS)
    (kind,) = random.choices(list(WEIGHTS), list(WEIGHTS.values()))
    if kind == "announce":
        machine.announce(number, key, said(random))
    elif kind == "own":
        machine.announce_own(key, said(random))
    elif kind == "withdraw":
        machine.withdraw(random.choice([LOCAL, *NUMBERS]), key)
    elif kind == "up":
        machine.up(number)
    elif kind == "down":
        machine.down(number, random.choice([None, 30.0, 60.0, 60.0]))
    elif kind == "end":
        machine.end_of_rib(number, random.choice([EVPN, RTC]))
    elif kind == "ask":
        machine.ask(random.choice([2, 5]), random.choice(PREFIXES))
    elif kind == "leave":
        machine.leave(random.choice([2, 5]), random.choice(PREFIXES))
    elif kind == "imports":
        wanted = frozenset(random.sample(TARGETS, random.randrange(len(TARGETS))))
        machine.set_imports(random.choice(IMPORTERS), wanted)
    elif kind == "time":
        machine.time_passes(random.choice([1.0, 31.0]))
    elif kind == "hear":
        machine.hear(number, random.choice([1, 2, 100]))
    elif kind == "take":
        machine.take_imports(random.choice([1, 100]))
    else:
        machine.refresh(number)


@pytest.mark.parametrize("seed", range(24))
def test_walk(seed: int) -> None:
    random = Random(seed)
    machine = Machine()
    machine.start(reflector=seed % 4 != 0)
    for count in range(STEPS):
        step(machine, random)
        if count % 40 == 39:
            machine.everybody_has_what_the_model_says()
            check_indexes(machine.room.rib)
