"""A command in private namespaces: whatever it starts or creates is gone when it ends, however it ends.

`python -m hornpipe.demo.sandbox COMMAND...` gives the command its own mount, network, PID, IPC and host-name
namespaces, a new /run (so `ip netns` names cannot collide with the machine's) and a new /sys (which shows the new
network namespace's devices). Two processes stand between the caller and the command: the outer one waits and hands
signals on; the inner one is the first of the PID namespace, reaps orphans and leaves with the command's status, and the
kernel then kills everything that is left. Each dies with its parent, so even a SIGKILL of the caller leaves nothing.

Root may do this anywhere; another user may where the kernel allows unprivileged user namespaces.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

INSIDE = "HORNPIPE_SANDBOX"
"""Set in the environment of everything inside."""

FAILED = 125
"""Exit status where the sandbox, not the command, failed."""

# sched.h; the standard library has them from Python 3.12 on
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1

PREPARE = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock
mount -t sysfs sysfs /sys
ip link set lo up
hostname sandbox
"""

HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def command(argv: Sequence[str]) -> list[str]:
    """The argument list that runs `argv` in a sandbox."""
    return [sys.executable, "-m", "hornpipe.demo.sandbox", "--", *argv]


def inside() -> bool:
    return INSIDE in os.environ


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _die_with_parent(libc: ctypes.CDLL) -> None:
    _check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def _unshare(libc: ctypes.CDLL) -> None:
    flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    uid, gid = os.geteuid(), os.getegid()
    if uid:
        flags |= CLONE_NEWUSER
    _check(libc.unshare(flags), "unshare")
    if uid:  # the caller becomes root inside, and nobody else exists there
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)


def _hand_on_to(pid: int) -> None:
    def hand_on(number: int, _frame: FrameType | None) -> None:
        os.kill(pid, number)

    for number in HANDED_ON:
        signal.signal(number, hand_on)
    if os.isatty(0):  # a terminal's Ctrl-C reaches the whole foreground group, the command included: once is enough
        signal.signal(signal.SIGINT, lambda _number, _frame: None)


def _first_process(argv: Sequence[str]) -> int:
    """PID 1 of the sandbox."""
    prepared = subprocess.run(["sh", "-c", PREPARE], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if prepared.returncode:
        print(f"sandbox: cannot be set up: {prepared.stderr.strip()}", file=sys.stderr)
        return FAILED
    try:
        child = subprocess.Popen(argv, env=dict(os.environ, **{INSIDE: "1"}))
    except OSError as error:
        print(f"sandbox: {argv[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126
    _hand_on_to(child.pid)
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode


def run(argv: Sequence[str]) -> int:
    """Run `argv` in a sandbox; its exit status, 128 + N if signal N ended it, 125 if there is no sandbox."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        _die_with_parent(libc)
        _unshare(libc)
    except OSError as error:
        print(f"sandbox: {error.strerror} (needs root or unprivileged user namespaces)", file=sys.stderr)
        return FAILED
    pid = os.fork()
    if pid == 0:
        status = FAILED
        try:
            _die_with_parent(libc)
            status = _first_process(argv)
        finally:
            os._exit(status if status >= 0 else 128 - status)
    _hand_on_to(pid)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--"]:
        del arguments[0]
    if not arguments or arguments[0].startswith("-"):
        print("usage: python -m hornpipe.demo.sandbox [--] COMMAND [ARGUMENT...]", file=sys.stderr)
        return 2
    status = run(arguments)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
