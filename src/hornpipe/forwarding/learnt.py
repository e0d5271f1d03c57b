"""MAC addresses that the kernel learnt on ports of ours where learning is wanted (trunks, existing bridges)."""

from __future__ import annotations

from typing import TypeAlias

LearntMac: TypeAlias = tuple[str, str, bytes, bool]
"""(bridge, port, MAC, present)"""


class LearntMacs:
    """Mirror of what was reported, so that only news are; kernel ageing and moves come as events."""

    __slots__ = ("_by_bridge", "_news")

    def __init__(self) -> None:
        self._by_bridge: dict[str, dict[bytes, str]] = {}
        self._news: dict[tuple[str, bytes], LearntMac] = {}

    def seen(self, bridge: str, port: str, mac: bytes) -> None:
        macs = self._by_bridge.setdefault(bridge, {})
        if macs.get(mac) != port:
            macs[mac] = port
            self._news[(bridge, mac)] = (bridge, port, mac, True)

    def gone(self, bridge: str, port: str, mac: bytes) -> None:
        macs = self._by_bridge.get(bridge)
        if macs is not None and macs.get(mac) == port:
            del macs[mac]
            self._news[(bridge, mac)] = (bridge, port, mac, False)

    def port_gone(self, bridge: str, port: str) -> None:
        macs = self._by_bridge.get(bridge)
        if macs:
            for mac in [mac for mac, on in macs.items() if on == port]:
                self.gone(bridge, port, mac)

    def bridge_gone(self, bridge: str) -> None:
        macs = self._by_bridge.pop(bridge, {})
        for mac, port in macs.items():
            self._news[(bridge, mac)] = (bridge, port, mac, False)

    def keep_only(self, bridge: str, present: set[bytes]) -> None:
        """After a fresh dump: whatever is not in it has gone unnoticed."""
        macs = self._by_bridge.get(bridge, {})
        for mac in [mac for mac in macs if mac not in present]:
            self.gone(bridge, macs[mac], mac)

    def bridges(self) -> list[str]:
        return list(self._by_bridge)

    def take(self) -> list[LearntMac]:
        """The latest news of each address."""
        news, self._news = list(self._news.values()), {}
        return news
