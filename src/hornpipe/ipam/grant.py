"""What an attachment is given: addresses with their gateways, routes, DNS. Plain values, before any CNI version."""

from __future__ import annotations

from typing import Any

import msgspec

from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix


class Owner(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Who holds a lease: CNI's key of an attachment. Never what is found in the network namespace, nor a Pod's name."""

    network: str
    container: str
    ifname: str

    def __str__(self) -> str:
        return f"{self.network}/{self.container}/{self.ifname}"


class Given(msgspec.Struct, frozen=True):
    prefix: Prefix
    """The address with its subnet's length, host bits kept: ``10.0.0.5/24``."""
    gateway: Address | None


class Dns(msgspec.Struct, frozen=True):
    """CNI's ``dns`` dictionary."""

    nameservers: tuple[str, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Grant(msgspec.Struct, frozen=True):
    """One address per range set, in the order of the sets; `routes` are CNI's dictionaries, checked."""

    addresses: tuple[Given, ...]
    routes: tuple[dict[str, Any], ...] = ()
    dns: Dns = Dns()
