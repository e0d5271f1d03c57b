"""TCP MD5 with the kernel itself: equal passwords connect, anything else gets no answer at all."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path

import pytest

from hornpipe.engine.settings import ClientRange, Reflector
from hornpipe.speaker import md5
from hornpipe.speaker.listener import CannotSign
from hornpipe.speaker.neighbour import of_peer
from hornpipe.speaker.options import connecting
from tests.speaker.conftest import Keep, Launch
from tests.speaker.scripted import Host, Peer, ScriptedEngine, peer_config, settings
from tests.until import until

OPTMEM_MAX = Path("/proc/sys/net/core/optmem_max")
SILENCE = 0.3
"""How long to wait for an answer that must not come; loopback answers in microseconds."""


def kernel_has_md5() -> bool:
    with socket.socket() as sock:
        try:
            md5.set_key(sock, "127.0.0.1", 32, "probe")
        except OSError as error:
            if error.errno in (errno.ENOPROTOOPT, errno.ENOENT, errno.EPERM):
                return False
            raise
        return True


def keyed(address: str, password: str | None, length: int = 32) -> object:
    def setup(sock: socket.socket) -> None:
        if password is not None:
            md5.set_key(sock, address, length, password)

    return setup


needs_md5 = pytest.mark.skipif(not kernel_has_md5(), reason="unavoidable: this kernel has no TCP MD5")


def test_the_structure_is_linux_s() -> None:
    packed = md5.pack("127.0.0.2", 24, "abc")
    assert len(packed) == 216
    assert packed[:8] == socket.AF_INET.to_bytes(2, "little") + b"\0\0\x7f\0\0\x02"
    assert packed[128:136] == b"\x01\x18\x03\x00" + bytes(4)
    assert packed[136:140] == b"abc\0"
    packed = md5.pack("2001:db8::1", 64, None)
    assert packed[8:24] == bytes.fromhex("20010db8000000000000000000000001")
    assert packed[129:132] == b"\x40\x00\x00"


def test_a_password_too_long_is_refused() -> None:
    md5.pack("127.0.0.2", 32, "x" * 80)
    with pytest.raises(ValueError, match="at most 80 bytes, not 81"):
        md5.pack("127.0.0.2", 32, "x" * 81)


@needs_md5
async def test_equal_passwords_when_the_peer_connects(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker = await launch(settings(peer_config("127.0.0.2", 179, password="secret")))
    peer = await Peer.dial(speaker.listening[0][1], "127.0.0.2", setup=keyed("127.0.0.1", "secret"))
    keep(peer)
    await peer.says(b"signed")
    await until(lambda: engine.bytes_in.get(1) == b"signed")


@needs_md5
@pytest.mark.parametrize("password", ["other", None])
async def test_a_wrong_or_missing_password_gets_no_answer(
    engine: ScriptedEngine, launch: Launch, password: str | None
) -> None:
    speaker = await launch(settings(peer_config("127.0.0.2", 179, password="secret")))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SILENCE):
            await Peer.dial(speaker.listening[0][1], "127.0.0.2", setup=keyed("127.0.0.1", password))
    assert engine.heard == []


@needs_md5
async def test_peers_without_a_password_are_not_concerned(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker = await launch(settings(peer_config("127.0.0.2", 179, password="secret")))
    keep(await Peer.dial(speaker.listening[0][1], "127.0.0.3"))
    await until(lambda: engine.heard)


@needs_md5
async def test_a_range_of_clients_shares_a_password_and_a_single_peer_may_have_its_own(
    engine: ScriptedEngine, launch: Launch, keep: Keep
) -> None:
    clients = ClientRange(prefix="127.0.8.0/24", password="range")
    own = peer_config("127.0.8.7", 179, password="own")
    speaker = await launch(settings(own, reflector=Reflector(clients=(clients,))))
    port = speaker.listening[0][1]
    keep(await Peer.dial(port, "127.0.8.1", setup=keyed("127.0.0.1", "range")))
    keep(await Peer.dial(port, "127.0.8.7", setup=keyed("127.0.0.1", "own")))
    await until(lambda: len(engine.heard) == 2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SILENCE):
            await Peer.dial(port, "127.0.8.7", setup=keyed("127.0.0.1", "range"))


@needs_md5
async def test_a_reload_changes_the_passwords_of_a_listening_socket(
    engine: ScriptedEngine, launch: Launch, keep: Keep
) -> None:
    speaker = await launch(settings(peer_config("127.0.0.2", 179, password="old")))
    port = speaker.listening[0][1]
    await speaker.configure(settings(peer_config("127.0.0.2", 179, password="new")))
    assert speaker.listening[0][1] == port
    keep(await Peer.dial(port, "127.0.0.2", setup=keyed("127.0.0.1", "new")))
    await speaker.configure(settings(peer_config("127.0.0.2", 179)))
    keep(await Peer.dial(port, "127.0.0.2"))
    await until(lambda: len(engine.heard) == 2)


@needs_md5
async def test_equal_passwords_when_we_connect(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    host = Host("127.0.0.2", setup=keyed("127.0.0.1", "secret"))
    keep(host)
    speaker = await launch(settings(listen=False))
    engine.connects = [peer_config("127.0.0.2", host.port, password="secret", local_address="127.0.0.1")]
    speaker.pump(speaker.now())
    peer, _ = await host.answers()
    keep(peer)
    await until(lambda: engine.heard)
    engine.say(1, b"signed")
    speaker.pump(speaker.now())
    assert await peer.hears(6) == b"signed"


@needs_md5
async def test_different_passwords_when_we_connect(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    host = Host("127.0.0.2", setup=keyed("127.0.0.1", "secret"))
    keep(host)
    speaker = await launch(settings(listen=False))
    engine.connects = [peer_config("127.0.0.2", host.port, password="other", local_address="127.0.0.1")]
    speaker.pump(speaker.now())
    await asyncio.sleep(SILENCE)
    assert engine.heard == [], "neither connected nor failed: the session's timer tells"


@needs_md5
async def test_ipv6(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker = await launch(settings(peer_config("::1", 179, password="six"), listen_address=("::1",)))
    peer = await Peer.dial(speaker.listening[0][1], "::1", "::1", setup=keyed("::1", "six", 128))
    keep(peer)
    await until(lambda: engine.heard)


@needs_md5
def test_a_password_the_kernel_will_not_take_closes_the_socket() -> None:
    neighbour = of_peer(peer_config("127.0.0.2", 179, password="x" * 81))
    with pytest.raises(ValueError, match="80 bytes"):
        connecting(neighbour, None)


@needs_md5
async def test_too_many_passwords_for_the_kernel_and_then_fewer(launch: Launch) -> None:
    """net.core.optmem_max is per socket; what was put before the last one fitted is known at the next reload."""
    limit = int(OPTMEM_MAX.read_text())  # noqa: ASYNC240 - a number of the kernel's
    many = tuple(
        peer_config(f"127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 179, password="x")
        for number in range(1, limit // 100)
    )
    speaker = await launch(settings(many[0]))
    with pytest.raises(CannotSign, match="too many keys for the kernel, see net"):
        await speaker.configure(settings(*many))
    await speaker.configure(settings(*many[:10]))
    await speaker.configure(settings())
