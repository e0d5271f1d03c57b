"""hornpiped that kills itself at a step of a CNI command: ``python cni_victim.py ADD:STEP OPTION...``.

A step is a method and a side of it. Nothing in the daemon knows of this: the method is wrapped here, and the first call
ends the process by SIGKILL, before it does anything or right after.
"""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from hornpipe.cni.addressing import Addressing
from hornpipe.cni.attachments import Attachments
from hornpipe.cni.departures import Departures
from hornpipe.cni.masquerade import Masquerade
from hornpipe.cni.plugin import Plugin
from hornpipe.cni.request import Answer
from hornpipe.daemon.intent import IntentFile
from hornpipe.dataplane.linux.entries import Entries
from hornpipe.dataplane.linux.pair import Pairs
from hornpipe.dataplane.linux.reaper import Reaper
from hornpipe.engine.engine import Engine


class Step(NamedTuple):
    owner: type
    method: str
    side: Literal["before", "after"]


ADD = {
    "request read": Step(Plugin, "add", "before"),
    "nothing done": Step(Addressing, "add", "before"),
    "address leased": Step(Addressing, "add", "after"),
    "attached": Step(Engine, "attach", "after"),
    "intent not yet on disk": Step(IntentFile, "save", "before"),
    "intent on disk": Step(IntentFile, "save", "after"),
    "kernel not yet asked": Step(Entries, "put", "before"),
    "first device made": Step(Entries, "put", "after"),
    "interface made": Step(Attachments, "_programmed", "after"),
    "masquerading": Step(Masquerade, "put", "after"),
    "answer not yet sent": Step(Answer, "encode", "before"),
}
DEL = {
    "request read": Step(Plugin, "delete", "before"),
    "detached": Step(Engine, "detach", "after"),
    "intent not yet on disk": Step(IntentFile, "save", "before"),
    "intent on disk": Step(IntentFile, "save", "after"),
    "kernel not yet asked": Step(Pairs, "dismiss", "before"),
    "interface on its way out": Step(Pairs, "dismiss", "after"),
    "interface not yet deleted": Step(Reaper, "reap", "before"),
    "gone": Step(Departures, "removed", "after"),
    "address not yet freed": Step(Addressing, "delete", "before"),
    "address freed": Step(Addressing, "delete", "after"),
    "no longer masqueraded": Step(Masquerade, "put", "after"),
    "answer not yet sent": Step(Answer, "encode", "before"),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def wrapped(method: Callable[..., Any], side: str) -> Callable[..., Any]:
    async def asynchronous(*args: Any, **more: Any) -> Any:
        if side == "after":
            await method(*args, **more)
        die()

    def synchronous(*args: Any, **more: Any) -> Any:
        if side == "after":
            method(*args, **more)
        die()

    return asynchronous if inspect.iscoroutinefunction(method) else synchronous


def main() -> None:
    command, name = sys.argv[1].split(":", 1)
    step = {"ADD": ADD, "DEL": DEL}[command][name]
    setattr(step.owner, step.method, wrapped(getattr(step.owner, step.method), step.side))
    from hornpipe.daemon.main import main as daemon

    sys.argv[1:2] = []
    daemon()


if __name__ == "__main__":
    main()
