"""Where a demonstration takes place: hosts with daemons, the commands typed on them, pings between workloads."""

from __future__ import annotations

from collections.abc import Callable

from hornpipe.demo.node import Node, edge, reflector
from hornpipe.demo.screen import Screen
from hornpipe.demo.site import Site
from hornpipe.demo.until import TooLate, until

REFLECTOR = "192.0.2.100"


class Stage:
    def __init__(self, site: Site, screen: Screen) -> None:
        self.site, self.screen = site, screen
        self.nodes: dict[str, Node] = {}

    def reflector(self, *clients: str) -> None:
        """A host `rr` that reflects the routes of these addresses. It answers before the others start: who is refused
        tries again later and later."""
        self._node("rr", REFLECTOR, reflector(REFLECTOR, *clients))
        self.nodes["rr"].await_answer()

    def edge(self, name: str, address: str) -> None:
        self._node(name, address, edge(address, REFLECTOR))
        self.screen.say(f"{name} {address}: hornpiped, BGP to {REFLECTOR}")

    def _node(self, name: str, address: str, configuration: str) -> None:
        self.nodes[name] = Node(self.site.host(name, f"{address}/24"), configuration, wait=False)

    def await_sessions(self, others: int = 0) -> None:
        """Of all daemons, and with so many `others`, with the reflector."""
        for node in self.nodes.values():
            node.await_answer()
        edges = [node for name, node in self.nodes.items() if name != "rr"]
        for node in edges:
            node.await_established()
        count = len(edges) + others
        self.nodes["rr"].await_established(count)
        self.screen.found(f"{count} BGP sessions with the reflector", True)

    def type(self, host: str, words: str, show: bool = False, most: int = 20) -> str:
        """A `hornpipe` command on a host."""
        self.screen.command(host, f"hornpipe {words}")
        output = self.nodes[host].hornpipe(words)
        if show:
            self.screen.output(output, most)
        return output

    def ping(self, host: str, netns: str, address: str) -> bool:
        """From a workload of a host; tried again until it answers, or for long enough."""
        return self.comes(lambda: self.site[host].ping(address, netns=netns))

    def comes(self, fact: Callable[[], bool], limit: float = 30.0) -> bool:
        """Whether it becomes true within the limit, in seconds."""
        try:
            return until("it", fact, limit=limit)
        except TooLate:
            return False
