"""Rules of policy routing in the kernel.

The kernel asks a VRF's table before any rule behind its own VRF rule, and ours (`vrfs_before_local`) is the first of
all. So a jump stands before it: packets of a VRF go on at `MARK`, behind which the rules of traffic are, and behind
those the VRFs' tables again. What is at priority 0 outlives an ``ip rule flush``, and a jump whose mark is gone is
passed over, so without the frame packets are routed as if there was nothing to redirect.

    0:      l3mdev goto 10000
    0:      l3mdev lookup (the VRF's table)
    0:      lookup local
    10000:  nop
    10001:  iif hp-vrf1 to 10.5.0.0/16 ipproto udp dport 5000 lookup 10002
    19999:  l3mdev lookup
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator

from hornpipe.dataplane.linux.mirror import as_rule
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Results
from hornpipe.forwarding.rule import FIRST, LAST, FibRule, Rule
from hornpipe.netlink import rule
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RT_TABLE_LOCAL,
    RTM_DELRULE,
    RTM_GETRULE,
    RTM_NEWRULE,
)

MARK, END = FIRST - 1, LAST + 1
FAMILIES = {4: AF_INET, 6: AF_INET6}


class Rules:
    def __init__(self, sock: RouteSocket) -> None:
        self._sock = sock

    def put(self, entries: Iterable[Rule], results: Results) -> None:
        """All of a batch; that one is there already is success."""
        entries = list(entries)
        for family in {entry.rule.family for entry in entries}:
            try:
                frame(self._sock, FAMILIES[family])
            except Failure as failure:
                failed = {entry.key: str(failure) for entry in entries if entry.rule.family == family}
                results.entries.update(failed)
        for entry in entries:
            if entry.key in results.entries:
                continue
            try:
                self._sock.attempt(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, _payload(entry.rule), errno.EEXIST)
            except Failure as failure:
                results.entries[entry.key] = str(failure)
            else:
                results.rules.append((entry.rule, True))

    def remove(self, entry: Rule, results: Results) -> None:
        self._sock.attempt(RTM_DELRULE, 0, _payload(entry.rule), errno.ENOENT)
        results.rules.append((entry.rule, False))


def _payload(wanted: FibRule) -> bytes:
    return rule.traffic_rule(
        FAMILIES[wanted.family],
        wanted.priority,
        wanted.iif,
        wanted.table,
        source=wanted.source,
        destination=wanted.destination,
        protocol=wanted.protocol,
        source_port=wanted.source_port,
        destination_port=wanted.destination_port,
    )


def scan_rules(sock: RouteSocket) -> list[FibRule]:
    """Those of ours that are about traffic."""
    found = [as_rule(one) for family in FAMILIES.values() for one in _dump(sock, family)]
    return [one for one in found if one is not None]


def _dump(sock: RouteSocket, family: int) -> Iterator[rule.Rule]:
    for data, start, end in sock.dump(RTM_GETRULE, rule.rule_dump(family)):
        yield rule.Rule(data, start, end)


def frame(sock: RouteSocket, family: int) -> None:
    """What rules of traffic need around them, as far as it is missing."""
    order = list(_dump(sock, family))
    ours = [one for one in order if one.is_ours]
    if not any(one.is_mark and one.priority == MARK for one in ours):
        sock.request(RTM_NEWRULE, NLM_F_CREATE, rule.mark_rule(family, MARK))
    if not any(one.is_vrf and one.priority == END for one in ours):
        sock.request(RTM_NEWRULE, NLM_F_CREATE, rule.vrf_rule(family, END))
    before = [one for one in order if not one.priority and (one.is_vrf or one.table == RT_TABLE_LOCAL)]
    jump = next((one for one in ours if one.is_jump), None)
    if jump is not None and (not before or order.index(jump) < order.index(before[0])):
        return
    if jump is not None:
        sock.attempt(RTM_DELRULE, 0, jump.removal, errno.ENOENT)
    _jump_first(sock, family, before)


def _jump_first(sock: RouteSocket, family: int, before: list[rule.Rule]) -> None:
    """A new rule comes behind those of its priority, so they are made again behind it, and only then go."""
    sock.request(RTM_NEWRULE, NLM_F_CREATE, rule.vrf_jump(family, MARK))
    for one in before:
        sock.request(RTM_NEWRULE, NLM_F_CREATE, one.removal)
    for one in before:
        sock.attempt(RTM_DELRULE, 0, one.removal, errno.ENOENT)


def remove_rules(sock: RouteSocket) -> None:
    """All of ours."""
    for family in FAMILIES.values():
        for one in list(_dump(sock, family)):
            if one.is_ours:
                sock.attempt(RTM_DELRULE, 0, one.removal, errno.ENOENT)


def find_rule(sock: RouteSocket, wanted: str) -> tuple[FibRule | None, str]:
    """`wanted`: `Rule.text`. The rule of ours there, or the same at another place; and why it is not asked, if so."""
    _, priority, match = wanted.split(maxsplit=2)
    ours = [one for one in _dump(sock, FAMILIES[6 if match.startswith("inet6 ") else 4]) if one.is_ours]
    alike = [rule for rule in map(as_rule, ours) if rule is not None and rule.match == match]
    found = next((rule for rule in alike if str(rule.priority) == priority), alike[0] if alike else None)
    framed = any(one.is_mark and one.priority == MARK for one in ours) and any(one.is_jump for one in ours)
    return found, "" if framed else f"nothing leads to rule {MARK}"
