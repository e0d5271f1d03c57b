"""TCP-AO (RFC 5925) between daemons: who gets a session, who does not, and what is said then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pytest

from hornpipe.demo import node
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab.capture import Capture

pytestmark = pytest.mark.kernel("tcp-ao")

SECRET = "far harbour"
TIMED_OUT = "the attempt to connect timed out"
DIFFER = "as it does when the passwords (TCP MD5) or keys (TCP-AO) differ"


class Net(NamedTuple):
    prefix: str
    reflector: str
    host: str
    """To be formatted with a number."""


NETS = {
    "ipv4": Net("192.0.2.0/24", "192.0.2.100", "192.0.2.{}"),
    "ipv6": Net("2001:db8:ffff::/64", "2001:db8:ffff::100", "2001:db8:ffff::{}"),
}


def key(secret: str = SECRET, send_id: int = 1, receive_id: int = 1, algorithm: str = "hmac-sha-1") -> str:
    values = f'secret = "{secret}", send_id = {send_id}, receive_id = {receive_id}, algorithm = "{algorithm}"'
    return f"tcp_ao = {{ {values} }}\n"


def identified(text: str, number: int) -> str:
    return text.replace("[bgp]\n", f'[bgp]\nrouter_id = "10.255.0.{number}"\n')


def reflector_text(net: Net, *clients: Sequence[str]) -> str:
    """`clients`: address or prefix, and what its section has beside."""
    text = node.reflector(net.reflector, *(client for client, _ in clients))
    for client, more in clients:
        text = text.replace(f'"{client}"\n', f'"{client}"\n{more}')
    return identified(text, 100)


def edge_text(net: Net, number: int, more: str) -> str:
    text = node.edge(net.host.format(number), net.reflector)
    return identified(text.replace("connect_retry", f"{more}connect_retry"), number)


def make_reflector(site: Site, net: Net, *clients: Sequence[str]) -> Node:
    length = net.prefix.partition("/")[2]
    return Node(site.host("rr", f"{net.reflector}/{length}"), reflector_text(net, *clients))


def make_edge(site: Site, net: Net, number: int, more: str) -> Node:
    host = site.host(f"h{number}", f"{net.host.format(number)}/{net.prefix.partition('/')[2]}")
    return Node(host, edge_text(net, number, more))


def sessions(made: Node) -> dict[str, dict[str, Any]]:
    return {row["peer"]: row for row in made.rows("/v1/peers")}


def reason(made: Node) -> str:
    (row,) = made.rows("/v1/peers")
    assert row["state"] != "ESTABLISHED", row
    return str(row["reason"])


def established(reflector: Node, net: Net, numbers: Iterable[int]) -> bool:
    up = {peer for peer, row in sessions(reflector).items() if row["state"] == "ESTABLISHED"}
    return up == {net.host.format(number) for number in numbers}


@pytest.mark.parametrize("version", sorted(NETS))
def test_who_gets_a_session_and_who_does_not(site: Site, version: str) -> None:
    """Dynamic clients with the right key, a wrong one, a wrong number, an MD5 password, nothing."""
    net = NETS[version]
    reflector = make_reflector(site, net, (net.prefix, key(send_id=2, receive_id=7)))
    with Capture(reflector.host, "u0", f"tcp port 179 and host {net.host.format(1)}") as capture:
        right = make_edge(site, net, 1, key(send_id=7, receive_id=2))
        right.await_established()
        others = {
            "wrong secret": make_edge(site, net, 2, key("near harbour", send_id=7, receive_id=2)),
            "wrong number": make_edge(site, net, 3, key(send_id=8, receive_id=2)),
            "password": make_edge(site, net, 4, f'password = "{SECRET}"\n'),
            "nothing": make_edge(site, net, 5, ""),
        }
        for what, made in others.items():
            said = until(what, lambda made=made: reason(made), limit=40)  # type: ignore[misc]
            assert TIMED_OUT in said
            assert (DIFFER in said) == (what != "nothing"), (what, said)
        assert established(reflector, net, [1])
    lines = [line for line in capture.stop() if " > " in line]
    assert len(lines) > 4
    for line in lines:
        ours = f"{net.host.format(1)}." in line.partition(" > ")[0]
        assert ("tcp-ao keyid 7 rnextkeyid 2" if ours else "tcp-ao keyid 2 rnextkeyid 7") in line, line


@pytest.mark.parametrize("algorithm", ["hmac-sha-1", "aes-128-cmac", "hmac-sha-256"])
def test_each_algorithm(site: Site, algorithm: str) -> None:
    net = NETS["ipv4"]
    make_reflector(site, net, (net.prefix, key(algorithm=algorithm)))
    make_edge(site, net, 1, key(algorithm=algorithm)).await_established()


def test_static_clients_prefixes_and_passwords_on_one_listening_socket(site: Site) -> None:
    """Clients with numbers of their own and with their prefix's key, also where they have their own; outside of it MD5,
    and nothing."""
    net = NETS["ipv4"]
    make = {
        1: key("own", send_id=2, receive_id=2),
        2: key(),
        3: key(),
        4: key(),
        130: 'password = "old"\n',
        131: "",
    }
    reflector = make_reflector(
        site,
        net,
        ("192.0.2.0/25", key()),
        *((net.host.format(number), make[number]) for number in (1, 2, 130, 131)),
        (net.host.format(4), key("own", send_id=3, receive_id=3)),
    )
    for number, more in make.items():
        make_edge(site, net, number, more).await_established()
    until("all of them", lambda: established(reflector, net, make))


def test_a_new_key_by_reload(site: Site) -> None:
    """Who has the old key stays while his session lasts, and does not come back; other peers are not concerned."""
    net = NETS["ipv4"]
    old, new = key(), key("new harbour", send_id=2, receive_id=2)
    one, two = net.host.format(1), net.host.format(2)
    reflector = make_reflector(site, net, (one, old), (two, key("other")))
    edge, bystander = make_edge(site, net, 1, old), make_edge(site, net, 2, key("other"))
    for each in (edge, bystander):
        each.await_established()
    since = sessions(reflector)[two]["since"]
    reflector.configure(reflector_text(net, (one, new), (two, key("other"))))
    reflector.reload()
    until("it is told", lambda: sessions(edge)[net.reflector]["state"] != "ESTABLISHED", limit=40)
    edge.configure(edge_text(net, 1, new))
    edge.reload()
    until("the session with the new key", lambda: established(reflector, net, [1, 2]), limit=40)
    assert sessions(reflector)[two]["since"] == since


def test_a_killed_reflector_comes_back(site: Site) -> None:
    net = NETS["ipv4"]
    reflector = make_reflector(site, net, (net.prefix, key()))
    edge = make_edge(site, net, 1, key())
    edge.await_established()
    reflector.kill()
    until("the session is gone", lambda: not edge.established())
    reflector.start()
    until("and back", edge.established, limit=40)
