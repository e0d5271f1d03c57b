"""Calls another plugin: found in CNI_PATH, given the same environment and the whole configuration on standard input.

Its standard input and output are memory files, so nothing has to be pumped: the loop is told by a pidfd that the
process has ended. What it writes to standard error goes where our own caller's goes.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from hornpipe.cni import failure
from hornpipe.cni.failure import CniFailure

LIMIT = 30.0
"""Seconds; less than the executable waits for us."""


class Ended(NamedTuple):
    status: int
    output: bytes


async def execute(
    argv: Sequence[str], stdin: bytes, environment: Mapping[str, str], stderr: int | None = None, limit: float = LIMIT
) -> Ended:
    """OSError if it cannot be started, TimeoutError (and it is killed) if it does not end."""
    given, printed = os.memfd_create("stdin"), os.memfd_create("stdout")
    try:
        os.write(given, stdin)
        os.lseek(given, 0, os.SEEK_SET)
        process = subprocess.Popen(  # noqa: ASYNC220 (starts at once; the loop is told of its end)
            argv,
            stdin=given,
            stdout=printed,
            stderr=stderr if stderr is not None else subprocess.DEVNULL,
            env=dict(environment),
            close_fds=True,
        )
        try:
            await asyncio.wait_for(_ended(process.pid), limit)
        except BaseException:
            process.kill()
            raise
        finally:
            status = process.wait()
        return Ended(status, os.pread(printed, os.fstat(printed).st_size, 0))
    finally:
        os.close(given)
        os.close(printed)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _ended(pid: int) -> None:
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(pid)
    ended: asyncio.Future[None] = loop.create_future()
    try:
        loop.add_reader(descriptor, _settle, ended)
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def find(program: str, path: str) -> str:
    for directory in path.split(os.pathsep):
        candidate = os.path.join(directory, program)
        if directory and os.access(candidate, os.X_OK):
            return candidate
    words = f"failed to find plugin {program!r} in path {path.split(os.pathsep)}"
    raise CniFailure(failure.CONFIG, words, "install it there, or name another in ipam.type")


async def delegate(
    program: str, command: str, raw: Mapping[str, Any], environment: Mapping[str, str], stderr: int | None = None
) -> object:
    """What it answers, decoded; None if nothing. Its error becomes ours, with its own code."""
    if "/" in program:
        raise CniFailure(failure.CONFIG, f"{program!r} is not a plugin's name", "a file name without directory")
    argv = [find(program, environment.get("CNI_PATH", ""))]
    try:
        ended = await execute(argv, msgspec.json.encode(raw), {**environment, "CNI_COMMAND": command}, stderr)
    except OSError as error:  # TimeoutError is one
        words = "did not end" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise CniFailure(failure.TRY_AGAIN, f"plugin {program}: {words}") from error
    try:
        answer = msgspec.json.decode(ended.output) if ended.output.strip() else None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        words = f"plugin {program}: exit status {ended.status}, and not JSON"
        raise CniFailure(failure.DECODE, words, ended.output[:200].decode(errors="replace")) from error
    if ended.status:
        told = answer if isinstance(answer, dict) else {}
        code = told.get("code", failure.INTERNAL)
        words = str(told.get("msg") or f"exit status {ended.status}")
        number = code if isinstance(code, int) and 0 < code < 1 << 31 else failure.INTERNAL
        raise CniFailure(number, f"plugin {program}: {words}", str(told.get("details") or ""))
    return answer
