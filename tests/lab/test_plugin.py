"""The plugin itself: each test lands where its marks say, reports come back whole, a dead child is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import umlrun
from tests.lab.features import have

ROOT = Path(__file__).parents[2]
Runner = Callable[..., tuple[int, str]]

SAMPLE = """
import os, signal, socket
import pytest

def test_here():
    assert os.getppid() == {parent}

@pytest.mark.netns
def test_netns():
    assert socket.gethostname() == "sandbox" and not os.listdir("/run/netns")

@pytest.mark.netns
def test_fails():
    print("said before")
    assert 6 * 7 == 41

@pytest.mark.netns
def test_skips():
    pytest.skip("for a reason")
"""

KILLS = """
import os, signal
import pytest

@pytest.mark.netns
def test_before():
    pass

@pytest.mark.netns
def test_kills():
    os.kill(os.getpid(), signal.SIGKILL)

@pytest.mark.netns
def test_after():
    pass
"""

VRF = """
import subprocess
import pytest

@pytest.mark.kernel("vrf", "vxlan")
def test_vrf():
    subprocess.run(["ip", "link", "add", "name", "v", "type", "vrf", "table", "10"], check=True)
"""


@pytest.fixture
def run_sample() -> Iterator[Runner]:
    directory = Path(tempfile.mkdtemp(prefix=".sample-", dir=ROOT / "tests/lab"))

    def run(source: str, *options: str) -> tuple[int, str]:
        sample = directory / "test_sample.py"
        sample.write_text(source.replace("{parent}", str(os.getpid())))
        argv = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *options, str(sample)]
        result = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=280)
        return result.returncode, result.stdout + result.stderr

    try:
        yield run
    finally:
        shutil.rmtree(directory)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root (sudo ./dev test)")


@needs_root
def test_places_and_replays(run_sample: Runner) -> None:
    status, output = run_sample(SAMPLE)
    assert status == 1
    for line in ("test_here PASSED", "test_netns PASSED", "test_fails FAILED", "test_skips SKIPPED"):
        assert line in output
    assert "assert (6 * 7) == 41" in output
    assert "said before" in output


@needs_root
def test_dead_child_fails_its_test_only(run_sample: Runner) -> None:
    status, output = run_sample(KILLS)
    assert status == 1
    assert "1 failed, 2 passed" in output
    assert "while it ran this test" in output


def test_unplaced_is_loud_and_fails_a_strict_run(run_sample: Runner) -> None:
    source = "import pytest\n@pytest.mark.netns\ndef test_a():\n    pass\n"
    status, output = run_sample(source, "--kernel=skip")
    assert (status, "1 LAB TESTS DID NOT RUN" in output) == (0, True)
    status, output = run_sample(source, "--kernel=skip", "--strict-skips")
    assert (status, "avoidable skips fail this run" in output) == (1, True)


@pytest.mark.skipif(
    not os.access(umlrun.KERNEL, os.X_OK), reason=f"{umlrun.KERNEL} is missing (apt-get install user-mode-linux kmod)"
)
def test_feature_the_machine_lacks_runs_in_a_guest(run_sample: Runner) -> None:
    status, output = run_sample(VRF)
    assert (status, "1 passed" in output) == (0, True), output
    assert (" s in guest" in output) == (not have("vrf"))


@pytest.mark.skipif(
    not os.access(umlrun.KERNEL, os.X_OK), reason=f"{umlrun.KERNEL} is missing (apt-get install user-mode-linux kmod)"
)
def test_what_no_kernel_here_has_is_skipped_with_the_remedy(run_sample: Runner) -> None:
    """On Debian's guest kernel; on one of your own it runs."""
    source = 'import pytest\n@pytest.mark.kernel("bareudp")\ndef test_it():\n    pass\n'
    status, output = run_sample(source, "--strict-skips", "-rs")
    assert status == 0, output
    assert "1 passed" in output or "lacks bareudp (CONFIG_BAREUDP); UMLRUN_KERNEL names" in output
