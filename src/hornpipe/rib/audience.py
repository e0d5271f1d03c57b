"""Who is to hear of a path: the importers and the peers, worked out once for all blocks alike.

The answer depends on the source, the route targets and the well-known communities, so blocks that agree in these share
one `Audience`. Peers join and leave it; memberships and imports that change make it invalid, after the keys they
concern were marked, and the next route that needs it works it out again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hornpipe.rib.importer import Importer
    from hornpipe.rib.outlet import Outlet


class Audience:
    __slots__ = ("importers", "outlets", "valid")

    def __init__(self, importers: tuple[Importer, ...], outlets: dict[Outlet, None]) -> None:
        self.valid = True
        self.importers = importers
        self.outlets = outlets
        """The Adj-RIBs-Out this path may go to, as a set."""
