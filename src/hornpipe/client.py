"""A client of hornpiped's API: the standard library alone, and little of it, since commands and plugins start it often.

    with Client() as daemon:
        daemon.attach("web", instance={"name": "red", "import_rts": ["64512:80"], "export_rts": ["64512:80"]},
                      netns="web", addresses=["10.1.0.5/24"], wait=True)
        for row in daemon.rows("/v1/peers"):
            print(row["peer"], row["state"])

The address is the path of a unix socket or ``http://HOST:PORT``; without one it is ``$HORNPIPE_API``, else the socket
in ``$HORNPIPE_RUNTIME_DIR``, else /run/hornpipe/hornpipe.sock. Over TCP it sends the token in the file that
``$HORNPIPE_TOKEN_FILE`` names. It speaks HTTP/1.1 over one kept connection by itself:
`http.client` and `urllib` would double the time a command takes to start.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

RUNTIME_DIR = "/run/hornpipe"
SOCKET_NAME = "hornpipe.sock"
TIMEOUT = 60.0
"""Seconds without a byte; longer than a ``wait`` of the default length."""

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Unreachable(Exception):
    """No daemon answers at this address, or it went away while it answered."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"no answer from hornpiped at {address}: {reason}")
        self.address, self.reason = address, reason


class ApiError(Exception):
    """The daemon refused: an RFC 9457 problem."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.type: str = problem.get("type", "about:blank")
        self.title: str = problem.get("title", "")
        self.detail: str = problem.get("detail", "")
        self.field: str = problem.get("field", "")
        self.remedy: str = problem.get("remedy", "")
        field = f"{self.field}: " if self.field else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        super().__init__(f"{field}{self.detail or self.title or f'status {status}'}{remedy}")


class Response:
    """An answer as it came."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        """Names of headers are in lower case."""


def default_address(environ: Mapping[str, str] | None = None) -> str:
    environ = os.environ if environ is None else environ
    given = environ.get("HORNPIPE_API")
    return given or f"{environ.get('HORNPIPE_RUNTIME_DIR') or RUNTIME_DIR}/{SOCKET_NAME}"


def quote(text: str) -> str:
    """Percent-encoding of one segment or value (RFC 3986 section 2.1)."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def path_of(*segments: str) -> str:
    return "".join(f"/{quote(segment)}" for segment in segments)


def with_query(path: str, query: Mapping[str, Any]) -> str:
    """Members that are None are left out; booleans are ``true`` and ``false``."""
    parts = [
        f"{quote(name)}={quote(str(value).lower() if isinstance(value, bool) else str(value))}"
        for name, value in query.items()
        if value is not None
    ]
    return f"{path}?{'&'.join(parts)}" if parts else path


