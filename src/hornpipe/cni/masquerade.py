"""`ipMasq`: packets from a container that leave its subnet carry the host's address.

One nftables table holds one rule for each subnet, however many containers there are in it; it is replaced as a whole,
in one transaction, when the set of subnets changes. Attaching another container to a known subnet starts no process.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from hornpipe.cni import failure
from hornpipe.cni.delegate import execute
from hornpipe.cni.failure import CniFailure

TABLE = "hornpipe-cni"
MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


class Masquerade:
    """`mark` is a file that exists while the table may, so that a daemon without such subnets starts no process."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark
        self._settling = asyncio.Lock()
        self._users: dict[str, frozenset[str]] = {}
        """Subnets by attachment."""
        self._written: frozenset[str] | None = None if mark.exists() else frozenset()

    async def put(self, name: str, subnets: Iterable[str]) -> None:
        """Empty: the attachment is gone, or wants none."""
        wanted = frozenset(subnets)
        if wanted:
            self._users[name] = wanted
        else:
            self._users.pop(name, None)
        await self._settle()

    async def restore(self, users: dict[str, frozenset[str]]) -> None:
        """At start: what attachments have, whatever the kernel may still hold."""
        self._users = {name: subnets for name, subnets in users.items() if subnets}
        await self._settle()

    async def _settle(self) -> None:
        async with self._settling:
            wanted: frozenset[str] = frozenset().union(*self._users.values())
            if wanted == self._written:
                return
            self._written = None
            self._mark.touch()
            await _nft(script(wanted))
            self._written = wanted
            if not wanted:
                self._mark.unlink(missing_ok=True)


def script(subnets: Iterable[str]) -> str:
    """For ``nft -f``: adding first makes deleting good whether or not there is one."""
    lines = [f"add table inet {TABLE}", f"delete table inet {TABLE}"]
    rules = []
    for subnet in sorted(subnets):
        family, word = (6, "ip6") if ":" in subnet else (4, "ip")
        rules.append(f"{word} saddr {subnet} {word} daddr != {{ {subnet}, {MULTICAST[family]} }} masquerade")
    if rules:
        lines += [f"table inet {TABLE} {{", "chain postrouting {", "type nat hook postrouting priority srcnat;"]
        lines += [*rules, "}", "}"]
    return "\n".join(lines) + "\n"


async def _nft(text: str) -> None:
    program = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:{PATH}")
    if program is None:
        raise CniFailure(failure.CONFIG, "ipMasq needs nft, which is not installed", "apt-get install nftables")
    errors = os.memfd_create("stderr")
    try:
        ended = await execute([program, "-f", "-"], text.encode(), os.environ, errors)
        if ended.status:
            words = os.pread(errors, 500, 0).decode(errors="replace").strip()
            raise CniFailure(failure.IO, f"ipMasq: nft: {words or f'exit status {ended.status}'}")
    except OSError as error:
        raise CniFailure(failure.IO, f"ipMasq: {program}: {error.strerror or error}") from error
    finally:
        os.close(errors)
