"""Takes what is marked ours out of this host's kernel without a daemon: ``hornpipe flush``."""

from __future__ import annotations

from hornpipe.dataplane.dummy import ForwardingSink
from hornpipe.dataplane.linux.driver import LinuxDriver
from hornpipe.forwarding.state import Forwarding


async def flush() -> int:
    """Returns the number of devices. OSError says why it cannot be done."""
    driver = LinuxDriver()
    await driver.start(ForwardingSink(Forwarding()))  # what it hears of its own deletions concerns nobody
    try:
        return await driver.flush()
    finally:
        await driver.stop()
