"""The commands of CNI: what each does, in which order, and what is undone when a step fails.

ADD: addresses, attachment (durable, announced), kernel, masquerading, answer. Whatever fails, what was done before is
taken back. DEL goes the other way and is content with whatever it finds, so it may be repeated and needs neither a
namespace nor an earlier result. Commands for one attachment wait for each other.

An ADD for an attachment that is there already is one whose answer was lost: it begins anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import msgspec

from hornpipe.cni import check, failure, network, record, result
from hornpipe.cni import static as requested
from hornpipe.cni.addressing import Addressing
from hornpipe.cni.attachments import Attachments
from hornpipe.cni.failure import CniFailure
from hornpipe.cni.host import Host
from hornpipe.cni.locks import Locks
from hornpipe.cni.masquerade import Masquerade
from hornpipe.cni.network import Names, Network
from hornpipe.cni.record import Record
from hornpipe.cni.request import Request
from hornpipe.cni.result import Result
from hornpipe.cni.routing import enable_forwarding
from hornpipe.cni.static import Static
from hornpipe.ipam.plugin import Addresses, valid_attachments
from hornpipe.vpn.spec import Refused

LOG = logging.getLogger("hornpipe.cni")
Raw = dict[str, Any]


class Plugin:
    """Each command takes the request and its decoded configuration, and returns what is printed (None: nothing)."""

    def __init__(self, host: Host, ipam: Addresses, masquerade_mark: Path) -> None:
        self._host = host
        self.attachments = Attachments(host)
        self.addressing = Addressing(ipam)
        self.masquerade = Masquerade(masquerade_mark)
        self._locks = Locks()
        self._adding: set[tuple[str, tuple[str, str]]] = set()
        """(network, (container, interface)) of ADDs not finished: GC's list may not have them yet."""
        self.commands: dict[str, Callable[[Request, Raw], Awaitable[Raw | None]]] = {
            "ADD": self.add,
            "DEL": self.delete,
            "CHECK": self.check,
            "GC": self.collect,
            "STATUS": self.status,
        }

    async def restore(self) -> None:
        """At start, when the intent is there."""
        await self.masquerade.restore({one.name: frozenset(one.masquerade) for one in self.attachments.records()})

    # ---- ADD

    async def add(self, request: Request, raw: Raw) -> Raw:
        request.check_netns()
        wanted, former = network.network(raw), network.previous(raw)
        await self._host.may_change()
        asked = requested.static(wanted, request.arguments())
        new = record.make(wanted.name, request.container, request.interface, asked.pod, asked.uid)
        await self._reclaim(new, raw, wanted, request)
        async with self._locks.hold(new.name):
            self._adding.add((new.network, new.key))
            try:
                made = await self._add(new, request, raw, wanted, asked)
            except Exception:
                await self._undo(new, raw, wanted, request)
                raise
            finally:
                self._adding.discard((new.network, new.key))
        return result.render(made.after(former) if former is not None else made, wanted.cniVersion)

    async def _add(self, new: Record, request: Request, raw: Raw, wanted: Network, asked: Static) -> Result:
        if self.attachments.has(new):
            await self._take_away(new, raw, wanted, request)
        instance = wanted.instance_name
        given = await self.addressing.add(
            raw, wanted, request, asked, lambda address: self._host.holder(instance, address)
        )
        if wanted.ipMasq:
            subnets = sorted({str(ip_interface(ip.address).network) for ip in given.ips})
            new = msgspec.structs.replace(new, masquerade=tuple(subnets))
        assert request.netns_descriptor is not None
        take_back = self._host.lend(request.netns, request.netns_descriptor)
        try:
            made = await self.attachments.attach(new, request.netns, wanted, asked, given)
        finally:
            take_back()
        if wanted.isGateway or wanted.isDefaultGateway or wanted.ipMasq:
            enable_forwarding({ip.family for ip in made.ips})
        if new.masquerade:
            await self.masquerade.put(new.name, new.masquerade)
        return made

    async def _undo(self, new: Record, raw: Raw, wanted: Names, request: Request) -> None:
        """The failure that led here is the one to be told; one of undoing it is logged."""
        try:
            await self._take_away(new, raw, wanted, request)
        except (CniFailure, Refused, OSError) as error:
            LOG.warning("undoing ADD of %s: %s", new.name, error)

    async def _reclaim(self, new: Record, raw: Raw, wanted: Names, request: Request) -> None:
        """A pod whose sandbox is made anew may ask for its address while the former one, which the runtime lost in a
        crash, still holds it: that one goes, if its namespace has gone."""
        if not new.uid:
            return
        for other in self.attachments.records():
            same = (other.network, other.interface, other.uid) == (new.network, new.interface, new.uid)
            if not same or other.container == new.container:
                continue
            row = self._host.engine.port(record.SOURCE, other.name)
            if row is not None and not _is_there(row.netns):
                async with self._locks.hold(other.name):
                    await self._take_away(other, raw, wanted, request)

    # ---- DEL

    async def delete(self, request: Request, raw: Raw) -> None:
        named = network.names(raw)
        old = record.make(named.name, request.container, request.interface)
        async with self._locks.hold(old.name):
            await self._take_away(old, raw, named, request)

    async def _take_away(self, old: Record, raw: Raw, named: Names, request: Request) -> None:
        """The address is free for others only when nobody is told any more that it is here."""
        interface = await self.attachments.detach(old)
        freed = self.addressing.delete(raw, named, old, request)
        if not interface:
            await freed
        else:
            outcomes = await asyncio.gather(self.attachments.removed(interface), freed, return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        await self.masquerade.put(old.name, ())

    # ---- CHECK, GC, STATUS

    async def check(self, request: Request, raw: Raw) -> None:
        request.check_netns()
        wanted, former = network.network(raw), network.previous(raw)
        if former is None:
            raise CniFailure(failure.CONFIG, "CHECK needs prevResult", "the result of ADD")
        one = record.make(wanted.name, request.container, request.interface)
        row = self._host.engine.port(record.SOURCE, one.name)
        if row is None:
            raise CniFailure(failure.UNKNOWN_CONTAINER, f"{one.name} is not attached", "ADD it again")
        if row.state != "up":
            raise CniFailure(failure.IO, f"port {one.name} is {row.state}", row.reason)
        assert request.netns_descriptor is not None
        take_back = self._host.lend(request.netns, request.netns_descriptor)
        try:
            inside = await self._host.look_inside(request.netns)
        except OSError as error:
            raise CniFailure(failure.UNKNOWN_CONTAINER, f"network namespace {request.netns}", str(error)) from error
        finally:
            take_back()
        check.compare(former, inside, request.interface)
        await self.addressing.check(raw, wanted, request)

    async def collect(self, request: Request, raw: Raw) -> None:
        """Goes on after a failure, and tells the first."""
        named = network.names(raw)
        valid = valid_attachments(raw)
        failures: list[Exception] = []
        for one in self.attachments.records():
            known = one.key in valid or (one.network, one.key) in self._adding
            if one.network != named.name or known:
                continue
            try:
                async with self._locks.hold(one.name):
                    await self._take_away(one, raw, named, request)
            except (CniFailure, Refused, OSError) as error:
                failures.append(error)
        in_flight = {key for name, key in self._adding if name == named.name}
        await self.addressing.collect(raw, named, request, in_flight)
        if failures:
            raise failures[0]

    async def status(self, request: Request, raw: Raw) -> None:
        """Ready means: an ADD now would give a container that others reach."""
        wanted = network.network(raw)
        status = self._host.engine.status()
        closed = [gate.gate for gate in status.gates if gate.gate != "prune" and not gate.open]
        if closed:
            raise CniFailure(failure.NOT_READY, "hornpiped is starting", f"waiting for {', '.join(closed)}")
        if status.peers and not status.peers_established:
            words = f"none of {status.peers} BGP peers is established"
            raise CniFailure(failure.NOT_READY, words, "see `hornpipe show peers`")
        if isinstance(wanted.instance, str):
            names = {name for row in self._host.engine.instances() for name in (row.name, *row.names)}
            if wanted.instance not in names:
                raise CniFailure(failure.NOT_READY, f"there is no instance {wanted.instance!r}", "define it")
        await self.addressing.status(raw, wanted, request)


def _is_there(netns: str) -> bool:
    return os.path.exists(netns)
