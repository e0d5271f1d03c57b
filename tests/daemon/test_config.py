"""Every mistake is answered with the file, the key and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from hornpipe.daemon.config import host_and_port, load, loads
from hornpipe.daemon.configerror import ConfigError

MINIMAL = """
[bgp]
local_as = 64512
local_address = "10.0.0.1"
"""

WRONG = [
    ("", "bgp: missing (add it)"),
    ("[bgp]\nlocal_as = 64512\n", "bgp.local_address: missing (add it, for example local_address = "),
    (
        '[bgp]\nlocal_as = "64512"\nlocal_address = "10.0.0.1"\n',
        "bgp.local_as: expected `int`, got `str` (correct it, for example local_as = 64512)",
    ),
    (
        '[bgp]\nlocal_as = 0\nlocal_address = "10.0.0.1"\n',
        "bgp.local_as: expected `int` >= 1 (correct it, for example local_as = 64512)",
    ),
    (MINIMAL + "local_adress = 1\n", "bgp.local_adress: unknown key (did you mean `local_address`?)"),
    (MINIMAL + "[log]\ncolour = 1\n", "log.colour: unknown key (known here: format, level)"),
    (MINIMAL + '[log]\nlevel = "loud"\n', "log.level: invalid enum value 'loud' (correct it: one of "),
    (MINIMAL + '[[peers]]\nadress = "10.0.0.2"\n', "peers[0].adress: unknown key (did you mean `address`?)"),
    (MINIMAL + "[[peers]]\n", "peers[0].address: exactly one of address and interface is needed (for example address"),
    (MINIMAL + '[[peers]]\naddress = "10.0.0.2"\ninterface = "eth1"\n', "peers[0].address: exactly one of address and"),
    (MINIMAL + '[[peers]]\ninterface = "a/b"\n', "peers[0].interface: expected `str` matching"),
    (
        MINIMAL + '[[peers]]\ninterface = "e"\n[[peers]]\ninterface = "e"\n',
        "peers[1].interface: peer e is already peers[0]",
    ),
    (
        MINIMAL + '[[peers]]\naddress = "10.0.0.2"\nremote_as = "external"\n',
        "peers[0].remote_as: `external` is for a peer",
    ),
    (MINIMAL + '[[peers]]\ninterface = "e"\nlocal_address = "10.0.0.1"\n', "peers[0].local_address: is the link's own"),
    (MINIMAL + '[[peers]]\naddress = "rr1"\n', "peers[0].address: `rr1` is not an address (an IPv4 or IPv6 address"),
    (
        MINIMAL + '[[peers]]\naddress = "10.0.0.2"\n[[peers]]\naddress = "10.0.0.2"\n',
        "peers[1].address: peer 10.0.0.2 is already peers[0] (remove one of them)",
    ),
    (MINIMAL + "bgp_port = \n", "line 5: "),
    (MINIMAL + 'router_id = "fd00::1"\n', "bgp.router_id: `fd00::1` is not an IPv4 address"),
    ('[bgp]\nlocal_as = 1\nlocal_address = "fd00::1"\n', "bgp.router_id: missing (local_address is IPv6"),
    (MINIMAL + "hold_time = 2\n", "bgp.hold_time: 1 and 2 are not allowed (0 or at least 3"),
    (MINIMAL + '[api]\nlisten = "0.0.0.0:80"\n', "api.listen: 0.0.0.0:80 is not on loopback, and without a token"),
    (MINIMAL + '[api]\nbagpipe = "[::]:80"\n', "api.bagpipe: [::]:80 is not on loopback, and without a token"),
    (MINIMAL + '[api]\nbagpipe = "8082"\n', "api.bagpipe: `8082` is not HOST:PORT (for example 127.0.0.1:8082)"),
    (MINIMAL + "[vxlan]\nvni_range = [20, 10]\n", "vxlan.vni_range: 20 is above 10"),
    (MINIMAL + "[vxlan]\nvni_range = [0, 10]\n", "vxlan.vni_range[0]: expected `int` >= 1"),
    (MINIMAL + "[ipvpn]\nlabel_range = [20, 16]\n", "ipvpn.label_range: 20 is above 16 (first label, then last"),
    (MINIMAL + "[ipvpn]\nlabel_range = [3, 16]\n", "ipvpn.label_range[0]: expected `int` >= 16"),
    (MINIMAL + "[ipvpn]\ntable_base = 100\n", "ipvpn.table_base: expected `int` >= 256"),
    (MINIMAL + '[ipvpn]\nencapsulations = ["gre"]\n', "ipvpn.encapsulations[0]: invalid enum value 'gre'"),
    (MINIMAL + '[ipvpn]\nencapsulations = ["mpls"]\n', "ipvpn.mpls_interfaces: missing: mpls needs an interface"),
    (MINIMAL + '[underlay]\nannounce = ["10.0.0.1"]\n', "underlay.announce[0]: `10.0.0.1` is not a prefix"),
    (MINIMAL + '[reflector]\n[[reflector.clients]]\nprefix = "10.0.0.1/24"\n', "reflector.clients[0].prefix: "),
    (MINIMAL + "[reflector]\n[[reflector.clients]]\n", "reflector.clients[0]: needs one of address and prefix"),
    (
        MINIMAL + 'listen = false\n[reflector]\n[[reflector.clients]]\nprefix = "10.0.0.0/24"\n',
        "bgp.listen: a reflector's clients come to it (set bgp.listen = true)",
    ),
    (
        MINIMAL + 'listen = false\n[[peers]]\naddress = "10.0.0.2"\npassive = true\n',
        "peers[0].passive: nobody listens for it",
    ),
    (MINIMAL + '[[ports]]\nname = "p"\n', "ports[0].instance: missing"),
    (MINIMAL + '[[instances]]\nname = "red"\nvnii = 5\n', "instances[0].vnii: unknown key (did you mean `vni`?)"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_mistake_is_named_with_file_key_and_remedy(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text, "hornpipe.toml")
    assert str(caught.value).startswith(f"hornpipe.toml: {message}"), str(caught.value)
    assert caught.value.file == "hornpipe.toml"
    assert caught.value.remedy


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/absent\.toml: No such file or directory \(name a readable file"):
        load(f"{tmp_path}/absent.toml")
    (tmp_path / "latin").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(f"{tmp_path}/latin")


def test_with_a_token_the_api_may_be_reached_from_elsewhere() -> None:
    config, _ = loads(MINIMAL + '[api]\ntoken_file = "/t"\nlisten = "0.0.0.0:80"\nbagpipe = "0.0.0.0:81"\n', "f")
    assert (config.api.listen, config.api.bagpipe) == ("0.0.0.0:80", "0.0.0.0:81")


def test_the_minimum_has_safe_defaults() -> None:
    config, warnings = loads(MINIMAL, "hornpipe.toml")
    assert warnings == ()
    assert config.api.bagpipe is False
    assert config.api.listen is None
    assert config.dataplane.driver == "linux"
    assert config.bgp.rtc


def test_every_section_is_read() -> None:
    config, _ = loads(
        MINIMAL
        + """
