"""/v1 over HTTP: what goes in, what comes out, and the problem documents."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from hornpipe.api import metrics
from hornpipe.api.context import Context
from hornpipe.api.server import BODY_LIMIT
from tests.api.fake_engine import FakeEngine, entry_row, route_row

RED = {"name": "red", "vni": 100, "import_rts": ["64512:80"], "export_rts": ["64512:80"]}
TAP = {"name": "tap0", "instance": "red", "interface": "tap0", "mac": "02:00:00:00:00:01", "addresses": ["10.1.0.1"]}


async def put_red(client: TestClient, **more: Any) -> Any:
    return await client.put("/v1/sources/agent", json={"instances": [RED], "ports": [TAP], **more})


async def problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = await response.json(content_type=None)
    assert body["type"] == f"urn:hornpipe:problem:{kind}"
    assert body["status"] == status
    return body


# ---- sources


async def test_a_source_is_put_and_read_back(client: TestClient, context: Context) -> None:
    response = await put_red(client, generation=7)
    assert response.status == 200
    change = await response.json()
    assert change["source"] == "agent"
    assert change["generation"] == 7
    assert len(change["changed"]) == 2
    assert context.pumped  # type: ignore[attr-defined]
    read = await client.get("/v1/sources/agent")
    assert await read.json() == {"instances": [RED], "ports": [TAP], "generation": 7}
    assert read.headers["ETag"] == response.headers["ETag"]
    assert (await (await client.get("/v1/sources")).json())["items"] == [
        {"name": "agent", "revision": 1, "generation": 7, "instances": 1, "ports": 1}
    ]


async def test_the_same_set_again_changes_nothing(client: TestClient) -> None:
    first = await put_red(client)
    again = await put_red(client)
    assert (await again.json())["changed"] == []
    assert again.headers["ETag"] == first.headers["ETag"]


async def test_if_match_protects_against_a_lost_update(client: TestClient) -> None:
    tag = (await put_red(client)).headers["ETag"]
    theirs = await client.put("/v1/sources/agent", json={"instances": [RED]}, headers={"If-Match": tag})
    assert theirs.status == 200
    ours = await client.put("/v1/sources/agent", json={"instances": []}, headers={"If-Match": tag})
    body = await problem(ours, 412, "precondition")
    assert body["field"] == "If-Match"
    assert len((await (await client.get("/v1/sources/agent")).json())["instances"]) == 1


async def test_if_none_match_star_creates_only(client: TestClient) -> None:
    star = {"If-None-Match": "*"}
    assert (await client.put("/v1/sources/agent", json={}, headers=star)).status == 200
    await problem(await client.put("/v1/sources/agent", json={}, headers=star), 412, "precondition")


async def test_if_match_of_nothing_fails(client: TestClient) -> None:
    await problem(await client.put("/v1/sources/x", json={}, headers={"If-Match": "*"}), 412, "precondition")


async def test_an_older_generation_is_a_conflict(client: TestClient) -> None:
    await put_red(client, generation=7)
    body = await problem(await put_red(client, generation=6), 409, "conflict")
    assert body["field"] == "generation"


async def test_a_refused_set_names_the_field_and_changes_nothing(client: TestClient) -> None:
    await put_red(client)
    bad = {**TAP, "mac": "01:00:00:00:00:01"}
    body = await problem(await put_red(client, ports=[TAP, {**bad, "name": "b"}]), 400, "invalid")
    assert body["field"] == "ports[1].mac"
    assert body["remedy"]
    assert len((await (await client.get("/v1/ports")).json())["items"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ports": [{**TAP, "mtu": "big"}]}, "ports[...].mtu"),
        ({"ports": [{**TAP, "color": "red"}]}, "ports[...].color"),
        ({"ports": [{"name": "x"}]}, "ports[...].instance"),
        ({"port": []}, "port"),
    ],
)
async def test_wrong_json_names_the_member(client: TestClient, body: Any, field: str) -> None:
    found = await problem(await client.put("/v1/sources/agent", json=body), 400, "invalid")
    assert found["field"].replace("[0]", "[...]") == field


async def test_what_is_not_json_is_invalid(client: TestClient) -> None:
    await problem(await client.put("/v1/sources/agent", data=b"{"), 400, "invalid")


async def test_a_source_is_deleted_once(client: TestClient) -> None:
    await put_red(client)
    assert (await client.delete("/v1/sources/agent")).status == 200
    await problem(await client.delete("/v1/sources/agent"), 404, "missing")
    await problem(await client.get("/v1/sources/agent"), 404, "missing")


# ---- instances and ports of the source `api`


async def test_instance_life(client: TestClient) -> None:
    fields = {name: value for name, value in RED.items() if name != "name"}
    assert (await client.put("/v1/instances/red", json=fields)).status == 200
    row = await (await client.get("/v1/instances/red")).json()
    assert (row["name"], row["vni"], row["import_rts"]) == ("red", 100, ["64512:80"])
    assert (await client.put("/v1/ports/tap0", json=TAP)).status == 200
    body = await problem(await client.delete("/v1/instances/red"), 409, "conflict")
    assert "tap0" in body["detail"]
    assert (await client.delete("/v1/ports/tap0")).status == 200
    assert (await client.delete("/v1/instances/red")).status == 200
    await problem(await client.get("/v1/instances/red"), 404, "missing")


async def test_an_instance_of_another_source_is_not_deleted_here(client: TestClient) -> None:
    await put_red(client)
    body = await problem(await client.delete("/v1/instances/red"), 404, "missing")
    assert "agent" in body["remedy"]


async def test_a_port_may_bring_its_instance(client: TestClient, engine: FakeEngine) -> None:
    body = {"instance": RED, "netns": "ns1", "addresses": ["10.1.0.1/24"]}
    response = await client.put("/v1/ports/netns:ns1", json=body)
    assert response.status == 200, await response.text()
    assert engine.sources["api"].ports[0].name == "netns:ns1"
    assert engine.sources["api"].instances[0].vni == 100
    assert (await client.delete("/v1/ports/netns:ns1")).status == 200
    assert engine.sources["api"].instances == ()


async def test_a_name_with_a_slash_is_one_name(client: TestClient, engine: FakeEngine) -> None:
    from yarl import URL

    path = URL("/v1/ports/pod%2F1%3Aeth0", encoded=True)
    assert (await client.put(path, json={**TAP, "name": "pod/1:eth0", "instance": RED})).status == 200
    assert engine.sources["api"].ports[0].name == "pod/1:eth0"
    assert (await client.get(path)).status == 200


async def test_two_names_for_one_port_are_refused(client: TestClient) -> None:
    body = await problem(await client.put("/v1/ports/tap1", json={**TAP, "instance": RED}), 400, "invalid")
    assert body["field"] == "name"


async def test_ports_are_filtered(client: TestClient, engine: FakeEngine) -> None:
    engine.pending["tap0"] = "no interface tap0"
    await put_red(client)
    for query, count in (("state=pending", 1), ("state=up", 0), ("instance=red", 1), ("source=api", 0)):
        rows = (await (await client.get(f"/v1/ports?{query}")).json())["items"]
        assert len(rows) == count, query
    row = await (await client.get("/v1/ports/tap0?source=agent")).json()
    assert row["reason"] == "no interface tap0"
    assert row["since"] == "2027-01-15T08:00:50.000Z"


async def test_duplicate_alarm_is_cleared(client: TestClient, engine: FakeEngine) -> None:
    await put_red(client)
    engine.duplicates.add(("red", "02:00:00:00:00:09"))
    cleared = await client.post("/v1/instances/red/duplicates/02:00:00:00:00:09/clear")
    assert (await cleared.json())["duplicates"] == []
    await problem(await client.post("/v1/instances/red/duplicates/02:00:00:00:00:09/clear"), 404, "missing")


# ---- wait=programmed


async def test_wait_ends_when_the_kernel_has_it(client: TestClient, context: Context, engine: FakeEngine) -> None:
    engine.entry_rows.append(entry_row("port", "tap0", "pending", device="hp-br100"))
    asked = asyncio.create_task(
        client.put("/v1/sources/agent?wait=programmed", json={"instances": [RED], "ports": [TAP]})
    )
    await asyncio.sleep(0.05)
    assert not asked.done()
    engine.entry_rows.clear()
    context.progressed()
    assert (await asked).status == 200


async def test_wait_names_the_reason_when_time_is_up(client: TestClient, engine: FakeEngine) -> None:
    engine.entry_rows.append(entry_row("vxlan", "hp-vx100", "error", reason="File exists: another vxlan has VNI 100"))
    response = await client.put(
        "/v1/sources/agent?wait=programmed&timeout=0.05", json={"instances": [RED], "ports": [TAP]}
    )
    body = await problem(response, 504, "timeout")
    assert "another vxlan has VNI 100" in body["detail"]
    assert engine.sources["agent"].ports, "the change is kept"


async def test_wait_for_an_interface_that_is_not_there(client: TestClient, engine: FakeEngine) -> None:
    engine.pending["tap0"] = "no interface tap0"
    response = await client.put("/v1/ports/tap0?wait=programmed&timeout=0", json={**TAP, "instance": RED})
    assert "no interface tap0" in (await problem(response, 504, "timeout"))["detail"]


async def test_other_ports_do_not_hold_a_wait(client: TestClient, engine: FakeEngine) -> None:
    engine.entry_rows.append(entry_row("port", "tap7", "pending", device="tap7"))
    engine.entry_rows.append(entry_row("fdb", status="pending"))
    response = await client.put("/v1/ports/tap0?wait=programmed&timeout=0.05", json={**TAP, "instance": RED})
    assert response.status == 200


# ---- peers, routes, forwarding


async def test_peers(client: TestClient, engine: FakeEngine) -> None:
    rows = (await (await client.get("/v1/peers")).json())["items"]
    assert [row["peer"] for row in rows] == ["10.0.0.254", "2001:db8::9"]
    one = await (await client.get("/v1/peers/2001:DB8::9")).json()
    assert one["reason"] == "connection refused"
    assert (await client.post("/v1/peers/10.0.0.254/reset")).status == 200
    assert engine.calls == [("reset", "10.0.0.254")]
    await problem(await client.post("/v1/peers/2001:db8::9/reset"), 409, "conflict")
    await problem(await client.get("/v1/peers/10.9.9.9"), 404, "missing")


async def test_routes_are_filtered_and_paged(client: TestClient, engine: FakeEngine) -> None:
    engine.route_rows = [route_row(f"02:00:00:00:00:{i:02x}", f"10.1.0.{i}") for i in range(1, 11)]
    engine.route_rows.append(route_row("02:00:00:00:00:01", "", best=False, rd="10.0.0.3:16"))

    async def ask(query: str) -> Any:
        return await (await client.get(f"/v1/routes?{query}")).json()

    assert len((await ask("mac=02:00:00:00:00:01"))["items"]) == 2
    assert len((await ask("mac=02:00:00:00:00:01&best=true"))["items"]) == 1
    assert len((await ask("rd=10.0.0.3:16"))["items"]) == 1
    assert len((await ask("ip=10.1.0.4&instance=red&family=l2vpn-evpn&peer=10.0.0.254"))["items"]) == 1
    assert (await ask("instance=blue"))["items"] == []
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = await ask(f"limit=4&cursor={cursor}")
        seen += [row["nlri"] for row in page["items"]]
        cursor = page["next"]
    assert len(set(seen)) == 11
    assert cursor is None


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/routes?limit=0", "limit"),
        ("/v1/routes?limit=many", "limit"),
        ("/v1/routes?colour=red", "colour"),
        ("/v1/routes?family=ipx", "family"),
        ("/v1/forwarding?kind=arp", "kind"),
        ("/v1/peers?peer=x", "peer"),
        ("/v1/ports/x?wait=programmed", "wait"),
    ],
)
async def test_wrong_parameters_are_named(client: TestClient, path: str, field: str) -> None:
    assert (await problem(await client.get(path), 400, "invalid"))["field"] == field


async def test_forwarding(client: TestClient, engine: FakeEngine) -> None:
    engine.entry_rows = [entry_row(), entry_row("neigh", "10.1.0.5", "error", reason="No buffer space available")]
    rows = (await (await client.get("/v1/forwarding?status=error")).json())["items"]
    assert [(row["kind"], row["reason"]) for row in rows] == [("neigh", "No buffer space available")]


# ---- HTTP


async def test_unknown_paths_and_methods_are_problems(client: TestClient) -> None:
    await problem(await client.get("/v2/peers"), 404, "missing")
    response = await client.post("/v1/peers", json={})
    assert "GET" in response.headers["Allow"]
    await problem(response, 405, "method")


async def test_a_body_has_a_limit(client: TestClient) -> None:
    response = await client.put("/v1/sources/agent", data=io.BytesIO(b" " * (BODY_LIMIT + 1)))
    await problem(response, 413, "too-large")


async def test_other_sites_may_not_change_anything(client: TestClient) -> None:
    other = {"Origin": "http://evil.example"}
    await problem(await client.post("/v1/peers/10.0.0.254/reset", headers=other), 403, "forbidden")
    own = {"Origin": f"http://{client.host}:{client.port}"}
    assert (await client.post("/v1/peers/10.0.0.254/reset", headers=own)).status == 200


async def test_a_fault_is_a_problem_without_its_insides(
    client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(engine, "peers", fail)
    body = await problem(await client.get("/v1/peers"), 500, "internal")
    assert "secret" not in json.dumps(body)
    assert "secret" in caplog.text


async def test_probes(client: TestClient, engine: FakeEngine) -> None:
    assert await (await client.get("/healthz")).json() == {"status": "alive", "version": "1.2.3"}
    assert (await client.get("/readyz")).status == 200
    engine.ready = False
    response = await client.get("/readyz")
    assert response.headers["Retry-After"] == "1"
    assert "peers-synced: waits for 10.0.0.254" in (await problem(response, 503, "busy"))["detail"]
    assert (await client.get("/healthz")).status == 200


async def test_status_times_are_rfc_3339(client: TestClient) -> None:
    status = await (await client.get("/v1/status")).json()
    assert status["started"] == "2027-01-15T08:00:05.000Z"
    assert status["gates"][0]["since"] == "2027-01-15T08:00:10.000Z"


async def test_metrics(client: TestClient, engine: FakeEngine) -> None:
    await put_red(client)
    engine.missing = ("vrf: module vrf (CONFIG_NET_VRF)",)
    response = await client.get("/metrics")
    assert response.headers["Content-Type"] == metrics.CONTENT_TYPE
    lines = (await response.text()).splitlines()
    for line in (
        'hornpipe_build_info{version="1.2.3"} 1.0',
        'hornpipe_peer_up{peer="10.0.0.254",remote_as="64512"} 1.0',
        'hornpipe_peer_state{peer="2001:db8::9",state="ACTIVE"} 1.0',
        'hornpipe_peer_routes{peer="10.0.0.254",table="received"} 3.0',
        'hornpipe_peer_memory_bytes{peer="10.0.0.254"} 0.0',
        'hornpipe_peer_throttled_seconds_total{peer="10.0.0.254"} 0.0',
        'hornpipe_peer_messages_total{direction="out",peer="10.0.0.254"} 21.0',
        'hornpipe_forwarding_entries{status="error"} 1.0',
        'hornpipe_gate_open{gate="prune"} 1.0',
        'hornpipe_ports{state="up"} 1.0',
        'hornpipe_kernel_feature_missing{feature="vrf"} 1.0',
        "hornpipe_start_time_seconds 1.800000005e+09",
    ):
        assert line in lines
