"""resolv.conf(5) as CNI's ``dns`` dictionary: what `resolvConf` names becomes part of the result."""

from __future__ import annotations

from hornpipe.ipam.grant import Dns


def parse(text: str) -> Dns:
    """Unknown keywords are left out, as a resolver does; the last ``domain`` wins, the others add up."""
    nameservers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    domain = ""
    for line in text.splitlines():
        words = line.split()
        match words:
            case ["nameserver", address, *_]:
                nameservers.append(address)
            case ["domain", name, *_]:
                domain = name
            case ["search", *names]:
                search += names
            case ["options", *names]:
                options += names
    return Dns(tuple(nameservers), domain, tuple(search), tuple(options))
