"""What every store keeps: one holder, no overlap, no release of what is not one's own."""

from __future__ import annotations

import asyncio

import pytest

from hornpipe.ipam.store import BlockStore, block_of, key_of
from hornpipe.net.prefix import Prefix

BLOCK, NEXT, SIX = (Prefix.parse(text) for text in ("10.42.0.0/26", "10.42.0.64/26", "fd00:42::/122"))


@pytest.mark.parametrize("text", ["10.42.0.0/26", "fd00:42::/122", "::/0", "10.0.0.1/32", "2001:db8::7/128"])
def test_a_key_is_a_file_name_and_a_config_maps_key(text: str) -> None:
    key = key_of(Prefix.parse(text))
    assert all(character.isalnum() or character in "-._" for character in key)
    assert str(block_of(key)) == text


@pytest.mark.parametrize("key", ["", "x", "10.0.0.0", "10.0.0.0-x", "10.0.0.0-33"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        block_of(key)


async def test_the_first_gets_it(store: BlockStore) -> None:
    assert await store.list("pods") == {}
    assert await store.claim("pods", BLOCK, "a") == "a"
    assert await store.claim("pods", BLOCK, "b") == "a"
    assert await store.claim("pods", BLOCK, "a") == "a"
    assert await store.claim("pods", SIX, "b") == "b"
    assert await store.list("pods") == {BLOCK: "a", SIX: "b"}
    assert await store.list("others") == {}


@pytest.mark.parametrize("other", ["10.42.0.0/27", "10.42.0.5/32", "10.42.0.0/24"])
async def test_claims_that_share_addresses(store: BlockStore, other: str) -> None:
    await store.claim("pods", BLOCK, "a")
    assert await store.claim("pods", Prefix.parse(other), "b") == "a"
    assert await store.list("pods") == {BLOCK: "a"}
    assert await store.claim("pods", Prefix.parse(other), "a") == "a"


async def test_a_release_is_of_ones_own(store: BlockStore) -> None:
    await store.claim("pods", BLOCK, "a")
    await store.release("pods", BLOCK, "b")
    await store.release("pods", NEXT, "a")
    await store.release("none", NEXT, "a")
    assert await store.list("pods") == {BLOCK: "a"}
    await store.release("pods", BLOCK, "a")
    await store.release("pods", BLOCK, "a")
    assert await store.list("pods") == {}
    assert await store.claim("pods", BLOCK, "b") == "b"


async def test_of_many_that_want_the_same_one_gets_it(store: BlockStore) -> None:
    hosts = [f"host-{number}" for number in range(12)]
    answers = await asyncio.gather(*(store.claim("pods", BLOCK, host) for host in hosts))
    assert len(set(answers)) == 1
    assert await store.list("pods") == {BLOCK: answers[0]}


async def test_of_many_that_overlap_no_two_stay(store: BlockStore) -> None:
    blocks = [Prefix.parse(f"10.42.0.{number * 16}/{length}") for number in range(4) for length in (26, 27, 28)]
    claims = [(block.network, f"host-{number}") for number, block in enumerate(blocks)]
    answers = await asyncio.gather(*(store.claim("pods", block, host) for block, host in claims))
    held = await store.list("pods")
    assert held == {block: host for (block, host), answer in zip(claims, answers, strict=True) if answer == host}
    for block in held:
        assert not [other for other in held if other != block and other.contains(block.address)]
