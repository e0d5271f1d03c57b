"""Writes a configuration tree as TOML (https://toml.io/en/v1.0.0): tables, arrays of tables, plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(tree: Mapping[str, Any]) -> str:
    return "\n".join(_table(tree, ())).lstrip("\n") + "\n"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for DEL, and pairs of surrogates, which it does not have."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_table, value))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _table(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Values first: after a header everything belongs to it. None has no form in TOML and is left out."""
    for name, value in tree.items():
        if value is not None and not _is_table(value) and not _is_tables(value):
            yield f"{_key(name)} = {_value(value)}"
    for name, value in tree.items():
        inner = (*path, name)
        header = ".".join(map(_key, inner))
        if _is_table(value):
            yield f"\n[{header}]"
            yield from _table(value, inner)
        elif _is_tables(value):
            for item in value:
                yield f"\n[[{header}]]"
                yield from _table(item, inner)
