"""hornpiped as its users meet it: start, mistakes, sessions, reload, kill -9, stop."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from hornpipe.client import ApiError
from hornpipe.daemon.replay import NotARecord, rebuild, report
from hornpipe.demo.until import until
from tests.daemon.running import Running, port, settle

Make = Callable[[int], Running]


def hornpiped(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hornpipe.daemon.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_check_says_good_or_what_is_wrong(tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text('[bgp]\nlocal_as = 64512\nlocal_address = "127.0.0.1"\n')
    result = hornpiped("--check", "--config", str(good))
    assert (result.returncode, result.stdout) == (0, f"{good}: good\n")

    bad = tmp_path / "bad.toml"
    bad.write_text('[bgp]\nlocal_as = 64512\nlocal_adress = "127.0.0.1"\n')
    result = hornpiped("--check", "--config", str(bad))
    assert result.returncode == 1
    assert result.stderr == f"hornpiped: {bad}: bgp.local_adress: unknown key (did you mean `local_address`?)\n"


def test_check_shows_the_warnings_of_an_ini(tmp_path: Path) -> None:
    old = tmp_path / "bgp.conf"
    old.write_text("[BGP]\nlocal_address=127.0.0.1\nmy_as=1\nfoo=1\n[DATAPLANE_DRIVER_EVPN]\ndataplane_driver=linux\n")
    result = hornpiped("--check", "--config", str(old))
    assert (result.returncode, result.stdout) == (0, f"{old}: good\n")
    assert result.stderr == f"warning: {old}: [BGP] foo: unknown key, ignored\n"


def test_what_it_cannot_have_is_a_fatal_error_with_a_remedy(daemon: Make, tmp_path: Path) -> None:
    one = daemon(2)
    one.configure()
    arguments = ["--config", str(one.file), "--runtime-dir", str(one.runtime)]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((one.address, one.tcp_port))
        taken.listen()
        result = hornpiped(*arguments)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"hornpiped: {one.file}: bgp.listen_port: listen on {one.address} port {one.tcp_port}: ")
    assert "Address already in use" in last
    assert "choose another bgp.listen_port" in last

    one.configure(more='[recorder]\nfile = "/nonexistent/record"')
    result = hornpiped(*arguments)
    assert result.returncode == 1
    assert "recorder.file: /nonexistent/record: No such file or directory" in result.stderr

    one.configure()
    (one.runtime / "intent.json").unlink(missing_ok=True)
    (one.runtime / "intent.json").mkdir()
    result = hornpiped(*arguments)
    assert result.returncode == 1
    assert "intent.json" in result.stderr
    assert "move it away to start with nothing attached" in result.stderr


def test_two_daemons_do_not_share_a_runtime_directory(daemon: Make) -> None:
    one = daemon(2)
    one.configure()
    one.start()
    result = hornpiped("--config", str(one.file), "--runtime-dir", str(one.runtime))
    assert result.returncode == 1
    assert "another hornpiped runs with this runtime directory" in result.stderr
    assert one.get("/v1/status")["ready"] is not None


def test_routes_travel_between_two_and_survive_kill_9(daemon: Make) -> None:
    left, right = daemon(2), daemon(3)
    left.configure((right,))
    right.configure((left,))
    left.start()
    right.start()
    until("the session", lambda: left.established(right) and right.established(left))
    left.put("api", port("web", 5))

    def seen() -> list[str]:
        return [
            r["ip"] for r in right.rows("/v1/routes") if r["peer"] == left.address and r["type"] == "macadv" and r["ip"]
        ]

    right.put("api")
    until("the route", lambda: seen() == ["10.1.0.5"])
    mac = next(row["endpoints"][0]["mac"] for row in left.rows("/v1/ports"))

    left.stop(signal.SIGKILL)
    until("the loss is noticed", lambda: not right.established(left))
    assert seen() == ["10.1.0.5"], "kept as stale"
    left.start()
    (row,) = left.rows("/v1/ports")
    assert row["name"] == "web"
    assert row["endpoints"][0]["mac"] == mac, "identifiers are stable"
    until("the session again", lambda: right.established(left))
    until("End-of-RIB", lambda: not any(r["stale"] for r in right.rows("/v1/routes")))
    assert seen() == ["10.1.0.5"]


def test_sigterm_ends_it_well_and_quietly(daemon: Make) -> None:
    left, right = daemon(2), daemon(3)
    left.configure((right,))
    right.configure((left,))
    left.start()
    right.start()
    until("the session", lambda: left.established(right) and right.established(left))
    assert left.stop() == 0
    assert not (left.runtime / "hornpipe.sock").exists()
    until("the loss is noticed", lambda: not right.established(left))
    assert "NOTIFICATION" not in right.log, "graceful restart was negotiated"
    assert "daemon.stopped" in left.log


def test_a_reload_touches_only_what_changed(daemon: Make) -> None:
    left, right, third = daemon(2), daemon(3), daemon(4)
    left.configure((right,))
    right.configure((left,))
    third.configure((left,))
    for one in (left, right, third):
        one.start()
    until("the session", lambda: left.established(right))
    before = left.peers()[right.address]
    left.put("api", port("web", 5))

    left.hang_up("changed=nothing")
    left.configure(
        (right, third),
        more="""[[instances]]
