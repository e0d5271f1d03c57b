"""So much of an API server as the block store uses: ConfigMaps of one namespace, resourceVersion, a bearer token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from hornpipe.ipam.kubernetes_store import Access, KubernetesStore

NAMESPACE = "kube-system"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


class FakeKubernetes:
    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 100
        self.token = "secret-1"
        self.requests: list[str] = []
        self.before_write: Callable[[], None] = lambda: None
        """Called between a client's read and its write."""
        self.hold: asyncio.Event | None = None
        """Writes wait for it, as if under way."""
        self.lose_answers = 0
        """So many writes are done, and their connection cut."""
        self.refuse: int | None = None
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        root = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
        app.router.add_post(root, self.guard(self.create))
        app.router.add_get(root + "/{name}", self.guard(self.get))
        app.router.add_put(root + "/{name}", self.guard(self.replace))
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def store(self, token: str | None = None) -> KubernetesStore:
        return KubernetesStore(Access(self.url, NAMESPACE, token=lambda: token or self.token))

    def data(self, pool: str) -> dict[str, str]:
        """Block -> host."""
        held = self.objects.get(f"hornpipe-ipam-{pool}", {}).get("data", {})
        return {key: holder.split()[0] for key, holder in held.items()}

    def guard(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.requests.append(f"{request.method} {request.match_info.get('name', '')}".strip())
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                return status(401, "Unauthorized")
            if self.refuse is not None:
                return status(self.refuse, "refused by the test")
            if request.method == "GET":
                return await handler(request)
            await request.read()  # whoever sent it may be gone when it is its turn
            self.before_write()
            if self.hold is not None:
                await self.hold.wait()
            answer = await handler(request)
            if self.lose_answers:
                self.lose_answers -= 1
                assert request.transport is not None
                request.transport.close()
            return answer

        return handle

    async def get(self, request: web.Request) -> web.Response:
        found = self.objects.get(request.match_info["name"])
        return status(404, "not found") if found is None else web.json_response(found)

    async def create(self, request: web.Request) -> web.Response:
        document = await request.json()
        assert (document["apiVersion"], document["kind"]) == ("v1", "ConfigMap")
        name = document["metadata"]["name"]
        if name in self.objects:
            return status(409, "already exists")
        return self.keep(name, document, 201)

    async def replace(self, request: web.Request) -> web.Response:
        document, name = await request.json(), request.match_info["name"]
        if name not in self.objects:
            return status(404, "not found")
        if document["metadata"]["resourceVersion"] != self.objects[name]["metadata"]["resourceVersion"]:
            return status(409, "the object has been modified")
        if document["data"] == self.objects[name]["data"]:
            return web.json_response(self.objects[name])  # as the real one: no change, no new version
        return self.keep(name, document, 200)

    def keep(self, name: str, document: dict[str, Any], code: int) -> web.Response:
        self.version += 1
        document["metadata"]["resourceVersion"] = str(self.version)
        for key in document.get("data", {}):
            assert key.replace("-", "").replace("_", "").replace(".", "").isalnum(), f"{key} is not a key"
        self.objects[name] = document
        return web.json_response(document, status=code)
