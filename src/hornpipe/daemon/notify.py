"""Tells systemd how we are: sd_notify(3) in datagrams, READY, RELOADING, STOPPING, STATUS and WATCHDOG.

Without ``NOTIFY_SOCKET`` every call does nothing. The unit is ``Type=notify-reload``, which wants RELOADING with the
monotonic time in microseconds and READY again when the new configuration is applied.
"""

from __future__ import annotations

import os
import socket
import time


class Notify:
    def __init__(self, environ: dict[str, str] | os._Environ[str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if self._address else None
        usec = environ.get("WATCHDOG_USEC", "")
        for_us = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self.watchdog_interval = int(usec) / 2e6 if usec.isdecimal() and for_us else 0.0
        """Seconds between `watchdog` calls, half of what systemd allows; 0: none wanted."""

    def _send(self, *lines: str) -> None:
        if self._socket is None:
            return
        # A leading @ is the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            self._socket.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, address)
        except OSError:
            # systemd restarts or its queue is full: nothing of ours depends on this message, the next one will tell.
            return

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        self._send(f"STATUS={text}")

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
