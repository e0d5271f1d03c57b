"""BaGPipe's INI files work as they are."""

from __future__ import annotations

import pytest

from hornpipe.daemon.config import loads
from hornpipe.daemon.configerror import ConfigError
from hornpipe.daemon.ini import looks_like

CLASSIC = """
[BGP]
local_address=10.0.0.1
peers=10.0.0.254
my_as=64512
enable_rtc=True

[API]
host=localhost
port=8082

[DATAPLANE_DRIVER_IPVPN]
dataplane_driver = mpls_ovs_dataplane.MPLSOVSDataplaneDriver
mpls_interface=*gre*
ovs_bridge=br-mpls

[DATAPLANE_DRIVER_EVPN]
dataplane_driver = linux_vxlan.LinuxVXLANDataplaneDriver
ovsbr_interfaces_mtu=9000
"""


def minimal(evpn: str = "dataplane_driver = linux", bgp: str = "", more: str = "") -> str:
    return f"[BGP]\nlocal_address=10.0.0.1\nmy_as=64512\n{bgp}\n[DATAPLANE_DRIVER_EVPN]\n{evpn}\n{more}\n"


def test_the_classic_sample() -> None:
    config, warnings = loads(CLASSIC, "bgp.conf")
    assert config.bgp.local_as == 64512
    assert config.bgp.local_address == "10.0.0.1"
    assert config.bgp.rtc
    assert config.bgp.listen is False
    assert [peer.address for peer in config.peers] == ["10.0.0.254"]
    assert config.api.bagpipe == "localhost:8082"
    assert config.dataplane.driver == "linux"
    assert config.ipvpn.encapsulations == ()
    assert warnings == (
        "bgp.conf: [DATAPLANE_DRIVER_EVPN] ovsbr_interfaces_mtu: unknown key, ignored",
        "bgp.conf: [DATAPLANE_DRIVER_IPVPN] dataplane_driver: `MPLSOVSDataplaneDriver` is not among the drivers of "
        "this version: ipvpn attachments will be refused; use linux (the kernel's VRFs and MPLS) for them",
    )


@pytest.mark.parametrize(
    ("value", "driver"),
    [
        ("linux", "linux"),
        ("dummy", "dummy"),
        ("DummyDataplaneDriver", "dummy"),
        ("linux_vxlan.LinuxVXLANDataplaneDriver", "linux"),
        ("bagpipe.bgp.vpn.evpn.linux_vxlan.LinuxVXLANDataplaneDriver", "linux"),
        ("networking_bagpipe.bagpipe_bgp.vpn.evpn.linux_vxlan.LinuxVXLANDataplaneDriver", "linux"),
        ("bagpipe.bgp.vpn.dataplane.DummyDataplaneDriver", "dummy"),
    ],
)
def test_old_driver_names(value: str, driver: str) -> None:
    assert loads(minimal(f"dataplane_driver = {value}"), "bgp.conf").config.dataplane.driver == driver


def test_a_missing_driver_is_bagpipes_dummy_and_said() -> None:
    config, warnings = loads(minimal(""), "bgp.conf")
    assert config.dataplane.driver == "dummy"
    assert "no traffic flows" in warnings[0]


