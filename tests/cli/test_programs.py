"""monitor, config, rr, completion and containers."""

from __future__ import annotations

import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from hornpipe.cli import container
from hornpipe.cli.main import command, main
from hornpipe.daemon import config
from tests.api.serving import Serving
from tests.cli.conftest import Ran

Hornpipe = Callable[[str], Ran]

CLASSIC_INI = """\
[BGP]
local_address=10.0.0.1
peers=10.0.0.254
my_as=64512
enable_rtc=True

[API]
api_host=localhost
api_port=8082

[DATAPLANE_DRIVER_EVPN]
dataplane_driver = linux_vxlan.LinuxVXLANDataplaneDriver
ovsbr_interfaces_mtu = 9000
"""


def test_monitor_prints_until_the_daemon_goes(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.happen("port.up", "tap0", "in red")
    daemon.engine.happen("peer.down", "10.0.0.254", "hold timer expired")
    threading.Timer(0.3, daemon.stop).start()
    ran = hornpipe("monitor peer since 0")
    assert ran.status == 2
    assert ran.out == "2027-01-15T08:01:00.000Z peer.down 10.0.0.254 hold timer expired\n"


def test_monitor_json(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.happen("port.up", "tap0")
    threading.Timer(0.3, daemon.stop).start()
    assert hornpipe("-j monitor --since 0").json["subject"] == "tap0"


def test_monitor_follows_a_restart(tmp_path: Path, daemon: Serving) -> None:
    daemon.engine.happen("port.up", "tap0")
    line = [sys.executable, "-m", "hornpipe.cli.main", "monitor", "since", "0", "follow"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "tap0" in process.stdout.readline()
        daemon.stop()
        Path(daemon.socket).unlink(missing_ok=True)
        again = Serving(tmp_path)
        again.engine.happen("port.up", "tap1")
        again.engine.happen("port.up", "tap2")
        with again:
            assert "tap2" in process.stdout.readline(), "after the number it had"
            process.terminate()
            process.wait(60)


def test_config_check(hornpipe: Hornpipe, tmp_path: Path) -> None:
    file = tmp_path / "hornpipe.toml"
    file.write_text('[bgp]\nlocal_as = 64512\nlocal_address = "10.0.0.1"\n')
    ran = hornpipe(f"config check {file}")
    assert (ran.status, ran.out) == (0, f"{file}: good\n")
    file.write_text('[bgp]\nlocal_as = 64512\nlocal_adress = "10.0.0.1"\n')
    ran = hornpipe(f"config check {file}")
    assert ran.status == 1
    assert "local_adress" in ran.err
    assert str(file) in ran.err


def test_config_import(hornpipe: Hornpipe, tmp_path: Path) -> None:
    file = tmp_path / "bgp.conf"
    file.write_text(CLASSIC_INI)
    ran = hornpipe(f"config import {file}")
    assert ran.status == 0, ran.err
    tree = tomllib.loads(ran.out)
    assert tree["bgp"]["local_as"] == 64512
    assert [peer["address"] for peer in tree["peers"]] == ["10.0.0.254"]
    assert any(line.startswith("# ") and "ovsbr_interfaces_mtu" in line for line in ran.out.splitlines())
    assert config.loads(ran.out, "imported").config == config.load(str(file)).config


def test_config_import_takes_only_ini(hornpipe: Hornpipe, tmp_path: Path) -> None:
    file = tmp_path / "hornpipe.toml"
    file.write_text('[bgp]\nlocal_as = 1\nlocal_address = "10.0.0.1"\n')
    assert hornpipe(f"config import {file}").status == 1
    assert hornpipe(f"config import {tmp_path}/none").status == 1


def test_rr_is_a_configuration(hornpipe: Hornpipe) -> None:
    ran = hornpipe("rr 10.0.0.254 as 64512 client 10.0.0.0/24 client 2001:db8::/64 limit 9 password s3 print")
    assert ran.status == 0, ran.err
    loaded = config.loads(ran.out, "rr").config
    assert loaded.bgp.local_as == 64512
    assert loaded.reflector is not None
    assert [(client.prefix, client.limit, client.password) for client in loaded.reflector.clients] == [
        ("10.0.0.0/24", 9, "s3"),
        ("2001:db8::/64", 9, "s3"),
    ]
    assert hornpipe("rr 10.0.0.254").status == 1, "without clients there is nothing to reflect to"


def test_completion(hornpipe: Hornpipe) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_HORNPIPE_COMPLETE" in hornpipe(f"completion {shell}").out
    assert hornpipe("completion tcsh").status == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sh"], "show"),
        (["show", "pe"], "peers"),
        (["attach", "tap0", "inst"], "instance"),
        (["peers", "re"], "reset"),
        (["routes", "fam"], "family"),
    ],
)
def test_completion_offers_words(words: list[str], expected: str) -> None:
    from click.shell_completion import ShellComplete

    *before, incomplete = words
    complete = ShellComplete(command(), {}, "hornpipe", "_HORNPIPE_COMPLETE")
    assert expected in [item.value for item in complete.get_completions(before, incomplete)]


def test_packaged_completion_is_current() -> None:
    folder = Path(__file__).parents[2] / "packaging" / "completion"
    from hornpipe.cli.programs import completion

    for shell, name in (("bash", "hornpipe.bash"), ("zsh", "_hornpipe"), ("fish", "hornpipe.fish")):
        assert (folder / name).read_text() == completion(shell), f"python -m hornpipe.cli.programs {shell}"


def fake_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    for name, script in scripts.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(container.shutil, "which", lambda name: str(tmp_path / name) if name in scripts else None)


def test_a_container_of_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engines(tmp_path, monkeypatch, podman='test "$6" = web && echo 4242')
    assert container.netns_of("web") == "/proc/4242/ns/net"


def test_a_container_of_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engines(tmp_path, monkeypatch, podman="echo 'Error: no such container' >&2; exit 125", docker="echo 77")
    assert container.pid_of("web") == 77


@pytest.mark.parametrize(
    ("scripts", "words"),
    [
        ({}, "neither podman nor docker"),
        ({"podman": "echo 0"}, "container web is not running"),
        ({"docker": "echo 'no such object: web' >&2; exit 1"}, "docker: no such object: web"),
    ],
)
def test_no_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripts: dict[str, str], words: str) -> None:
    fake_engines(tmp_path, monkeypatch, **scripts)
    with pytest.raises(click.ClickException) as caught:
        container.pid_of("web")
    assert words in caught.value.message


def test_commands_import_little(daemon: Serving) -> None:
    """What is not needed to show peers is not imported: so they start quickly."""
    code = (
        "import sys; from hornpipe.cli.main import main\n"
        "try: main(['show', 'peers'])\n"
        "except SystemExit as end: print(end.code, *sorted(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, *modules = ran.stdout.splitlines()[-1].split()
    assert status == "0"
    heavy = {"asyncio", "aiohttp", "msgspec", "subprocess", "urllib.request", "http.client", "logging", "argparse"}
    assert heavy & set(modules) == set()
    assert "hornpipe.cli.attach" not in modules


@pytest.mark.parametrize("status", [0, 1, 130])
def test_the_demonstrations_status_is_the_commands(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr("hornpipe.demo.main.main", lambda arguments: status)
    with pytest.raises(SystemExit) as ended:
        main(["demo"])
    assert ended.value.code == status
