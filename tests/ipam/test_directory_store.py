"""Claims as files: two processes on one directory, and what a crash leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hornpipe.ipam.directory_store import DirectoryStore
from hornpipe.net.prefix import Prefix

BLOCK = Prefix.parse("10.42.0.0/26")

CLAIMER = """
import sys
from pathlib import Path
from hornpipe.ipam.directory_store import DirectoryStore
from hornpipe.net.prefix import Prefix
store, host = DirectoryStore(Path(sys.argv[1])), sys.argv[2]
sys.stdin.readline()
for number in range(0, 256, 4):
    block = Prefix.parse(f"10.42.1.{number}/30")
    if store.claim_now("pods", block, host) == host:
        print(block, flush=True)
    if number % 3 == 0:
        store.release_now("pods", block, host)
        store.claim_now("pods", block, host)
"""


def test_processes_at_once_share_without_overlap(tmp_path: Path) -> None:
    program = [sys.executable, "-c", CLAIMER, str(tmp_path)]
    racers = [
        subprocess.Popen([*program, f"host-{n}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(3)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        racer.communicate(timeout=250)
        assert racer.returncode == 0
    held = DirectoryStore(tmp_path).list_now("pods")
    assert len(held) == 64
    assert len(set(held.values())) >= 1
    assert not [name for name in os.listdir(tmp_path / "pods") if name.startswith(".")]


def test_a_crash_between_link_and_unlink_does_not_spoil_the_claim(tmp_path: Path) -> None:
    """The draft is a second name of the claim then; the next draft must not empty it, nor rename it."""
    store = DirectoryStore(tmp_path)
    store.claim_now("pods", BLOCK, "a")
    os.link(tmp_path / "pods" / "10.42.0.0-26", tmp_path / "pods" / ".a.new")
    assert store.list_now("pods") == {BLOCK: "a"}
    inode = (tmp_path / "pods" / "10.42.0.0-26").stat().st_ino
    assert store.claim_now("pods", Prefix.parse("10.42.0.64/26"), "a") == "a"
    assert (tmp_path / "pods" / "10.42.0.0-26").stat().st_nlink == 1
    assert (tmp_path / "pods" / "10.42.0.64-26").stat().st_ino != inode


def test_a_file_that_is_no_claim_is_named(tmp_path: Path) -> None:
    (tmp_path / "pods").mkdir()
    (tmp_path / "pods" / "README").write_text("?")
    with pytest.raises(OSError, match=r"README is not a block's file"):
        DirectoryStore(tmp_path).list_now("pods")


def test_a_host_that_is_no_file_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="host's name"):
        DirectoryStore(tmp_path).claim_now("pods", BLOCK, "../a")
