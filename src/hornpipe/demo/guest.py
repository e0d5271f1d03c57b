"""A kernel for what this machine's own cannot do: the demonstration again, in a User-Mode Linux guest.

The guest's launcher belongs to the tests (`tests/lab/umlrun.py` in a checkout), which are not installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hornpipe.dataplane.linux import features
from hornpipe.demo import sandbox

KERNEL = os.environ.get("UMLRUN_KERNEL", "/usr/bin/linux.uml")
LAUNCHER = "tests.lab.umlrun"
LIMIT = 590
"""Seconds until the guest is stopped, unless somebody works on its terminal."""


def lacking(needed: Sequence[str]) -> dict[str, str]:
    """Of these features those that this kernel lacks, and what would give them; asked in a sandbox. Where there can be
    none, that is what is lacking."""
    asked = subprocess.run(sandbox.command([sys.executable, "-m", __name__]), capture_output=True, text=True)
    if asked.returncode:
        return {"private namespaces": asked.stderr.strip() or f"asking ended with status {asked.returncode}"}
    missing = json.loads(asked.stdout)
    return {feature: missing[feature] for feature in needed if feature in missing}


def checkout() -> Path | None:
    """The source tree that this module runs from."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / LAUNCHER.replace(".", "/")).with_suffix(".py").exists() else None


def obstacles(root: Path | None) -> list[str]:
    """What has to be done before there can be a guest."""
    found = []
    if root is None:
        found.append("run it from a source tree, where it starts a guest kernel by itself: ./dev demo --l3")
    elif not os.access(KERNEL, os.X_OK):
        found.append(f"apt-get install user-mode-linux kmod ({KERNEL} is missing)")
    return found


def advice(lacked: Mapping[str, str], root: Path | None) -> str:
    """Why there is no demonstration, and what to do."""
    lines = [f"hornpipe demo --l3: this kernel (Linux {os.uname().release}) has no {', '.join(lacked)}"]
    lines += [f"  {feature}: {remedy}" for feature, remedy in lacked.items()]
    lines += ["what to do, one of these:", "  use a kernel with all of that (Debian's usual one has it)"]
    return "\n".join([*lines, *(f"  {obstacle}" for obstacle in obstacles(root))])


def become(root: Path, command: Sequence[str], interactive: bool) -> None:
    """This process becomes the launcher: signals and exit status are the command's."""
    quiet = ["--kernel-argument", "loglevel=1"]  # the terminal is the kernel's console, too
    options = ["--interactive", *quiet] if interactive else ["--timeout", str(LIMIT)]
    if sys.stdout.isatty() and not interactive:
        options += ["--env", "CLICOLOR_FORCE=1"]  # what the guest writes to is a file
    os.chdir(root)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", LAUNCHER, *options, "--", *command])


if __name__ == "__main__":
    print(json.dumps(features.missing()))
