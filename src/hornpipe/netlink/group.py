"""Groups of links (IFLA_GROUP): many are deleted in one request, which waits for the other processors only once."""

from __future__ import annotations

from hornpipe.netlink.link import header
from hornpipe.netlink.message import u32
from hornpipe.netlink.number import IFLA_GROUP


def change_group(index: int, group: int) -> bytes:
    """Payload of RTM_NEWLINK."""
    return header(index) + u32(IFLA_GROUP, group)


def delete_group(group: int) -> bytes:
    """Payload of RTM_DELLINK: all links of the group in this namespace."""
    return header() + u32(IFLA_GROUP, group)
