"""What the hosts of one process can share: decoded attribute blocks.

A reflector sends the same bytes to a thousand hosts. A daemon decodes them once and keeps the result for all routes
that came with it; a thousand engines in a process would keep a thousand equal ones, a fifth of the memory of a fleet.
Nothing writes to an `Attributes` once it is decoded, so they may have it together.
"""

from __future__ import annotations

from functools import lru_cache

from hornpipe.bgp.attr.block import decode
from hornpipe.rib import admission

KEPT = 200_000
"""Different blocks; a fleet of a thousand hosts has some fifty thousand."""


def share() -> None:
    """For all engines of this process, from now on."""
    admission.__dict__["decode"] = lru_cache(maxsize=KEPT)(decode)
