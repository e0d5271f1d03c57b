"""Who holds addresses, read from the files of leases while the daemon runs or after it was killed."""

from __future__ import annotations

import json
from pathlib import Path


def leases_in(directory: Path | str) -> dict[str, tuple[str, ...]]:
    """``network/container/interface`` -> addresses."""
    held: dict[str, tuple[str, ...]] = {}
    for file in sorted(Path(directory).glob("*.leases")):
        for line in file.read_bytes().rstrip(b"\0").splitlines()[1:]:
            for kind, *values in json.loads(line.partition(b" ")[2]):
                if kind in ("lease", "free"):
                    held.pop("/".join(values[0]), None)
                if kind == "lease":
                    held["/".join(values[0])] = tuple(values[1])
    return held
