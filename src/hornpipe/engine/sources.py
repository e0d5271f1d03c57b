"""The clients' desired sets: each source owns one, replaces it as a whole or by single attachments.

A change is compared with what the source had, so repeating it changes nothing, and only the difference is planned. The
specification texts are kept as the client wrote them; they are what the intent file and ``GET`` return.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from hornpipe.vpn.check import CheckedPort, check_instance, check_port, check_source
from hornpipe.vpn.edge import Edge
from hornpipe.vpn.plan import Change
from hornpipe.vpn.spec import InstanceSpec, PortSpec, Refused, SourceSpec


class SourceResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a change did: `changed` lists what is new, other or gone; empty if everything was so already."""

    changed: list[str]
    generation: int
    revision: int


class Held:
    """One source's set."""

    __slots__ = ("_spec", "generation", "implicit", "instances", "population", "ports", "revision")

    def __init__(self) -> None:
        self.instances: dict[str, InstanceSpec] = {}
        self.ports: dict[str, PortSpec] = {}
        self.implicit: set[str] = set()
        """Instances that came with `attach` and go with the source's last port in them."""
        self.population: Counter[str] = Counter()
        """Instance -> number of this source's ports."""
        self.generation = 0
        self.revision = 0
        self._spec: SourceSpec | None = None

    @property
    def spec(self) -> SourceSpec:
        if self._spec is None:
            self._spec = SourceSpec(
                instances=tuple(self.instances.values()), ports=tuple(self.ports.values()), generation=self.generation
            )
        return self._spec

    def forget_spec(self) -> None:
        self._spec = None


