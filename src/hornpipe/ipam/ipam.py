"""Address management of one daemon: every network's leases, and the blocks of every pool.

A network with ranges has a ledger of its own; a pool has one for all networks that use it. The directory is the
daemon's alone (a lock sees to that) and may be in /run: leases describe containers, which do not outlive a boot, and
blocks are found again in the store. `hornpipe.ipam.plugin` says what the five commands promise.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TypeVar

from hornpipe.ipam import journal, resolv
from hornpipe.ipam.book import Book, Exhausted
from hornpipe.ipam.grant import Dns, Given, Grant, Owner
from hornpipe.ipam.holdings import Holdings
from hornpipe.ipam.ledger import Ledger
from hornpipe.ipam.plugin import Holder, Network
from hornpipe.ipam.pool import Pool
from hornpipe.ipam.range import RangeSet
from hornpipe.ipam.spec import IpamSpec, parse
from hornpipe.ipam.store import BlockStore
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.spec import Refused

NETWORK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
"""As the CNI reference library has it; it is part of a file's name here."""
HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
_FILE = re.compile(r"(network|pool)-(.+)\.leases")
T = TypeVar("T")


class Ipam:
    def __init__(
        self,
        directory: Path,
        *,
        host: str,
        store: BlockStore,
        executor: Executor | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`host`: this host's name in the store, the same for ever and no other's."""
        if not HOST_NAME.fullmatch(host):
            raise Refused("host", f"{host!r} is not a host's name", "letters, digits, - _ and .")
        self._directory, self._host, self._store = directory, host, store
        self._executor, self._wall = executor, wall
        self._lock = -1
        self._networks: dict[str, Ledger] = {}
        self._pools: dict[str, Holdings] = {}

    async def open(self) -> None:
        """OSError: another process uses the directory, or it cannot be written."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = journal.lock(self._directory)
        for name in sorted(os.listdir(self._directory)):
            match = _FILE.fullmatch(name)
            if match is None:
                continue
            if match[1] == "network":
                self._network(match[2])
            else:
                self._holdings(match[2]).tidy_soon()

    async def close(self) -> None:
        for holdings in self._pools.values():
            await holdings.close()
        for ledger in self._ledgers():
            await ledger.close()
        await self._store.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # ---- the five commands; see hornpipe.ipam.plugin

    async def add(
        self,
        network: Network,
        owner: Owner,
        *,
        args: str = "",
        requested: Sequence[str] | None = None,
        holder: Holder | None = None,
    ) -> Grant:
        spec = parse(network, args, requested)
        dns = await self._dns(spec.resolv_conf)
        if spec.pool is not None:
            addresses = await self._from_pool(spec, spec.pool, owner, holder)
            given = tuple(_given_of_pool(spec.pool, address) for address in addresses)
        else:
            work = self._lease(owner, spec, lambda _: spec.sets, holder)
            addresses = await self._network(owner.network).run(work)
            given = tuple(_given(one, address) for one, address in zip(spec.sets, addresses, strict=True))
        return Grant(given, spec.routes, dns)

    async def delete(self, owner: Owner) -> None:
        await self._free(owner.network, lambda book: book.free(owner, self._wall()))

    async def collect(
        self, network: str, valid: Collection[tuple[str, str]], in_flight: Collection[tuple[str, str]] = ()
    ) -> None:
        keep = {*valid, *in_flight}
        await self._free(network, lambda book: book.collect(network, keep, self._wall()) > 0)

    async def check(self, network: Network, owner: Owner) -> None:
        addresses: tuple[Address, ...] = ()
        for ledger in self._ledgers_of(owner.network):
            addresses += await ledger.run(lambda book: book.addresses_of(owner))
        if not addresses:
            raise Refused("ipam", f"{owner} holds no address", "delete the attachment and add it again", "missing")
        shown = _shown(network.get("prevResult"))
        for address in addresses:
            if shown and address not in shown:
                raise Refused("prevResult.ips", f"{owner} holds {address}, which is not there", "", "conflict")

    async def status(self, network: Network) -> None:
        spec = parse(network)
        if spec.pool is None:
            ledger = self._network(str(network.get("name")))
            await ledger.run(lambda book: book.check_room(spec.sets, self._wall()))
            return
        for version in spec.pool.versions:
            await self._check_pool(spec.pool, version)

    # ---- inside

    async def _check_pool(self, pool: Pool, version: int) -> None:
        holdings = self._holdings(pool.name)
        try:
            await holdings.ledger.run(lambda book: book.check_room(_only(pool, book, version), self._wall()))
        except Exhausted as exhausted:
            if not await holdings.can_grow(pool, version):
                raise _without_blocks(pool, exhausted) from exhausted

    async def _from_pool(self, spec: IpamSpec, pool: Pool, owner: Owner, holder: Holder | None) -> tuple[Address, ...]:
        holdings = self._holdings(pool.name)
        work = self._lease(owner, spec, lambda book: pool.sets(book.blocks), holder)
        while True:
            growth = holdings.growth
            try:
                if spec.requested:
                    return await holdings.with_blocks_of(pool, spec.requested, lambda: holdings.ledger.run(work))
                return await holdings.ledger.run(work)
            except Exhausted as exhausted:
                if not await holdings.grow(pool, exhausted.version, growth):
                    raise _without_blocks(pool, exhausted) from exhausted

    def _lease(
        self, owner: Owner, spec: IpamSpec, sets: Callable[[Book], Sequence[RangeSet]], holder: Holder | None
    ) -> Callable[[Book], tuple[Address, ...]]:
        return lambda book: book.lease(owner, sets(book), spec.requested, self._wall(), spec.quarantine, holder)

    async def _free(self, network: str, work: Callable[[Book], bool]) -> None:
        """In every book that may know the network. One that cannot be read counts only if none of the others knew."""
        freed, failed = False, None
        for holdings in list(self._pools.values()):
            try:
                if await holdings.ledger.run(work):
                    freed = True
                    holdings.tidy_soon()
            except OSError as error:
                failed = error
        if network in self._networks:
            try:
                freed = await self._networks[network].run(work) or freed
            except OSError as error:
                failed = error
        if failed is not None and not freed:
            raise failed

    async def _dns(self, path: str) -> Dns:
        if not path:
            return Dns()
        try:
            text = await asyncio.get_running_loop().run_in_executor(self._executor, _read, path)
        except (OSError, ValueError) as error:
            raise Refused("ipam.resolvConf", f"{path}: {error}", "name a file in the form of resolv.conf") from error
        return resolv.parse(text)

    def _network(self, name: str) -> Ledger:
        if name not in self._networks:
            if not NETWORK_NAME.fullmatch(name):
                raise Refused("name", f"{name!r} is not a network's name", "letters, digits, - _ and .")
            self._networks[name] = Ledger(self._directory / f"network-{name}.leases", self._executor)
        return self._networks[name]

    def _holdings(self, name: str) -> Holdings:
        if name not in self._pools:
            ledger = Ledger(self._directory / f"pool-{name}.leases", self._executor)
            self._pools[name] = Holdings(name, ledger, self._store, self._host, self._wall)
        return self._pools[name]

    def _ledgers(self) -> list[Ledger]:
        return [*self._networks.values(), *(holdings.ledger for holdings in self._pools.values())]

    def _ledgers_of(self, network: str) -> list[Ledger]:
        own = [self._networks[network]] if network in self._networks else []
        return [*own, *(holdings.ledger for holdings in self._pools.values())]


def _given(one: RangeSet, address: Address) -> Given:
    part = one.range_of(address)
    assert part is not None, f"{address} was leased from {one}"
    return Given(Prefix.of(address, part.subnet.length, host_bits=True), part.gateway)


def _given_of_pool(pool: Pool, address: Address) -> Given:
    subnet = pool.subnet_of(address)
    assert subnet is not None, f"{address} was leased from pool {pool.name}"
    return Given(Prefix.of(address, subnet.prefix.length, host_bits=True), subnet.gateway)


def _only(pool: Pool, book: Book, version: int) -> list[RangeSet]:
    return [one for one in pool.sets(book.blocks) if one.version == version]


def _without_blocks(pool: Pool, exhausted: Exhausted) -> Exhausted:
    reason = f"{exhausted.reason}; pool {pool.name} has no IPv{exhausted.version} block left"
    return Exhausted(exhausted.version, reason, exhausted.remedy, exhausted.wait)


def _shown(result: object) -> set[Address]:
    """Addresses in a result of any version; what cannot be read counts as not shown."""
    if not isinstance(result, dict):
        return set()
    listed = [row.get("address") for row in result.get("ips") or () if isinstance(row, dict)]
    listed += [row.get("ip") for key in ("ip4", "ip6") if isinstance(row := result.get(key), dict)]
    return {Address.parse(text.partition("/")[0]) for text in listed if isinstance(text, str) and text}


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(65536)
