"""The instruments measure what happened: each is shown a case with the fault and a case without."""

from __future__ import annotations

import time

import pytest

from hornpipe.demo.flood import Flood
from hornpipe.demo.site import Site
from hornpipe.demo.until import TooLate, until
from tests.lab.capture import Capture
from tests.lab.watch import Watch

pytestmark = pytest.mark.netns


def two_hosts(site: Site) -> None:
    site.host("h1", "192.0.2.1/24")
    site.host("h2", "192.0.2.2/24")
    until("ping", lambda: site["h1"].ping("192.0.2.2"))


def test_flood_counts_loss_and_outage(site: Site) -> None:
    two_hosts(site)
    flood = Flood(site["h1"], "192.0.2.2")
    time.sleep(0.5)
    whole = flood.stop()
    assert whole.lost == 0
    assert whole.received > 5
    flood = Flood(site["h1"], "192.0.2.2")
    time.sleep(0.3)
    began = time.monotonic()
    site.unplug("h2")
    time.sleep(0.3)
    site.plug("h2")
    time.sleep(0.3)
    broken = flood.stop()
    assert 0 < broken.lost < broken.sent
    assert 0.25 < broken.outage < time.monotonic() - began


def test_watch_tells_entries_apart(site: Site) -> None:
    host = site.host("h1", "192.0.2.1/24")
    host.ip("link add name br9 type bridge\nlink add vx type vxlan id 9 dstport 4789 local 192.0.2.1 nolearning")
    host.ip("link set vx master br9\nlink set br9 up\nlink set vx up")
    with Watch(host) as watch:
        before = time.monotonic()
        host.bridge("fdb add 02:00:00:00:00:01 dev vx dst 192.0.2.2 self extern_learn")
        event = watch.wait_for(0, 60, what="new", kind="vtep")
        assert (event.key, event.value) == ("02:00:00:00:00:01", "192.0.2.2")
        assert before < event.at < time.monotonic()
        mark = watch.mark()
        host.bridge("fdb add 02:00:00:00:00:02 dev vx master static")
        host.ip("neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev br9 nud noarp")
        host.bridge("fdb del 02:00:00:00:00:01 dev vx dst 192.0.2.2 self")
        watch.wait_for(mark, 60, what="del", kind="vtep", key="02:00:00:00:00:01")
    assert [e.key for e in watch.since(mark, what="new", kind="fdb")] == ["02:00:00:00:00:02"]
    assert [(e.key, e.value) for e in watch.since(mark, kind="neigh")] == [("10.0.0.1", "02:00:00:00:00:01")]


def test_capture_has_the_packets(site: Site) -> None:
    two_hosts(site)
    with Capture(site["h2"], "u0", "icmp") as capture:
        site["h1"].ping("192.0.2.2")
        until("the packets are seen", lambda: len(capture.lines) == 2)
    assert "192.0.2.1 > 192.0.2.2: ICMP echo request" in capture.stop()[0]


def test_until_says_what_and_how_long() -> None:
    with pytest.raises(TooLate, match=r"the moon is blue: not within 0.1 s; last: \[\]"):
        until("the moon is blue", list, limit=0.1)