class Sources:
    def __init__(self, edge: Edge, router_id: str, notify: Callable[[str, str, str], None]) -> None:
        self.edge = edge
        self.router_id = router_id
        self.notify = notify
        self.held: dict[str, Held] = {}
        self.revision = 0
        """Of all sources together; a source that is deleted and made again does not repeat a revision."""

    def get(self, source: str) -> Held:
        return self.held.get(source) or Held()

    def seed(self, source: str) -> tuple[str, ...]:
        """What makes derived MACs and veth names of this host and source unlike others'."""
        return (self.router_id, source)

    # ---- changes

    def put(self, source: str, spec: SourceSpec, now: float) -> SourceResult:
        check_source_name(source)
        held = self.get(source)
        if spec.generation and spec.generation < held.generation:
            reason = f"{spec.generation} is older than {held.generation}, the last one accepted"
            raise Refused("generation", reason, "read the source again", "conflict")
        checked = check_source(spec, self.seed(source))
        fields = {instance.name: f"instances[{index}]" for index, instance in enumerate(spec.instances)}
        port_fields = {port.name: f"ports[{index}]" for index, port in enumerate(spec.ports)}
        change = Change(
            source=source,
            define={i.name: checked.instances[i.name] for i in spec.instances if held.instances.get(i.name) != i},
            undefine=frozenset(held.instances.keys() - checked.instances.keys()),
            put={port.name: checked.ports[port.name] for port in spec.ports if held.ports.get(port.name) != port},
            drop=frozenset(held.ports.keys() - checked.ports.keys()),
            instance_fields=fields,
            port_fields=port_fields,
        )
        result = self._apply(change, held, now, spec.generation)
        held.implicit.clear()
        return result

    def attach(self, source: str, instance: InstanceSpec | None, port: PortSpec, now: float) -> SourceResult:
        check_source_name(source)
        held = self.get(source)
        define = {}
        if instance is not None:
            checked = check_instance(instance)
            if instance.name != port.instance:
                reason = f"is {port.instance!r}, but the instance given is {instance.name!r}"
                raise Refused("port.instance", reason, "name the same one")
            if held.instances.get(instance.name) != instance:
                define = {checked.name: checked}
        put = {port.name: check_port(port, "port", self.seed(source))} if held.ports.get(port.name) != port else {}
        left = self._left_behind(held, port.name, put) if put else frozenset()
        change = Change(source=source, define=define, put=put, undefine=left)
        fresh = instance is not None and instance.name not in held.instances
        result = self._apply(change, held, now)
        if fresh and instance is not None:
            held.implicit.add(instance.name)
        return result

    def detach(self, source: str, port: str, now: float) -> SourceResult:
        held = self.held.get(source)
        if held is None or port not in held.ports:
            raise Refused("port", f"source {source!r} has no port {port!r}", "nothing to detach", "missing")
        left = self._left_behind(held, port, {})
        return self._apply(Change(source=source, drop=frozenset((port,)), undefine=left), held, now)

    def delete(self, source: str, now: float) -> SourceResult:
        held = self.held.get(source)
        if held is None:
            raise Refused("source", f"there is no source {source!r}", "nothing to delete", "missing")
        change = Change(source=source, drop=frozenset(held.ports), undefine=frozenset(held.instances))
        result = self._apply(change, held, now)
        del self.held[source]
        self.revision += 1
        return result

    def _left_behind(self, held: Held, port: str, put: dict[str, CheckedPort]) -> frozenset[str]:
        """The implicit instance that the port is the last one in, and leaves."""
        old = held.ports.get(port)
        new = put.get(port)
        if old is None or old.instance not in held.implicit or held.population[old.instance] > 1:
            return frozenset()
        return frozenset() if new is not None and new.instance == old.instance else frozenset((old.instance,))

    def _apply(self, change: Change, held: Held, now: float, generation: int | None = None) -> SourceResult:
        changed = [f"instance {name}" for name in sorted(change.define.keys() | change.undefine)]
        changed += [f"port {name}" for name in sorted(change.put.keys() | change.drop)]
        if changed:
            self.edge.change(change, now)
            self._record(change, held)
        self.held.setdefault(change.source, held)
        if generation is not None and held.generation != generation:
            held.generation = generation
            held.forget_spec()
            self.revision += 1
        if changed or not held.revision:
            self.revision += 1
            held.revision = self.revision
        return SourceResult(changed=changed, generation=held.generation, revision=held.revision)

    def _record(self, change: Change, held: Held) -> None:
        held.forget_spec()
        for name in change.undefine:
            held.instances.pop(name, None)
            held.implicit.discard(name)
        for name, instance in change.define.items():
            held.instances[name] = instance.spec
        for name in change.drop:
            held.population[held.ports.pop(name).instance] -= 1
        for name, port in change.put.items():
            if name in held.ports:
                held.population[held.ports[name].instance] -= 1
            held.ports[name] = port.spec
            held.population[port.instance] += 1

    # ---- intent

    def restore(
        self, source: str, spec: SourceSpec, implicit: tuple[str, ...], now: float, *, again: bool = False
    ) -> bool:
        """As `put`, but what is refused (the configuration may have changed meanwhile) costs only itself.

        False: not all of it could be restored; with `again` that is not told, for there will be another time."""
        complete = True
        try:
            self.put(source, spec, now)
        except Refused as refused:
            complete = False
            self._restore_singly(source, spec, now, "" if again else str(refused))
        held = self.held.get(source)
        if held is not None:
            held.implicit.update(name for name in implicit if name in held.instances)
        return complete

    def _restore_singly(self, source: str, spec: SourceSpec, now: float, refusal: str) -> None:
        """`refusal`: of the whole; empty: nothing is to be told."""
        if refusal:
            self.notify("source.refused", source, refusal)
        good = SourceSpec(generation=spec.generation)
        for instance in sorted(spec.instances, key=lambda instance: instance.type != "ipvpn"):  # others may name them
            more = msgspec.structs.replace(good, instances=(*good.instances, instance))
            good = self._try(source, more, good, now, bool(refusal))
        for port in spec.ports:
            good = self._try(source, msgspec.structs.replace(good, ports=(*good.ports, port)), good, now, bool(refusal))

    def _try(self, source: str, more: SourceSpec, good: SourceSpec, now: float, tell: bool) -> SourceSpec:
        try:
            self.put(source, more, now)
        except Refused as refused:
            if tell:
                self.notify("source.refused", source, str(refused))
            return good
        return more


def check_source_name(source: str) -> None:
    if not source or len(source) > 100 or not source.isprintable() or "/" in source:
        raise Refused("source", f"{source!r} is not a source's name", "1 to 100 printable characters without slash")
