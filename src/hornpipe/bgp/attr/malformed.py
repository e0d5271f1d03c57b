"""What a decoder of one attribute raises; the attribute table knows the reaction."""

from __future__ import annotations


class Malformed(Exception):
    """The value of an attribute is not what its RFC says; `args[0]` says how."""
