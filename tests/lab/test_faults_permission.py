"""The kernel thread may not change anything for a while; a row of docs/reliability.md (`./dev reliability`).

The capability is really taken from that thread, and given back; its sockets stay.
"""

from __future__ import annotations

import ctypes
import os
import time

import pytest

from hornpipe.forwarding.listing import listing
from tests.forwarding.world import VTEP2, VTEP3, ip, mac
from tests.lab.dataplane_host import DataplaneHost, devices, fdb_master, fdb_self, running, sh
from tests.lab.trial import Trial
from tests.until import until

pytestmark = pytest.mark.netns

CAP_NET_ADMIN = 12
VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


class Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def allow(allowed: bool) -> None:
    """CAP_NET_ADMIN of the thread that calls (capabilities(7): a thread's own)."""
    header, sets = Header(VERSION_3, 0), (Sets * 2)()
    if _libc.capget(ctypes.byref(header), sets) == 0:
        bit = 1 << CAP_NET_ADMIN
        sets[0].effective = sets[0].effective | bit if allowed else sets[0].effective & ~bit
        if _libc.capset(ctypes.byref(header), sets) == 0:
            return
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))


async def in_kernel_thread(host: DataplaneHost, allowed: bool) -> None:
    worker, _ = host.driver._running()
    await worker.call(lambda: allow(allowed))


def remote(host: DataplaneHost, number: int, vtep: bytes = VTEP2) -> None:
    host.want(host.fdb, mac(number), (vtep, 0, False))
    host.want(host.neigh, ip(number), (mac(number), False))


async def test_permission_lost_and_regained() -> None:
    async with running() as host:
        host.instance()
        for number in range(1, 100):
            remote(host, number)
        await host.settle()
        trial = Trial("permission (CAP_NET_ADMIN) lost while entries come and go", flood=False)
        for turn in range(2):
            held = fdb_self()
            await in_kernel_thread(host, False)
            for number in range(100 + 50 * turn, 150 + 50 * turn):
                remote(host, number)
            remote(host, 1, VTEP3 if turn == 0 else VTEP2)
            sh(f"bridge fdb del {mac(2).hex(':')} dev hp-vx100 dst 10.0.0.2 self")
            key = mac(100 + 50 * turn)
            await until(lambda k=key: host.forwarding.status(host.fdb, k)[0] == "error")
            _, reason = host.forwarding.status(host.fdb, key)
            assert "permitted" in reason
            assert len(fdb_self()) == len(held) - 1  # nothing else went
            await in_kernel_thread(host, True)
            began = time.monotonic()
            await until(lambda t=turn: is_right(host, 149 + 50 * t))
            trial.took(time.monotonic() - began)
        trial.end()


async def test_what_could_not_go_goes_when_permission_is_back() -> None:
    """A device of ours that nobody wants, an entry, and somebody else's permanent entry in the way of one of ours."""
    sh("ip link add hp-br7 type bridge && ip link set hp-br7 alias hornpipe:old")
    async with running() as host:
        host.instance()
        for number in range(1, 20):
            remote(host, number)
        await host.settle()
        sh("ip link add d0 type veth peer name d1 && ip link set d0 master hp-br100 up")
        await in_kernel_thread(host, False)
        host.forwarding.prune()
        host.want(host.fdb, mac(1), None)
        taken = mac(2).hex(":")
        sh(f"bridge fdb del {taken} dev hp-vx100 master; bridge fdb replace {taken} dev d0 master permanent")
        host.dataplane.pump(time.monotonic())
        keys = ("hp-br7", mac(1).hex(":"), taken)
        await until(lambda: all("permitted" in refusals(host).get(key, "") for key in keys))
        await in_kernel_thread(host, True)
        await until(lambda: not refusals(host))
        assert "hp-br7" not in devices()
        assert mac(1).hex(":") not in fdb_self()
        assert fdb_master().get(taken) == "hp-vx100"


def refusals(host: DataplaneHost) -> dict[str, str]:
    return {row.key: row.reason for row in listing(host.forwarding, status="error")}


def is_right(host: DataplaneHost, count: int) -> bool:
    wanted = {key: (value[0], host.forwarding.status(host.fdb, key)) for key, value in host.fdb.rows.items()}
    assert len(wanted) == count
    found = fdb_self()
    return all(
        state == ("done", "") and any(dst.startswith(".".join(map(str, vtep))) for dst in found.get(key.hex(":"), ()))
        for key, (vtep, state) in wanted.items()
    )
