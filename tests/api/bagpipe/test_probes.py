"""Fifty-nine probes that were sent to BaGPipe's own server, in their order, and what it answered.

Each row has upstream's status and ours. They differ where upstream stumbled over its own code (500):

    500 -> 400   wrong input: the answer names the member
    500 -> 200   right input that upstream failed on: route targets it could not read, every detach
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from aiohttp.test_utils import TestClient

from tests.api.fake_engine import FakeEngine
from tests.api.real_engine import RealEngine

GOOD: dict[str, Any] = {
    "vpn_type": "evpn",
    "vpn_instance_id": "t1",
    "mac_address": "02:00:00:00:00:01",
    "ip_address": "10.5.0.1/24",
    "local_port": {"linuxif": "tap1"},
    "import_rt": ["64512:1"],
    "export_rt": ["64512:1"],
}
DETACH = {name: GOOD[name] for name in ("vpn_type", "vpn_instance_id", "mac_address", "ip_address", "local_port")}
IPVPN = {
    **GOOD,
    "vpn_type": "ipvpn",
    "vpn_instance_id": "t2",
    "gateway_ip": "10.5.0.254",
    "local_port": {"linuxif": "tap9"},
}
EXPLAINED = "The server could not comply with the request since it is either malformed or otherwise incorrect."


def without(name: str, body: dict[str, Any] = GOOD) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


class Probe(NamedTuple):
    what: str
    method: str
    path: str
    body: Any
    upstream: int
    ours: int
    text: str
    """What the answer contains (200: what it is)."""


def attach(what: str, body: Any, upstream: int, ours: int, text: str = "null") -> Probe:
    return Probe(what, "POST", "/attach_localport", body, upstream, ours, text)


def detach(what: str, body: Any, upstream: int, ours: int, text: str = "null") -> Probe:
    return Probe(what, "POST", "/detach_localport", body, upstream, ours, text)


PROBES = (
    Probe("GET attach", "GET", "/attach_localport", None, 200, 200, "{}"),
    Probe("PUT attach", "PUT", "/attach_localport", None, 405, 405, "The method PUT is not allowed for this resource."),
    Probe("DELETE attach", "DELETE", "/attach_localport", None, 405, 405, "The method DELETE is not allowed"),
    attach("POST attach empty", b"", 400, 400, f"400 Bad Request {EXPLAINED} No local port details received"),
    attach("POST attach bad json", b"{nope", 400, 400, "No local port details received"),
    attach("POST attach list", [], 500, 400, "the body must be a JSON object"),
    Probe("POST ping", "POST", "/ping", None, 200, 200, ""),
    Probe("POST /", "POST", "/", None, 405, 405, "405 Method Not Allowed The method POST is not allowed"),
    Probe("POST looking-glass", "POST", "/looking-glass", None, 405, 405, "The method POST is not allowed"),
    attach("attach without vpn_type", without("vpn_type"), 400, 400, "API error: missing instance_type"),
    *(
        attach(f"attach without {name}", without(name), 400, 400, f"API error: Missing parameter: '{name}'")
        for name in ("vpn_instance_id", "mac_address", "local_port", "import_rt", "export_rt")
    ),
    attach("vpn_type xyz", {**GOOD, "vpn_type": "xyz"}, 400, 400, "API error: unknown vpn_type: xyz"),
    attach("bad mac", {**GOOD, "mac_address": "zz"}, 400, 400, "API error: MAC address zz is not valid"),
    attach("bad ip", {**GOOD, "ip_address": "300.1.1.1"}, 400, 400, "API error: IP address 300.1.1.1 is not valid"),
    attach("bad rt", {**GOOD, "import_rt": ["junk"]}, 500, 400, "API error: 'import_rt'"),
    attach("rt 4-byte AS", {**GOOD, "vpn_instance_id": "t4", "import_rt": ["4200000000:1"],
           "mac_address": "02:00:00:00:04:01", "local_port": {"linuxif": "tap4"}}, 500, 200),
    attach("rt ip:nn", {**GOOD, "vpn_instance_id": "t5", "import_rt": ["10.0.0.1:1"],
           "mac_address": "02:00:00:00:05:01", "local_port": {"linuxif": "tap5"}}, 500, 200),
    attach("local_port {}", {**GOOD, "local_port": {}}, 400, 400,
           "API error: Mandatory key is missing in local_port parameter (linuxif, or evpn)"),
    attach("advertise_subnet 'yes'", {**GOOD, "advertise_subnet": "yes"}, 400, 400,
           "API error: 'advertise_subnet' must be a boolean"),
    attach("direction bad", {**GOOD, "direction": "up"}, 400, 400,
           "API error: direction should be one of: both, to-port, from-port"),
    attach("direction to-port (linux evpn)", {**GOOD, "direction": "to-port"}, 400, 400,
           "API error: Unsupported direction: to-port"),
    attach("evpn advertise_subnet true", {**GOOD, "advertise_subnet": True}, 500, 400, "'advertise_subnet'"),
    attach("readvertise missing from_rt", {**GOOD, "readvertise": {"to_rt": ["64512:2"]}}, 500, 400,
           "'readvertise' lacks 'from_rt'"),
    attach("attract_traffic no redirect", {**GOOD, "attract_traffic": {"classifier": {}}}, 500, 400,
           "'attract_traffic' lacks 'redirect_rts'"),
    attach("ok attach", GOOD, 200, 200),
    attach("ok attach again (idempotent)", GOOD, 200, 200),
    attach("unknown extra keys", {**GOOD, "docker_container_id": "web", "docker_cintainer_id": None}, 200, 200),
    attach("same MAC other port", {**GOOD, "local_port": {"linuxif": "tap2"}}, 400, 400,
           "API error: Port information is not consistent. MAC address cannot be bound to two different ports. "
           "Previous plug for"),
    attach("same IP other MAC", {**GOOD, "mac_address": "02:00:00:00:00:02"}, 400, 400,
           "API error: Inconsistent endpoint info: IP 10.5.0.1/24 already bound to a MAC address different from "
           "02:00:00:00:00:02"),
    attach("2nd IP same MAC", {**GOOD, "ip_address": "10.5.0.2/24"}, 200, 200),
    attach("ip None (null)", {**GOOD, "ip_address": None}, 500, 400, "'ip_address'"),
    attach("no ip (wildcard)", without("ip_address"), 200, 200),
    attach("ipv6 /64", {**GOOD, "ip_address": "2001:db8::1/64"}, 200, 200),
    attach("ipv6 no plen", {**GOOD, "ip_address": "2001:db8::2"}, 200, 200),
    attach("local_port as string", {**GOOD, "local_port": "tap3", "mac_address": "02:00:00:00:00:03",
           "ip_address": "10.5.0.3/24"}, 200, 200),
    attach("rts as comma string", {**GOOD, "import_rt": "64512:1, 64512:1", "export_rt": "64512:1"}, 200, 200),
    attach("missing linuxif", {**GOOD, "local_port": {"linuxif": None}}, 500, 400, "linuxif"),
    attach("type mismatch ipvpn on evpn id", {**IPVPN, "vpn_instance_id": "t1"}, 500, 400,
           "API error: 'vpn_type': VPN t1 is an evpn already, not an ipvpn"),
    attach("ipvpn no gateway_ip", without("gateway_ip", IPVPN), 400, 400, "Missing parameter: 'gateway_ip'"),
    attach("ipvpn no ip", without("ip_address", IPVPN), 400, 400, "Missing parameter: 'ip_address'"),
    attach("ipvpn ok (dummy dp) hash_order=5", {**IPVPN, "lb_consistent_hash_order": 5}, 200, 200),
    attach("ipvpn subnet", {**IPVPN, "ip_address": "10.6.0.0/24", "advertise_subnet": True}, 200, 200),
    attach("vni 500", {**GOOD, "vpn_instance_id": "t6", "vni": 500, "mac_address": "02:00:00:00:06:01",
           "local_port": {"linuxif": "tap6"}}, 200, 200),
    attach("vni 500 again", {**GOOD, "vpn_instance_id": "t7", "vni": 500, "mac_address": "02:00:00:00:07:01",
           "local_port": {"linuxif": "tap7"}}, 400, 400, "API error: A VPN instance using vni 500 already exists."),
    attach("vni '501' str", {**GOOD, "vpn_instance_id": "t8", "vni": "501"}, 500, 400, "'vni' must be a number"),
    attach("CNI style readvertise ''", {**GOOD, "vpn_instance_id": "veth0", "readvertise": "",
           "gateway_ip": "<nil>", "local_port": {"linuxif": "veth0"}, "mac_address": "02:00:00:00:08:01",
           "ip_address": "10.5.0.8/24"}, 200, 200),
    detach("detach unknown vpn", {**DETACH, "vpn_instance_id": "nope"}, 400, 400,
           "API error: VPN nope could not be found"),
    detach("detach unknown mac", {**DETACH, "mac_address": "02:00:00:00:09:09", "ip_address": "10.5.0.99"}, 400, 400,
           "API error: Endpoint ('02:00:00:00:09:09', '10.5.0.99') not plugged yet, can't unplug"),
    detach("ipvpn detach unknown ep", {**DETACH, "vpn_type": "ipvpn", "vpn_instance_id": "t2",
           "ip_address": "10.5.0.77"}, 500, 400,
           "API error: Endpoint ('02:00:00:00:00:01', '10.5.0.77') not plugged yet, can't unplug"),
    detach("detach w/o vpn_type", without("vpn_type", DETACH), 400, 400, "API error: missing instance_type"),
    detach("detach w/o local_port", without("local_port", DETACH), 400, 400, "Missing parameter: 'local_port'"),
    detach("detach ip different form (no plen)", {**DETACH, "ip_address": "10.5.0.1"}, 400, 200),
    detach("detach ok", DETACH, 500, 200),
    detach("detach again", DETACH, 500, 200),
    detach("detach w/o ip (wildcard)", without("ip_address", DETACH), 500, 200),
)  # fmt: skip


@pytest.fixture(params=["fake", "real"])
def engine(request: pytest.FixtureRequest) -> FakeEngine | RealEngine:
    return FakeEngine() if request.param == "fake" else RealEngine()


def test_all_probes_are_here() -> None:
    assert len(PROBES) == 59


async def test_probes_in_their_order(bagpipe: TestClient) -> None:
    wrong: list[str] = []
    for probe in PROBES:
        kind = {"data": probe.body} if isinstance(probe.body, bytes) else {"json": probe.body}
        response = await bagpipe.request(probe.method, probe.path, **(kind if probe.body is not None else {}))
        text = " ".join((await response.text()).split())
        content_type = "application/json" if probe.ours == 200 else "text/plain; charset=UTF-8"
        good = response.status == probe.ours and response.headers["Content-Type"] == content_type
        if probe.ours == 200:
            good = good and (not probe.text or text == probe.text)
        else:
            good = good and " ".join(probe.text.split()) in text
        if not good:
            wrong.append(f"{probe.what}: {response.status} {response.headers['Content-Type']} {text}")
    assert wrong == []


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.what)
def test_a_status_differs_only_for_a_reason(probe: Probe) -> None:
    if probe.upstream == 500:
        assert probe.ours in (200, 400)
    elif "different form" in probe.what:
        assert probe.ours == 200  # upstream compared text and could not find its own endpoint
    else:
        assert probe.ours == probe.upstream
