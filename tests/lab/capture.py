"""tcpdump on a host's interface, started when it says that it listens, read as text when it is stopped."""

from __future__ import annotations

import signal

from hornpipe.demo.host import Host
from hornpipe.demo.until import until


class Capture:
    def __init__(self, host: Host, interface: str, expression: str, netns: str | None = None) -> None:
        self.process = host.spawn(
            "tcpdump",
            "-lnn",
            "--immediate-mode",
            "-i",
            interface,
            expression,
            netns=netns,
            log=f"tcpdump-{id(self)}.log",
        )
        until("tcpdump listens", lambda: "listening on" in self.process.output())

    def stop(self) -> list[str]:
        """The packets' lines."""
        if self.process.running:
            self.process.signal(signal.SIGINT)
            self.process.popen.wait(60)
        return [line for line in self.process.output().splitlines() if line[:2].isdigit()]

    @property
    def lines(self) -> list[str]:
        return [line for line in self.process.output().splitlines() if line[:2].isdigit()]

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()
