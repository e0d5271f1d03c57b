"""A stream of echo requests that counts what was lost, and for how long nothing came back."""

from __future__ import annotations

import itertools
import re
import signal
import threading
from typing import NamedTuple

from hornpipe.demo.host import Host

REPLY = re.compile(r"^\[(?P<at>[0-9.]+)\] .*icmp_seq=(?P<sequence>\d+) ttl=", re.MULTILINE)
SUMMARY = re.compile(r"(\d+) packets transmitted, (\d+) received")
SEQUENCES = 1 << 16
LATE = 0.25
"""Seconds: requests at the end that have no reply by then are on their way, as on a busy machine. Who counts what was
lost lets the flood go on for longer than that after the last fault."""


class Loss(NamedTuple):
    sent: int
    received: int
    outage: float
    """The longest time between two replies that followed each other, less the sending interval: seconds."""

    @property
    def lost(self) -> int:
        return self.sent - self.received


class Flood:
    """Pings every `interval` seconds from construction until `stop`."""

    def __init__(self, host: Host, address: str, netns: str | None = None, interval: float = 0.005) -> None:
        self.interval = interval
        command = ["ping", "-n", "-D", "-i", f"{interval:g}", "-W", "1", address]
        self._ping = host.popen(*command, netns=netns)
        self._output = ""
        # Read all the time: ping waits when the pipe is full (64 KiB, 800 replies), and sends nothing meanwhile.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        self._output, _ = self._ping.communicate()

    def stop(self) -> Loss:
        self._ping.send_signal(signal.SIGINT)
        self._reader.join(60)
        if self._reader.is_alive():
            self._ping.kill()
            self._reader.join()
        output = self._output
        summary = SUMMARY.search(output)
        if summary is None:
            raise AssertionError(f"ping did not count: {output[-2000:]}")
        replies = [float(match["at"]) for match in REPLY.finditer(output)]
        pauses = [after - before for before, after in itertools.pairwise(replies)]
        sent, received = int(summary[1]), int(summary[2])
        if replies:
            last = [int(match["sequence"]) for match in REPLY.finditer(output)][-1]
            on_their_way = (sent - last) % SEQUENCES
            if on_their_way * self.interval < LATE:
                sent -= on_their_way
        return Loss(sent, received, max(0.0, max(pauses, default=0.0) - self.interval))
