"""What survives a crash: the desired sets, the numbers handed out, and the mobility sequences.

It is written by the daemon as versioned JSON and given back to `Engine.restore`. Everything else is learnt again: links
from the kernel, routes from the peers.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hornpipe.engine.sources import Sources
from hornpipe.net.mac import Mac
from hornpipe.vpn.allocate import Identifier
from hornpipe.vpn.check import check_instance
from hornpipe.vpn.edge import Edge
from hornpipe.vpn.recall import Recalled
from hornpipe.vpn.spec import InstanceSpec, Refused, SourceSpec

VERSION = 2
"""The format with everything of today; `hornpipe.daemon.intentformat` writes the oldest one that will do."""


class Sequence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The MAC mobility state of one local MAC that differs from the initial one (RFC 7432 section 15)."""

    domain: str
    mac: str
    sequence: int
    elsewhere: bool = False
    """It was advertised by another PE; after a restart it is not advertised before the peers have said where it is."""


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    version: int = VERSION
    sources: dict[str, SourceSpec] = {}
    implicit: dict[str, tuple[str, ...]] = {}
    """Per source: instances that came with `attach` and go with their last port."""
    orphans: tuple[InstanceSpec, ...] = ()
    """Instances whose owner has gone while ports of other sources still need them."""
    identifiers: dict[str, Identifier] = {}
    sequences: tuple[Sequence, ...] = ()
    draining: bool = False
    """The host is being emptied (RFC 8326)."""
    lost: str = ""
    """Why clients may want more than this: what an intent file held was lost, and they have not had the time to repeat
    it."""


def collect(sources: Sources, edge: Edge, draining: bool = False, lost: str = "") -> Intent:
    return Intent(
        draining=draining,
        lost=lost,
        sources={name: held.spec for name, held in sources.held.items()},
        implicit={name: tuple(sorted(held.implicit)) for name, held in sources.held.items() if held.implicit},
        orphans=tuple(checked.spec for checked in edge.desired.orphans()),
        identifiers=dict(edge.identifiers.rows),
        sequences=tuple(
            Sequence(domain=domain, mac=mac, sequence=sequence, elsewhere=elsewhere)
            for domain, mac, sequence, elsewhere in edge.sequences()
        ),
    )


def restore(
    intent: Intent | None,
    configured: Mapping[str, SourceSpec],
    sources: Sources,
    edge: Edge,
    now: float,
    recalled: Recalled | None = None,
) -> None:
    """The configuration's sets as the file has them now, the others as they were. `recalled`: an intent was lost.

    What is no longer possible together (the file may have changed) is dropped with an event, and only that.
    """
    edge.around.restoring = True
    intent = intent or Intent()
    edge.restore_identifiers(intent.identifiers)
    if recalled is not None:
        edge.recall_identifiers(recalled, now)
    for row in intent.sequences:
        edge.around.restored[(row.domain, bytes(Mac.parse(row.mac)))] = (row.sequence, row.elsewhere)
    for orphan in intent.orphans:
        try:
            edge.restore_orphan(check_instance(orphan, "orphan"), now)
        except Refused as refused:
            sources.notify("source.refused", orphan.name, str(refused))
    held = {name: (spec, intent.implicit.get(name, ())) for name, spec in intent.sources.items()}
    held.update({name: (spec, ()) for name, spec in configured.items()})
    # The configuration's first, for what is there both ways is its own. A second time what named an instance of a
    # source that came later.
    order = [*configured, *[name for name in held if name not in configured]]
    partly = [name for name in order if not sources.restore(name, *held[name], now, again=True)]
    for name in partly:
        sources.restore(name, *held[name], now)
    edge.settle_identifiers(now, hold=recalled is not None)
    edge.around.restoring = False
