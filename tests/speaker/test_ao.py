"""TCP-AO: the kernel's structures, what is said where the kernel has none, and sessions where it has."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from hornpipe.bgp.session.config import TcpAo
from hornpipe.speaker import ao, signature
from hornpipe.speaker.neighbour import of_peer
from hornpipe.speaker.options import connecting
from tests.speaker.scripted import peer_config

KEY = TcpAo(secret="abc", send_id=7, receive_id=9)


def test_the_structures_are_linux_s() -> None:
    """Offsets of struct tcp_ao_add and tcp_ao_del in linux/tcp.h."""
    packed = ao.pack_add("127.0.0.2", 24, KEY, current=True)
    assert len(packed) == 288
    assert packed[:8] == socket.AF_INET.to_bytes(2, "little") + b"\0\0\x7f\0\0\x02"
    assert packed[128:139] == b"hmac(sha1)\0"
    assert packed[192:200] == bytes(4) + b"\x03\0\0\0"  # no interface; set_current and set_rnext
    assert packed[202:208] == bytes((24, 7, 9, 12, 0, 3))
    assert packed[208:212] == b"abc\0"
    assert ao.pack_add("127.0.0.2", 24, KEY, current=False)[196] == 0
    packed = ao.pack_delete("2001:db8::1", 64, KEY)
    assert len(packed) == 144
    assert packed[8:24] == bytes.fromhex("20010db8000000000000000000000001")
    assert packed[138:141] == bytes((64, 7, 9))


def test_a_key_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 80 bytes, not 81"):
        ao.pack_add("127.0.0.2", 32, TcpAo(secret="x" * 81), current=True)


class NoAo(socket.socket):
    def setsockopt(self, *_: object) -> None:
        raise OSError(errno.ENOPROTOOPT, "Protocol not available")


def test_a_kernel_without_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", NoAo)
    assert ao.lacking(KEY) == ao.NO_AO
    with NoAo() as sock, pytest.raises(OSError, match="CONFIG_TCP_AO"):
        signature.put(sock, "127.0.0.1", 32, KEY, listening=False)


def test_a_peer_is_signed_by_what_it_has() -> None:
    assert of_peer(peer_config("127.0.0.2", 179, tcp_ao=KEY)).signature == KEY
    assert of_peer(peer_config("127.0.0.2", 179, password="abc")).signature == "abc"
    assert of_peer(peer_config("127.0.0.2", 179)).signature is None


@pytest.mark.kernel("tcp-ao")
async def test_equal_keys_connect_and_others_get_no_answer() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        signature.put(listener, "127.0.0.1", 32, TcpAo(secret="abc", send_id=9, receive_id=7), listening=True)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        for key, answered in ((KEY, True), (TcpAo(secret="other", send_id=7, receive_id=9), False)):
            with connecting(of_peer(peer_config("127.0.0.1", port, tcp_ao=key)), None) as sock:
                attempt = asyncio.wait_for(loop.sock_connect(sock, ("127.0.0.1", port)), 0.5)
                if answered:
                    await attempt
                else:
                    with pytest.raises(TimeoutError):
                        await attempt


def test_a_kernel_without_the_algorithm_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCmac(socket.socket):
        def setsockopt(self, *_: object) -> None:
            raise OSError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(socket, "socket", NoCmac)
    assert ao.lacking(TcpAo(secret="abc", algorithm="aes-128-cmac")) == "the kernel has no aes-128-cmac (cmac(aes128))"
