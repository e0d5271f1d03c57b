"""What survives a crash: the desired sets, the numbers handed out, and the mobility sequences.

It is written by the daemon as versioned JSON and given back to `Engine.restore`. Everything else is learnt again: links
from the kernel, routes from the peers.
"""

from __future__ import annotations

import msgspec

from hornpipe.vpn.allocate import Identifier
from hornpipe.vpn.spec import InstanceSpec, SourceSpec

VERSION = 1


class Sequence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The MAC mobility state of one local MAC that differs from the initial one (RFC 7432 section 15)."""

    domain: str
    mac: str
    sequence: int


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    version: int = VERSION
    sources: dict[str, SourceSpec] = {}
    implicit: dict[str, tuple[str, ...]] = {}
    """Per source: instances that came with `attach` and go with their last port."""
    orphans: tuple[InstanceSpec, ...] = ()
    """Instances whose owner has gone while ports of other sources still need them."""
    identifiers: dict[str, Identifier] = {}
    sequences: tuple[Sequence, ...] = ()
