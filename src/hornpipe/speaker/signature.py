"""What segments of a session are signed with: a TCP MD5 password, or a TCP-AO key."""

from __future__ import annotations

import socket
from typing import TypeAlias

from hornpipe.bgp.session.config import TcpAo
from hornpipe.speaker import ao, md5

Signature: TypeAlias = str | TcpAo


def put(sock: socket.socket, address: str, length: int, signature: Signature, *, listening: bool) -> None:
    """OSError says what the kernel lacks."""
    if isinstance(signature, str):
        md5.set_key(sock, address, length, signature)
    else:
        ao.add_key(sock, address, length, signature, current=not listening)


def remove(sock: socket.socket, address: str, length: int, signature: Signature) -> None:
    if isinstance(signature, str):
        md5.set_key(sock, address, length, None)
    else:
        ao.delete_key(sock, address, length, signature)