class Client:
    def __init__(self, address: str | None = None, timeout: float = TIMEOUT, token: str | None = None) -> None:
        """`token`: for ``http://``, if the daemon asks for one; else that of the file ``$HORNPIPE_TOKEN_FILE``."""
        self.address = address or default_address()
        self.timeout = timeout
        self._token = token
        self._socket: socket.socket | None = None
        self._buffer = bytearray()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._buffer.clear()

    # ---- what it is for

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", with_query(path, query))

    def rows(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All rows of a list, page after page."""
        while True:
            page = self.get(path, **query)
            yield from page["items"]
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def put_source(
        self, name: str, spec: Mapping[str, Any], *, wait: bool = False, timeout: float | None = None, match: str = ""
    ) -> Any:
        """`match`: the ETag the source must still have."""
        path = with_query(path_of("v1", "sources", name), _waiting(wait, timeout))
        return self.call("PUT", path, spec, {"If-Match": match} if match else {})

    def delete_source(self, name: str) -> Any:
        return self.call("DELETE", path_of("v1", "sources", name))

    def attach(self, name: str, *, wait: bool = False, timeout: float | None = None, **port: Any) -> Any:
        """`port` is a PortSpec's members; ``instance`` a name, or a whole instance to define with it."""
        path = with_query(path_of("v1", "ports", name), _waiting(wait, timeout))
        return self.call("PUT", path, {key: value for key, value in port.items() if value is not None})

    def trace(self, port: str, address: str) -> Any:
        """The way of a packet: ``state``, ``summary``, ``steps`` ..."""
        return self.get("/v1/trace", port=port, address=address)

    def detach(self, name: str, source: str | None = None) -> Any:
        return self.call("DELETE", with_query(path_of("v1", "ports", name), {"source": source}))

    def events(self, since: int | None = None, kind: str = "") -> Iterator[dict[str, Any]]:
        """Events as they happen, for ever. Ends with `Unreachable` when the daemon does."""
        path = with_query("/v1/events", {"since": since, "kind": kind or None})
        head = self._send("GET", path, b"", {"Accept": "text/event-stream"})
        if head.status != 200:
            raise ApiError(head.status, _problem(self._body(head)))
        self._connected().settimeout(None)
        name, data = "", ""
        for line in self._lines(head):
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = line[6:]
            elif not line and data:
                yield {"kind": name, "text": data} if name == "events.lost" else json.loads(data)
                name, data = "", ""
        self.close()
        raise Unreachable(self.address, "it is stopping")

    # ---- HTTP

    def call(self, method: str, path: str, value: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """JSON in, JSON out; raises `ApiError` for any status of 400 and above."""
        body = b"" if value is None else json.dumps(value, separators=(",", ":")).encode()
        response = self.request(method, path, body, headers)
        if response.status >= 400:
            raise ApiError(response.status, _problem(response))
        return json.loads(response.body) if response.body else None

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
        fields = {"Accept": "application/json", **({"Content-Type": "application/json"} if body else {})}
        return self._body(self._send(method, path, body, {**fields, **(headers or {})}))

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Sends a request and reads the head of its answer; a kept connection the daemon closed is opened anew."""
        headers = {**self._authorization(), **headers}
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host()}", *(f"{key}: {headers[key]}" for key in headers)]
        if body or method in ("PUT", "POST"):
            lines.append(f"Content-Length: {len(body)}")
        message = "\r\n".join([*lines, "", ""]).encode() + body
        kept = self._socket is not None
        try:
            self._connected().sendall(message)
            return self._head()
        except (ConnectionError, Unreachable) as error:
            self.close()
            if not kept:
                raise self._unreachable(error) from error
        try:
            self._connected().sendall(message)
            return self._head()
        except ConnectionError as error:
            self.close()
            raise self._unreachable(error) from error

    def _authorization(self) -> dict[str, str]:
        """RFC 6750 section 2.1; the unix socket needs none."""
        if not self._is_tcp():
            return {}
        file = os.environ.get("HORNPIPE_TOKEN_FILE")
        if self._token is None and file:
            try:
                with open(file, encoding="ascii") as stream:
                    self._token = stream.read().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise Unreachable(self.address, f"{file}: {_reason(error)}") from error
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _unreachable(self, error: Exception) -> Unreachable:
        return error if isinstance(error, Unreachable) else Unreachable(self.address, _reason(error))

    def _host(self) -> str:
        return self.address.removeprefix("http://").rstrip("/") if self._is_tcp() else "localhost"

    def _is_tcp(self) -> bool:
        return self.address.startswith("http://")

    def _connected(self) -> socket.socket:
        if self._socket is None:
            try:
                if self._is_tcp():
                    host, _, port = self._host().rpartition(":")
                    self._socket = socket.create_connection((host.strip("[]"), int(port)), self.timeout)
                else:
                    self._socket = socket.socket(socket.AF_UNIX)
                    self._socket.settimeout(self.timeout)
                    self._socket.connect(self.address)
            except (OSError, ValueError) as error:
                self.close()
                raise Unreachable(self.address, _reason(error)) from error
        return self._socket

    def _fill(self) -> None:
        try:
            data = self._connected().recv(65536)
        except TimeoutError as error:
            self.close()
            raise Unreachable(self.address, f"silent for {self.timeout:g} s") from error
        except ConnectionError as error:
            self.close()
            raise Unreachable(self.address, _reason(error)) from error
        if not data:
            raise Unreachable(self.address, "it closed the connection")
        self._buffer += data

    def _until(self, mark: bytes) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            self._fill()
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return found

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    def _head(self) -> Response:
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Response(int(first.split(" ", 2)[1]), headers, b"")

    def _chunks(self) -> Iterator[bytes]:
        """RFC 9112 section 7.1."""
        while size := int(self._until(b"\r\n").partition(b";")[0], 16):
            yield self._exactly(size)
            self._exactly(2)
        self._until(b"\r\n")

    def _body(self, head: Response) -> Response:
        if head.headers.get("transfer-encoding", "").lower() == "chunked":
            head.body = b"".join(self._chunks())
        else:
            head.body = self._exactly(int(head.headers.get("content-length", "0")))
        if head.headers.get("connection", "").lower() == "close":
            self.close()
        return head

    def _lines(self, head: Response) -> Iterator[str]:
        text = b""
        for chunk in self._chunks() if head.headers.get("transfer-encoding") else iter(lambda: self._exactly(1), b""):
            *lines, text = (text + chunk).split(b"\n")
            for line in lines:
                yield line.decode()


def _waiting(wait: bool, timeout: float | None) -> dict[str, Any]:
    return {"wait": "programmed" if wait else None, "timeout": timeout if wait else None}


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _problem(response: Response) -> dict[str, Any]:
    try:
        problem = json.loads(response.body)
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"detail": response.body.decode(errors="replace").strip()}
