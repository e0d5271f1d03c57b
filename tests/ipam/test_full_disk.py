"""A file system that is really full: leases are refused, their ends are not, and with room everything goes on."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from hornpipe.ipam.directory_store import DirectoryStore
from hornpipe.ipam.failure import IO_FAILURE, Failure
from hornpipe.ipam.ipam import Ipam
from hornpipe.ipam.plugin import Request, handle

pytestmark = pytest.mark.netns  # for its private mount namespace

NETWORK = {"cniVersion": "1.0.0", "name": "net", "ipam": {"subnet": "10.0.0.0/16", "quarantine": 0}}


async def run(ipam: Ipam, command: str, number: int) -> str:
    """The address, or the message of a failure."""
    request = Request(command=command, network=NETWORK, container=f"{number:064}", ifname="eth0")
    try:
        result = await handle(ipam, request)
    except Failure as failed:
        return f"{failed.code}: {failed.message}"
    return str(result["ips"][0]["address"]) if result else "freed"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(tmp_path)], check=True)
    return tmp_path


async def test_a_full_tmpfs(small: Path) -> None:
    ipam = Ipam(small / "ipam", host="a", store=DirectoryStore(small / "blocks"))
    await ipam.open()
    kept = [await run(ipam, "ADD", number) for number in range(150)]
    filler = open(small / "filler", "wb", buffering=0)  # noqa: SIM115, ASYNC230
    with pytest.raises(OSError, match="No space"):
        fill(filler.write)
    outcomes = []
    for number in range(150, 1000):
        outcomes.append(await run(ipam, "ADD", number))
        if "No space" in outcomes[-1]:
            break
    assert outcomes[-1] == f"{IO_FAILURE}: leases: No space left on device"
    both = await asyncio.gather(run(ipam, "ADD", 2000), *(run(ipam, "DEL", number) for number in range(75)))
    assert "No space" in both[0]
    assert set(both[1:]) == {"freed"}
    await ipam.close()

    again = Ipam(small / "ipam", host="a", store=DirectoryStore(small / "blocks"))
    await again.open()  # with the disk still full
    assert [await run(again, "ADD", number) for number in range(75, 150)] == kept[75:]
    assert await run(again, "DEL", 75) == "freed"
    filler.close()
    (small / "filler").unlink()
    assert await run(again, "ADD", 2001) not in [*kept, *outcomes]
    await again.close()


def fill(write: object) -> None:
    assert callable(write)
    while True:
        write(bytes(4096))
