"""``hornpipe cni install``: the CNI executables where container runtimes look for them, and a network for them to use.

The executable is `hornpipe.cni.client` with an absolute interpreter, isolated (``-IS``: no site packages, nothing from
the environment), and the daemon's socket written into it. Files are replaced by rename: a runtime may read at any time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

import hornpipe
from hornpipe.cli.command import Entry, Verb, Words

PROGRAMS = ("hornpipe", "hornpipe-ipam")
BIN_DIR, CONF_DIR = "/opt/cni/bin", "/etc/cni/net.d"
SOCKET = "/run/hornpipe/cni.sock"
COMPILE = """
import marshal, sys
from _frozen_importlib_external import MAGIC_NUMBER
source = sys.stdin.read()
code = marshal.dumps(compile(source, "hornpipe-cni", "exec", optimize=2))
print("# made by `hornpipe cni install`: compiled for this Python, and the source below for any other")
print("import marshal")
print("from _frozen_importlib_external import MAGIC_NUMBER")
print(f"if MAGIC_NUMBER == {MAGIC_NUMBER!r}:")
print(f"    exec(marshal.loads({code!r}))")
print("else:")
print(f"    exec({source!r})")
"""
"""Run by the interpreter that will run the executable."""
VERSIONS = {"cniVersion": "1.0.0", "cniVersions": ["0.4.0", "1.0.0", "1.1.0"]}
"""podman 4 and containerd 1.6 fail with 1.1.0 alone; containerd 2 picks it from the list."""


def cni_group(name: str) -> click.Command:
    entries = {
        "install": Entry("cni:install_command", "put the CNI executables where runtimes look"),
        "uninstall": Entry("cni:uninstall_command", "remove them"),
    }
    return Words(name, entries, help="Containers: the CNI plugin of this host.", no_args_is_help=True)


def _bin_dir() -> click.Option:
    return click.Option(["--bin-dir"], metavar="DIR", default=BIN_DIR, show_default=True, help="of CNI plugins")


def _conf_dir(help: str) -> click.Option:
    return click.Option(["--conf-dir"], metavar="DIR", help=f"{help}, as {CONF_DIR}")


def install_command(name: str) -> click.Command:
    params: list[click.Parameter] = [
        _bin_dir(),
        click.Option(["--cni-socket"], metavar="PATH", default=SOCKET, show_default=True, help="of the daemon"),
        click.Option(
            ["--python"], metavar="PATH", help="the interpreter; default: this one's, outside any environment"
        ),
        click.Option(
            ["--native"], is_flag=True, help="compile them from C instead, with cc: they start ten times faster"
        ),
        _conf_dir("write a network, too"),
        click.Option(["--network"], metavar="NAME", default="hornpipe", show_default=True, help="its name"),
        click.Option(["--rt"], metavar="RT", multiple=True, help="its route targets: 64512:80"),
        click.Option(
            ["--subnet"], metavar="PREFIX", multiple=True, help="where its addresses are from; one an IP version"
        ),
        click.Option(["--routed"], is_flag=True, help="each container behind a port of a router (L3)"),
    ]
    return Verb(name, params=params, callback=_install, help="Write the CNI executables, and perhaps a network.")


def _install(
    bin_dir: str, cni_socket: str, python: str | None, native: bool, conf_dir: str | None, **network: Any
) -> None:
    python = python or interpreter()
    if not os.path.isabs(python) or not os.access(python, os.X_OK):
        raise click.ClickException(f"--python {python}: not an executable's absolute path")
    content = compiled(cni_socket) if native else executable(python, cni_socket).encode()
    try:
        for program in PROGRAMS:
            _replace(Path(bin_dir) / program, content, 0o755)
            click.echo(f"{bin_dir}/{program}")
        if conf_dir is not None:
            path = Path(conf_dir) / f"10-{network['network']}.conflist"
            _replace(path, json.dumps(conflist(**network), indent=2).encode() + b"\n", 0o644)
            click.echo(str(path))
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def uninstall_command(name: str) -> click.Command:
    params: list[click.Parameter] = [
        _bin_dir(),
        _conf_dir("remove a network, too"),
        click.Option(["--network"], metavar="NAME", default="hornpipe", show_default=True, help="its name"),
    ]
    return Verb(name, params=params, callback=_uninstall, help="Remove the CNI executables, and perhaps a network.")


def _uninstall(bin_dir: str, conf_dir: str | None, network: str) -> None:
    paths = [Path(bin_dir) / program for program in PROGRAMS]
    if conf_dir is not None:  # first: without it nobody calls the others
        paths.insert(0, Path(conf_dir) / f"10-{network}.conflist")
    try:
        for path in paths:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def interpreter() -> str:
    """The one that this one's environment was made from: an environment may go, and its start takes longer."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def executable(python: str, socket: str) -> str:
    """Compiling it would be a fifth of its run, so it is compiled here; for another Python the source is there, too."""
    source = (Path(hornpipe.__file__).parent / "cni" / "client.py").read_text()
    line = f'SOCKET = "{SOCKET}"\n'
    assert source.count(line) == 1
    source = source.replace(line, f"SOCKET = {json.dumps(socket)}\n")
    asked = [python, "-IS", "-c", COMPILE]
    done = subprocess.run(asked, input=source, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise click.ClickException(f"--python {python}: {reason}")
    return f"#!{python} -IS\n{done.stdout}"


def compiled(socket: str) -> bytes:
    """The same in C; static where the host has a static C library."""
    source = Path(hornpipe.__file__).parent / "cni" / "client.c"
    compiler = shutil.which("cc")
    if compiler is None:
        raise click.ClickException("--native needs a C compiler: apt-get install gcc libc6-dev, or leave it out")
    with tempfile.TemporaryDirectory() as directory:
        words = [compiler, "-O2", f"-DSOCKET={json.dumps(socket)}", "-o", f"{directory}/cni", str(source)]
        for more in (["-static"], []):
            done = subprocess.run([*words, *more], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return Path(directory, "cni").read_bytes()
    raise click.ClickException(f"--native: {compiler}: {done.stderr.strip().splitlines()[-1]}")


def conflist(network: str, rt: tuple[str, ...], subnet: tuple[str, ...], routed: bool) -> dict[str, Any]:
    """A network as `hornpipe.cni.network` reads it."""
    instance = {"type": "ipvpn" if routed else "evpn", "import_rts": list(rt), "export_rts": list(rt)}
    plugin: dict[str, Any] = {
        "type": "hornpipe",
        "instance": instance,
        "capabilities": {"ips": True, "mac": True, "io.kubernetes.cri.pod-annotations": True},
    }
    if subnet:
        plugin["isDefaultGateway"] = True
        plugin["ipam"] = {"type": "hornpipe-ipam", "ranges": [[{"subnet": one}] for one in subnet]}
    return {**VERSIONS, "name": network, "plugins": [plugin]}


def _replace(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(beside, path)