name = "red"
import_rts = ["64512:90"]
export_rts = ["64512:90"]
[[ports]]
name = "p"
instance = "red"
netns = "p"
addresses = ["10.2.0.1"]
""",
    )
    left.hang_up("config.reloaded")
    until("the new session", lambda: left.established(third))
    after = left.peers()[right.address]
    assert after["since"] == before["since"]
    assert after["flaps"] == before["flaps"]
    assert {row["name"] for row in left.rows("/v1/ports")} == {"web", "p"}

    left.configure((right,))
    left.hang_up("config.reloaded")
    assert set(left.peers()) == {right.address}
    assert {row["name"] for row in left.rows("/v1/ports")} == {"web"}
    assert left.peers()[right.address]["since"] == before["since"]


def test_a_reload_with_a_mistake_changes_nothing(daemon: Make) -> None:
    left, right = daemon(2), daemon(3)
    left.configure((right,))
    left.start()
    left.file.write_text(left.file.read_text() + "[vxlann]\n")
    left.hang_up("config.refused")
    assert "vxlann: unknown key" in left.log
    left.configure((right,), bgp='router_id = "9.9.9.9"')
    left.hang_up("config.refused")
    assert "bgp.router_id: cannot change while the daemon runs" in left.log
    assert set(left.peers()) == {right.address}


def test_a_reload_opens_and_closes_the_apis_addresses(daemon: Make) -> None:
    one = daemon(2)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    one.configure()
    one.start()
    one.configure(more=f'[api]\nbagpipe = "127.0.0.1:{number}"')
    one.hang_up("config.reloaded")
    with socket.create_connection(("127.0.0.1", number), 60) as connection:
        connection.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.0 200")
    one.configure()
    one.hang_up("config.reloaded")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", number), 60)
    assert one.get("/v1/status")


def test_an_old_ini_is_a_configuration_and_opens_the_old_api(daemon: Make) -> None:
    reflector, host = daemon(2), daemon(3)
    reflector.configure(more='[reflector]\n[[reflector.clients]]\nprefix = "127.0.0.0/8"')
    reflector.start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    host.file.write_text(
        f"""[BGP]
local_address={host.address}
peers={reflector.address}
my_as=64512
bgp_port={host.tcp_port}
enable_rtc=True

[API]
host=localhost
port={number}

