"""``hornpipe demo``: three hosts, a reflector and two VPNs in namespaces of this machine, in well under two minutes.

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

from hornpipe.demo import sandbox
from hornpipe.demo.host import CommandFailed
from hornpipe.demo.screen import Screen
from hornpipe.demo.site import Site
from hornpipe.demo.story import Story

NEEDED = {"ip": "iproute2", "bridge": "iproute2", "ping": "iputils-ping", "nsenter": "util-linux", "mount": "mount"}
LOG_LINES = 15


def missing() -> list[str]:
    """Debian packages of the commands that are not here."""
    return sorted({package for command, package in NEEDED.items() if shutil.which(command) is None})


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hornpipe demo", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--shell", action="store_true", help="a shell on h1 when all is built; leaving it ends the lab")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    if packages := missing():
        print(f"hornpipe demo: apt-get install {' '.join(packages)}", file=sys.stderr)
        return 1
    if not arguments.inside:
        command = [sys.executable, "-m", "hornpipe.demo.main", "--inside", *(["--shell"] if arguments.shell else [])]
        status = sandbox.run(command)
        return status if status >= 0 else 128 - status
    signal.signal(signal.SIGTERM, _interrupt)
    return demonstrate(Path("/run/demo"), arguments.shell)  # the sandbox's own /run: it goes with it


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def demonstrate(directory: Path, shell: bool) -> int:
    screen = Screen()
    try:
        with Site(directory) as site:
            Story(site, screen).tell()
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
