from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hornpipe.cni.network import network

ROOT = Path(__file__).parents[2]


def hornpipe(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "hornpipe.cli.main", "cni", *words], capture_output=True, text=True)


def version_by(program: Path) -> str:
    return subprocess.run([program], env={"CNI_COMMAND": "VERSION"}, capture_output=True, text=True, check=True).stdout


def test_install_and_uninstall(tmp_path: Path) -> None:
    bin_dir, conf_dir = tmp_path / "bin", tmp_path / "conf"
    places = ("--bin-dir", str(bin_dir), "--conf-dir", str(conf_dir), "--network", "red")
    done = hornpipe("install", *places, "--rt", "64512:80", "--subnet", "10.1.0.0/24", "--subnet", "fd00::/64")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(bin_dir)) == ["hornpipe", "hornpipe-ipam"]
    assert (bin_dir / "hornpipe").stat().st_mode & 0o777 == 0o755
    assert '"1.1.0"' in version_by(bin_dir / "hornpipe")
    first = (bin_dir / "hornpipe").read_text().splitlines()[0]
    assert first.startswith("#!/")
    assert first.endswith(" -IS")
    assert ".venv" not in first
    assert os.listdir(conf_dir) == ["10-red.conflist"]
    written = json.loads((conf_dir / "10-red.conflist").read_text())
    found = network({**written["plugins"][0], "name": written["name"]})
    assert found.own_instance is not None
    assert found.own_instance.import_rts == ("64512:80",)
    assert found.ipam == {
        "type": "hornpipe-ipam",
        "ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/64"}]],
    }
    for _ in range(2):
        assert hornpipe("uninstall", *places).returncode == 0
        assert os.listdir(bin_dir) == os.listdir(conf_dir) == []


def test_install_again_replaces_at_once(tmp_path: Path) -> None:
    """Somebody who runs the old one goes on with it."""
    hornpipe("install", "--bin-dir", str(tmp_path))
    before = (tmp_path / "hornpipe").stat().st_ino
    hornpipe("install", "--bin-dir", str(tmp_path), "--cni-socket", "/run/other/cni.sock")
    assert (tmp_path / "hornpipe").stat().st_ino != before
    assert "/run/other/cni.sock" in (tmp_path / "hornpipe").read_text()
    assert sorted(os.listdir(tmp_path)) == ["hornpipe", "hornpipe-ipam"]


def test_with_another_python_the_source_runs(tmp_path: Path) -> None:
    hornpipe("install", "--bin-dir", str(tmp_path))
    program = tmp_path / "hornpipe"
    text = program.read_text()
    magic = next(line for line in text.splitlines() if line.startswith("if MAGIC_NUMBER"))
    program.write_text(text.replace(magic, "if MAGIC_NUMBER == b'':"))
    assert '"1.1.0"' in version_by(program)


@pytest.mark.parametrize("python", ["python3", "/nowhere/python3", "/bin/false"])
def test_an_interpreter_that_will_not_do(tmp_path: Path, python: str) -> None:
    done = hornpipe("install", "--bin-dir", str(tmp_path / "bin"), "--python", python)
    assert done.returncode == 1
    assert "--python" in done.stderr
    assert not (tmp_path / "bin").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = hornpipe("install", "--bin-dir", str(tmp_path / "file"))
    assert done.returncode == 1
    assert "file" in done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "packaging" / "cni").glob("*.conflist")), ids=lambda path: path.name)
def test_the_examples_are_good(path: Path) -> None:
    document = json.loads(path.read_text())
    assert path.name == f"10-{document['name']}.conflist"
    ours = document["plugins"][0]
    assert ours["type"] == "hornpipe"
    assert network({**ours, "name": document["name"]}).own_instance is not None


def test_the_multus_example_is_good() -> None:
    text = (ROOT / "packaging" / "cni" / "network-attachment-definition.yaml").read_text()
    config = json.loads(text[text.index("    {") :])
    assert network(config).own_instance is not None
