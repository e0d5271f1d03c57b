"""Work on a book: outcomes only when durable, one batch for what comes together, a failed write undone."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hornpipe.ipam.book import Book
from hornpipe.ipam.grant import Owner
from hornpipe.ipam.journal import Journal
from hornpipe.ipam.ledger import Ledger
from hornpipe.ipam.record import Record
from hornpipe.ipam.spec import parse

SETS = parse({"cniVersion": "1.0.0", "name": "net", "ipam": {"subnet": "10.0.0.0/24"}}).sets


def owner(number: int) -> Owner:
    return Owner("net", f"c{number}", "eth0")


async def add(ledger: Ledger, number: int) -> str:
    return str((await ledger.run(lambda book: book.lease(owner(number), SETS, (), 0, 0)))[0])


async def delete(ledger: Ledger, number: int) -> bool:
    return await ledger.run(lambda book: book.free(owner(number), 0))


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    one = Ledger(tmp_path / "net.leases", None)
    yield one
    await one.close()


class Disk:
    """Counts writes; fails them while `error` is set, before or after they reach the file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[list[Record]] = []
        self.error: OSError | None = None
        self.too_late = False
        real = Journal.append

        def append(journal: Journal, records: list[Record]) -> None:
            if self.error is not None and not self.too_late:
                raise self.error
            real(journal, records)
            if self.error is not None:
                raise self.error
            self.batches.append(records)

        monkeypatch.setattr(Journal, "append", append)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


async def test_what_comes_together_is_written_together(ledger: Ledger, disk: Disk) -> None:
    addresses = await asyncio.gather(*(add(ledger, number) for number in range(200)))
    assert len(set(addresses)) == 200
    assert len(disk.batches) <= 2
    assert sum(map(len, disk.batches)) == 200


async def test_a_later_process_knows_what_was_promised(ledger: Ledger, tmp_path: Path) -> None:
    first = await add(ledger, 1)
    await add(ledger, 2)
    await delete(ledger, 2)
    again = Ledger(tmp_path / "net.leases", None)
    assert await add(again, 1) == first
    assert await again.run(lambda book: sorted(book.leases)) == [owner(1)]
    await again.close()


async def test_questions_write_nothing(ledger: Ledger, disk: Disk) -> None:
    assert await ledger.run(lambda book: len(book.leases)) == 0
    assert disk.batches == []


async def test_a_refusal_reaches_its_own_asker_only(ledger: Ledger) -> None:
    def fails(_: Book) -> None:
        raise ValueError("no")

    outcomes = await asyncio.gather(add(ledger, 1), ledger.run(fails), add(ledger, 2), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [str, ValueError, str]


async def test_a_failed_write_gives_nothing_away(ledger: Ledger, disk: Disk) -> None:
    await add(ledger, 1)
    disk.error = OSError(28, "No space left on device")
    outcomes = await asyncio.gather(*(add(ledger, number) for number in range(2, 5)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {OSError}
    assert await ledger.run(lambda book: sorted(book.leases)) == [owner(1)]
    disk.error = None
    assert await add(ledger, 5) == "10.0.0.3"


async def test_a_write_whose_end_is_unknown_is_read_again(ledger: Ledger, disk: Disk) -> None:
    """The lease is on disk although its asker heard of an error: nobody else gets the address, and DEL ends it."""
    disk.error, disk.too_late = OSError(5, "Input/output error"), True
    with pytest.raises(OSError, match="Input/output"):
        await add(ledger, 1)
    disk.error = None
    assert await add(ledger, 2) == "10.0.0.3"
    assert await delete(ledger, 1)


async def test_on_a_full_disk_a_delete_beside_an_add_succeeds(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    await add(ledger, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    disk_is_full = False
    for number in range(2, 250):
        outcome = await asyncio.gather(*(add(ledger, number * 10 + n) for n in range(10)), return_exceptions=True)
        disk_is_full = any(isinstance(each, OSError) for each in outcome)
        if disk_is_full:
            break
        await asyncio.gather(*(delete(ledger, number * 10 + n) for n in range(10)))
    assert disk_is_full
    outcomes = await asyncio.gather(add(ledger, 9998), delete(ledger, 1), add(ledger, 9999), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OSError, bool, OSError]
    assert await ledger.run(lambda book: owner(1) not in book.leases)


async def test_a_file_that_cannot_be_understood_is_everybodys_error_and_heals(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "net.leases"
    path.write_bytes(b"00000000 x\n" + sealed(b'{"hornpipe-ipam":1}'))
    outcomes = await asyncio.gather(add(ledger, 1), add(ledger, 2), return_exceptions=True)
    assert all("is broken" in str(outcome) for outcome in outcomes)
    path.unlink()
    assert await add(ledger, 1) == "10.0.0.2"


def sealed(text: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(text), text)


async def test_records_that_mean_nothing_do_not_leave_anybody_waiting(ledger: Ledger, tmp_path: Path) -> None:
    lease = b'[["lease",["net","a","eth0"],["not-an-address"],0,0]]'
    (tmp_path / "net.leases").write_bytes(sealed(b'{"hornpipe-ipam":1}') + sealed(lease))
    with pytest.raises(ValueError, match="not-an-address"):
        await add(ledger, 1)


async def test_an_asker_that_goes_away_leaves_a_lease_it_may_ask_for_again(ledger: Ledger) -> None:
    task = asyncio.create_task(add(ledger, 1))
    await asyncio.sleep(0)
    task.cancel()
    assert await add(ledger, 2) == "10.0.0.3"
    assert await add(ledger, 1) == "10.0.0.2"


async def test_the_file_stays_small_under_churn(ledger: Ledger, tmp_path: Path) -> None:
    for _ in range(30):
        await asyncio.gather(*(add(ledger, number) for number in range(100)))
        await asyncio.gather(*(delete(ledger, number) for number in range(100)))
    assert (tmp_path / "net.leases").stat().st_size < 200_000
    assert await ledger.run(lambda book: len(book.leases)) == 0
