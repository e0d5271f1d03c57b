"""``hornpipe demo``: three hosts, a reflector and two VPNs in namespaces of this machine, in well under two minutes.

With `--l3` the VPNs are routed too, and an external router (FRR) is reached by MPLS over GRE. That needs VRFs, MPLS and
GRE of the kernel; where this one lacks something, it runs itself in a guest kernel (`hornpipe.demo.guest`).

All of it runs in a sandbox (`hornpipe.demo.sandbox`): Ctrl-C, a crash or a SIGKILL end every process and namespace with
it, and nothing of the machine is touched.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from hornpipe.demo import guest, sandbox
from hornpipe.demo.frr import daemons_directory
from hornpipe.demo.host import CommandFailed
from hornpipe.demo.node import SCRIPTS
from hornpipe.demo.routed_story import FEATURES, RoutedStory
from hornpipe.demo.screen import Screen
from hornpipe.demo.site import Site
from hornpipe.demo.stage import Stage
from hornpipe.demo.story import Story

NEEDED = {"ip": "iproute2", "bridge": "iproute2", "ping": "iputils-ping", "nsenter": "util-linux", "mount": "mount"}
LOG_LINES = 15


def missing(l3: bool) -> list[str]:
    """Debian packages of the commands that are not here."""
    packages = {package for command, package in NEEDED.items() if shutil.which(command) is None}
    if l3 and (daemons_directory() is None or shutil.which("vtysh") is None):
        packages.add("frr")
    return sorted(packages)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hornpipe demo", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--l3", action="store_true", help="routed VPNs, an anycast gateway, FRR by MPLS over GRE")
    parser.add_argument("--shell", action="store_true", help="a shell on h1 when all is built; leaving it ends the lab")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    os.environ["PATH"] = f"{SCRIPTS}:{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    if packages := missing(arguments.l3):
        print(f"hornpipe demo: apt-get install {' '.join(packages)}", file=sys.stderr)
        return 1
    if not arguments.inside:
        return outside(arguments.l3, arguments.shell)
    signal.signal(signal.SIGTERM, _interrupt)
    return demonstrate(Path("/run/demo"), arguments.l3, arguments.shell)  # /run is the sandbox's own: it goes with it


def outside(l3: bool, shell: bool) -> int:
    """Find the place, and run there: a sandbox on this kernel, or a guest kernel."""
    options = [option for option, given in (("--l3", l3), ("--shell", shell)) if given]
    command = [sys.executable, "-m", "hornpipe.demo.main", "--inside", *options]
    lacked = guest.lacking(FEATURES) if l3 else {}
    if lacked:
        root = guest.checkout()
        if root is None or guest.obstacles(root):
            print(guest.advice(lacked, root), file=sys.stderr)
            return 1
        print(
            f"this kernel has no {', '.join(lacked)}: in a guest kernel, then (User-Mode Linux, some seconds to boot)"
        )
        guest.become(root, command, shell)
    status = sandbox.run(command)
    return status if status >= 0 else 128 - status


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def demonstrate(directory: Path, l3: bool, shell: bool) -> int:
    screen = Screen()
    try:
        with Site(directory) as site:
            stage = Stage(site, screen)
            (RoutedStory(stage) if l3 else Story(stage)).tell()
            if shell:
                screen.step("A shell on h1; `hornpipe show status` is a start; leaving it ends the lab")
                site["h1"].shell_here()
    except KeyboardInterrupt:
        print("\ninterrupted: everything is gone again", file=sys.stderr)
        return 130
    except (AssertionError, CommandFailed, OSError) as error:
        screen.found("the demonstration runs to its end", False, str(error) or traceback.format_exc())
    if screen.failures:
        for log in sorted(directory.rglob("*.log")):
            screen.say(f"--- {log.relative_to(directory)}")
            screen.output("\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:]))
        print(f"\n{len(screen.failures)} failed: {'; '.join(screen.failures)}", file=sys.stderr)
        return 1
    screen.step("All as promised; hosts, namespaces and processes are gone again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
