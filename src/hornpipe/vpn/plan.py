"""A change of desired state before it is carried out: what one source wants, and what will differ for all."""

from __future__ import annotations

import msgspec

from hornpipe.vpn.check import CheckedInstance, CheckedPort
from hornpipe.vpn.domain import Shape

PortId = tuple[str, str]
"""(source, port name)."""


def text_of(port: PortId) -> str:
    return f"{port[1]!r} of source {port[0]!r}"


class Definition:
    """One instance name: who defines it (the first one rules) and which ports are in it."""

    __slots__ = ("current", "holders", "ports")

    def __init__(self, current: CheckedInstance, holders: dict[str, CheckedInstance], ports: set[PortId]) -> None:
        self.current, self.holders, self.ports = current, holders, ports


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one source wants different. `fields` maps names of instances and ports to the JSON path for a refusal."""

    source: str
    define: dict[str, CheckedInstance] = {}
    undefine: frozenset[str] = frozenset()
    put: dict[str, CheckedPort] = {}
    drop: frozenset[str] = frozenset()
    instance_fields: dict[str, str] = {}
    port_fields: dict[str, str] = {}


class Plan(msgspec.Struct, kw_only=True):
    """What will differ. Ports: out of their old domain first, then into the new one.

    Definitions share their sets of ports with the present ones; only `commit` changes these.
    """

    definitions: dict[str, Definition | None] = {}
    domains: dict[str, Shape | None] = {}
    """None: gone."""
    renamed: dict[str, str] = {}
    """Old domain key -> new one, where the same broadcast domain goes on under other RTs."""
    leaving: dict[PortId, tuple[str, CheckedPort]] = {}
    entering: dict[PortId, tuple[str, CheckedPort]] = {}
