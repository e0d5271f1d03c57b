"""BaGPipe's URLs as an application of its own, for 127.0.0.1:8082.

``/ping`` answers a number that is another one after each start: the OpenStack agent polls it and sends everything again
when it changes. There is no access control, as there never was, which is why the application is not part of the unix
socket's and is off by default.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import msgspec
from aiohttp import web

from hornpipe.api.access import CHALLENGE, REMEDY
from hornpipe.api.bagpipe import body, glass, refusal, tree
from hornpipe.api.bagpipe.ledger import Ledger
from hornpipe.api.bagpipe.refusal import Refusal
from hornpipe.api.context import Context
from hornpipe.api.origin import may_change
from hornpipe.api.problem import Problem
from hornpipe.api.reading import read_body
from hornpipe.vpn.spec import Refused

LOG = logging.getLogger("hornpipe.bagpipe")

BODY_LIMIT = 1 << 20
GLASS = "looking-glass"
ENDING = (401, 408, 413)
"""The rest of such a request is not waited for."""


def answer(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


class Server:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.ledger = Ledger(context.engine)
        self.sequence = b"%d" % uuid.uuid4().int  # 128 bits: more than JSON encoders of 64 bits take

    async def handle(self, request: web.Request) -> web.Response:
        if not self.context.access["bagpipe"].admits(request):
            raise Refusal(401, REMEDY)
        first, *rest = [unquote(step) for step in request.rel_url.raw_path.split("/") if step] or [""]
        if first == GLASS:
            return self.looking_glass(request, rest)
        actions: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
            "": self.root,
            "ping": self.ping,
            "attach_localport": self.attach,
            "detach_localport": self.detach,
        }
        if rest or first not in actions:
            raise Refusal(404)
        return await actions[first](request)

    def drivers(self) -> tuple[body.VpnType, ...]:
        """No encapsulation for routed instances is what BaGPipe called no driver."""
        section = self.context.config.get("ipvpn")
        without = isinstance(section, dict) and not section.get("encapsulations", True)
        return ("evpn",) if without else body.VPN_TYPES

    async def root(self, request: web.Request) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            raise Refusal(405)
        return answer({})

    async def ping(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.sequence, content_type="application/json")

    async def attach(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            return self.not_posted(request)
        wanted = body.attachment(body.parse_json(await read_body(request)), self.drivers())
        await self.context.may_change()
        if wanted.ignored:
            of = wanted.endpoint
            LOG.warning("%s: without effect on this %s: %s", of.instance, of.type, ", ".join(wanted.ignored))
        if self.ledger.attach(wanted, self.context.now()):
            await self.context.changed()
        return answer(None)

    async def detach(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            return self.not_posted(request)
        endpoint = body.detachment(body.parse_json(await read_body(request)), self.drivers())
        await self.context.may_change()
        self.ledger.detach(endpoint, self.context.now())
        await self.context.changed()
        return answer(None)

    def not_posted(self, request: web.Request) -> web.Response:
        if request.method in ("PUT", "DELETE"):
            raise Refusal(405)
        return answer({})

    def looking_glass(self, request: web.Request, path: list[str]) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            raise Refusal(405)
        url = f"{request.scheme}://{request.host}/{GLASS}"
        try:
            return answer(tree.look(glass.Glass(self.context, url).root(), path, url))
        except tree.Missing as missing:
            raise Refusal(404, str(missing)) from missing


@web.middleware
async def refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        if not may_change(request.method, request.headers.get("Origin"), request.host):
            raise Refusal(400, f"asked by a page of {request.headers['Origin']}")
        return await handler(request)
    except Refusal as error:
        failure = error
    except Refused as refused:  # taken, but not safe on disk: not the caller's fault
        failure = Refusal(500, str(refused))
    except web.HTTPRequestEntityTooLarge:
        failure = Refusal(413)
    except Problem as slow:  # the body
        failure = Refusal(slow.status, slow.detail)
    except web.HTTPException:
        raise
    except Exception:
        LOG.exception("bagpipe.failed %s %s", request.method, request.path)
        failure = Refusal(500, "a fault of the daemon; its log says more")
    content, content_type = refusal.render(failure, request.headers.get("Accept", ""), request.method)
    challenge = {"WWW-Authenticate": CHALLENGE} if failure.status == 401 else {}
    response = web.Response(status=failure.status, body=content, headers={"Content-Type": content_type, **challenge})
    if failure.status in ENDING:
        response.force_close()
    return response


def make_bagpipe_app(context: Context) -> web.Application:
    app = web.Application(middlewares=[refusals], client_max_size=BODY_LIMIT)
    app.router.add_route("*", "/{path:.*}", Server(context).handle)
    return app