@pytest.mark.parametrize("value", ["ovs", "ovs.OVSEVIDataplaneDriver", "bagpipe.bgp.vpn.evpn.ovs.OVSDataplaneDriver"])
def test_open_vswitch_is_refused_with_a_remedy(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(minimal(f"dataplane_driver = {value}"), "bgp.conf")
    assert str(caught.value).startswith("bgp.conf: [DATAPLANE_DRIVER_EVPN] dataplane_driver: `")
    assert "use linux (kernel bridge and VXLAN) or dummy" in caught.value.remedy


IPVPN = "[DATAPLANE_DRIVER_IPVPN]\n"


@pytest.mark.parametrize(
    ("keys", "encapsulations", "interfaces"),
    [
        ("dataplane_driver = linux", ("mpls-gre",), ()),
        ("dataplane_driver = linux\nmpls_interface = *gre*", ("mpls-gre",), ()),
        ("dataplane_driver = linux\nmpls_interface = eth1", ("mpls",), ("eth1",)),
        ("dataplane_driver = linux\nmpls_interface = eth1\nmpls_over_gre = auto", ("mpls",), ("eth1",)),
        ("dataplane_driver = linux\nmpls_interface = eth1\nmpls_over_gre = False", ("mpls",), ("eth1",)),
        ("dataplane_driver = linux\nmpls_interface = eth1\nmpls_over_gre = True", ("mpls-gre",), ()),
        ("dataplane_driver = mpls_linux_dataplane.MPLSLinuxDataplaneDriver", ("mpls-gre",), ()),
        ("bagpipe.x = 1\ndataplane_driver = bagpipe.bgp.vpn.ipvpn.mpls_linux_dataplane.MPLSLinuxDataplaneDriver",
         ("mpls-gre",), ()),
        ("vxlan_encap = True", ("vxlan",), ()),
        ("ovs_bridge = br-mpls\ninput_table = 0\nproxy_arp = False", ("mpls-gre",), ()),
    ],
)  # fmt: skip
def test_how_labelled_packets_travel(keys: str, encapsulations: tuple[str, ...], interfaces: tuple[str, ...]) -> None:
    config, _ = loads(minimal(more=IPVPN + keys), "bgp.conf")
    assert config.ipvpn.encapsulations == encapsulations
    assert config.ipvpn.mpls_interfaces == interfaces


def test_without_a_section_for_ipvpn_there_is_one_all_the_same() -> None:
    config, warnings = loads(minimal(), "bgp.conf")
    assert (config.ipvpn.encapsulations, warnings) == (("mpls-gre",), ())


@pytest.mark.parametrize("driver", ["ovs", "mpls_ovs_dataplane.MPLSOVSDataplaneDriver"])
def test_open_vswitch_for_ipvpn_leaves_e_vpn_alone(driver: str) -> None:
    config, warnings = loads(minimal(more=f"{IPVPN}dataplane_driver = {driver}\nmpls_interface = *gre*"), "bgp.conf")
    assert config.dataplane.driver == "linux"
    assert config.ipvpn.encapsulations == ()
    assert "use linux (the kernel's VRFs and MPLS)" in warnings[0]


def test_one_driver_serves_both_kinds() -> None:
    config, _ = loads(minimal("", more=IPVPN + "dataplane_driver = linux"), "bgp.conf")
    assert config.dataplane.driver == "linux"
    config, warnings = loads(minimal(more=IPVPN + "dataplane_driver = dummy"), "bgp.conf")
    assert config.dataplane.driver == "linux"
    assert "dummy beside linux" in warnings[0]


def test_one_local_address_serves_both_kinds() -> None:
    address = IPVPN + "dataplane_local_address = 192.0.2.2"
    config, warnings = loads(minimal(more=address), "bgp.conf")
    assert (config.vxlan.local_address, warnings) == ("192.0.2.2", ())
    evpn = "dataplane_driver = linux\ndataplane_local_address = 192.0.2.1"
    config, warnings = loads(minimal(evpn, more=address), "bgp.conf")
    assert config.vxlan.local_address == "192.0.2.1"
    assert "192.0.2.2 is not used" in warnings[0]


def test_all_keys_of_bagpipe_that_mean_something() -> None:
    config, warnings = loads(
        minimal(
            "dataplane_driver = linux\ndataplane_local_address = 192.0.2.1\nvxlan_dst_port = 8472",
            "peers = 10.0.0.2, 10.0.0.3\nbgp_port = 1179\nenable_rtc = False",
            "[API]\napi_host = 127.0.0.1\napi_port = 9000\n[COMMON]\nroot_helper = sudo\n[DEFAULT]\ndebug = True\n"
            "[privsep]\nhelper_command = sudo privsep-helper",
        ),
        "bgp.conf",
    )
    assert warnings == ()
    assert [(peer.address, peer.port) for peer in config.peers] == [("10.0.0.2", 1179), ("10.0.0.3", 1179)]
    assert not config.bgp.rtc
    assert (config.vxlan.local_address, config.vxlan.port) == ("192.0.2.1", 8472)
    assert config.api.bagpipe == "127.0.0.1:9000"
    assert config.log.level == "debug"


def test_an_api_for_everybody_works_with_a_warning() -> None:
    config, warnings = loads(minimal(more="[API]\nhost=0.0.0.0"), "bgp.conf")
    assert config.api.bagpipe == "0.0.0.0:8082"
    assert "0.0.0.0 is not loopback" in warnings[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[BGP]\nmy_as=1\n", "[BGP] local_address: missing (add it, for example local_address = 10.0.0.1)"),
        ("[BGP]\nlocal_address=10.0.0.1\n", "[BGP] my_as: missing (add it, for example my_as = 64512)"),
        (minimal(bgp="bgp_port = many"), "[BGP] bgp_port: `many` is not a number (for example bgp_port = 179)"),
        (minimal(bgp="enable_rtc = perhaps"), "[BGP] enable_rtc: `perhaps` is neither True nor False"),
        (minimal(bgp="peers = rr.example"), "[BGP] peers: `rr.example` is not an address"),
        ("[BGP]\nlocal_address=10.0.0.1\nmy_as=0\n", "[BGP] my_as: expected `int` >= 1"),
        (
            minimal(more=IPVPN + "mpls_over_gre = perhaps"),
            "[DATAPLANE_DRIVER_IPVPN] mpls_over_gre: `perhaps` is neither",
        ),
        (minimal(more=IPVPN + "mpls_interface = a/b"), "[DATAPLANE_DRIVER_IPVPN] mpls_interface: expected"),
        (minimal("vxlan_dst_port = 0\ndataplane_driver=linux"), "[DATAPLANE_DRIVER_EVPN] vxlan_dst_port: expected"),
        ("[BGP]\nno equals sign\n", "Source contains parsing errors"),
    ],
)
def test_mistakes_are_named_in_the_files_own_words(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text, "bgp.conf")
    assert str(caught.value).startswith(f"bgp.conf: {message}"), str(caught.value)


def test_sections_in_lower_case_as_the_later_samples_have_them() -> None:
    text = minimal(more=IPVPN + "mpls_interface = eth1")
    config, warnings = loads(text.lower(), "bgp.conf")
    assert (config, warnings) == loads(text, "bgp.conf")
    assert config.ipvpn.mpls_interfaces == ("eth1",)


def test_which_files_are_ini() -> None:
    assert looks_like(CLASSIC)
    assert not looks_like("[bgp]\nlocal_as = 1\n[api]\n")
