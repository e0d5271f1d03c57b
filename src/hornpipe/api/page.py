"""The looking glass: the API's own rows as HTML, by one renderer that knows no kind of row.

A browser that asks for ``/`` or for any list of /v1 gets a table instead of JSON. The page is complete without scripts;
a small one reloads it when the daemon reports an event. Everything shown is escaped, the style and the script are files
of this daemon and the Content-Security-Policy allows nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from hornpipe.api.operation import Call, Page, Reply
from hornpipe.api.render import to_json

HTML = "text/html"
POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'"
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

TABS = (
    ("Overview", "/"),
    ("Peers", "/v1/peers"),
    ("Instances", "/v1/instances"),
    ("Ports", "/v1/ports"),
    ("Routes", "/v1/routes"),
    ("Forwarding", "/v1/forwarding"),
    ("Events", "/v1/events"),
    ("Sources", "/v1/sources"),
)

LINKS = {"peer": "/v1/peers/", "instance": "/v1/instances/", "source": "/v1/sources/"}
"""Columns whose values have a page of their own."""

STATES = {
    "ESTABLISHED": "good",
    "up": "good",
    "done": "good",
    "advertised": "good",
    "ok": "good",
    "unknown": "wait",
    "broken": "bad",
    "pending": "wait",
    "suspended": "wait",
    "moved": "wait",
    "error": "bad",
    "duplicate": "bad",
    "down": "bad",
    "IDLE": "bad",
}

STYLE = """\
:root { color-scheme: light dark; --line: #8884; --good: #2a7; --wait: #c80; --bad: #d33; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 110rem; padding: 0 1rem 2rem; }
nav { display: flex; flex-wrap: wrap; gap: 1rem; padding: .8rem 0; border-bottom: 1px solid var(--line); }
nav a { text-decoration: none; } nav a[aria-current] { font-weight: 600; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; } td { font-family: ui-monospace, monospace; font-size: 12.5px; }
.good { color: var(--good); } .wait { color: var(--wait); } .bad { color: var(--bad); } .none { opacity: .6; }
"""

SCRIPT = """\
let due = 0;
const follow = new EventSource("/v1/events");
const reload = () => { if (!due) due = setTimeout(() => location.reload(), 1000); };
follow.onmessage = reload;
for (const kind of document.body.dataset.kinds.split(" ")) follow.addEventListener(kind, reload);
addEventListener("pagehide", () => follow.close());
"""

KINDS = "peer.up peer.down port.up port.pending port.error port.down mac.moved mac.duplicate entry.error gate.open"


def cell(column: str, value: Any) -> str:
    """One value as HTML; lists one a line, nested rows as small tables."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return facts(value)
    if isinstance(value, list):
        if isinstance(value[0], dict):
            return table(value)
        return "<br>".join(cell(column, item) for item in value)
    text = escape(str(value))
    if column in LINKS and value != "local":
        return f'<a href="{LINKS[column]}{quote(str(value), safe="")}">{text}</a>'
    mark = STATES.get(str(value)) if column in ("state", "status") else None
    return f'<span class="{mark}">{text}</span>' if mark else text


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a table; columns that are empty in all of them are left out."""
    if not rows:
        return '<p class="none">none</p>'
    columns = [name for name in rows[0] if any(row.get(name) not in (None, "", [], {}) for row in rows)]
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell(name, row.get(name))}</td>" for name in columns) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(values: Mapping[str, Any]) -> str:
    """One thing: a name and a value a line."""
    lines = "".join(
        f"<tr><th>{escape(str(name).replace('_', ' '))}</th><td>{cell(name, value)}</td></tr>"
        for name, value in values.items()
    )
    return f'<div class="scroll"><table><tbody>{lines}</tbody></table></div>'


def html(title: str, current: str, parts: Sequence[tuple[str, str]]) -> bytes:
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if path == current else ""}>{name}</a>' for name, path in TABS
    )
    body = "".join((f"<h2>{escape(heading)}</h2>" if heading else "") + content for heading, content in parts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} - hornpipe</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/style.css"></head>'
        f'<body data-kinds="{KINDS}"><nav>{links}</nav><main><h1>{escape(title)}</h1>{body}</main>'
        '<script src="/live.js"></script></body></html>'
    ).encode()


def plain(call: Call, value: Any) -> Any:
    """A value as JSON-like dicts and lists, times included."""
    return msgspec.to_builtins(to_json(value, call.context.timestamp))


def rows_page(call: Call, path: str, query: Mapping[str, str], value: Any) -> bytes:
    """Any answer of the API as a page."""
    shown = plain(call, value)
    if isinstance(value, Page):
        more = []
        if value.next is not None:
            following = urlencode({**query, "cursor": value.next})
            more = [("", f'<p><a href="?{escape(following)}">next page</a></p>')]
        return html(path.removeprefix("/v1/"), path, [("", table(shown["items"])), *more])
    return html(path.removeprefix("/v1/"), path, [("", facts(shown if isinstance(shown, dict) else {"": shown}))])


def overview(call: Call) -> Reply:
    """`/`: what an operator wants to see first; JSON is the same, for programs."""
    engine = call.context.engine
    status = plain(call, engine.status())
    gates = status.pop("gates")
    failed = plain(call, list(engine.entries(status="error")))[:50]
    peers = [
        {name: row[name] for name in ("peer", "remote_as", "type", "state", "since", "received", "sent", "reason")}
        for row in plain(call, list(engine.peers()))
    ]
    instances = [
        {
            name: row[name]
            for name in (
                "name",
                "type",
                "vrf",
                "vni",
                "label",
                "rd",
                "import_rts",
                "export_rts",
                "state",
                "ports",
                "macs_remote",
                "prefixes",
            )
        }
        for row in plain(call, list(engine.instances()))
    ]
    events = plain(call, list(engine.events(0))[-20:])[::-1]
    content = html(
        f"{status['router_id']} AS {status['local_as']}",
        "/",
        [
            ("Status", table([status])),
            ("Peers", table(peers)),
            ("Instances", table(instances)),
            ("Start-up gates", table(gates)),
            *([("Entries that failed", table(failed))] if failed else []),
            ("Last events", table(events)),
        ],
    )
    return Reply(content, content_type=f"{HTML}; charset=utf-8", headers=HEADERS)


def style(_call: Call) -> Reply:
    return Reply(STYLE.encode(), content_type="text/css; charset=utf-8")


def script(_call: Call) -> Reply:
    return Reply(SCRIPT.encode(), content_type="text/javascript; charset=utf-8")
