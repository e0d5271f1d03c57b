from __future__ import annotations

import pytest

from hornpipe.bgp.attr.pmsi import Pmsi, ingress_replication


@pytest.mark.parametrize(
    ("value", "raw", "text"),
    [
        (ingress_replication(100, b"\x0a\x00\x00\x01"), "00060000640a000001", "ingress-replication 10.0.0.1 label 100"),
        (
            ingress_replication(16777215, bytes(15) + b"\x01"),
            "0006ffffff" + "00" * 15 + "01",
            "ingress-replication ::1 label 16777215",
        ),
        (Pmsi(1, 0, 0, b""), "0100000000", "no-tunnel label 0"),
        (Pmsi(0, 99, 5, b"\xab"), "0063000005ab", "tunnel-99 ab label 5"),
    ],
)
def test_bytes_and_text(value: Pmsi, raw: str, text: str) -> None:
    assert value.encode() == bytes.fromhex(raw)
    assert str(value) == text
