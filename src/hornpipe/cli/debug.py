"""``hornpipe debug dump``: one archive with all that a bug report needs and no secret.

Rows as the API gives them, the configuration without passwords, the last warnings, the recorder's files, and what the
kernel says. What cannot be had is named in ``missing.txt`` instead; a daemon that does not answer leaves the rest.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hornpipe.cli.command import Entry, Verb, Words
from hornpipe.cli.verbs import output
from hornpipe.client import ApiError, Unreachable

LISTS = ("peers", "instances", "ports", "sources", "forwarding", "routes", "events")
KERNEL = (
    ("link", "ip -d -s link show"),
    ("address", "ip -d address show"),
    ("route", "ip -d route show table all"),
    ("route6", "ip -6 -d route show table all"),
    ("nexthop", "ip -d nexthop show"),
    ("mpls", "ip -f mpls route show"),
    ("rule", "ip rule show"),
    ("neigh", "ip -d neigh show nud all"),
    ("fdb", "bridge -d fdb show"),
    ("vlan", "bridge -d vlan show"),
    ("system", "uname -a"),
    ("modules", "cat /proc/modules"),
)
PATIENCE = 20
"""Seconds for one command of the kernel's."""
JOURNAL = "journalctl --unit hornpiped --lines 2000 --no-pager --output short-iso-precise"


def debug_group(name: str) -> click.Command:
    entries = {"dump": Entry("debug:dump_command", "write one archive for a bug report")}
    return Words(name, entries, help="For bug reports.", no_args_is_help=True)


def dump_command(name: str) -> click.Command:
    def run(file: str | None) -> None:
        path = Path(file or time.strftime("hornpipe-%Y%m%dT%H%M%S.tar.gz"))
        try:
            with path.open("xb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as archive:
                path.chmod(0o600)
                missing = Dump(archive).all()
        except OSError as error:
            raise click.ClickException(f"{path}: {error.strerror or error}") from error
        for line in missing:
            click.echo(f"without {line}", err=True)
        click.echo(path)

    argument = click.Argument(["file"], required=False, metavar="[FILE]")
    return Verb(name, params=[argument], callback=run, help="Write one archive (tar.gz) for a bug report.")


class Dump:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._missing: list[str] = []

    def all(self) -> list[str]:
        """What could not be had."""
        debug = self._try("debug.json", self._debug)
        self._try("status.json", lambda: self._get("/v1/status"))
        for name in LISTS:
            self._try(f"{name}.json", lambda name=name: self._rows(name))  # type: ignore[misc]  # a default binds it
        for name, command in (*KERNEL, ("journal", JOURNAL)):
            self._try(f"kernel/{name}.txt", lambda command=command: _run(command))  # type: ignore[misc]  # as above
        for file in debug["record"] if isinstance(debug, dict) else ():
            self._try(f"record/{Path(file).name}", lambda file=file: Path(file).read_bytes())  # type: ignore[misc]  # same
        if self._missing:
            self._add("missing.txt", "\n".join(self._missing))
        return self._missing

    def _try(self, name: str, get: Callable[[], Any]) -> Any:
        try:
            content = get()
        except (ApiError, Unreachable, OSError, subprocess.SubprocessError) as error:
            self._missing.append(f"{name}: {error}")
            return None
        self._add(name, content)
        return content

    def _add(self, name: str, content: Any) -> None:
        text = content if isinstance(content, str | bytes) else json.dumps(content, indent=1)
        data = text.encode() if isinstance(text, str) else text
        info = tarfile.TarInfo(f"hornpipe/{name}")
        info.size, info.mtime, info.mode = len(data), int(time.time()), 0o600
        self._archive.addfile(info, io.BytesIO(data))

    def _debug(self) -> Any:
        return self._get("/v1/debug")

    def _get(self, path: str) -> Any:
        with output().client() as client:
            return client.get(path)

    def _rows(self, name: str) -> Any:
        with output().client() as client:
            return list(client.rows(f"/v1/{name}"))


def _run(command: str) -> str:
    done = subprocess.run(command.split(), capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.stdout + done.stderr
