"""`./dev bench`: every comparison after another; `./dev bench rr`, `pe`, `latency`, `kernel_limit` ... is one of them.

What follows the name goes to it: `./dev bench rr --rounds 1 --only hornpipe`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hornpipe.demo import sandbox

ALL = ("latency", "pe", "rr", "l3")


def main() -> int:
    known = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if "argparse" in p.read_text())
    arguments = sys.argv[1:]
    if arguments and (arguments[0] not in known):
        print(f"usage: ./dev bench [{' | '.join(known)}] [OPTION...]", file=sys.stderr)
        return 2
    names = [arguments[0]] if arguments else list(ALL)
    for name in names:
        status = subprocess.run(sandbox.command([sys.executable, "-m", f"bench.{name}", *arguments[1:]])).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
