"""NLMSG_ERROR: which request, which errno, and the kernel's own words (extended acknowledgement)."""

from __future__ import annotations

import errno
import struct

from hornpipe.netlink.message import HEADER, attributes, string
from hornpipe.netlink.number import NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSGERR_ATTR_MSG

_WORDS = {
    errno.EPERM: "Operation not permitted",
    errno.ENOENT: "No such entry",
    errno.ENODEV: "No such device",
    errno.EEXIST: "Exists already",
    errno.EINVAL: "Invalid argument",
    errno.ENOMEM: "Cannot allocate memory",
    errno.ENOBUFS: "No buffer space",
    errno.EBUSY: "Device or resource busy",
    errno.EOPNOTSUPP: "Not supported by this kernel",
    errno.ENETUNREACH: "Network is unreachable",
    errno.ENETDOWN: "Network is down",
    errno.ENOSPC: "No space",
    errno.ERANGE: "Out of range",
    errno.EADDRNOTAVAIL: "Address not available",
}


class Failure(Exception):
    """The kernel refused a request."""

    def __init__(self, number: int, words: str = "") -> None:
        self.number = number
        self.words = words
        super().__init__(reason(number, words))


def reason(number: int, words: str = "") -> str:
    """One line: the kernel's words if it gave some, and the errno's."""
    plain = _WORDS.get(number) or errno.errorcode.get(number, f"error {number}")
    return f"{words.rstrip('.')} ({plain})" if words else plain


def parse_error(data: bytes, flags: int, start: int, end: int) -> tuple[int, int, str]:
    """(sequence, errno or 0 for an acknowledgement, the kernel's words) of an NLMSG_ERROR's payload."""
    code, length, _, _, sequence, _ = _ERROR.unpack_from(data, start)
    if not flags & NLM_F_ACK_TLVS:
        return sequence, -code, ""
    echoed = HEADER.size if flags & NLM_F_CAPPED or not code else (length + 3) & ~3
    found = attributes(data, start + 4 + echoed, end)
    return sequence, -code, string(found.get(NLMSGERR_ATTR_MSG, b""))


_ERROR = struct.Struct("=iIHHII")
