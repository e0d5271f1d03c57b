"""Best path selection: one step a function, composed into a sort key, so that choosing is a comparison of tuples.

The steps of RFC 4271 section 9.1.2.2 and RFC 4456 section 9, with three of ours in front: what a live session said
beats what is kept stale; RFC 7432 section 15 (a sticky MAC beats one that is not, a higher MAC mobility sequence a
lower one); and a local route beats a learnt one. The interior cost is left out: the next hops are VTEPs, and the
underlay is not ours.

One live path is no better than a stale one: its *echo*, what a reflector says of the same originator in the same words.
It knows no more than we did, and its own session may be lost, too: two reflectors that lose a client would find each
other's word better than their own, take it back, and begin again (docs/decisions/0009).

`equal` says which paths tie with the best one before the tie-breaks: equal-cost multipath. Neither it nor `rank` cares
whether the paths are of one key, so routes of several RDs to one prefix are compared with them too.

MED is compared between paths of the same neighbouring AS only, which is no total order. The key holds it in its
place, and `rank` falls back to the elimination as the RFC writes it in the one case where that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from hornpipe.bgp.attr.attributes import Attributes
from hornpipe.bgp.attr.community import GRACEFUL_SHUTDOWN, LLGR_STALE
from hornpipe.bgp.attr.table import TRANSITIVE
from hornpipe.bgp.family import EVPN
from hornpipe.rib.path import Path
from hornpipe.rib.source import Source

SortKey: TypeAlias = tuple[int | bytes, ...]
"""A value a step; the lower one is better."""

DEFAULT_LOCAL_PREF = 100
"""RFC 4271 leaves it open; every implementation uses 100."""

AS_SEQUENCE = 2


LIVE, STALE, LONG_LIVED_STALE = 0, 1, 2
"""The first step, `FRESHNESS`."""


def freshness(source: Source, attributes: Attributes, family: int) -> int:
    """RFC 9494 section 4.3: LLGR_STALE makes it the last choice, whoever attached it. `staled` sets the other one."""
    return LONG_LIVED_STALE if LLGR_STALE in attributes.communities else LIVE


def sticky(source: Source, attributes: Attributes, family: int) -> int:
    return 0 if family == EVPN and attributes.sticky else 1


def mobility(source: Source, attributes: Attributes, family: int) -> int:
    return -attributes.mobility if family == EVPN else 0


def local(source: Source, attributes: Attributes, family: int) -> int:
    return 0 if source.local else 1


def local_pref(source: Source, attributes: Attributes, family: int) -> int:
    """An eBGP peer has no say in it (RFC 4271 section 5.1.5), but that it is about to go counts (RFC 8326 section 4.2).
    Routes of our own are judged as they are before a drain: nothing here is to follow from what we ask of others."""
    if not source.internal:
        return 0 if GRACEFUL_SHUTDOWN in attributes.communities else -DEFAULT_LOCAL_PREF
    return -(DEFAULT_LOCAL_PREF if attributes.local_pref is None else attributes.local_pref)


def as_path_length(source: Source, attributes: Attributes, family: int) -> int:
    return attributes.as_path_length


def origin(source: Source, attributes: Attributes, family: int) -> int:
    return attributes.origin


def med(source: Source, attributes: Attributes, family: int) -> int:
    return attributes.med or 0  # absent is the lowest: RFC 4271 section 9.1.2.2 c


def external(source: Source, attributes: Attributes, family: int) -> int:
    return 1 if source.internal else 0


def originator(source: Source, attributes: Attributes, family: int) -> bytes:
    """RFC 4456 section 9: ORIGINATOR_ID stands in for the BGP identifier."""
    return attributes.originator_id or source.router_id


def cluster_list_length(source: Source, attributes: Attributes, family: int) -> int:
    return len(attributes.cluster_list)


def peer_address(source: Source, attributes: Attributes, family: int) -> bytes:
    return source.address


class Step:
    __slots__ = ("measure", "name", "shown")

    def __init__(
        self,
        name: str,
        measure: Callable[[Source, Attributes, int], int | bytes],
        shown: Callable[[int | bytes], str] | None,
    ) -> None:
        self.name = name
        """What is said of the better path."""
        self.measure = measure
        self.shown = shown
        """The value as text; None where the name says it all."""


def _number(value: int | bytes) -> str:
    return str(abs(value)) if isinstance(value, int) else value.hex()


def _origin(value: int | bytes) -> str:
    return {0: "igp", 1: "egp", 2: "incomplete"}.get(value if isinstance(value, int) else -1, str(value))


def _address(value: int | bytes) -> str:
    """IPv4 addresses dotted; anything else in hexadecimal."""
    if not isinstance(value, bytes):
        return str(value)
    return ".".join(str(octet) for octet in value) if len(value) == 4 else value.hex(":", 2)


STEPS: tuple[Step, ...] = (
    Step("not stale", freshness, None),
    Step("sticky MAC", sticky, None),
    Step("higher mobility sequence", mobility, _number),
    Step("local", local, None),
    Step("higher local-pref", local_pref, _number),
    Step("shorter AS path", as_path_length, _number),
    Step("lower origin", origin, _origin),
    Step("lower MED", med, _number),
    Step("eBGP over iBGP", external, None),
    Step("lower originator", originator, _address),
    Step("shorter cluster list", cluster_list_length, _number),
    Step("lower peer address", peer_address, _address),
)
FRESHNESS = 0
MED = 7
"""Where MED stands in the key."""
EXTERNAL = 8
"""The last step that is no tie-break."""
ORIGINATOR = 9


def sort_key(source: Source, attributes: Attributes, family: int) -> SortKey:
    return tuple([step.measure(source, attributes, family) for step in STEPS])


def staled(key: SortKey) -> SortKey:
    return (max(key[:1], (STALE,))[0], *key[1:])


def neighbour_as(attributes: Attributes) -> int:
    """The AS the path was received from as far as AS_PATH says; 0 for one that began in this AS."""
    for kind, members in attributes.as_path:
        return members[0] if kind == AS_SEQUENCE and members else 0
    return 0


def equal(ranked: tuple[Path, ...]) -> tuple[Path, ...]:
    """Of paths best first: those as good as the first, each way (next hop, label, interface) once.

    Equal up to eBGP over iBGP: of AS_PATH the length counts (the neighbouring ASes of a host's two leaves differ), MED
    within one neighbouring AS."""
    if len(ranked) < 2:
        return ranked
    first, echoes = ranked[0], _echoes(ranked)
    head, external = _head(first, echoes), first.sort_key[EXTERNAL]
    same = [path for path in ranked if _head(path, echoes) == head]
    lowest: dict[int, SortKey] = {}
    for path in same:
        value = path.sort_key[MED:EXTERNAL]
        if value < lowest.get(path.block.neighbour_as, (1 << 32,)):
            lowest[path.block.neighbour_as] = value
    ways: dict[tuple[bytes, bytes, str], Path] = {}
    for path in same:
        if path.sort_key[MED:EXTERNAL] == lowest[path.block.neighbour_as] and path.sort_key[EXTERNAL] == external:
            ways.setdefault((path.block.next_hop, path.payload, path.source.interface), path)
    return tuple(ways.values())


def _head(path: Path, echoes: list[Path]) -> SortKey:
    """The steps before MED."""
    return staled(path.sort_key[:MED]) if path in echoes else path.sort_key[:MED]


def repeats(path: Path, stale: Path) -> bool:
    """Whether `path` is the echo of a stale path that came from the originator itself.

    Reflection adds ORIGINATOR_ID and CLUSTER_LIST (RFC 4456 section 10), and an external peer is no originator to the
    internal ones; all else is the same, or it is news. Long-lived stale paths have no echo: who is still live then has
    a session."""
    mine, its = path.attributes, stale.attributes
    if path.sort_key[FRESHNESS] != LIVE or stale.sort_key[FRESHNESS] != STALE or its.originator_id is not None:
        return False
    depth = ORIGINATOR + 1 if stale.source.internal else EXTERNAL
    return (
        path.source.internal
        and path.sort_key[FRESHNESS + 1 : depth] == stale.sort_key[FRESHNESS + 1 : depth]
        and path.payload == stale.payload
        and path.block.says == stale.block.says
        and (mine.as_path, mine.communities, mine.large_communities)
        == (its.as_path, its.communities, its.large_communities)
        and _unknown(mine) == _unknown(its)
    )


def _unknown(attributes: Attributes) -> list[tuple[int, bytes]]:
    """Of attributes nobody here knows those that are passed on."""
    return [(code, value) for flags, code, value in attributes.unknown if flags & TRANSITIVE]


def _key_of(path: Path) -> SortKey:
    return path.sort_key


def _best_of(paths: list[Path], start: int) -> Path:
    """RFC 4271 section 9.1.2.2 by elimination: the steps before MED, MED within each neighbouring AS, the rest."""
    head = min([path.sort_key[start:MED] for path in paths])
    equal = [path for path in paths if path.sort_key[start:MED] == head]
    lowest: dict[int, SortKey] = {}
    for path in equal:
        value = path.sort_key[MED : MED + 1]
        if value < lowest.get(path.block.neighbour_as, (1 << 32,)):
            lowest[path.block.neighbour_as] = value
    left = [path for path in equal if path.sort_key[MED : MED + 1] == lowest[path.block.neighbour_as]]
    return min(left, key=lambda path: path.sort_key[MED + 1 :])


def rank(paths: list[Path]) -> tuple[Path, ...]:
    """Best first."""
    first = paths[0]
    for path in paths:
        if path.block.neighbour_as != first.block.neighbour_as and path.sort_key[MED] != first.sort_key[MED]:
            ranked = _eliminated(paths, FRESHNESS)
            break
    else:
        ranked = tuple(sorted(paths, key=_key_of))
    return _echoes_behind(ranked) if ranked[-1].sort_key[FRESHNESS] else ranked


def _eliminated(paths: list[Path], start: int) -> tuple[Path, ...]:
    """Best first by the steps from `start` on, which is `FRESHNESS` or the one after it."""
    left = list(paths)
    ranked: list[Path] = []
    while left:
        best = _best_of(left, start)
        ranked.append(best)
        left.remove(best)
    return tuple(ranked)


def _echoes(ranked: tuple[Path, ...]) -> list[Path]:
    stale = [path for path in ranked if path.sort_key[FRESHNESS] == STALE and path.attributes.originator_id is None]
    return [path for path in ranked if any(repeats(path, one) for one in stale)] if stale else []


def _echoes_behind(ranked: tuple[Path, ...]) -> tuple[Path, ...]:
    """Where there are stale paths: their echoes rank as they do."""
    echoes = _echoes(ranked)
    if not echoes:
        return ranked
    live = [path for path in ranked if path.sort_key[FRESHNESS] == LIVE and path not in echoes]
    kept = [path for path in ranked if path.sort_key[FRESHNESS] == STALE]
    long_lived = [path for path in ranked if path.sort_key[FRESHNESS] == LONG_LIVED_STALE]
    return tuple([path for level in (live, kept + echoes, long_lived) for path in _eliminated(level, FRESHNESS + 1)])


def explain(better: Path, other: Path, among: Iterable[Path] = ()) -> str:
    """The step that decided for `better`: ``higher local-pref (200 over 100)``. `among`: all paths of the route."""
    same_neighbour = better.block.neighbour_as == other.block.neighbour_as
    if better.sort_key[FRESHNESS] == LIVE and any(repeats(other, path) for path in among):
        return "no echo of a stale path"
    for index, step in enumerate(STEPS):
        mine, theirs = better.sort_key[index], other.sort_key[index]
        if mine == theirs or (index == MED and not same_neighbour):
            continue
        if index == FRESHNESS and mine == STALE and theirs == LIVE:
            continue  # an echo
        if (mine,) > (theirs,):
            return "the other one was eliminated by a lower MED of its neighbouring AS"
        if step.shown is None:
            return step.name
        return f"{step.name} ({step.shown(mine)} over {step.shown(theirs)})"
    return "the same in every step"
