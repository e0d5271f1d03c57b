"""What all values have in common: they are their bytes or number, and show themselves as text."""

from __future__ import annotations

import pytest

from hornpipe.net.esi import Esi
from hornpipe.net.ip import Address
from hornpipe.net.label import Label
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.net.vni import Vni


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Mac, "02:00:00:aa:bb:cc"),
        (Address, "10.0.0.1"),
        (Prefix, "10.0.0.0/24"),
        (RouteDistinguisher, "10.0.0.1:5"),
        (RouteTarget, "64512:80"),
        (Esi, "00:11:22:33:44:55:66:77:88:99"),
    ],
)
def test_bytes(kind: type[Mac], text: str) -> None:
    value = kind.parse(text)
    assert repr(value) == f"{kind.__name__}({text!r})"
    assert f"{value}" == text
    assert hash(value) == hash(bytes(value))
    assert type(kind(bytes(value))) is kind
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("kind", [Vni, Label])
def test_numbers(kind: type[Vni] | type[Label]) -> None:
    value = kind(100)
    assert repr(value) == f"{kind.__name__}(100)"
    assert f"{value}" == str(value) == "100"
    assert hash(value) == hash(100)
