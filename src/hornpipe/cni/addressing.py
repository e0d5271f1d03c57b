"""Addresses for the plugin: from `hornpipe-ipam` here in the daemon, from any other IPAM plugin by exec, or as asked.

Which one, the configuration's ``ipam.type`` says. Without ``ipam`` a container has the addresses that were asked for
it, or none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import ip_interface
from typing import Any

from hornpipe.cni import failure, result
from hornpipe.cni.delegate import delegate
from hornpipe.cni.failure import CniFailure
from hornpipe.cni.network import Names
from hornpipe.cni.record import Record
from hornpipe.cni.request import Request
from hornpipe.cni.result import Ip, Result
from hornpipe.cni.static import Static, for_ipam
from hornpipe.ipam import plugin as ipam
from hornpipe.ipam.failure import Failure

OWN = "hornpipe-ipam"
UNKNOWN_COMMAND = (failure.VERSION, failure.ENVIRONMENT)
"""What plugins answer that know no GC and STATUS: host-local has neither."""


class Addressing:
    def __init__(self, own: ipam.Addresses) -> None:
        self._own = own

    async def add(
        self, raw: Mapping[str, Any], names: Names, request: Request, asked: Static, holder: ipam.Holder
    ) -> Result:
        program = _program(names)
        if not program:
            return Result(ips=tuple(Ip(address=str(ip_interface(text))) for text in asked.ips))
        if program == OWN:
            answer: object = await self.handle(raw, request, "ADD", requested=asked.ips or None, holder=holder)
        else:
            given = for_ipam(dict(raw), asked)
            answer = await delegate(program, "ADD", given, request.environment, request.stderr)
        found = result.parse(answer, f"the answer of {program}")
        if not found.ips:
            raise CniFailure(failure.CONFIG, f"{program} returned no address", "IPAM plugin returned missing IP config")
        return found

    async def delete(self, raw: Mapping[str, Any], names: Names, record: Record, request: Request) -> None:
        """Idempotent, if the plugin is as the specification wants it."""
        program = _program(names)
        if program == OWN:
            await self.handle(raw, request, "DEL", record=record)
        elif program:
            environment = {
                **request.environment,
                "CNI_CONTAINERID": record.container,
                "CNI_IFNAME": record.interface,
            }
            environment.setdefault("CNI_NETNS", "")
            await delegate(program, "DEL", raw, environment, request.stderr)

    async def check(self, raw: Mapping[str, Any], names: Names, request: Request) -> None:
        program = _program(names)
        if program == OWN:
            await self.handle(raw, request, "CHECK")
        elif program:
            await delegate(program, "CHECK", raw, request.environment, request.stderr)

    async def collect(
        self, raw: Mapping[str, Any], names: Names, request: Request, in_flight: Collection[tuple[str, str]]
    ) -> None:
        program = _program(names)
        if program == OWN:
            await self.handle(raw, request, "GC", in_flight=in_flight)
        elif program:
            await self._perhaps(program, "GC", raw, request)

    async def status(self, raw: Mapping[str, Any], names: Names, request: Request) -> None:
        program = _program(names)
        if program == OWN:
            await self.handle(raw, request, "STATUS")
        elif program:
            await self._perhaps(program, "STATUS", raw, request)

    async def _perhaps(self, program: str, command: str, raw: Mapping[str, Any], request: Request) -> None:
        try:
            await delegate(program, command, raw, request.environment, request.stderr)
        except CniFailure as refused:
            if refused.code not in UNKNOWN_COMMAND:
                raise

    async def handle(
        self, raw: Mapping[str, Any], request: Request, command: str, record: Record | None = None, **more: Any
    ) -> dict[str, Any]:
        """`hornpipe-ipam`, for us and as a plugin that others delegate to."""
        asked = ipam.Request(
            command=command,
            network=raw,
            container=record.container if record is not None else request.container,
            ifname=record.interface if record is not None else request.interface,
            args=request.environment.get("CNI_ARGS", ""),
        )
        try:
            return await ipam.handle(self._own, asked, **more)
        except Failure as refused:
            raise CniFailure(refused.code, refused.message, refused.details) from refused


def _program(names: Names) -> str:
    program = (names.ipam or {}).get("type", "")
    if not isinstance(program, str):
        raise CniFailure(failure.CONFIG, "ipam.type is not a plugin's name", "host-local, hornpipe-ipam, ...")
    return program
