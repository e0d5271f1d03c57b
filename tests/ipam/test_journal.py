"""The lease file: whole batches or none, damage told from a torn end, a full disk that still lets leases end."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from hornpipe.ipam.grant import Owner
from hornpipe.ipam.journal import HISTORY, RESERVE, Journal, LeasesDamaged, lock
from hornpipe.ipam.record import Claimed, Cooling, Cursor, Disclaimed, Freed, Leased, Record

OWNER = Owner("net", "a" * 64, "eth0")
BATCHES: list[list[Record]] = [
    [Claimed("10.0.0.0/26", True), Leased(OWNER, ("10.0.0.2", "fd00::2"), 12.5, 60.0)],
    [Freed(OWNER, 13.0), Disclaimed("10.0.0.0/26")],
    [Cooling("10.0.0.2", 13.0, 60.0), Cursor(0, "10.0.0.2")],
]
ALL = [record for batch in BATCHES for record in batch]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "network-net.leases"


def written(path: Path, batches: list[list[Record]] = BATCHES) -> bytes:
    """A file with these batches; its content without the reserve."""
    journal = Journal(path)
    assert journal.load() == []
    for batch in batches:
        journal.append(batch)
    journal.close()
    return path.read_bytes().rstrip(b"\0")


def loaded(path: Path) -> list[Record]:
    journal = Journal(path)
    try:
        return journal.load()
    finally:
        journal.close()


def test_what_is_appended_is_loaded(path: Path) -> None:
    written(path)
    assert loaded(path) == ALL
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_cut_anywhere_has_whole_batches(path: Path) -> None:
    """The write was interrupted at any byte; then another batch follows."""
    content = written(path)
    ends = [index + 1 for index, byte in enumerate(content) if byte == 10]
    for cut in range(len(content)):
        path.write_bytes(content[:cut] + bytes(100))
        journal = Journal(path)
        whole = sum(1 for end in ends[1:] if end <= cut)
        wanted = [record for batch in BATCHES[:whole] for record in batch]
        assert journal.load() == wanted
        journal.append([Freed(OWNER, 99.0)])
        journal.close()
        assert loaded(path) == [*wanted, Freed(OWNER, 99.0)]


def test_a_last_batch_with_any_byte_wrong_is_left_out(path: Path) -> None:
    content = written(path)
    last = content.rindex(b"\n", 0, -1) + 1
    for index in range(last, len(content)):
        path.write_bytes(content[:index] + bytes((content[index] ^ 1,)) + content[index + 1 :])
        assert loaded(path) == ALL[:-2]


def test_a_batch_with_a_hole_is_left_out(path: Path) -> None:
    """A page of the last write that did not reach the disk."""
    content = written(path)
    last = content.rindex(b"\n", 0, -1) + 1
    path.write_bytes(content[:last] + bytes(20) + content[last + 20 :] + bytes(50))
    assert loaded(path) == ALL[:-2]
    assert not any(path.read_bytes()[last:])


def test_damage_in_the_middle_stops(path: Path) -> None:
    content = written(path)
    middle = content.index(b"\n") + 20
    path.write_bytes(content[:middle] + b"#" + content[middle + 1 :])
    before = path.read_bytes()
    with pytest.raises(LeasesDamaged, match="line 2 is broken"):
        loaded(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [(b'{"hornpipe-ipam":2}', "its format is"), (b"[]", "its format is")],
)
def test_another_format_stops(path: Path, text: bytes, reason: str) -> None:
    path.write_bytes(b"%08x %s\n" % (zlib.crc32(text), text))
    with pytest.raises(LeasesDamaged, match=reason):
        loaded(path)


def test_a_record_of_a_later_version_stops(path: Path) -> None:
    content = written(path)
    text = b'[["merge","a"]]'
    path.write_bytes(content + b"%08x %s\n" % (zlib.crc32(text), text))
    with pytest.raises(LeasesDamaged, match="merge"):
        loaded(path)


def test_a_rewritten_file_has_the_new_records_and_goes_on(path: Path) -> None:
    written(path)
    journal = Journal(path)
    journal.load()
    journal.rewrite(BATCHES[2])
    journal.append(BATCHES[1])
    journal.close()
    assert loaded(path) == [*BATCHES[2], *BATCHES[1]]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_history_is_known(path: Path) -> None:
    journal = Journal(path)
    journal.load()
    count = 0
    while not journal.is_mostly_history:
        journal.append(BATCHES[0] * 20)
        count += 1
    assert path.stat().st_size > HISTORY
    journal.rewrite(BATCHES[0] * count * 20)
    assert not journal.is_mostly_history  # all of it is needed: writing it anew again would gain nothing
    journal.close()


def test_a_full_disk_refuses_leases_and_takes_their_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    journal.load()
    journal.append([Leased(Owner("net", str(number), "eth0"), ("10.0.0.2",), 0, 60) for number in range(250)])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = 250 + fill(journal, Leased(OWNER, ("10.0.0.3",), 0, 60))
    assert len(loaded(path)) == before
    for number in range(250):
        journal.append([Freed(Owner("net", "a" * 64, f"eth{number}"), 1.0)])
    assert len(loaded(path)) == before + 250
    assert fill(journal, Freed(OWNER, 1.0)) < RESERVE
    journal.close()


def fill(journal: Journal, record: Record) -> int:
    """Appends until the disk is full; how often it went well."""
    for count in range(10000):
        try:
            journal.append([record])
        except OSError:
            return count
    raise AssertionError("never full")


def test_a_failed_rewrite_keeps_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path)
    journal = Journal(path)
    journal.load()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            journal.rewrite([])
    journal.append(BATCHES[0])
    journal.close()
    assert loaded(path) == [*ALL, *BATCHES[0]]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_directory_has_one_user(tmp_path: Path) -> None:
    first = lock(tmp_path)
    with pytest.raises(OSError, match="another process uses the leases"):
        lock(tmp_path)
    os.close(first)
    os.close(lock(tmp_path))
