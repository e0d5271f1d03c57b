from __future__ import annotations

import pytest

from hornpipe.net.esi import Esi

TEXT = "00:11:22:33:44:55:66:77:88:99"


def test_text_and_bytes_both_ways() -> None:
    esi = Esi.parse(TEXT)
    assert esi == bytes.fromhex(TEXT.replace(":", ""))
    assert str(esi) == TEXT
    assert esi.type == 0
    assert not esi.is_single_homed


def test_single_homed() -> None:
    assert Esi() == Esi.parse("0") == bytes(10)
    assert Esi().is_single_homed


@pytest.mark.parametrize("text", ["", "00:11", TEXT + ":00", TEXT[:-1] + "g"])
def test_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=f"for example {TEXT}"):
        Esi.parse(text)


def test_length() -> None:
    with pytest.raises(ValueError, match="10 bytes, not 9"):
        Esi(bytes(9))
