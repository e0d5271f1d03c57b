"""A process that dies at its n-th step on the disk, for every n; and what the next one finds. Run by test_crash.py.

    crash_steps.py DIRECTORY KIND       KIND: pool or ranges

Steps are the calls by which leases and claims reach the disk. Each n is two forked processes in a fresh directory:
the first does the scenario and is killed (SIGKILL, by itself) just before or just after its n-th call; the second does
what a runtime would do then and checks; a line per n goes to standard output.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from hornpipe.ipam import journal
from hornpipe.ipam.directory_store import DirectoryStore
from hornpipe.ipam.grant import Owner
from hornpipe.ipam.ipam import Ipam

CALLS = ("pwrite", "fsync", "fdatasync", "posix_fallocate", "replace", "link", "unlink", "open", "mkdir")
IPAM: dict[str, dict[str, Any]] = {
    "pool": {
        "pool": {"name": "pods", "cidrs": ["10.42.0.0/26", "fd00::/120"], "block_size": 2},
        "reserved": ["10.42.0.32"],
        "quarantine": 0,
    },
    "ranges": {"ranges": [[{"subnet": "10.42.0.0/26"}], [{"subnet": "fd00::/120"}]], "quarantine": 0},
}


def dies_at(step: int, after: bool) -> Callable[[], int]:
    """Makes this process die at that call from now on; returns how many there were."""
    numbers = itertools.count(1)  # next() on it is one step for threads, too
    last = [0]

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            mine = last[0] = next(numbers)
            if mine == step and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **more)
            if mine == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in CALLS:
        setattr(os, name, wrap(getattr(os, name)))
    return lambda: last[0]


def tell(words: str) -> None:
    os.write(1, f"{words}\n".encode())


class Runtime:
    def __init__(self, directory: Path, kind: str) -> None:
        self.directory, self.kind = directory, kind
        self.ipam = Ipam(directory / "ipam", host="a", store=DirectoryStore(directory / "blocks"))
        self.network = {"cniVersion": "1.0.0", "name": "net", "ipam": IPAM[kind]}

    async def add(self, name: str, *requested: str) -> str:
        wanted = requested if self.kind == "pool" else ()
        grant = await self.ipam.add(self.network, Owner("net", name, "eth0"), requested=wanted)
        text = " ".join(str(given.prefix.address) for given in grant.addresses)
        tell(f"added {name} {text}")
        return text

    async def delete(self, name: str) -> None:
        tell(f"deleting {name}")
        await self.ipam.delete(Owner("net", name, "eth0"))
        tell(f"deleted {name}")


async def scenario(directory: Path, kind: str, step: int, after: bool) -> None:
    steps = dies_at(step, after)
    runtime = Runtime(directory, kind)
    await runtime.ipam.open()
    await runtime.add("one")
    await asyncio.gather(*(runtime.add(f"many{number}") for number in range(3)))
    await runtime.add("fixed", "10.42.0.32")
    await asyncio.gather(runtime.delete("one"), runtime.delete("many1"), runtime.delete("fixed"))
    journal.HISTORY = 0  # the next change writes the file anew
    await runtime.add("late")
    await runtime.delete("many0")
    await settled(directory)
    await runtime.ipam.close()
    tell(f"steps {steps()}")


async def aftermath(directory: Path, kind: str, said: list[list[str]]) -> None:
    """`said`: the lines of the one that died."""
    runtime = Runtime(directory, kind)
    await runtime.ipam.open()
    deleting = {line[1] for line in said if line[0] == "deleting"}
    deleted = {line[1] for line in said if line[0] == "deleted"}
    promised = {line[1]: " ".join(line[2:]) for line in said if line[0] == "added" and line[1] not in deleting}
    fresh = [await runtime.add(f"new{number}") for number in range(6)]
    for name, text in promised.items():
        assert await runtime.add(name) == text, f"{name} had {text}"
    held = [*promised.values(), *fresh]
    addresses = [address for text in held for address in text.split()]
    assert len(set(addresses)) == len(addresses), f"twice: {held}"
    for name in deleted:
        assert await gone(runtime, name), f"{name} was deleted"
    names = ["one", "many0", "many1", "many2", "fixed", "late", *(f"new{number}" for number in range(6))]
    for name in ("one", "late"):  # the runtime tries again what it has no answer to
        await runtime.add(name)
    await runtime.add("fixed", "10.42.0.32")
    for name in names:
        await runtime.delete(name)
        await runtime.delete(name)
    if kind == "pool":
        await nothing_claimed(directory)
    await runtime.ipam.close()


async def settled(directory: Path) -> None:
    """Empty blocks have gone back."""
    before, same = None, 0
    while same < 6:
        held = sorted(os.listdir(directory / "blocks" / "pods")) if (directory / "blocks" / "pods").is_dir() else []
        before, same = held, same + 1 if held == before else 0
        await asyncio.sleep(0.01)


async def gone(runtime: Runtime, name: str) -> bool:
    ledgers = runtime.ipam._ledgers_of("net")
    return not any([await one.run(lambda book: book.addresses_of(Owner("net", name, "eth0"))) for one in ledgers])


async def nothing_claimed(directory: Path) -> None:
    store = DirectoryStore(directory / "blocks")
    for _ in range(6000):
        if not store.list_now("pods"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"leaked: {store.list_now('pods')}")


def forked(work: Callable[[], Coroutine[Any, Any, None]]) -> tuple[int, list[list[str]]]:
    """Exit status (negative: a signal) and what it told."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 1)
        os.close(reader)
        asyncio.run(work())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        lines = [line.split() for line in told]
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), lines


def main() -> None:
    root, kind = Path(sys.argv[1]), sys.argv[2]
    (root / "whole").mkdir()
    status, said = forked(lambda: scenario(root / "whole", kind, 0, False))
    steps = int(said[-1][1])
    tell(f"whole status={status} steps={steps}")
    for step, after in itertools.product(range(1, steps + 1), (False, True)):
        directory = root / f"{step}-{after}"
        directory.mkdir()
        status, said = forked(partial(scenario, directory, kind, step, after))
        again, _ = forked(partial(aftermath, directory, kind, said))
        tell(f"step {step} after={after} status={status} told={len(said)} good={again == 0}")


if __name__ == "__main__":
    main()
