"""aiohttp on one side, plain handlers on the other: the only module of /v1 that knows HTTP's requests and responses.

Every row of the route table becomes a route of one application. The adapter decodes path, query and body by the row's
Structs, calls the handler, and encodes what comes back; whatever is raised becomes a problem document.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from hornpipe.api import metrics, openapi, page
from hornpipe.api.accept import best
from hornpipe.api.access import REMEDY
from hornpipe.api.context import Context
from hornpipe.api.operation import Call, Operation, Reply, Stream
from hornpipe.api.origin import may_change
from hornpipe.api.problem import CONTENT_TYPE, Problem, of_refused, of_validation
from hornpipe.api.reading import read_body
from hornpipe.api.render import to_json
from hornpipe.api.table import OPERATIONS
from hornpipe.vpn.spec import Refused

LOG = logging.getLogger("hornpipe.api")

BODY_LIMIT = 16 << 20
"""Bytes: a source of 20 000 ports fits."""
ENDING = ("unauthorized", "slow", "too-large")
"""Kinds of problems after which the rest of the request is not waited for."""
JSON = "application/json"


def describe(call: Call) -> dict[str, Any]:
    return openapi.document(ALL, call.context.version)


EXTRA: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/metrics",
        name="getMetrics",
        tag="probes",
        summary="Prometheus metrics",
        handler=lambda call: Reply(metrics.exposition(call.context), content_type=metrics.CONTENT_TYPE),
        answers=("text/plain",),
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        name="getOpenapi",
        tag="probes",
        summary="This description",
        handler=describe,
    ),
    Operation(
        method="GET",
        path="/",
        name="getLookingGlass",
        tag="looking glass",
        summary="The looking glass: this API's rows as HTML",
        description="Lists of /v1 answer with HTML, too, to who prefers it.",
        handler=page.overview,
        answers=("text/html",),
    ),
    Operation(
        method="GET",
        path="/style.css",
        name="getStyle",
        tag="looking glass",
        summary="Its style",
        handler=page.style,
        answers=("text/css",),
    ),
    Operation(
        method="GET",
        path="/live.js",
        name="getScript",
        tag="looking glass",
        summary="Its script: reload at events",
        handler=page.script,
        answers=("text/javascript",),
    ),
)
ALL: tuple[Operation, ...] = (*OPERATIONS, *EXTRA)


def problem_response(problem: Problem) -> web.Response:
    response = web.Response(
        status=problem.status,
        body=msgspec.json.encode(problem.body()),
        content_type=CONTENT_TYPE,
        headers=problem.headers,
    )
    if problem.kind in ENDING:
        response.force_close()
    return response


async def decode(operation: Operation, request: web.Request, context: Context) -> Call:
    query: Any = None
    try:
        given = dict(request.query)
        if operation.query is not None:
            query = msgspec.convert(given, operation.query, strict=False)
        elif given:
            name = next(iter(given))
            raise Problem("invalid", f"there is no parameter {name} here", field=name, remedy="leave it out")
        body = None
        if operation.body is not None:
            body = msgspec.json.decode(await read_body(request), type=operation.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise of_validation(error) from error
    return Call(context, path=request.match_info, query=query, body=body, headers=request.headers)


def encode(operation: Operation, request: web.Request, call: Call, answer: object) -> web.Response:
    reply = answer if isinstance(answer, Reply) else Reply(answer)
    if isinstance(reply.value, bytes):
        return web.Response(
            status=reply.status, body=reply.value, headers={**reply.headers, "Content-Type": reply.content_type}
        )
    if operation.tag != "probes" and best(request.headers.get("Accept", ""), (JSON, page.HTML)) == page.HTML:
        content = page.rows_page(call, request.path, dict(request.query), reply.value)
        return web.Response(body=content, headers={**page.HEADERS, "Content-Type": "text/html; charset=utf-8"})
    content = msgspec.json.encode(to_json(reply.value, call.context.timestamp))
    return web.Response(status=reply.status, body=content, content_type=JSON, headers=reply.headers)


async def send(request: web.Request, stream: Stream) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    try:
        async for text in stream.events:
            await response.write(text.encode())
    except ConnectionResetError:
        pass  # the reader left: nothing of it is kept here
    return response


def adapt(operation: Operation, context: Context) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        if not may_change(request.method, request.headers.get("Origin"), request.host):
            raise Problem("forbidden", f"asked by a page of {request.headers['Origin']}", field="Origin")
        call = await decode(operation, request, context)
        if "full" in operation.problems:
            await context.may_change()
        answer = operation.handler(call)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, Stream):
            return await send(request, answer)
        return encode(operation, request, call, answer)

    return handle


def guard(context: Context) -> Any:
    """Nothing is told over TCP to who has no token, not even what there is."""

    @web.middleware
    async def guarded(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        access = context.access["api"]
        if not access.admits(request):
            refusal = Problem("unauthorized", "a token is needed over TCP", field="Authorization", remedy=REMEDY)
            refusal.headers["WWW-Authenticate"] = access.challenge(request)
            raise refusal
        return await handler(request)

    return guarded


@web.middleware
async def problems(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    try:
        return await handler(request)
    except Problem as problem:
        return problem_response(problem)
    except Refused as refused:
        return problem_response(of_refused(refused))
    except web.HTTPNotFound:
        return problem_response(Problem("missing", f"no {request.path} here", remedy="see /openapi.json"))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        refusal = Problem("method", f"{request.path} takes {allowed}", field="method")
        refusal.headers["Allow"] = allowed
        return problem_response(refusal)
    except web.HTTPRequestEntityTooLarge:
        return problem_response(Problem("too-large", f"a body may have {BODY_LIMIT} bytes", remedy="use more sources"))
    except web.HTTPException:
        raise
    except Exception:
        LOG.exception("api.failed %s %s", request.method, request.path)
        return problem_response(Problem("internal", "a fault of the daemon; its log says more", remedy="report it"))


def make_app(context: Context) -> web.Application:
    """The application of the unix socket and, where configured, of TCP."""
    app = web.Application(middlewares=[problems, guard(context)], client_max_size=BODY_LIMIT)
    context.registry.register(metrics.RowCollector(context))
    for operation in ALL:
        app.router.add_route(operation.method, operation.path, adapt(operation, context))
    return app
