"""Keys that each have a link of their own: stations' MACs on the ports of a bridge, labels on VRFs and ports."""

from __future__ import annotations

from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.link import Links


def on_ports(state: TableState, adds: dict[bytes, str], links: Links, now: float) -> dict[bytes, int]:
    """ifindexes for the ports' names; keys whose port is not there wait for it."""
    bridge = links.by_name[state.device].index
    found: dict[bytes, int] = {}
    for key, port in adds.items():
        link = links.by_name.get(port)
        if link is not None and link.master == bridge:
            state.hold(key, port)
            found[key] = link.index
        elif link is None:
            state.wait(key, port, f"interface {port} does not exist", now)
        else:
            state.wait(key, port, f"interface {port} is not in {state.device}", now)
    return found


def on_links(
    state: TableState, adds: dict[bytes, tuple[str, bytes]], links: Links, now: float
) -> dict[bytes, tuple[int, bytes]]:
    """The same for labels, whose links need only be up."""
    found: dict[bytes, tuple[int, bytes]] = {}
    for key, (name, gateway) in adds.items():
        link = links.by_name.get(name)
        if link is not None and link.up:
            state.hold(key, name)
            found[key] = (link.index, gateway)
        else:
            state.wait(key, name, f"interface {name} {'does not exist' if link is None else 'is down'}", now)
    return found
