"""An upgrade: the version before stops, this one starts and adopts, and back; a row of docs/reliability.md."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hornpipe.demo.site import Site
from tests.lab.overlay import Workload, make_pair
from tests.lab.test_faults import fresh
from tests.lab.trial import Trial

pytestmark = pytest.mark.netns

ROOT = Path(__file__).resolve().parents[2]
BACK = 50
"""Commits to the version before, where there is no tag."""


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """Sources of the version before: the last tag, or so many commits back."""

    def git(*words: str) -> bytes:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=True).stdout

    try:
        tags = git("tag", "--merged", "HEAD~1", "--sort=-creatordate").decode().split()
        commit = (
            tags[0] if tags else git("rev-list", "--first-parent", f"--skip={BACK}", "-n1", "HEAD").decode().strip()
        )
        archive = git("archive", commit, "src")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"unavoidable: this is no git checkout with a version before: {error}")
    (tmp_path / "before").mkdir()
    subprocess.run(["tar", "-x", "-C", str(tmp_path / "before")], input=archive, check=True)
    return tmp_path / "before" / "src"


def test_upgrade(site: Site, before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, (one, two) = make_pair(site, "hornpipe")
    trial = Trial("upgrade from the version before, and back", one, two)
    for old in (True, False) * 2:
        trial.begins()
        assert two.node.stop() == 0
        with monkeypatch.context() as patch:
            if old:
                patch.setenv("PYTHONPATH", str(before))
            two.node.start()
        assert runs_from(two, before) is old
        trial.repaired("fresh", fresh(one, two))
    trial.end().untouched()


def runs_from(workload: Workload, sources: Path) -> bool:
    environment = Path(f"/proc/{workload.node.process.pid}/environ").read_bytes()
    return f"PYTHONPATH={sources}".encode() in environment
