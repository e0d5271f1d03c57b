"""The whole state of an engine as bytes, so that a record may begin in the middle of a life.

The engine is plain data: dictionaries, bytes, values and objects with slots, joined by bound methods. Python's pickle
writes such a graph; reading one is confined to the pure core, because a record comes from somebody else: only its
classes and functions and a few containers may be named, and none of them does I/O. Passwords are replaced by
fingerprints under a salt that is never written: a change of a password is seen, the password is not.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import pickle
import random
import types
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

import msgspec

from hornpipe.engine.engine import Engine

PURE = ("net", "bgp", "netlink", "rib", "vpn", "forwarding", "engine")
"""Packages of the core, which import nothing that could do harm."""
CONTAINERS = {
    ("collections", "deque"),
    ("collections", "Counter"),
    ("collections", "defaultdict"),
    ("collections", "OrderedDict"),
    ("functools", "partial"),
    ("random", "Random"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "bytearray"),
    ("builtins", "range"),
}
SECRETS = frozenset(("password", "secret"))
"""Fields of configuration values that must not leave the machine."""
PREFIX = "fingerprint:"


class Impossible(Exception):
    """Something in the engine cannot be written (a closure, a compiled class), or the bytes are not a checkpoint."""


S = TypeVar("S", bound=msgspec.Struct)


def fingerprint(secret: str, salt: bytes) -> str:
    return PREFIX + hmac.new(salt, secret.encode(), hashlib.sha256).hexdigest()[:16]


def without_secrets(value: S, salt: bytes) -> S:
    """The same with fingerprints, at any depth of Structs and tuples."""
    changed: dict[str, Any] = {}
    for name in value.__struct_fields__:
        found = getattr(value, name)
        if name in SECRETS and isinstance(found, str) and not found.startswith(PREFIX):
            changed[name] = fingerprint(found, salt)
        elif isinstance(found, msgspec.Struct):
            changed[name] = without_secrets(found, salt)
        elif isinstance(found, tuple) and any(isinstance(item, msgspec.Struct) for item in found):
            changed[name] = tuple(
                [without_secrets(item, salt) if isinstance(item, msgspec.Struct) else item for item in found]
            )
    return msgspec.structs.replace(value, **changed) if changed else value


def _is_pure(module: str) -> bool:
    root, _, rest = module.partition(".")
    return root == "hornpipe" and rest.split(".")[0] in PURE


def _changed(value: msgspec.Struct) -> dict[str, Any]:
    """The fields that are not at their defaults. msgspec leaves out a default by identity, which a copy would lose."""
    kind = type(value)
    if kind not in _DEFAULTS:
        fields = msgspec.structs.fields(kind)
        _DEFAULTS[kind] = {field.name: field.default for field in fields if field.default is not msgspec.NODEFAULT}
    defaults = _DEFAULTS[kind]
    found = {name: getattr(value, name) for name in value.__struct_fields__}
    return {name: item for name, item in found.items() if name not in defaults or defaults[name] != item}


_DEFAULTS: dict[type[msgspec.Struct], dict[str, Any]] = {}


def _bound(owner: Any, name: str) -> Callable[..., Any]:
    """A bound method of an object of the core."""
    known = getattr(type(owner), name, None)
    if not callable(known) or not (_is_pure(type(owner).__module__) or type(owner) in (random.Random, dict)):
        raise Impossible(f"{type(owner).__name__}.{name} is not a method of the core")
    method: Callable[..., Any] = getattr(owner, name)
    return method


def _struct(kind: type[msgspec.Struct], fields: dict[str, Any]) -> msgspec.Struct:
    if not issubclass(kind, msgspec.Struct):
        raise Impossible(f"{kind} is not a value")
    return kind(**fields)


def _member(kind: type[Enum], value: Any) -> Enum:
    if not issubclass(kind, Enum):
        raise Impossible(f"{kind} is no enumeration")
    return kind(value)


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, engine: Engine, salt: bytes) -> None:
        super().__init__(file, 5)
        self._engine, self._salt = engine, salt

    def persistent_id(self, obj: Any) -> Any:
        return "engine" if obj is self._engine else None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, types.MethodType):
            return _bound, (obj.__self__, obj.__func__.__name__)
        if isinstance(obj, types.BuiltinMethodType) and not isinstance(obj.__self__, types.ModuleType):
            return _bound, (obj.__self__, obj.__name__)
        if isinstance(obj, Enum):
            return _member, (type(obj), obj.value)
        if isinstance(obj, msgspec.Struct):
            fields = _changed(obj)
            for name in SECRETS & fields.keys():
                if isinstance(fields[name], str) and not fields[name].startswith(PREFIX):
                    fields[name] = fingerprint(fields[name], self._salt)
            return _struct, (type(obj), fields)
        if isinstance(obj, types.FunctionType) and "<" in obj.__qualname__:
            raise Impossible(f"{obj.__module__}.{obj.__qualname__} is a closure")
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, engine: Engine) -> None:
        super().__init__(file)
        self._engine = engine

    def persistent_load(self, pid: Any) -> Any:
        return self._engine

    def find_class(self, module: str, name: str) -> Any:
        if module == __name__ and name in ("_bound", "_struct", "_member"):
            return globals()[name]
        if (module, name) in CONTAINERS or (_is_pure(module) and "." not in name):
            return super().find_class(module, name)
        raise Impossible(f"{module}.{name} is nothing of the core")


def write(engine: Engine, state: dict[str, Any], salt: bytes) -> bytes:
    """`state`: the engine's attributes. What refers to the engine itself will refer to the one that is read."""
    file = io.BytesIO()
    try:
        _Pickler(file, engine, salt).dump(state)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        raise Impossible(str(error)) from error
    return file.getvalue()


def read(data: bytes) -> Engine:
    engine = Engine.__new__(Engine)
    try:
        state = _Unpickler(io.BytesIO(data), engine).load()
    except (pickle.UnpicklingError, TypeError, AttributeError, ValueError, EOFError, KeyError, IndexError) as error:
        raise Impossible(f"damaged checkpoint: {error}") from error
    if not isinstance(state, dict):
        raise Impossible("damaged checkpoint")
    engine.__dict__.update(state)
    return engine
