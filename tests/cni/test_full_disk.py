"""A file system that is really full: what could not be kept is not attached, what is attached can still go."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hornpipe.cni.failure import of_refused
from hornpipe.demo.until import until
from hornpipe.vpn.spec import Refused
from tests.cni.conftest import Daemon
from tests.cni.libcni import PluginError, network
from tests.cni.test_commands import RTS

BARE = network(instance=RTS)
"""Without addresses: the file of leases would be the first to be full."""


def test_a_full_disk_is_something_to_try_again() -> None:
    refused = Refused("", "the change is applied but would not survive a crash", "free space", kind="full")
    assert of_refused(refused).code == 11


@pytest.mark.netns  # for its private mount namespace
def test_add_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    made = Daemon(tmp_path)
    made.directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(made.directory)], check=True)
    namespace = tmp_path / "netns"
    namespace.touch()
    made.start()
    try:
        made.runtime.add(BARE, "c1", str(namespace))
        filler = made.directory / "filler"
        with pytest.raises(OSError, match="No space"):
            _fill(filler)
        with pytest.raises(PluginError) as refused:
            _add_many(made, namespace)  # the first ones live on what was put by
        assert refused.value.code == 11
        assert "nothing was changed" in str(refused.value)
        before = made.ports()
        with pytest.raises(PluginError):
            made.runtime.add(BARE, "late", str(namespace))
        assert made.ports() == before
        filler.unlink()
        until("there is room again", lambda: _adds(made, "late", namespace))
    finally:
        made.stop()


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def _add_many(made: Daemon, namespace: Path) -> None:
    for number in range(2, 200):
        made.runtime.add(BARE, f"c{number}", str(namespace))


def _adds(made: Daemon, container: str, namespace: Path) -> bool:
    try:
        made.runtime.add(BARE, container, str(namespace))
    except PluginError:
        return False
    return True
