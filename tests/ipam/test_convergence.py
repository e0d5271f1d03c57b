"""Any sequence of events on three hosts with a store that fails in every way: no address twice, no leak.

The store behaves as the ConfigMap does: a write is made from a version and done only if that is still the present one.
It may fail before, after, or much later than it said: a write given up by its sender arrives when nobody expects it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hornpipe.ipam.book import Exhausted
from hornpipe.ipam.grant import Owner
from hornpipe.ipam.ipam import Ipam
from hornpipe.ipam.pool import Claims, overlapping
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.spec import Refused

T = TypeVar("T")


class Inline(Executor):
    """No threads: the same order every time."""

    def submit(self, function: Callable[..., T], /, *arguments: Any, **more: Any) -> Future[T]:
        outcome: Future[T] = Future()
        try:
            outcome.set_result(function(*arguments, **more))
        except BaseException as error:
            outcome.set_exception(error)
        return outcome


POOL = {"name": "pods", "cidrs": ["10.42.0.0/27"], "block_size": 4}
CONFIG = {
    "cniVersion": "1.0.0",
    "name": "net",
    "ipam": {"pool": POOL, "quarantine": 5, "reserved": ["10.42.0.17"]},
}
INLINE = Inline()
FAULTS = ("before", "after", "late")


class Store:
    def __init__(self) -> None:
        self.claims: dict[Prefix, str] = {}
        self.version = 0
        self.fault = ""
        self.late: list[tuple[int, dict[Prefix, str]]] = []

    async def list(self, pool: str) -> Claims:
        await asyncio.sleep(0)
        if self.fault == "before":
            raise OSError(5, "away")
        return dict(self.claims)

    async def claim(self, pool: str, block: Prefix, host: str) -> str:
        await asyncio.sleep(0)
        other = overlapping(block, self.claims, host)
        if other is not None:
            return self.claims[other]
        await self.write({**self.claims, block: host})
        return host

    async def release(self, pool: str, block: Prefix, host: str) -> None:
        await asyncio.sleep(0)
        if self.claims.get(block) == host:
            await self.write({key: owner for key, owner in self.claims.items() if key != block})

    async def write(self, claims: dict[Prefix, str]) -> None:
        if self.fault == "late":
            self.late.append((self.version, claims))
        elif self.fault != "before":
            self.version, self.claims = self.version + 1, claims
        if self.fault:
            raise OSError(5, "away")

    def arrive(self) -> None:
        for version, claims in self.late:
            if version == self.version:
                self.version, self.claims = version + 1, claims
        self.late.clear()

    async def close(self) -> None: ...


class Machine(RuleBasedStateMachine):
    hosts = st.sampled_from("abc")
    names = st.sampled_from([f"c{number}" for number in range(6)])

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.store = Store()
        self.now = 1000.0
        self.running: dict[str, Ipam] = {}
        self.held: dict[tuple[str, str], str] = {}
        for host in "abc":
            self.start(host)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def start(self, host: str) -> None:
        ipam = Ipam(self.directory / host, host=host, store=self.store, executor=INLINE, wall=lambda: self.now)
        self.run(ipam.open())
        self.running[host] = ipam

    async def add_one(self, host: str, name: str, requested: list[str]) -> None:
        try:
            grant = await self.running[host].add(CONFIG, Owner("net", f"{host}-{name}", "eth0"), requested=requested)
        except OSError:
            assert self.store.fault
        except Exhausted:
            assert (host, name) not in self.held
        except Refused:
            assert requested
        else:
            got = str(grant.addresses[0].prefix.address)
            if requested:
                assert [got] == requested
            elif (host, name) in self.held:
                assert got == self.held[host, name]
            self.held[host, name] = got

    @rule(host=hosts, name=names)
    def add(self, host: str, name: str) -> None:
        self.run(self.add_one(host, name, []))

    @rule(host=hosts, name=names, number=st.sampled_from([2, 9, 14, 17, 18, 27]))
    def add_requested(self, host: str, name: str, number: int) -> None:
        self.run(self.add_one(host, name, [f"10.42.0.{number}"]))

    @rule()
    def add_everywhere_at_once(self) -> None:
        async def work() -> None:
            await asyncio.gather(*(self.add_one(host, f"c{number}", []) for number in range(3) for host in "abc"))

        self.run(work())

    @rule(host=hosts, name=names)
    def delete(self, host: str, name: str) -> None:
        self.run(self.running[host].delete(Owner("net", f"{host}-{name}", "eth0")))
        self.held.pop((host, name), None)

    @rule(seconds=st.sampled_from([1.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(host=hosts)
    def tidy(self, host: str) -> None:
        try:
            self.run(self.running[host]._holdings("pods").tidy())
        except OSError:
            assert self.store.fault

    @rule(fault=st.sampled_from(["", *FAULTS]))
    def store_behaves(self, fault: str) -> None:
        self.store.fault = fault

    @rule()
    def late_writes_arrive(self) -> None:
        self.store.arrive()

    @rule(host=hosts, reboot=st.booleans())
    def restart(self, host: str, reboot: bool) -> None:
        self.run(self.running[host].close())
        if reboot:
            shutil.rmtree(self.directory / host)
            self.held = {key: got for key, got in self.held.items() if key[0] != host}
        self.start(host)

    @invariant()
    def no_address_twice(self) -> None:
        assert len(set(self.held.values())) == len(self.held), self.held

    @invariant()
    def what_a_host_thinks_its_own_is_its_own(self) -> None:
        for host, ipam in self.running.items():
            blocks = self.run(ipam._holdings("pods").ledger.run(lambda book: set(book.blocks)))
            assert {block: self.store.claims.get(block) for block in blocks} == dict.fromkeys(blocks, host)

    def teardown(self) -> None:
        try:
            self.store.fault = ""
            self.store.arrive()
            for host in "abc":
                for name in [f"c{number}" for number in range(6)]:  # an ADD that failed is followed by DEL
                    self.delete(host, name)
            self.now += 6
            for host in "abc":
                self.restart(host, reboot=False)
                self.tidy(host)
            assert self.store.claims == {}
        finally:
            for ipam in self.running.values():
                self.run(ipam.close())
            self.loop.close()
            shutil.rmtree(self.directory)


Machine.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestMachine = Machine.TestCase
