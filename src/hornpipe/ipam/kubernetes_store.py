"""Block claims in Kubernetes: a ConfigMap a pool, its ``data`` block -> holder, changed by compare and swap.

A PUT carries the ``resourceVersion`` it was made from, and the API server refuses it with 409 if the object has changed
since; creating it is refused with 409 if it exists. So a claim sees all others, those of another size included. Every
claim writes (the holder is followed by a word that is new each time): an object that did not change keeps its version,
and a release that was sent before and arrives late would still fit it.

A ConfigMap has room for 1 MiB: some 20 000 blocks. In-cluster access: address from the environment, the service
account's token and CA; the token is read for each request since the kubelet renews it. Needed: get, create and update
of ConfigMaps in one namespace.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from hornpipe.ipam.pool import overlapping
from hornpipe.ipam.store import block_of, key_of
from hornpipe.net.prefix import Prefix

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PREFIX = "hornpipe-ipam-"
REQUEST_SECONDS = 4.0
"""An answer later than that is no use to a Pod that waits; the kubelet tries again."""
TRIES = 24
"""Of a compare and swap: with waits up to half a second between them, enough for a cluster that starts at once."""
_CONFLICT, _MISSING = 409, 404


class Access:
    """Where the API server is and how to ask it."""

    def __init__(
        self, url: str, namespace: str, *, token: Callable[[], str] = str, context: ssl.SSLContext | None = None
    ) -> None:
        self.url, self.namespace, self.token, self.context = url, namespace, token, context

    @staticmethod
    def in_cluster(environ: Mapping[str, str], account: Path = ACCOUNT) -> Access | None:
        """None: this process does not run in a cluster."""
        host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host or not (account / "token").exists():
            return None
        return Access(
            f"https://{f'[{host}]' if ':' in host else host}:{port}",
            (account / "namespace").read_text().strip(),
            token=lambda: (account / "token").read_text().strip(),
            context=ssl.create_default_context(cafile=str(account / "ca.crt")),
        )


class _Changed(Exception):
    """Somebody else wrote in between."""


class KubernetesStore:
    def __init__(self, access: Access) -> None:
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def list(self, pool: str) -> dict[Prefix, str]:
        return _claims(await self._get(pool))

    async def claim(self, pool: str, block: Prefix, host: str) -> str:
        def swap(held: dict[Prefix, str], data: dict[str, str]) -> str | None:
            other = overlapping(block, held, host)
            if other is not None:
                return held[other]
            data[key_of(block)] = f"{host} {os.urandom(6).hex()}"
            return None

        return await self._swap(pool, swap) or host

    async def release(self, pool: str, block: Prefix, host: str) -> None:
        def swap(held: dict[Prefix, str], data: dict[str, str]) -> str | None:
            if held.get(block) != host:
                return "not ours"
            del data[key_of(block)]
            return None

        await self._swap(pool, swap)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _swap(self, pool: str, change: Callable[[dict[Prefix, str], dict[str, str]], str | None]) -> str | None:
        """Reads, lets `change` alter the data, writes; again if overtaken. What `change` returned, None: done."""
        for attempt in range(TRIES):
            found = await self._get(pool)
            document = found or self._fresh(pool)
            data = document["data"] = dict(document.get("data") or {})
            refusal = change(_claims(found), data)
            if refusal is not None:
                return refusal
            try:
                await self._put(pool, document, exists=found is not None)
                return None
            except _Changed:
                await asyncio.sleep(random.uniform(0, min(0.5, 0.01 * 2**attempt)))
        raise OSError(errno.EAGAIN, f"{self._url(pool)}: overtaken {TRIES} times")

    def _fresh(self, pool: str) -> dict[str, Any]:
        labels = {"app.kubernetes.io/managed-by": "hornpipe"}
        metadata = {"name": PREFIX + pool, "namespace": self._access.namespace, "labels": labels}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    async def _get(self, pool: str) -> dict[str, Any] | None:
        status, body = await self._request("GET", self._url(pool))
        return None if status == _MISSING else body

    async def _put(self, pool: str, document: dict[str, Any], *, exists: bool) -> None:
        method, url = ("PUT", self._url(pool)) if exists else ("POST", self._url())
        status, _ = await self._request(method, url, document)
        if status in (_CONFLICT, _MISSING):  # missing: it was deleted meanwhile
            raise _Changed

    def _url(self, pool: str | None = None) -> str:
        path = f"{self._access.url}/api/v1/namespaces/{self._access.namespace}/configmaps"
        return path if pool is None else f"{path}/{PREFIX}{pool}"

    async def _request(self, method: str, url: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """The status, of 200, 201, 404 and 409, and the object. OSError for all else."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS))
        headers = {"Accept": "application/json"}
        token = self._access.token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._session.request(
                method, url, json=body, headers=headers, ssl=self._access.context or True
            ) as answer:
                text = await answer.json(content_type=None) if answer.status != _MISSING else {}
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise OSError(errno.EIO, f"{method} {url}: {str(error) or type(error).__name__}") from error
        if status not in (200, 201, _CONFLICT, _MISSING):
            raise OSError(errno.EIO, f"{method} {url}: {status} {_message(text)}{_remedy(status)}")
        if not isinstance(text, dict):
            raise OSError(errno.EIO, f"{method} {url}: not an object")
        return status, text


def _claims(document: dict[str, Any] | None) -> dict[Prefix, str]:
    claims: dict[Prefix, str] = {}
    for key, holder in ((document or {}).get("data") or {}).items():
        try:
            claims[block_of(key)] = str(holder).split()[0]
        except (ValueError, IndexError) as error:
            name = (document or {}).get("metadata", {}).get("name")
            raise OSError(errno.EINVAL, f"ConfigMap {name}: {key!r}: {holder!r} is not a claim; remove it") from error
    return claims


def _message(body: object) -> str:
    return str(body.get("message", "")) if isinstance(body, dict) else ""


def _remedy(status: int) -> str:
    return "; allow get, create and update of configmaps" if status in (401, 403) else ""
