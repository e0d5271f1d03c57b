"""What no kernel takes is refused when the configuration is read."""

from __future__ import annotations

import pytest

from hornpipe.daemon.config import loads
from hornpipe.daemon.configerror import ConfigError

BGP = '[bgp]\nlocal_as = 64512\nlocal_address = "10.0.0.1"\n'


def peer(address: str, more: str) -> str:
    return f'[[peers]]\naddress = "{address}"\n{more}\n'


def client(where: str, more: str) -> str:
    name = "prefix" if "/" in where else "address"
    return f'[[reflector.clients]]\n{name} = "{where}"\n{more}\n'


def key(secret: str = "abc", number: int = 1) -> str:
    return f'tcp_ao = {{ secret = "{secret}", send_id = {number}, receive_id = {number} }}'


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loads(BGP + text, "hornpipe.toml")
    return str(caught.value)


def test_what_the_kernel_takes() -> None:
    text = peer("10.0.0.2", key()) + client("10.0.0.0/8", key()) + client("10.0.0.3", key("other", 2))
    loads(BGP + text + client("fd00::/8", 'password = "x"') + client("fd00::1", 'password = "y"'), "hornpipe.toml")


def test_two_keys_with_one_number() -> None:
    said = refused(peer("10.0.0.2", key("other")) + client("10.0.0.0/8", key()))
    assert said.startswith("hornpipe.toml: peers[0].tcp_ao: has a number of reflector.clients[0].tcp_ao, another key")
    assert "send_id and a receive_id of its own" in said


def test_a_key_and_a_password_for_overlapping_addresses() -> None:
    said = refused(client("10.0.0.0/8", 'password = "x"') + client("10.0.0.2", key()))
    assert "reflector.clients[1].tcp_ao: overlaps reflector.clients[0].password" in said


@pytest.mark.parametrize("field", ["password", "tcp_ao.secret"])
def test_80_characters_that_are_more_bytes(field: str) -> None:
    long = "ä" * 41
    said = refused(peer("10.0.0.2", f'password = "{long}"' if field == "password" else key(long)))
    assert said == f"hornpipe.toml: peers[0].{field}: has 82 bytes in UTF-8 (at most 80; ASCII has one a character)"
