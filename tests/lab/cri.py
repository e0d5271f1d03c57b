"""A client of containerd's CRI, small enough to be read: unary gRPC (HTTP/2 over a unix socket), a few messages of
runtime.v1 packed by hand. Answers are trees of field numbers; of headers nothing is read but whether there was data."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
Field = tuple[int, "int | str | bytes | list[Field]"]


class CriError(Exception):
    pass


def _varint(value: int) -> bytes:
    done = bytearray()
    while value > 0x7F:
        done.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*done, value))


def pack(fields: Sequence[Field]) -> bytes:
    """Protocol buffers: numbers as varints, the rest with its length."""
    done = b""
    for number, value in fields:
        if isinstance(value, int):
            done += _varint(number << 3) + _varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else pack(value)
            done += _varint(number << 3 | 2) + _varint(len(raw)) + raw
    return done


def unpack(data: bytes) -> dict[int, list[Any]]:
    """Field number -> its values, in order."""
    found: dict[int, list[Any]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        value: int | bytes = varint()
        if tag & 7 == 2:
            size = int(value)
            value, at = data[at : at + size], at + size
        found.setdefault(tag >> 3, []).append(value)
    return found


def labels(number: int, pairs: dict[str, str]) -> list[Field]:
    """A map of strings."""
    return [(number, [(1, key), (2, value)]) for key, value in pairs.items()]


class Cri:
    """A connection a call: sandboxes take tenths of a second."""

    def __init__(self, path: str) -> None:
        self.path = path

    def call(self, method: str, fields: Sequence[Field] = (), service: str = "RuntimeService") -> dict[int, list[Any]]:
        body = pack(fields)
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": f"/runtime.v1.{service}/{method}",
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
        }
        block = b"".join(b"\0" + _text(key) + _text(value) for key, value in headers.items())
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(self.path)
            connection.sendall(PREFACE + _frame(SETTINGS, 0, 0, b"") + _frame(WINDOW, 0, 0, struct.pack(">I", 1 << 20)))
            connection.sendall(_frame(HEADERS, END_HEADERS, 1, block))
            connection.sendall(_frame(DATA, END_STREAM, 1, b"\0" + struct.pack(">I", len(body)) + body))
            answer = self._answer(connection)
        if len(answer) < 5:
            raise CriError(f"{method} failed: see containerd's log")
        return unpack(answer[5:])

    def _answer(self, connection: socket.socket) -> bytes:
        answer = b""
        for kind, flags, stream, payload in _frames(connection):
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(_frame(SETTINGS, ACK, 0, b""))
            elif kind == PING and not flags & ACK:
                connection.sendall(_frame(PING, ACK, 0, payload))
            elif kind == GOAWAY:
                break
            elif stream == 1:
                answer += payload if kind == DATA else b""
                if flags & END_STREAM:
                    break
        return answer

    # ---- sandboxes

    def network_ready(self) -> tuple[bool, str]:
        for raw in unpack(self.call("Status")[1][0]).get(1, ()):
            condition = unpack(raw)
            if condition[1] == [b"NetworkReady"]:
                return bool(condition.get(2, [0])[0]), b"".join(condition.get(4, [])).decode()
        raise CriError("no NetworkReady among the conditions")

    def run_pod(self, name: str, annotations: dict[str, str] | None = None, attempt: int = 0) -> str:
        """The sandbox's id."""
        metadata: list[Field] = [(1, name), (2, f"uid-{name}"), (3, "default"), (4, attempt)]
        config: list[Field] = [(1, metadata), (2, name), *labels(7, annotations or {}), (8, [])]
        return str(self.call("RunPodSandbox", [(1, config)])[1][0].decode())

    def addresses(self, pod: str) -> list[str]:
        network = unpack(unpack(self.call("PodSandboxStatus", [(1, pod)])[1][0])[5][0])
        return [network[1][0].decode(), *(unpack(raw)[1][0].decode() for raw in network.get(2, ()))]

    def stop_pod(self, pod: str) -> None:
        self._empty("StopPodSandbox", pod)

    def remove_pod(self, pod: str) -> None:
        self._empty("RemovePodSandbox", pod)

    def _empty(self, method: str, pod: str) -> None:
        self.call(method, [(1, pod)])


def _text(value: str) -> bytes:
    """HPACK without Huffman; none of ours has more than 126 bytes."""
    raw = value.encode()
    assert len(raw) < 127
    return bytes((len(raw),)) + raw


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _frames(connection: socket.socket) -> Iterator[tuple[int, int, int, bytes]]:
    with connection.makefile("rb") as file:
        while head := file.read(9):
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            yield kind, flags, stream, file.read(int.from_bytes(head[:3], "big"))