[[peers]]
address = "10.0.0.254"
remote_as = 4200000000
password = "secret"
families = ["l2vpn-evpn"]
[reflector]
cluster_id = "10.0.0.254"
clients = [{ prefix = "10.0.0.0/24", limit = 5 }, { address = "fd00::2" }]
[vxlan]
local_address = "fd00::1"
port = 8472
mtu = 9000
vni_range = [1000, 1999]
[api]
bagpipe = true
listen = "localhost:8090"
[dataplane]
driver = "dummy"
[[instances]]
name = "red"
vni = 100
import_rts = ["64512:1"]
[[ports]]
name = "p"
instance = "red"
interface = "tap0"
mac = "02:00:00:00:00:01"
""",
        "hornpipe.toml",
    )
    assert config.peers[0].remote_as == 4200000000
    assert config.reflector is not None
    assert [client.limit for client in config.reflector.clients] == [5, 1000]
    assert config.instances[0].vni == 100
    assert config.ports[0].interface == "tap0"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("127.0.0.1:8082", ("127.0.0.1", 8082)),
        ("localhost:1", ("127.0.0.1", 1)),
        ("[::1]:80", ("::1", 80)),
        ("example:80", None),
        ("127.0.0.1", None),
        ("127.0.0.1:0", None),
        ("127.0.0.1:65536", None),
        ("127.0.0.1:x", None),
    ],
)
def test_host_and_port(text: str, value: tuple[str, int] | None) -> None:
    assert host_and_port(text) == value
