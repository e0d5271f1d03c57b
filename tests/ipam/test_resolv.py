"""resolv.conf becomes CNI's dns dictionary."""

from __future__ import annotations

from hornpipe.ipam.grant import Dns
from hornpipe.ipam.resolv import parse


def test_every_keyword() -> None:
    text = """
    # a comment
    nameserver 192.0.2.0
    nameserver 2001:db8::1
    domain example.com
    search example.com example.net
    options ndots:2 rotate
    options timeout:1
    sortlist 10.0.0.0
    nameserver
    """
    assert parse(text) == Dns(
        ("192.0.2.0", "2001:db8::1"), "example.com", ("example.com", "example.net"), ("ndots:2", "rotate", "timeout:1")
    )


def test_an_empty_file() -> None:
    assert parse("") == Dns()
