from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.cli.toml import dumps

TEXT = st.text(st.characters(blacklist_categories=("Cs",)))
PLAIN = st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    PLAIN | st.lists(PLAIN, max_size=3),
    lambda inner: (
        st.dictionaries(TEXT, inner, max_size=4)
        | st.lists(st.dictionaries(TEXT, inner, max_size=3), min_size=1, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_what_is_written_is_read_back(tree: dict[str, object]) -> None:
    assert tomllib.loads(dumps(tree)) == tree


def test_values_come_before_tables() -> None:
    tree = {"bgp": {"nested": {"b": 2}, "a": 1}, "peers": [{"address": "10.0.0.9"}], "none": None, "top": True}
    assert dumps(tree) == ('top = true\n\n[bgp]\na = 1\n\n[bgp.nested]\nb = 2\n\n[[peers]]\naddress = "10.0.0.9"\n')


def test_what_toml_does_not_have() -> None:
    with pytest.raises(TypeError, match="bytes"):
        dumps({"a": b"x"})
