"""Circles of objects are found though hardly anything is allocated."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from hornpipe.daemon import garbage
from hornpipe.daemon.garbage import MIDDLE_AGED, Garbage
from tests.until import until


class Node:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thresholds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = gc.get_threshold()
    monkeypatch.setattr(garbage, "INTERVAL", 0.001)
    gc.set_threshold(1_000_000, 1000, 1000)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


async def test_young_ones() -> None:
    collector = Garbage(asyncio.get_running_loop())
    collector.start()
    alive = weakref.ref(Node())
    await until(lambda: alive() is None, "the circle is gone")
    collector.stop()


async def test_those_that_were_in_use_at_a_look() -> None:
    collector = Garbage(asyncio.get_running_loop())
    collector.start()
    node = Node()
    gc.collect(0)
    alive = weakref.ref(node)
    del node
    await until(lambda: alive() is None, f"the circle is gone after {MIDDLE_AGED} looks at the most")
    collector.stop()


async def test_a_stopped_one_looks_no_more() -> None:
    collector = Garbage(asyncio.get_running_loop())
    collector.start()
    collector.stop()
    alive = weakref.ref(Node())
    await asyncio.sleep(0.02)
    assert alive() is not None
