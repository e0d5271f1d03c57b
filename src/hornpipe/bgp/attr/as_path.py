"""AS_PATH and AS4_PATH (RFC 4271 section 5.1.2, RFC 6793, RFC 5065, AS 0 of RFC 7607, errors of RFC 7606 section 7.2).

A path is a tuple of segments ``(type, AS numbers)``, the nearest AS first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hornpipe.bgp.attr.malformed import MALFORMED_AS_PATH, Malformed

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes

AS_SET: Final = 1
AS_SEQUENCE: Final = 2
CONFED_SEQUENCE: Final = 3
CONFED_SET: Final = 4

AS_TRANS: Final = 23456

Segment = tuple[int, tuple[int, ...]]
Path = tuple[Segment, ...]


def parse(value: bytes, as4: bool) -> Path:
    """Raises `Malformed` for each case of RFC 7606 section 7.2: unknown type, overrun, underrun, empty segment."""
    size = 4 if as4 else 2
    segments: list[Segment] = []
    position = 0
    end = len(value)
    while position < end:
        if position + 2 > end:
            raise Malformed("AS_PATH with a single byte left", MALFORMED_AS_PATH)
        kind = value[position]
        count = value[position + 1]
        after = position + 2 + count * size
        if not AS_SET <= kind <= CONFED_SET:
            raise Malformed(f"AS_PATH segment of type {kind}", MALFORMED_AS_PATH)
        if count == 0:
            raise Malformed("AS_PATH segment without AS numbers", MALFORMED_AS_PATH)
        if after > end:
            raise Malformed("AS_PATH segment runs over the end", MALFORMED_AS_PATH)
        numbers = tuple([int.from_bytes(value[at : at + size], "big") for at in range(position + 2, after, size)])
        if 0 in numbers:
            raise Malformed("AS 0 in AS_PATH (RFC 7607)", MALFORMED_AS_PATH)
        segments.append((kind, numbers))
        position = after
    return tuple(segments)


def encode(path: Path, as4: bool = True) -> bytes:
    """The attribute's value; without `as4` numbers beyond two octets become AS_TRANS (RFC 6793 section 4.2.2)."""
    size = 4 if as4 else 2
    parts: list[bytes] = []
    for kind, numbers in path:
        for start in range(0, len(numbers), 255):
            some = numbers[start : start + 255]
            parts.append(bytes((kind, len(some))))
            parts += [(n if as4 or n < 1 << 16 else AS_TRANS).to_bytes(size, "big") for n in some]
    return b"".join(parts)


def length(path: Path) -> int:
    """RFC 4271 section 9.1.2.2 a: a set counts one; RFC 5065 section 5.3: confederation segments count nothing."""
    total = 0
    for kind, numbers in path:
        if kind == AS_SEQUENCE:
            total += len(numbers)
        elif kind == AS_SET:
            total += 1
    return total


def prepend(path: Path, asn: int) -> Path:
    """RFC 4271 section 5.1.2 b: into the leading sequence, or a new one if it is full or not a sequence."""
    if path and path[0][0] == AS_SEQUENCE and len(path[0][1]) < 255:
        return ((AS_SEQUENCE, (asn, *path[0][1])), *path[1:])
    return ((AS_SEQUENCE, (asn,)), *path)


def merge(path: Path, path4: Path) -> Path:
    """AS_PATH of a two-octet speaker with its AS4_PATH (RFC 6793 section 4.2.3): the leading ASes of the one that the
    other does not have, then the other. An AS4_PATH that is longer is ignored.
    """
    path4 = tuple([segment for segment in path4 if segment[0] in (AS_SET, AS_SEQUENCE)])
    extra = length(path) - length(path4)
    if extra < 0 or not path4:
        return path
    head: list[Segment] = []
    for kind, numbers in path:
        if kind in (CONFED_SEQUENCE, CONFED_SET):
            head.append((kind, numbers))
            continue
        if extra == 0:
            break
        taken = numbers if kind == AS_SET else numbers[:extra]
        extra -= 1 if kind == AS_SET else len(taken)
        head.append((kind, taken))
    if head and head[-1][0] == AS_SEQUENCE and path4[0][0] == AS_SEQUENCE:
        joined = head[-1][1] + path4[0][1]
        return (*head[:-1], (AS_SEQUENCE, joined), *path4[1:])
    return (*head, *path4)


def text(path: Path) -> str:
    """``64512 64513 {1,2}``; confederation segments in ``( )`` and ``[ ]``."""
    words: list[str] = []
    for kind, numbers in path:
        if kind == AS_SEQUENCE:
            words += [str(n) for n in numbers]
        elif kind == AS_SET:
            words.append("{" + ",".join([str(n) for n in numbers]) + "}")
        elif kind == CONFED_SEQUENCE:
            words.append("(" + " ".join([str(n) for n in numbers]) + ")")
        else:
            words.append("[" + ",".join([str(n) for n in numbers]) + "]")
    return " ".join(words)


def decode(value: bytes, attributes: Attributes, as4: bool) -> None:
    attributes.as_path = parse(value, as4)
    attributes.as_path_length = length(attributes.as_path)


def decode_as4(value: bytes, attributes: Attributes, as4: bool) -> None:
    """Merges into the AS_PATH, which has the lower code but may come later: `block` calls this one last."""
    if as4:
        # RFC 6793 section 4.1: between four-octet speakers it must not be there.
        raise Malformed("AS4_PATH from a four-octet speaker", MALFORMED_AS_PATH)
    attributes.as_path = merge(attributes.as_path, parse(value, True))
    attributes.as_path_length = length(attributes.as_path)
