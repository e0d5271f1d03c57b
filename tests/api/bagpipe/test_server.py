"""The clients that exist: what the OpenStack agent and the old CNI plugin send, and the forms of an error."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from hornpipe.api.bagpipe import make_bagpipe_app
from hornpipe.api.bagpipe.stations import stations_of
from hornpipe.api.context import Context
from hornpipe.vpn.spec import PortSpec
from tests.api.fake_engine import FakeEngine
from tests.api.real_engine import RealEngine

NETWORK = "_e0dc32c7-6ec7-43a2-8aaa-bc8a4c432f57"
CAPTURED = [json.loads(line) for line in (Path(__file__).parent / "agent_requests.jsonl").read_text().splitlines()]


@pytest.fixture(params=["fake", "real"])
def engine(request: pytest.FixtureRequest) -> FakeEngine | RealEngine:
    return FakeEngine() if request.param == "fake" else RealEngine()


def cni(veth: str, mac: str, ip: str, **more: Any) -> bytes:
    """The plugin's body, members in the order its struct is marshalled."""
    body = {
        "import_rt": ["64512:90"], "vpn_type": "evpn", "vpn_instance_id": veth, "ip_address": ip,
        "export_rt": ["64512:90"], "local_port": {"linuxif": veth}, "readvertise": "", "gateway_ip": "10.27.0.1",
        "mac_address": mac, "advertise_subnet": False,
    }  # fmt: skip
    return json.dumps({**body, **more}, separators=(",", ":")).encode()


async def send(client: TestClient, call: str, body: Any, accept: str = "application/json") -> tuple[int, bytes, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **({"Accept": accept} if accept else {})}
    response = await client.post(f"/{call}", data=data, headers=headers)
    return response.status, await response.read(), response.headers["Content-Type"]


def ports(engine: FakeEngine | RealEngine) -> dict[str, PortSpec]:
    spec = engine.sources.get("bagpipe")
    return {port.name: port for port in spec.ports} if spec else {}


# ---- the OpenStack agent


async def test_every_captured_body(bagpipe: TestClient, engine: FakeEngine) -> None:
    """The agent that was listened to used Open vSwitch: its ipvpn attaches say so, and are refused for it."""
    for line in CAPTURED:
        status, content, content_type = await send(bagpipe, line["call"], line["body"])
        assert content_type == "application/json"
        if line["body"]["vpn_type"] == "evpn":
            assert (status, content) == (200, b"null")
            continue
        assert status == 400
        assert list(json.loads(content)) == ["code", "title", "description"]
        words = "ovs is not supported" if line["call"] == "attach_localport" else "could not be found"
        assert words in json.loads(content)["description"]
    assert ports(engine) == {}, "the last evpn request was a detach"
    assert list(engine.instances()) == []


def without_switch(body: dict[str, Any]) -> dict[str, Any]:
    """The captured body as an agent of the kernel's interfaces has it: one of its own in each instance, no OVS."""
    place = {key: value for key, value in body["local_port"].items() if key != "ovs"}
    if "linuxif" in place:
        place["linuxif"] = body["vpn_instance_id"].partition("_e")[0]
    return {key: value for key, value in {**body, "local_port": place}.items() if key != "fallback"}


async def test_the_captured_story_without_open_vswitch(bagpipe: TestClient, engine: FakeEngine) -> None:
    """Route targets change, a prefix is associated with the port and goes, evpn and ipvpn are detached."""
    seen: list[tuple[str, ...]] = []
    for line in CAPTURED:
        done = await send(bagpipe, line["call"], without_switch(line["body"]))
        assert done[:2] == (200, b"null"), (line, done)
        seen += [i.export_rts for i in engine.sources["bagpipe"].instances if i.name == "ipvpn" + NETWORK]
        if line["body"].get("advertise_subnet"):
            (port,) = (port for port in ports(engine).values() if "portassoc" in port.instance)
            assert (port.addresses, port.advertise_subnet) == (("192.168.9.0/24",), True)
            assert (port.direction, port.local_pref, port.gateway) == ("to-port", 90, ("10.50.0.1",))
        if line["body"].get("local_pref") == 150:
            port = ports(engine)[f"ipvpn{NETWORK}:ipvpn"]
            assert (port.addresses, port.local_pref, port.advertise_subnet) == (("10.50.0.32",), 150, False)
    assert [rts for rts, before in zip(seen, [(), *seen], strict=False) if rts != before] == [
        ("64512:1",),
        ("64512:1", "64512:3"),
    ]
    assert ports(engine) == {}
    assert list(engine.instances()) == []


