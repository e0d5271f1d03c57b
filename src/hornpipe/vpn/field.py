"""Values of single fields, parsed or refused naming the field: names, interfaces, addresses, prefixes, targets."""

from __future__ import annotations

import hashlib
import re
from typing import Literal, Protocol, TypeVar

from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rt import RouteTarget
from hornpipe.vpn.spec import Refused

MAX_VNI = 0xFFFFFF
INTERFACE = re.compile(r"[^/\s]{1,15}")
"""What the kernel's dev_valid_name takes; IFNAMSIZ is 16 with the terminating zero."""
MAX_NAME = 200
"""An instance's name is part of its links' alias, for which the kernel has 255 bytes."""
MIN_MTU = 68
"""RFC 791: every internet module must forward 68 octets; the kernel's ETH_MIN_MTU."""


Value_co = TypeVar("Value_co", covariant=True)


class Parsed(Protocol[Value_co]):
    @classmethod
    def parse(cls, text: str) -> Value_co: ...


Value = TypeVar("Value")


def parse(kind: type[Parsed[Value]], text: str, field: str) -> Value:
    try:
        return kind.parse(text)
    except ValueError as error:
        raise Refused(field, str(error)) from error


def check_name(text: str, field: str) -> str:
    if not text or len(text) > MAX_NAME or not text.isprintable():
        raise Refused(field, f"must be 1 to {MAX_NAME} printable characters", "give a name such as red")
    return text


def check_interface(text: str, field: str) -> str:
    if not INTERFACE.fullmatch(text) or text in {".", ".."}:
        raise Refused(field, f"{text!r} is not an interface name", "1 to 15 characters without slash or space, as tap0")
    return text


def check_mtu(mtu: int | None, field: str) -> None:
    if mtu is not None and not MIN_MTU <= mtu <= 65535:
        raise Refused(field, f"{mtu} is not an MTU", f"{MIN_MTU} to 65535, or leave it out")


def check_mac(text: str, field: str) -> Mac:
    mac: Mac = parse(Mac, text, field)
    if mac[0] & 1 or not any(mac):
        raise Refused(
            field, f"{text} is not the address of one station", "give a unicast MAC such as 02:00:00:00:00:05"
        )
    return mac


def check_address(text: str, field: str, length: Literal["no", "may", "must"] = "may") -> tuple[Address, int]:
    """An address of a host with the prefix length it was written with (the full length if without)."""
    bare, slash, suffix = text.partition("/")
    address: Address = parse(Address, bare, field)
    full = len(address) * 8
    if slash and (length == "no" or not suffix.isdecimal() or not 0 < int(suffix) <= full):
        raise Refused(field, f"{text!r} is not a host address", f"an address{' and length 1 to ' + str(full)}")
    if not slash and length == "must":
        raise Refused(field, f"{text!r} lacks the prefix length", f"such as {text}/{24 if full == 32 else 64}")
    multicast = address[0] >= 0xE0 if full == 32 else address[0] == 0xFF
    if multicast or not any(address):
        raise Refused(field, f"{bare} is not the address of one host", "give a unicast address")
    return address, int(suffix) if slash else full


def check_rts(texts: tuple[str, ...], field: str) -> frozenset[bytes]:
    return frozenset(bytes(parse(RouteTarget, text, f"{field}[{index}]")) for index, text in enumerate(texts))


def derived_mac(*words: str) -> bytes:
    """A locally administered unicast MAC that follows from words alone."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return bytes([digest[0] & 0xFC | 0x02]) + digest[1:6]


def link_local(mac: bytes) -> bytes:
    """The IPv6 link-local address that follows from a MAC (RFC 4291 appendix A)."""
    return b"\xfe\x80" + bytes(6) + bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:]


def check_netns(text: str, field: str) -> str:
    good = text.startswith("/") or (text and "/" not in text and text not in {".", ".."})
    if not good or not text.isprintable():
        raise Refused(field, f"{text!r} is not a network namespace", "a name of `ip netns` or an absolute path")
    return text


def check_prefix(text: str, field: str) -> bytes:
    """A prefix as `hornpipe.forwarding.table.route_key` has it; host bits are refused, for they are a slip."""
    given: Prefix = parse(Prefix, text, field)
    if given != Prefix.parse(text, host_bits=True):
        raise Refused(field, f"{text!r} has bits right of its length", f"did you mean {given}?")
    return bytes(given)
