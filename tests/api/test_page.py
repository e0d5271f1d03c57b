"""The looking glass: complete without scripts, everything escaped."""

from __future__ import annotations

from html.parser import HTMLParser

from aiohttp.test_utils import TestClient

from hornpipe.api import page
from tests.api.fake_engine import FakeEngine, entry_row, peer_row, route_row

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
VOID = {"meta", "link", "br"}


class Balanced(HTMLParser):
    """Fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_overview(client: TestClient, engine: FakeEngine) -> None:
    engine.entry_rows.append(entry_row("vxlan", "hp-vx100", "error", reason="File exists"))
    response = await client.get("/")
    assert response.content_type == "text/html"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    text = await response.text()
    Balanced(text)
    for words in ("10.0.0.1 AS 64512", "10.0.0.254", "connection refused", "Entries that failed", "File exists"):
        assert words in text


async def test_text_of_others_is_escaped(client: TestClient, engine: FakeEngine) -> None:
    engine.peer_rows = [peer_row(reason="<script>alert(1)</script>")]
    text = await (await client.get("/v1/peers", headers=BROWSER)).text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


async def test_lists_are_pages_for_browsers_and_json_for_programs(client: TestClient, engine: FakeEngine) -> None:
    engine.route_rows = [route_row(ip=f"10.1.0.{i}") for i in range(5)]
    response = await client.get("/v1/routes?limit=3&instance=red", headers=BROWSER)
    text = await response.text()
    Balanced(text)
    assert text.count("[type:macadv]") == 3
    assert "?limit=3&amp;instance=red&amp;cursor=3" in text
    for accept in ("", "*/*", "application/json", "application/json, text/html"):
        assert (await client.get("/v1/routes", headers={"Accept": accept})).content_type == "application/json"
    one = await (await client.get("/v1/peers/10.0.0.254", headers=BROWSER)).text()
    Balanced(one)
    assert '<span class="good">ESTABLISHED</span>' in one


async def test_a_page_without_rows(client: TestClient) -> None:
    assert "none" in await (await client.get("/v1/sources", headers=BROWSER)).text()


async def test_style_and_script_are_served(client: TestClient) -> None:
    assert (await client.get("/style.css")).content_type == "text/css"
    assert "EventSource" in await (await client.get("/live.js")).text()


def test_links_are_quoted() -> None:
    assert page.cell("instance", "a/b<") == '<a href="/v1/instances/a%2Fb%3C">a/b&lt;</a>'
    assert page.cell("peer", "local") == "local"


def test_empty_columns_are_left_out() -> None:
    assert "reason" not in page.table([{"name": "a", "reason": ""}])
    assert "reason" in page.table([{"name": "a", "reason": ""}, {"name": "b", "reason": "x"}])