[DATAPLANE_DRIVER_EVPN]
dataplane_driver = DummyDataplaneDriver
ovsbr_interfaces_mtu=9000
"""
    )
    host.start()
    assert "[DATAPLANE_DRIVER_EVPN] ovsbr_interfaces_mtu: unknown key, ignored" in host.log
    until("the session", lambda: host.established(reflector))
    with urllib.request.urlopen(f"http://127.0.0.1:{number}/looking-glass/summary/BGP_established_peers") as answer:
        assert json.loads(answer.read()) == 1


def test_ports_of_the_file_go_with_the_file_also_while_it_was_down(daemon: Make) -> None:
    one = daemon(2)
    one.configure(more='[[instances]]\nname = "red"\n[[ports]]\nname = "p"\ninstance = "red"\nnetns = "p"\n')
    one.start()
    one.put("api", port("web", 5))
    assert {row["name"] for row in one.rows("/v1/ports")} == {"p", "web"}
    one.stop(signal.SIGKILL)
    one.configure()
    one.start()
    assert {row["name"] for row in one.rows("/v1/ports")} == {"web"}


def test_an_answer_without_a_durable_intent_is_an_error(daemon: Make) -> None:
    one = daemon(2)
    one.configure()
    one.start()
    until("the first intent is written", (one.runtime / "intent.json").exists)
    (one.runtime / "intent.new").mkdir()  # whatever makes the file impossible to write: here, even for root
    with pytest.raises(ApiError) as caught:
        one.put("api", port("web", 5))
    assert caught.value.status == 507
    assert "would not survive a crash" in caught.value.detail
    assert "ask again" in caught.value.remedy
    until("it is logged", lambda: "intent.failed" in one.log)
    until("there is an alarm", lambda: any("storage" in text for text in one.get("/v1/status")["alarms"]))
    with pytest.raises(ApiError, match="nothing was changed") as caught:
        one.put("api", port("web", 5), port("more", 6))
    assert caught.value.status == 507
    assert [row["name"] for row in one.rows("/v1/ports")] == ["web"]
    (one.runtime / "intent.new").rmdir()
    until("it is tried again", lambda: one.get("/v1/status")["alarms"] == [])
    one.stop(signal.SIGKILL)
    one.start()
    assert [row["name"] for row in one.rows("/v1/ports")] == ["web"]


def test_a_damaged_intent_is_set_aside_and_the_daemon_starts(daemon: Make) -> None:
    one = daemon(2)
    one.configure()
    one.start()
    one.put("api", port("web", 5))
    one.stop(signal.SIGKILL)
    (one.runtime / "intent.json").write_text("{ torn")
    one.start()
    (alarm,) = one.get("/v1/status")["alarms"]
    (aside,) = one.runtime.glob("intent.json.damaged-*")
    assert str(aside) in alarm
    assert aside.read_text() == "{ torn"
    assert "intent.damaged" in one.log
    gates = {gate["gate"]: gate for gate in one.get("/v1/status")["gates"]}
    assert not gates["prune"]["open"]
    assert "hornpipe prune" in gates["prune"]["reason"]
    one.put("api", port("web", 5))
    status = one.client.call("POST", "/v1/prune")
    assert status["alarms"] == []
    until("pruned", lambda: all(gate["open"] for gate in one.get("/v1/status")["gates"]))
    with pytest.raises(ApiError, match="nothing waits"):
        one.client.call("POST", "/v1/prune")


def test_a_lost_intent_is_known_to_the_next_start_too(daemon: Make) -> None:
    """Also if the first one did not come to anything: the damaged file is out of the way by then."""
    one = daemon(2)
    one.configure()
    one.start()
    one.stop()
    (one.runtime / "intent.json").write_text("{ torn")
    for _ in range(2):
        one.start()
        (alarm,) = one.get("/v1/status")["alarms"]
        assert "was damaged" in alarm
        assert not {gate["gate"]: gate["open"] for gate in one.get("/v1/status")["gates"]}["prune"]
        one.stop(signal.SIGKILL)
    one.start()
    one.client.call("POST", "/v1/prune")
    until("pruned", lambda: all(gate["open"] for gate in one.get("/v1/status")["gates"]))
    until("kept", lambda: "lost" not in json.loads((one.runtime / "intent.json").read_text()))
    one.stop(signal.SIGKILL)
    one.start()
    assert one.get("/v1/status")["alarms"] == []


def test_a_drain_survives(daemon: Make) -> None:
    one = daemon(2)
    one.configure()
    one.start()
    assert one.client.call("POST", "/v1/drain")["draining"]
    one.stop(signal.SIGKILL)
    one.start()
    assert one.get("/v1/status")["draining"]
    assert not one.client.call("DELETE", "/v1/drain")["draining"]


def test_the_wall_clock_may_jump(daemon: Make) -> None:
    """The daemon works by monotonic time; only what people read is wall time."""
    source = Path(__file__).parents[2] / "src" / "hornpipe"
    users = {str(path.relative_to(source)) for path in source.rglob("*.py") if "time.time()" in path.read_text()}
    assert users <= {"daemon/wire.py", "daemon/log.py", "cli/debug.py", *WALL}


WALL = {"demo/main.py", "demo/story.py", "cni/main.py", "ipam/lease.py"}
"""Stamps for people, and lengths of time on the command line."""


def test_a_record_replays_to_the_same_tables(daemon: Make, tmp_path: Path) -> None:
    left, right = daemon(2), daemon(3)
    record = tmp_path / "record"
    left.configure((right,), more=f'[recorder]\nfile = "{record}"')
    right.configure((left,))
    left.start()
    right.start()
    left.put("api", port("web", 5))
    right.put("api", port("db", 6))
    with pytest.raises(ApiError):
        left.put("api", {"name": "x", "instance": "nowhere", "netns": "x"})
    until("routes", lambda: len([row for row in left.rows("/v1/routes") if row["peer"] == right.address]) == 4)
    settle()
    routes = sorted((row["nlri"], row["peer"], row["best"]) for row in left.rows("/v1/routes"))
    left.stop(signal.SIGKILL)

    replayed = rebuild(str(record))
    assert replayed.end == "torn"
    assert replayed.refused == 1
    assert sorted((row.nlri, row.peer, row.best) for row in replayed.engine.routes()) == routes
    assert replayed.engine.peers()[0].state == "ESTABLISHED"
    assert "[ip:10.1.0.6]" in report(replayed)
    part = rebuild(str(record), upto=3)
    assert part.inputs == 3
    (tmp_path / "other.000001").write_text("text")
    with pytest.raises(NotARecord, match="not a hornpipe record"):
        rebuild(str(tmp_path / "other"))
    with pytest.raises(NotARecord, match="no such record"):
        rebuild(f"{tmp_path}/absent")


def test_the_loops_lag_is_measured(daemon: Make) -> None:
    one = daemon(2)
    one.configure()
    one.start()

    def observed() -> bool:
        text = one.client.request("GET", "/metrics").body.decode()
        counts = [line for line in text.splitlines() if line.startswith("hornpipe_loop_lag_seconds_count")]
        return float(counts[0].split()[1]) > 0

    until("a measurement", observed)