async def test_a_captured_attach_is_what_it_says(bagpipe: TestClient, engine: FakeEngine) -> None:
    body = next(line["body"] for line in CAPTURED if line["body"]["vpn_type"] == "evpn")
    await send(bagpipe, "attach_localport", body)
    (port,) = ports(engine).values()
    (instance,) = engine.sources["bagpipe"].instances
    assert (instance.name, instance.vni) == ("evpn_e0dc32c7-6ec7-43a2-8aaa-bc8a4c432f57", 7001)
    assert (instance.import_rts, instance.export_rts) == (("64512:7",), ("64512:7",))
    assert (port.interface, port.mac, port.addresses) == ("patch2tun:1", "fa:16:3e:8f:8e:1c", ("10.50.0.32",))
    assert json.loads(port.description) == {"port": "ef8422f7-204e-4429-b73c-723fb0cb32e0"}
    assert "BGPVPN evpn associations" in instance.description


@pytest.mark.parametrize(
    ("accept", "content_type", "words"),
    [
        ("application/json", "application/json", "API error: 'local_port': ovs"),
        ("", "text/plain; charset=UTF-8", "400 Bad Request\n\nThe server could not comply"),
        ("text/plain", "text/plain; charset=UTF-8", "\n\nAPI error: 'local_port': ovs"),
        ("*/*", "text/html; charset=UTF-8", "<h1>400 Bad Request</h1>"),
        ("text/html", "text/html; charset=UTF-8", "API error: &#x27;local_port&#x27;: ovs"),
        ("application/json, */*", "text/html; charset=UTF-8", "API error: &#x27;local_port&#x27;: ovs"),
    ],
)
async def test_an_error_has_three_forms(bagpipe: TestClient, accept: str, content_type: str, words: str) -> None:
    body = next(line["body"] for line in CAPTURED if line["body"]["vpn_type"] == "ipvpn")
    status, content, found = await send(bagpipe, "attach_localport", body, accept)
    assert (status, found) == (400, content_type)
    assert words in content.decode()


async def test_html_is_escaped(bagpipe: TestClient) -> None:
    _, content, _ = await send(bagpipe, "attach_localport", {"vpn_type": "<script>"}, "text/html")
    assert b"<script>" not in content
    assert b"&lt;script&gt;" in content


async def test_ping_is_a_number_that_changes_with_the_process(bagpipe: TestClient, context: Context) -> None:
    first = await (await bagpipe.get("/ping")).read()
    assert int(first) == int(await (await bagpipe.get("/ping")).read()) >= 0
    assert first.isdigit()
    async with TestClient(TestServer(make_bagpipe_app(context))) as again:
        assert await (await again.get("/ping")).read() != first


# ---- the old CNI plugin: one instance a pod


async def test_pods_come_and_go(bagpipe: TestClient, engine: FakeEngine) -> None:
    pods = [(f"veth{i:08x}", f"0a:58:0a:1b:02:{i:02x}", f"10.27.2.{i}/16") for i in range(1, 5)]
    for veth, mac, ip in pods:
        assert await send(bagpipe, "attach_localport", cni(veth, mac, ip)) == (200, b"null", "application/json")
    assert len(engine.sources["bagpipe"].instances) == 4
    assert all(instance.shared and instance.vni is None for instance in engine.sources["bagpipe"].instances)
    for veth, mac, ip in pods:
        body = cni(veth, mac, ip, gateway_ip="<nil>")
        assert await send(bagpipe, "detach_localport", body) == (200, b"null", "application/json")
    assert list(engine.instances()) == []
    assert ports(engine) == {}


async def test_no_gateway(bagpipe: TestClient) -> None:
    body = cni("veth1", "0a:58:0a:1b:02:05", "10.27.2.5/16", gateway_ip="<nil>")
    assert (await send(bagpipe, "attach_localport", body))[0] == 200


# ---- endpoints


BASE = {
    "vpn_type": "evpn", "vpn_instance_id": "t", "mac_address": "02-00-00-00-00-0A", "ip_address": "10.5.0.1/24",
    "local_port": {"linuxif": "tap1"}, "import_rt": ["64512:1"], "export_rt": ["64512:1"],
}  # fmt: skip


async def test_one_interface_is_one_port_with_its_endpoints(bagpipe: TestClient, engine: FakeEngine) -> None:
    second = {"mac_address": "02:00:00:00:00:0b", "ip_address": "10.5.0.2"}
    for body in (BASE, {**BASE, **second}, {**BASE, "ip_address": "2001:db8::1/64"}):
        assert (await send(bagpipe, "attach_localport", body))[0] == 200
    (port,) = ports(engine).values()
    assert stations_of(port) == {
        "02:00:00:00:00:0a": ("10.5.0.1/24", "2001:db8::1/64"),
        "02:00:00:00:00:0b": ("10.5.0.2",),
    }
    assert (await send(bagpipe, "detach_localport", BASE))[0] == 200
    (port,) = ports(engine).values()
    assert stations_of(port)["02:00:00:00:00:0a"] == ("2001:db8::1/64",)
    assert (await send(bagpipe, "detach_localport", {k: v for k, v in BASE.items() if k != "ip_address"}))[0] == 200
    (port,) = ports(engine).values()
    assert stations_of(port) == {"02:00:00:00:00:0b": ("10.5.0.2",)}
    assert (await send(bagpipe, "detach_localport", {**BASE, **second}))[0] == 200
    assert ports(engine) == {}


