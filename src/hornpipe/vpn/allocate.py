"""The numbers of instances: importer ids, RD numbers, VNIs and MPLS labels, stable across restarts.

`Identifiers` keeps one row a domain (a broadcast domain or a router), restored from the intent before anything is
allocated. A number that was given back is used again last, so that a late packet or route of the old owner does not
meet a new one (RDs live on in other speakers' tables for as long as a withdraw travels).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Mapping

import msgspec

from hornpipe.vpn.recall import Recalled
from hornpipe.vpn.spec import Refused

MOST_INSTANCES = 0x7FFFFFFF
ANY_RD, ANY_VNI, ANY_LABEL = range(1, 1 << 16), range(1, 1 << 24), range(16, 1 << 20)
"""What fits its field. A number of an intent that does not is given anew; one outside the configured range is kept."""


class Identifier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The numbers of one instance, as the intent keeps them."""

    id: int
    rd: int
    """The number in ``router-id:n``."""
    vni: int = 0
    """0: given by the specification, not allocated."""
    label: int = 0
    """MPLS label of a routed instance; 0: none."""
    port_labels: dict[str, int] = {}
    """By port, as ``source/name``."""
    port_rds: dict[str, int] = {}
    """The number in the RD of a port that has one of its own."""


class Numbers:
    """Integers from `first` to `last`; freed ones are reused oldest first, once the fresh ones have run out."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self._next = first
        self._used: set[int] = set()
        self._freed: deque[int] = deque()
        self._past: list[range] = []
        """Passed over: they come when the fresh ones have run out."""

    def __len__(self) -> int:
        return len(self._used)

    def __contains__(self, number: int) -> bool:
        return number in self._used

    def _candidates(self) -> Iterator[int]:
        while self._next <= self.last:
            self._next += 1
            yield self._next - 1
        while self._past:
            first, self._past[0] = self._past[0][:1], self._past[0][1:]
            if not self._past[0]:
                del self._past[0]
            yield from first
        for _ in range(len(self._freed)):
            yield self._freed.popleft()

    def take(self, avoid: Mapping[int, object] | None = None) -> int | None:
        """A free number that is not in `avoid`; None if there is none."""
        skipped: list[int] = []
        found = None
        for number in self._candidates():
            if number in self._used:
                continue
            if avoid and number in avoid:
                skipped.append(number)
                continue
            found = number
            self._used.add(number)
            break
        self._freed.extend(skipped)
        return found

    def begin(self, number: int) -> None:
        """Fresh numbers come from here on; those before come last."""
        self._past.append(range(self._next, number))
        self._next = max(self._next, number)

    def resume(self) -> None:
        """After a restart. What was given back before is not known: it is below the highest in use, most likely."""
        self.begin(max([number for number in self._used if self.first <= number <= self.last], default=0) + 1)

    def claim(self, number: int) -> bool:
        """Takes this very number; False if it is in use."""
        if number in self._used:
            return False
        self._used.add(number)
        return True

    def release(self, number: int) -> None:
        if number in self._used:
            self._used.discard(number)
            if self.first <= number < self._next:
                self._freed.append(number)


class Identifiers:
    """Rows by domain key. `vnis` maps every VNI in use, given or allocated, to its domain."""

    def __init__(self, vni_range: tuple[int, int], label_range: tuple[int, int] = (16, 1048575)) -> None:
        self._ids = Numbers(1, MOST_INSTANCES)
        self._rds = Numbers(1, 65535)
        self._vnis = Numbers(*vni_range)
        self._labels = Numbers(*label_range)
        self.rows: dict[str, Identifier] = {}
        self.vnis: dict[int, str] = {}
        self._given: dict[str, int] = {}
        """Domain -> the VNI its specification gives."""
        self._recalled: dict[str, list[int]] = {}
        """Device -> labels that the kernel leads to it, and nobody has asked for yet."""

    def restore(self, rows: Mapping[str, Identifier]) -> None:
        """Rows of an intent, before any domain exists. Their VNIs are reserved until `settle`."""
        for domain, row in rows.items():
            if (
                0 < row.id <= MOST_INSTANCES
                and row.rd in ANY_RD
                and self._ids.claim(row.id)
                and self._rds.claim(row.rd)
            ):
                free = row.vni in ANY_VNI and row.vni not in self.vnis
                vni = row.vni if free and self._vnis.claim(row.vni) else 0
                labels = {port: n for port, n in row.port_labels.items() if n in ANY_LABEL and self._labels.claim(n)}
                self.rows[domain] = msgspec.structs.replace(
                    row,
                    vni=vni,
                    label=row.label if row.label in ANY_LABEL and self._labels.claim(row.label) else 0,
                    port_labels=labels,
                    port_rds={port: rd for port, rd in row.port_rds.items() if rd in ANY_RD and self._rds.claim(rd)},
                )
                if vni:
                    self.vnis[vni] = domain
        for numbers in (self._ids, self._rds, self._vnis, self._labels):
            numbers.resume()

    def recall(self, found: Recalled, rd: int) -> None:
        """What the kernel shows of domains that the intent does not know, reserved for them until `settle`. The RDs are
        lost; new ones begin at `rd`, so that the peers do not take one instance's routes for another's."""
        self._rds.begin(rd)
        for domain in sorted({*found.vnis, *found.ids} - self.rows.keys(), key=lambda key: (key not in found.ids, key)):
            number = found.ids.get(domain, 0)
            if not 0 < number <= MOST_INSTANCES or not self._ids.claim(number):
                number = self._ids.take() or 0
            new, vni = self._rds.take(), found.vnis.get(domain, 0)
            if not number or new is None:
                return
            kept = vni in ANY_VNI and vni not in self.vnis and self._vnis.claim(vni)
            self.rows[domain] = Identifier(id=number, rd=new, vni=vni if kept else 0)
            if kept:
                self.vnis[vni] = domain
        for device, labels in found.labels.items():
            self._recalled[device] = [label for label in labels if label in ANY_LABEL and self._labels.claim(label)]

    def settle(self, domains: Mapping[str, object]) -> bool:
        """Forgets what was restored or recalled of domains that do not exist; True if there was something."""
        gone = [domain for domain in self.rows if domain not in domains]
        for domain in gone:
            self.release(domain)
        for labels in self._recalled.values():
            for label in labels:
                self._labels.release(label)
        self._recalled.clear()
        return bool(gone)

    def check_capacity(self, more: int, vnis: int | None = None, labels: int = 0, rds: int = 0) -> None:
        """Refuses what `acquire` and those for labels and RDs would refuse in the middle. `more`: instances; `vnis`,
        `labels`, `rds`: numbers beside, `vnis` as many as instances by default."""
        if more + rds > 0 and len(self._rds) + more + rds > 65535:
            raise Refused("instances", "all 65535 automatic route distinguishers are in use", kind="busy")
        vnis = more if vnis is None else vnis
        if vnis > 0 and len(self._vnis) + vnis > self._vnis.last - self._vnis.first + 1:
            raise Refused("instances", "the range of VNIs is used up", "widen vxlan.vni_range", "busy")
        if labels > 0 and len(self._labels) + labels > self._labels.last - self._labels.first + 1:
            raise Refused("instances", "the range of MPLS labels is used up", "widen ipvpn.label_range", "busy")

    def acquire(self, domain: str, given_vni: int, *, with_vni: bool = True) -> tuple[Identifier, int]:
        """The row and the VNI in force. The caller has made sure that `given_vni` is free, the domain's own, or only
        reserved for one that is not there."""
        row = self.rows.get(domain)
        if row is None:
            number, rd = self._ids.take(), self._rds.take()
            if number is None or rd is None:
                raise Refused("instances", "all 65535 automatic route distinguishers are in use", kind="busy")
            row = self.rows[domain] = Identifier(id=number, rd=rd)
        if not given_vni and not with_vni:
            if row.vni:
                self._drop_vni(row.vni)
                row = self.rows[domain] = msgspec.structs.replace(row, vni=0)
            self._forget_given(domain)
            return row, 0
        if given_vni:
            if row.vni:
                self._drop_vni(row.vni)
                row = self.rows[domain] = msgspec.structs.replace(row, vni=0)
            self._take_from(self.vnis.get(given_vni, domain), domain)
            if self._given.get(domain) != given_vni:
                self._forget_given(domain)
                self._given[domain] = given_vni
            self.vnis[given_vni] = domain
            return row, given_vni
        if not row.vni:
            self._forget_given(domain)
            vni = self._vnis.take(self.vnis)
            if vni is None:
                raise Refused("vni", "the VNI range is used up", "widen vxlan.vni_range", "busy")
            row = self.rows[domain] = msgspec.structs.replace(row, vni=vni)
            self.vnis[vni] = domain
        return row, row.vni

    def _take_from(self, holder: str, domain: str) -> None:
        """The VNI that was allocated to `holder`."""
        row = self.rows.get(holder)
        if holder != domain and row is not None and row.vni:
            self._drop_vni(row.vni)
            self.rows[holder] = msgspec.structs.replace(row, vni=0)

    def _forget_given(self, domain: str) -> None:
        vni = self._given.pop(domain, 0)
        if self.vnis.get(vni) == domain:
            del self.vnis[vni]

    def _drop_vni(self, vni: int) -> None:
        self._vnis.release(vni)
        self.vnis.pop(vni, None)

    def rename(self, old: str, new: str) -> None:
        """A domain got another key (its RTs are the key) and stays the same domain."""
        if new in self.rows:
            self.release(new)  # it was reserved for one that would be made
        if old in self.rows:
            row = self.rows[new] = self.rows.pop(old)
            if old in self._given:
                self._given[new] = self._given.pop(old)
            for vni in (row.vni, self._given.get(new, 0)):
                if self.vnis.get(vni) == old:
                    self.vnis[vni] = new

    def release(self, domain: str) -> None:
        row = self.rows.pop(domain, None)
        if row is None:
            return
        self._ids.release(row.id)
        self._rds.release(row.rd)
        for label in (row.label, *row.port_labels.values()):
            self._labels.release(label)
        for rd in row.port_rds.values():
            self._rds.release(rd)
        if row.vni:
            self._drop_vni(row.vni)
        self._forget_given(domain)

    # ---- of routed instances

    def label(self, domain: str, device: str = "") -> int:
        """The instance's MPLS label; `device` is where it leads to."""
        row = self.rows[domain]
        if not row.label:
            row = self.rows[domain] = msgspec.structs.replace(row, label=self._label(device))
        return row.label

    def port_label(self, domain: str, port: str, device: str = "") -> int:
        row = self.rows[domain]
        if port not in row.port_labels:
            labels = {**row.port_labels, port: self._label(device)}
            row = self.rows[domain] = msgspec.structs.replace(row, port_labels=labels)
        return row.port_labels[port]

    def port_rd(self, domain: str, port: str) -> int:
        row = self.rows[domain]
        if port not in row.port_rds:
            rd = self._rds.take()
            if rd is None:
                raise Refused("instances", "all 65535 automatic route distinguishers are in use", kind="busy")
            row = self.rows[domain] = msgspec.structs.replace(row, port_rds={**row.port_rds, port: rd})
        return row.port_rds[port]

    def _label(self, device: str) -> int:
        recalled = self._recalled.get(device)
        if recalled:
            return recalled.pop(0)
        label = self._labels.take()
        if label is None:
            raise Refused("instances", "the range of MPLS labels is used up", "widen ipvpn.label_range", "busy")
        return label

    def trim(self, domain: str, *, label: bool, labels: Container[str], rds: Container[str]) -> None:
        """Gives back what is no longer used: the instance's label unless `label`, those of ports not named."""
        row = self.rows[domain]
        if row.label and not label:
            self._labels.release(row.label)
            row = msgspec.structs.replace(row, label=0)
        for port, number in row.port_labels.items():
            if port not in labels:
                self._labels.release(number)
        for port, number in row.port_rds.items():
            if port not in rds:
                self._rds.release(number)
        self.rows[domain] = msgspec.structs.replace(
            row,
            port_labels={port: number for port, number in row.port_labels.items() if port in labels},
            port_rds={port: number for port, number in row.port_rds.items() if port in rds},
        )
