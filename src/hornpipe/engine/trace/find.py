"""Which port and which address are meant."""

from __future__ import annotations

from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.vpn.desired import Desired
from hornpipe.vpn.plan import PortId
from hornpipe.vpn.spec import Refused


def find_port(desired: Desired, text: str) -> PortId:
    """By ``source/name``, name or interface; raises `Refused` with the candidates if that could be several."""
    if not text:
        raise Refused("port", "is empty", "give the name of a port, or its interface")
    named = [port for port in desired.ports if "/".join(port) == text]
    found = named or [port for port in desired.ports if port[1] == text]
    found = found or [port for port, checked in desired.ports.items() if text in (checked.interface, checked.netns)]
    if not found:
        raise Refused("port", f"no port {text}", "see `hornpipe show ports`", "missing")
    if len(found) > 1:
        names = ", ".join(sorted("/".join(port) for port in found))
        raise Refused("port", f"{text} could be {names}", "name one of them so", "conflict")
    return found[0]


def parse_address(text: str) -> bytes:
    """Packed: 4 or 16 bytes are an IP address, 6 a MAC."""
    try:
        address = Address.parse(text)
    except ValueError:
        try:
            return bytes(Mac.parse(text))
        except ValueError:
            raise Refused("address", f"{text!r} is no address", "an IPv4, IPv6 or MAC address") from None
    if address.is_multicast or address.is_unspecified:
        raise Refused("address", f"{text} is no single station's", "for flooding trace ff:ff:ff:ff:ff:ff")
    return bytes(address)


def address_text(address: bytes) -> str:
    return str(Mac(address) if len(address) == 6 else Address(address))