async def test_an_endpoint_without_address_and_then_with_one(bagpipe: TestClient, engine: FakeEngine) -> None:
    wildcard = {k: v for k, v in BASE.items() if k != "ip_address"}
    await send(bagpipe, "attach_localport", wildcard)
    (port,) = ports(engine).values()
    assert stations_of(port) == {"02:00:00:00:00:0a": ()}
    await send(bagpipe, "attach_localport", BASE)
    await send(bagpipe, "attach_localport", wildcard)
    (port,) = ports(engine).values()
    assert stations_of(port) == {"02:00:00:00:00:0a": ("10.5.0.1/24",)}


async def test_a_later_attach_may_change_route_targets_only(bagpipe: TestClient, engine: FakeEngine) -> None:
    await send(bagpipe, "attach_localport", {**BASE, "vni": 77})
    await send(bagpipe, "attach_localport", {**BASE, "vni": 78, "import_rt": ["64512:2"], "linuxbr": "br0"})
    (instance,) = engine.sources["bagpipe"].instances
    assert (instance.vni, instance.bridge, instance.import_rts) == (77, None, ("64512:2",))


async def test_an_existing_bridge(bagpipe: TestClient, engine: FakeEngine) -> None:
    await send(bagpipe, "attach_localport", {**BASE, "linuxbr": "brq1"})
    assert engine.sources["bagpipe"].instances[0].bridge == "brq1"


async def test_a_shell_command_is_only_a_name(bagpipe: TestClient) -> None:
    status, content, _ = await send(bagpipe, "attach_localport", {**BASE, "linuxbr": "x; id > f #"})
    assert status == 400
    assert b"'linuxbr'" in content


async def test_a_repeated_detach_is_fine_until_the_next_attach(bagpipe: TestClient) -> None:
    await send(bagpipe, "attach_localport", BASE)
    for _ in range(2):
        assert (await send(bagpipe, "detach_localport", BASE))[0] == 200
    await send(bagpipe, "attach_localport", BASE)
    assert (await send(bagpipe, "detach_localport", {**BASE, "mac_address": "02:00:00:00:00:0c"}))[0] == 400
    assert (await send(bagpipe, "detach_localport", BASE))[0] == 200


async def test_a_detach_of_another_interface_is_refused(bagpipe: TestClient, engine: FakeEngine) -> None:
    await send(bagpipe, "attach_localport", BASE)
    body = {**BASE, "local_port": {"linuxif": "tap9"}, "ip_address": "10.5.0.77"}
    status, content, _ = await send(bagpipe, "detach_localport", body)
    assert status == 400
    assert b"not plugged yet" in content
    assert len(ports(engine)) == 1


async def test_what_an_evpn_does_not_do_is_ignored_and_logged(
    bagpipe: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    more = {"readvertise": {"from_rt": ["64512:2"], "to_rt": ["64512:3"]}, "local_pref": 150}
    assert (await send(bagpipe, "attach_localport", {**BASE, **more}))[0] == 200
    assert "readvertise, local_pref" in caplog.text


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("import_rt", 5), ("export_rt", [1]), ("local_pref", "high"), ("local_port", 7), ("linuxbr", 1),
        ("vni", 1 << 24), ("vni", True), ("readvertise", "x"), ("mac_address", None), ("vpn_instance_id", 5),
        ("lb_consistent_hash_order", "1"), ("local_port", {"linuxif": "a/b"}), ("ip_address", "10.0.0.1/33"),
        ("mac_address", "01:00:5e:00:00:01"),
    ],
)  # fmt: skip
async def test_wrong_members_are_named(bagpipe: TestClient, engine: FakeEngine, member: str, value: Any) -> None:
    status, content, _ = await send(bagpipe, "attach_localport", {**BASE, member: value})
    assert status == 400
    words = {"mac_address": "MAC address", "ip_address": "IP address"}
    description = json.loads(content)["description"]
    assert f"'{member}'" in description or words.get(member, "?") in description
    assert ports(engine) == {}


async def test_a_large_body_is_refused(bagpipe: TestClient) -> None:
    response = await bagpipe.post("/attach_localport", data=io.BytesIO(b" " * ((1 << 20) + 1)))
    assert response.status == 413


async def test_pages_of_other_sites_are_refused(bagpipe: TestClient, engine: FakeEngine) -> None:
    response = await bagpipe.post("/attach_localport", json=BASE, headers={"Origin": "http://evil.example"})
    assert response.status == 400
    assert ports(engine) == {}


async def test_a_fault_shows_nothing_of_its_insides(
    bagpipe: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(engine, "attach", fail)
    status, content, _ = await send(bagpipe, "attach_localport", BASE)
    assert status == 500
    assert b"secret" not in content
    assert "secret" in caplog.text


async def test_unknown_urls(bagpipe: TestClient) -> None:
    for path in ("/nope", "/ping/x", "/attach_localport/x"):
        response = await bagpipe.get(path)
        assert response.status == 404
        assert (await response.text()).startswith("404 Not Found")
    assert await (await bagpipe.get("/")).read() == b"{}"
