"""A guest kernel as a process: start it, speak to it, and be sure that it is gone.

linux.uml (Debian's package user-mode-linux) is the Linux kernel as a program. It calls setsid() itself, and when it is
killed by SIGKILL three of its helper processes stay and hold the guest's memory. A keeper process, between launcher and
guest, kills the whole group as soon as the guest ends, or the launcher does, whatever ended it.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

_locks: list[int] = []


def free_cpu() -> int:
    """A CPU that no other launcher uses, else any; it is held until this process ends.

    The guest's kernel and its processes take turns: on two CPUs each turn costs a wake-up, and all runs 4 times slower.
    """
    cpus = sorted(os.sched_getaffinity(0), reverse=True)
    for cpu in cpus:
        lock = os.open(f"/tmp/.umlrun-cpu{cpu}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        _locks.append(lock)
        return cpu
    return cpus[os.getpid() % len(cpus)]


def memory_directory(size: int) -> str:
    """Where the guest's memory (an unlinked file) has room. Docker's 64 MB /dev/shm would mean SIGBUS."""
    for directory in (os.environ.get("UMLRUN_MEMDIR"), "/dev/shm", "/tmp", "/var/tmp"):
        if directory and os.access(directory, os.W_OK):
            stat = os.statvfs(directory)
            if stat.f_bavail * stat.f_frsize > size:
                return directory
    raise OSError(f"no directory has {size >> 20} MB for the guest's memory; name one in UMLRUN_MEMDIR")


class Guest:
    """linux.uml under its keeper. `output` is a file descriptor that gets console and messages."""

    def __init__(self, argv: list[str], *, output: int | None, pass_fds: tuple[int, ...], env: dict[str, str]) -> None:
        life_read, self._life = os.pipe()
        self._done, done_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._life)
                os.close(self._done)
                _keep(argv, output, pass_fds, env, life_read, done_write)
            finally:
                os._exit(0)
        os.close(life_read)
        os.close(done_write)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and os.waitpid(self.pid, os.WNOHANG)[0]:
            told = os.read(self._done, 99)
            self.returncode = int(told) if told else -9
        return self.returncode

    def wait(self, limit: float = 5.0) -> int | None:
        end = time.monotonic() + limit
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        return self.returncode

    def kill(self) -> None:
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        self.wait()


def _keep(
    argv: list[str], output: int | None, pass_fds: tuple[int, ...], env: dict[str, str], life: int, done: int
) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a kernel panic is an abort()
    stdin = None if output is None else subprocess.DEVNULL
    guest = subprocess.Popen(
        argv, stdin=stdin, stdout=output, stderr=output, pass_fds=pass_fds, env=env, start_new_session=True
    )
    handle = os.pidfd_open(guest.pid)
    select.select([life, handle], [], [])
    try:  # before wait(): until then the group's number is still ours
        os.killpg(guest.pid, signal.SIGKILL)
    except ProcessLookupError:
        print("umlrun: the guest's processes ended by themselves")
    status = guest.wait()
    try:
        os.write(done, b"%d" % status)
    except BrokenPipeError:
        return  # the launcher is gone: nobody to tell


def console_command(path: Path, command: str, limit: float = 2.0) -> tuple[int, str]:
    """One command to the guest's management console, a Unix datagram socket: (0, answer) or (error, reason)."""
    data = command.encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as console:
        try:
            console.bind(f"\0umlrun-{os.getpid()}-{time.monotonic()}")
            console.settimeout(limit)
            console.sendto(struct.pack("=III512s", 0xCAFEBABE, 2, len(data), data), str(path))
            answer = b""
            while True:
                reply = console.recv(8192)
                error, more, length = struct.unpack("=III", reply[:12])
                answer += reply[12 : 12 + length]
                if not more:
                    return error, answer.rstrip(b"\0").decode(errors="replace")
        except OSError as error:
            return -1, str(error)
