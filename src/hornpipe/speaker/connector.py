"""One attempt to connect to a peer, as a task that can be cancelled. What goes wrong becomes a sentence."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from hornpipe.bgp.session.config import PeerConfig
from hornpipe.speaker import options
from hornpipe.speaker.connection import Connection
from hornpipe.speaker.neighbour import of_peer


async def connect(
    loop: asyncio.AbstractEventLoop,
    peer: PeerConfig,
    make: Callable[[], Connection],
    failed: Callable[[str], None],
) -> None:
    """Ends with `Connection.connection_made`, or with `failed`; with neither if it is cancelled."""
    try:
        sock = options.connecting(of_peer(peer), peer.local_address)
    except (OSError, ValueError) as error:
        failed(reason(peer, error))
        return
    try:
        await loop.sock_connect(sock, destination(peer))
        await loop.create_connection(make, sock=sock)
    except OSError as error:
        sock.close()
        failed(reason(peer, error))
    except BaseException:
        sock.close()
        raise


def destination(peer: PeerConfig) -> tuple[str, int] | tuple[str, int, int, int]:
    """In the form asyncio does not send to a resolver thread: a zone (``fe80::1%eth0``) as a number of its own."""
    bare, _, zone = peer.address.partition("%")
    return (bare, peer.port, 0, socket.if_nametoindex(zone)) if zone else (bare, peer.port)


def reason(peer: PeerConfig, error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.errno:
        text = error.strerror or os.strerror(error.errno)
        if text.startswith("[Errno") or "Connect call failed" in text:
            text = os.strerror(error.errno)
    return f"connect to {peer.address} port {peer.port}: {text}"
