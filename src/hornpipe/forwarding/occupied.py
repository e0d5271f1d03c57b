"""Permanent bridge entries of others, which no entry of ours overcomes by replacing: they have to be evicted first."""

from __future__ import annotations

from collections.abc import Iterable

from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.link import Links


class Occupied:
    def __init__(self, links: Links) -> None:
        self._links = links
        self._ports: dict[tuple[str, bytes], int] = {}
        """(bridge, MAC) -> port."""

    def __bool__(self) -> bool:
        return bool(self._ports)

    def event(self, bridge: str, port_index: int, mac: bytes, present: bool) -> None:
        """Such an entry is there, or gone. A port's own address is permanent too, and rightly so."""
        link = self._links.by_index.get(port_index)
        if present and link is not None and link.mac != mac:
            self._ports[(bridge, mac)] = port_index
        elif self._ports.get((bridge, mac)) == port_index:
            del self._ports[(bridge, mac)]

    def take(self, state: TableState, macs: Iterable[bytes]) -> dict[bytes, int]:
        """Those in the way of what is to be written: MAC -> port."""
        bridge = self._bridge_of(state)
        found = {mac: self._ports.pop((bridge, mac), 0) for mac in macs}
        return {mac: port for mac, port in found.items() if port}

    def put_back(self, state: TableState, mac: bytes, port_index: int) -> None:
        """It could not be evicted."""
        self._ports[(self._bridge_of(state), mac)] = port_index

    def _bridge_of(self, state: TableState) -> str:
        """Of a ``local`` or ``fdb`` table."""
        link = self._links.by_name.get(state.device)
        return state.device if state.kind == "local" or link is None else self._links.name_of(link.master)
