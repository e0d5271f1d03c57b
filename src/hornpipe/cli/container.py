"""The network namespace of a running container, by asking podman, then docker, for its process."""

from __future__ import annotations

import shutil
import subprocess

import click

ENGINES = ("podman", "docker")


def pid_of(container: str) -> int:
    """Its first process; raises what went wrong in the engine's own words."""
    reasons: list[str] = []
    for engine in ENGINES:
        if shutil.which(engine) is None:
            continue
        command = [engine, "inspect", "--type", "container", "--format", "{{.State.Pid}}", container]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        answer = asked.stdout.strip()
        if asked.returncode == 0 and answer.isdecimal() and int(answer) > 0:
            return int(answer)
        if asked.returncode == 0:
            reasons.append(f"{engine}: container {container} is not running")
        else:
            reasons.append(f"{engine}: {(asked.stderr.strip() or f'exit status {asked.returncode}').splitlines()[-1]}")
    raise click.ClickException("; ".join(reasons) or "neither podman nor docker is installed")


def netns_of(container: str) -> str:
    return f"/proc/{pid_of(container)}/ns/net"
