from __future__ import annotations

import pytest

from hornpipe.net.vni import Vni


def test_text_number_and_bytes() -> None:
    assert Vni.parse("100") == 100
    assert str(Vni(100)) == "100"
    assert Vni(0xFFFFFF).packed == b"\xff\xff\xff"


@pytest.mark.parametrize("text", ["0", "16777216", "-1", "x", ""])
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"VNI"):
        Vni.parse(text)
