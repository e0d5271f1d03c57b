"""Networks and pools of one daemon, and of several that share a store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hornpipe.ipam.book import Exhausted
from hornpipe.ipam.grant import Owner
from hornpipe.ipam.holdings import Holdings
from hornpipe.ipam.ipam import Ipam
from hornpipe.ipam.pool import Claims
from hornpipe.ipam.store import BlockStore
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.spec import Refused

POOL = {"name": "pods", "cidrs": ["10.42.0.0/24"], "block_size": 16}


def network(name: str = "net", **ipam: Any) -> dict[str, Any]:
    ipam = ipam or {"pool": POOL}
    return {"cniVersion": "1.0.0", "name": name, "ipam": {"type": "hornpipe-ipam", "quarantine": 0, **ipam}}


async def add(ipam: Ipam, container: str, config: dict[str, Any] | None = None, *requested: str) -> str:
    config = config or network()
    grant = await ipam.add(config, Owner(config["name"], container, "eth0"), requested=list(requested))
    return " ".join(str(given.prefix) for given in grant.addresses)


async def delete(ipam: Ipam, container: str, name: str = "net") -> None:
    await ipam.delete(Owner(name, container, "eth0"))


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  # the store has no event to wait for
            await asyncio.sleep(0.01)


class Watched:
    """A store that counts, can fail, and can fail after it did what it was asked."""

    def __init__(self, inner: BlockStore) -> None:
        self.inner = inner
        self.claims = 0
        self.error: OSError | None = None
        self.late_error: OSError | None = None

    async def list(self, pool: str) -> Claims:
        self.fail(self.error)
        return await self.inner.list(pool)

    async def claim(self, pool: str, block: Prefix, host: str) -> str:
        self.fail(self.error)
        self.claims += 1
        answer = await self.inner.claim(pool, block, host)
        self.fail(self.late_error)
        return answer

    async def release(self, pool: str, block: Prefix, host: str) -> None:
        self.fail(self.error)
        await self.inner.release(pool, block, host)
        self.fail(self.late_error)

    async def close(self) -> None: ...

    @staticmethod
    def fail(error: OSError | None) -> None:
        if error is not None:
            raise error


@pytest.fixture
def watched(store: BlockStore) -> Watched:
    return Watched(store)


class Site:
    """Hosts with one store; each has its directory, and may be started again."""

    def __init__(self, directory: Path, store: BlockStore) -> None:
        self.directory, self.store = directory, store
        self.running: dict[str, Ipam] = {}
        self.now = 1000.0

    async def start(self, host: str) -> Ipam:
        ipam = Ipam(self.directory / host, host=host, store=self.store, wall=lambda: self.now)
        await ipam.open()
        self.running[host] = ipam
        return ipam

    async def stop(self, host: str) -> None:
        await self.running.pop(host).close()


@pytest.fixture
async def site(tmp_path: Path, watched: Watched) -> AsyncIterator[Site]:
    one = Site(tmp_path / "hosts", watched)
    yield one
    for host in list(one.running):
        await one.stop(host)


async def test_200_at_once_claim_few_blocks_and_get_different_addresses(site: Site, watched: Watched) -> None:
    a = await site.start("a")
    addresses = await asyncio.gather(*(add(a, f"c{number}") for number in range(200)))
    assert len(set(addresses)) == 200
    assert watched.claims == 13  # 12 and a half blocks of 16, less what is nobody's
    await asyncio.gather(*(delete(a, f"c{number}") for number in range(200)))

    async def given_back() -> bool:
        return not await site.store.list("pods")

    await until(given_back)


async def test_hosts_share_a_pool_until_it_is_empty(site: Site) -> None:
    hosts = [await site.start(name) for name in "abc"]
    got: list[str] = []
    refused = 0
    while not refused:
        wave = [add(host, f"c{len(got)}-{number}") for number in range(5) for host in hosts]
        for outcome in await asyncio.gather(*wave, return_exceptions=True):
            if isinstance(outcome, str):
                got.append(outcome)
            else:
                assert isinstance(outcome, Exhausted)
                assert "pool pods has no IPv4 block left" in outcome.reason
                refused += 1
    assert len(set(got)) == len(got)
    for host in hosts:
        got += await fill(host)
    assert len(set(got)) == len(got) == 253


async def test_dual_stack_and_two_networks_in_a_pool(site: Site) -> None:
    pool = {"name": "pods", "cidrs": ["10.42.0.0/24", "fd00:42::/64"], "block_size": 16}
    a = await site.start("a")
    one, two = await add(a, "c", network("one", pool=pool)), await add(a, "c", network("two", pool=pool))
    assert [text.rpartition("/")[2] for text in one.split()] == ["24", "64"]
    assert not set(one.split()) & set(two.split())
    grant = await a.add(network("one", pool=pool), Owner("one", "c", "eth0"))
    assert [str(given.gateway) for given in grant.addresses] == ["10.42.0.1", "fd00:42::1"]


async def test_a_requested_address_claims_its_block(site: Site) -> None:
    a, b = await site.start("a"), await site.start("b")
    assert await add(a, "c1", None, "10.42.0.77") == "10.42.0.77/24"
    with pytest.raises(Refused, match=r"10.42.0.70 is in block 10.42.0.64/28 of host a") as caught:
        await add(b, "c1", None, "10.42.0.70")
    assert caught.value.kind == "conflict"
    assert await add(b, "c1", None, "10.42.0.90") == "10.42.0.90/24"
    with pytest.raises(Refused, match="held by net/c1/eth0"):
        await add(b, "c2", None, "10.42.0.90")
    for wrong in ("10.42.0.1", "10.42.0.255", "10.43.0.9"):
        with pytest.raises(Refused, match="cannot be handed out"):
            await add(b, "c3", None, wrong)


async def test_a_reserved_address_moves_with_its_pod(site: Site) -> None:
    config = network(pool=POOL, reserved=["10.42.0.65-10.42.0.70"], quarantine=60)
    a, b = await site.start("a"), await site.start("b")
    assert await add(a, "db-0", config, "10.42.0.66") == "10.42.0.66/24"
    assert await add(b, "db-1", config, "10.42.0.67") == "10.42.0.67/24"
    with pytest.raises(Refused, match=r"10.42.0.66 is in block 10.42.0.66/32 of host a"):
        await add(b, "db-0", config, "10.42.0.66")
    await delete(a, "db-0")

    async def moved() -> bool:
        try:
            return await add(b, "db-0", config, "10.42.0.66") == "10.42.0.66/24"
        except Refused:
            return False

    await until(moved)
    around = {f"10.42.0.{number}/24" for number in range(64, 80)}
    assert not around & set(await fill(a, config))


async def fill(host: Ipam, config: dict[str, Any] | None = None) -> list[str]:
    got: list[str] = []
    while True:
        try:
            got.append(await add(host, f"fill{len(got)}", config))
        except Exhausted:
            return got


async def test_leases_and_blocks_survive_a_restart(site: Site, watched: Watched) -> None:
    a = await site.start("a")
    first = await add(a, "c1")
    await site.stop("a")
    claims = watched.claims
    watched.error = OSError("the store is away")
    a = await site.start("a")
    assert await add(a, "c1") == first
    assert await add(a, "c2") not in ("", first)  # the block is known to be ours without asking
    assert watched.claims == claims


async def test_a_claim_without_a_note_is_found(site: Site, watched: Watched) -> None:
    """The answer was lost, or the daemon died before it wrote the claim down."""
    a = await site.start("a")
    watched.late_error = ConnectionResetError("reset")
    with pytest.raises(ConnectionResetError):
        await add(a, "c1")
    watched.late_error = None
    held = await site.store.list("pods")
    assert set(held.values()) == {"a"}
    await add(a, "c1")
    assert await site.store.list("pods") == held


async def test_a_claim_without_a_note_goes_back_if_nobody_wants_it(
    site: Site, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hornpipe.ipam.holdings.RETRY_SECONDS", 0.05)
    a = await site.start("a")
    watched.late_error = ConnectionResetError("reset")
    with pytest.raises(ConnectionResetError):
        await add(a, "c1")
    watched.late_error = None
    assert await site.store.list("pods")

    async def given_back() -> bool:
        return not await site.store.list("pods")

    await until(given_back)


async def test_after_a_reboot_the_blocks_are_found_in_the_store(site: Site, tmp_path: Path) -> None:
    a = await site.start("a")
    await add(a, "c1")
    await site.stop("a")
    held = await site.store.list("pods")
    (tmp_path / "hosts" / "a" / "pool-pods.leases").unlink()
    await add(await site.start("a"), "c2")
    assert await site.store.list("pods") == held


async def test_a_store_that_is_away_refuses_only_what_needs_it(site: Site, watched: Watched) -> None:
    a = await site.start("a")
    await add(a, "c1")
    watched.error = OSError(5, "the store is away")
    for number in range(2, 15):
        await add(a, f"c{number}")
    outcomes = [await asyncio.gather(add(a, f"more{number}"), return_exceptions=True) for number in range(4)]
    assert isinstance(outcomes[-1][0], OSError)
    await delete(a, "c1")
    await add(a, "c99")


async def test_a_release_that_failed_is_tried_again(
    site: Site, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hornpipe.ipam.holdings.RETRY_SECONDS", 0.05)
    a = await site.start("a")
    await add(a, "c1")
    watched.error = OSError(5, "the store is away")
    await delete(a, "c1")
    await asyncio.sleep(0.2)
    watched.error = None
    assert await site.store.list("pods")

    async def given_back() -> bool:
        return not await site.store.list("pods")

    await until(given_back)


async def test_a_block_that_is_claimed_again_is_not_given_back_by_the_release_that_failed(
    site: Site, watched: Watched
) -> None:
    a = await site.start("a")
    holdings: Holdings = a._holdings("pods")
    await add(a, "c1")
    watched.error = OSError(5, "the store is away")
    await delete(a, "c1")
    with pytest.raises(OSError, match="away"):
        await holdings.tidy()
    watched.error = None
    await add(a, "c2")
    await holdings.tidy()
    assert list((await site.store.list("pods")).values()) == ["a"]


async def test_a_block_is_kept_while_its_addresses_are_in_quarantine(site: Site) -> None:
    config = network(pool=POOL, quarantine=60)
    a = await site.start("a")
    await add(a, "c1", config)
    await delete(a, "c1")
    holdings: Holdings = a._pools["pods"]
    assert await holdings.tidy() == pytest.approx(60)
    assert await site.store.list("pods")
    site.now += 60
    assert await holdings.tidy() is None
    assert not await site.store.list("pods")


async def test_a_block_that_somebody_took_from_us_is_used_no_more(site: Site) -> None:
    a = await site.start("a")
    got = await add(a, "c1")
    block = next(iter(await site.store.list("pods")))
    await site.store.release("pods", block, "a")
    assert await site.store.claim("pods", block, "thief") == "thief"
    new = [await add(a, f"more{number}") for number in range(40)]
    inside = [text for text in new if block.contains(Prefix.parse(text, host_bits=True).address)]
    assert len(inside) <= 15  # until the store was looked at again
    assert len({got, *new}) == 41
    await delete(a, "c1")  # its address is free, and the thief's
    assert got not in await fill(a)


async def test_a_claim_that_vanished_is_made_again(site: Site) -> None:
    a = await site.start("a")
    await add(a, "c1")
    (block,) = await site.store.list("pods")
    await site.store.release("pods", block, "a")
    for number in range(20):
        await add(a, f"more{number}")
    assert (await site.store.list("pods"))[block] == "a"


async def test_another_block_size_on_another_host_never_overlaps(site: Site) -> None:
    a, b = await site.start("a"), await site.start("b")
    small = network(pool={**POOL, "block_size": 4})
    got = [await add(a, f"c{number}") for number in range(60)]
    got += [await add(b, f"c{number}", small) for number in range(60)]
    assert len(set(got)) == 120


async def test_who_asks_and_goes_away_leaves_nothing_half_made(site: Site) -> None:
    a = await site.start("a")
    for ticks in range(12):
        task = asyncio.create_task(add(a, f"c{ticks}"))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    got = [await add(a, f"c{ticks}") for ticks in range(12)]
    assert len(set(got)) == 12
    assert set((await site.store.list("pods")).values()) == {"a"}


async def test_status_of_a_pool(site: Site, watched: Watched) -> None:
    tiny = network(pool={"name": "tiny", "cidrs": ["10.42.0.0/29"], "block_size": 8})
    a, b = await site.start("a"), await site.start("b")
    await a.status(tiny)
    await add(a, "c1", tiny)
    await a.status(tiny)
    with pytest.raises(Exhausted, match="no IPv4 block left"):
        await b.status(tiny)
    watched.error = OSError(5, "the store is away")
    await a.status(tiny)
    with pytest.raises(OSError, match="away"):
        await b.status(tiny)


async def test_networks_do_not_know_each_other(site: Site) -> None:
    a = await site.start("a")
    one, two = network("one", subnet="10.0.0.0/24"), network("two", subnet="10.0.0.0/24")
    assert await add(a, "c1", one) == await add(a, "c1", two) == "10.0.0.2/24"
    await delete(a, "c1", "one")
    assert await add(a, "c2", two) == "10.0.0.3/24"
    await a.collect("two", {("c2", "eth0")})
    await a.check(two, Owner("two", "c2", "eth0"))
    with pytest.raises(Refused, match="holds no address"):
        await a.check(two, Owner("two", "c1", "eth0"))


async def test_a_lease_is_freed_where_it_is_though_the_configuration_moved(site: Site) -> None:
    a = await site.start("a")
    await add(a, "c1", network("net", subnet="10.0.0.0/24"))
    await add(a, "c1", network("net"))
    await delete(a, "c1")
    with pytest.raises(Refused, match="holds no address"):
        await a.check(network(), Owner("net", "c1", "eth0"))


async def test_one_file_that_is_damaged_stops_only_its_own(site: Site, tmp_path: Path) -> None:
    a = await site.start("a")
    await add(a, "c1", network("good", subnet="10.0.0.0/24"))
    await add(a, "c1", network("bad", subnet="10.0.0.0/24"))
    await add(a, "c2", network("bad", subnet="10.0.0.0/24"))
    await site.stop("a")
    path = tmp_path / "hosts" / "a" / "network-bad.leases"
    path.write_bytes(path.read_bytes().replace(b"c1", b"cX"))
    a = await site.start("a")
    with pytest.raises(OSError, match=r"network-bad.leases: line 2 is broken; move it away"):
        await add(a, "c3", network("bad", subnet="10.0.0.0/24"))
    with pytest.raises(OSError, match="is broken"):
        await delete(a, "c1", "bad")
    await delete(a, "c1", "good")
    await delete(a, "c9", "good")


async def test_a_second_daemon_is_refused(site: Site, tmp_path: Path) -> None:
    await site.start("a")
    with pytest.raises(OSError, match="another process uses the leases"):
        await Ipam(tmp_path / "hosts" / "a", host="a", store=site.store).open()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a" * 300, "-x"])
async def test_names_that_are_no_file_names(site: Site, name: str) -> None:
    a = await site.start("a")
    with pytest.raises(Refused, match="network's name"):
        await add(a, "c1", network(name, subnet="10.0.0.0/24"))
    with pytest.raises(Refused, match="host's name"):
        Ipam(Path("x"), host=name, store=site.store)
