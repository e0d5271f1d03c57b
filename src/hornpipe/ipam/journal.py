"""The lease file of one book: changes are appended, and what `append` returned from is durable.

A line is a batch, ``CRC32 JSON``, written and synced as one, so a crash leaves whole batches and at most one torn one,
the last, which nobody was told of. A bad line before a good one is damage: then the file is for a person to look at,
since going on could give an address twice.

Space is reserved ahead (zeros behind the last line): a full disk refuses new leases while there is still room to write
down that old ones end. A sync of a file that does not grow is also cheaper. When most of it is history the file is
written anew beside and renamed. One process uses a directory at a time; `lock` sees to that.
"""

from __future__ import annotations

import errno
import fcntl
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from hornpipe.ipam.record import Claimed, Leased, Record

RESERVE = 32768
"""Bytes kept for the ends of leases on a full disk: some 250 of them, and more when the file is written anew."""
HISTORY = 65536
"""Bytes: below this a file is not worth writing anew."""

_FORMAT = b'{"hornpipe-ipam":1}'
_DECODER = msgspec.json.Decoder(list[Record])


class LeasesDamaged(OSError):
    """The file is there and cannot be understood."""

    def __init__(self, path: Path, reason: str) -> None:
        text = f"{path.name}: {reason}; move it away when no container of it runs any more"
        super().__init__(errno.EUCLEAN, text, str(path))


def lock(directory: Path) -> int:
    """A descriptor that holds the directory until it is closed, or the process ends; OSError: another one has it."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise OSError(error.errno, f"another process uses the leases in {directory}") from error
    return descriptor


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._end = 0
        """Where the next line goes."""
        self._size = 0
        self._is_named = False
        """Whether the directory entry is known to be durable."""
        self._live = 0
        """Bytes of the file when it was written anew; what came since is history, or will be."""

    def load(self) -> list[Record]:
        """All records, oldest first; makes the file if there is none. Also the way back after a failed write."""
        self.close()
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._is_named = False
        content = _read(self._descriptor)
        self._size = len(content)
        records, self._end = self._parse(content)
        self._live = 0
        if any(content[self._end :]):
            self._write(bytes(len(content) - self._end))  # a torn batch must not look like one behind a good one
        return records

    def append(self, records: list[Record]) -> None:
        """Durable when it returns. OSError: it may or may not be on disk; `load` before anything else."""
        line = _line(records) if self._end else _lines([records])
        self._reserve(len(line), grows=any(isinstance(record, Leased | Claimed) for record in records))
        self._write(line)
        if not self._is_named:
            sync_directory(self.path.parent)
            self._is_named = True
        self._end += len(line)

    @property
    def is_mostly_history(self) -> bool:
        return self._end > HISTORY + 2 * self._live

    def rewrite(self, records: Iterable[Record]) -> None:
        """Replaces the file by these records. OSError leaves the old one, complete and in use. The new one's name is
        made durable by the next `append`: until then the old one says the same."""
        beside = self.path.with_suffix(".new")
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        text = _lines([list(records)])
        try:
            os.posix_fallocate(descriptor, 0, len(text) + 2 * RESERVE)
            _write_all(descriptor, text, 0)
            os.fsync(descriptor)
            os.replace(beside, self.path)
        except OSError:
            os.close(descriptor)
            beside.unlink(missing_ok=True)
            raise
        self.close()
        self._descriptor, self._end, self._size = descriptor, len(text), len(text) + 2 * RESERVE
        self._live, self._is_named = self._end, False

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _parse(self, content: bytes) -> tuple[list[Record], int]:
        """Records and where the good lines end."""
        records: list[Record] = []
        end = 0
        for number, line in enumerate(_split(content)):
            text = _checked(line)
            if text is None:
                if any(_checked(later) is not None for later in _split(content[end + len(line) :])):
                    raise LeasesDamaged(self.path, f"line {number + 1} is broken")
                break
            if number > 0:
                records += self._decode(text, number)
            elif text != _FORMAT:
                raise LeasesDamaged(self.path, f"its format is {text[:40]!r}, not {_FORMAT!r}")
            end += len(line)
        return records, end

    def _decode(self, text: bytes, number: int) -> list[Record]:
        try:
            return _DECODER.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LeasesDamaged(self.path, f"line {number + 1}: {error}") from error

    def _reserve(self, length: int, *, grows: bool) -> None:
        if self._end + length + RESERVE <= self._size:
            return
        wanted = self._end + length + 2 * RESERVE
        try:
            os.posix_fallocate(self._descriptor, 0, wanted)
            os.fsync(self._descriptor)
            self._size = wanted
        except OSError:
            if grows or self._end + length > self._size:
                raise

    def _write(self, data: bytes) -> None:
        _write_all(self._descriptor, data, self._end)
        os.fdatasync(self._descriptor)


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(records: list[Record]) -> bytes:
    return _sealed(msgspec.json.encode(records))


def _lines(batches: list[list[Record]]) -> bytes:
    return _sealed(_FORMAT) + b"".join(map(_line, batches))


def _sealed(text: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _checked(line: bytes) -> bytes | None:
    """The text of a whole line; None if it is not one."""
    text = line[9:-1]
    return text if line == _sealed(text) else None


def _split(content: bytes) -> list[bytes]:
    """Lines with their ends, up to the reserved zeros."""
    return content.rstrip(b"\0").splitlines(keepends=True)


def _read(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    parts, offset = [], 0
    while offset < size:
        part = os.pread(descriptor, size - offset, offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
