"""The nexthop objects that routes use: one for each way out, groups of them for several, counted by their users.

A way is written when its device can carry it (up, with carrier) and a route wants it. The kernel drops nexthops without
a word when their device goes down, and the routes with them; so a nexthop that is *lost* has all its routes written
again once it is back. A group has those of its members that can be written, and lives as long as one of them does.

A number is given when a nexthop is first written: one that was found at start with the same content is taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hornpipe.forwarding.batch import Batch, Results
from hornpipe.forwarding.link import Links
from hornpipe.forwarding.nexthop import FIRST, LAST, UNREACHABLE, Group, Nexthop, One
from hornpipe.forwarding.nexthop_state import NexthopState, can_carry
from hornpipe.forwarding.table import Hops


class Nexthops:
    def __init__(self, links: Links, may_use_found: Callable[[], bool]) -> None:
        """`may_use_found`: whether there are routes in the kernel that may still be as they were found at start."""
        self._links = links
        self._may_use_found = may_use_found
        self.unreachable = NexthopState(0, "")
        self.unreachable.number, self.unreachable.written, self.unreachable.users = UNREACHABLE, Group(()), 1
        self.by_hops: dict[tuple[int, Hops], NexthopState] = {}
        """(4 or 6 for the family of the route, hops)"""
        self.by_number: dict[int, NexthopState] = {}
        self._singles: dict[tuple[int, str, bytes, tuple[int, ...]], NexthopState] = {}
        self._groups: dict[tuple[tuple[NexthopState, int], ...], NexthopState] = {}
        self._on_device: dict[str, dict[NexthopState, None]] = {}
        self._devices: dict[str, tuple[int, int]] = {}
        """(ifindex, master) of devices that can carry nexthops now, among those that we use."""
        self.dirty: dict[NexthopState, None] = {}
        self.idle: dict[NexthopState, None] = {}
        """Without users, to be deleted when no route can need them any longer."""
        self.back: dict[NexthopState, None] = {}
        """Lost ones that are there again: their routes are to be written."""
        self._failed: dict[NexthopState, None] = {}
        self._missed: dict[NexthopState, None] = {}
        """Those that became so since `heard` was told the time."""
        self._found: dict[Nexthop, int] = {}
        """Found at start and not taken over: content -> number."""
        self._taken: set[int] = set()
        """Numbers found at start, or seen at somebody else's. Never used anew: routes found at start tell by the number
        whether they are as they should be."""
        self._pruning = False
        self.undeletable: dict[int, str] = {}
        """Number -> why. Until the retry, when they are `_undeleted` again."""
        self._undeleted: list[int] = []
        self._unclaimed: list[int] = []
        """Found at start and of no use: with the content of another one, changed since, or without a member by now."""
        self._next = FIRST
        self._reports = 0
        self.changes = 0
        """How often somebody else, or a device, changed what there is."""

    def __len__(self) -> int:
        return len(self._singles) + len(self._groups)

    # ---- users

    def get(self, v: int, hops: Hops) -> NexthopState:
        """The nexthop for these hops of a route of family 4 or 6; made if it is new, and not counted yet."""
        state = self.by_hops.get((v, hops))
        if state is None:
            state = self._make(v, hops)
            if state is not self.unreachable:
                self.by_hops[(v, hops)] = state
                state.names.append((v, hops))
        return state

    def _make(self, v: int, hops: Hops) -> NexthopState:
        weights: dict[NexthopState, int] = {}
        for hop in hops:
            if hop.device:
                family = (4 if len(hop.gateway) == 4 else 6) if hop.gateway else v
                single = self._single(family, hop.device, hop.gateway, hop.labels)
                weights[single] = min(256, weights.get(single, 0) + max(1, hop.weight))
        if len(weights) <= 1:
            return next(iter(weights), self.unreachable)
        members = tuple(weights.items())
        group = self._groups.get(members)
        if group is None:
            group = self._groups[members] = NexthopState(0, "")
            group.members = members
            for single, _ in members:
                single.users += 1
                single.groups[group] = None
                self.idle.pop(single, None)
            self.idle[group] = None
        return group

    def _single(self, v: int, device: str, gateway: bytes, labels: tuple[int, ...]) -> NexthopState:
        state = self._singles.get((v, device, gateway, labels))
        if state is None:
            state = self._singles[(v, device, gateway, labels)] = NexthopState(v, device, gateway, labels)
            self._on_device.setdefault(device, {})[state] = None
            self._note_device(device)
            self.idle[state] = None
        return state

    def numbered(self, number: int) -> NexthopState | None:
        return self.unreachable if number == UNREACHABLE else self.by_number.get(number)

    def release(self, state: NexthopState) -> None:
        """A user less."""
        state.users -= 1
        if not state.users:
            self.idle[state] = None

    def is_used_on(self, device: str) -> bool:
        return any(state.users for state in self._on_device.get(device, ()))

    # ---- what can be written

    def usable(self, state: NexthopState, batch: Batch) -> bool:
        """Whether a route can use it after this batch's nexthops; puts it into the batch if that is what it takes."""
        if state.written is not None:
            return True
        for part in (*(single for single, _ in state.members), state):
            if part.written is None and part not in self._failed:  # what failed rests until the retry
                self._put(part, batch)
        return state.written is not None

    def take(self, batch: Batch) -> None:
        """What is dirty; the routes of what comes back are then in `back`."""
        dirty, self.dirty = self.dirty, {}
        for state in dirty:
            if state.users and not state.members:
                self._put(state, batch)
        dirty.update(self.dirty)
        self.dirty.clear()
        for state in dirty:
            if not state.users:
                state.written = None  # as it is now it serves nobody; who comes has it written
            elif state.members:
                self._put(state, batch)

    def _put(self, state: NexthopState, batch: Batch) -> None:
        content = self._content(state)
        self.dirty.pop(state, None)
        self._failed.pop(state, None)
        if content is None or content == state.written:
            return
        number = self._found.pop(content, None) if state.number < 0 else None
        if number is None:
            if state.number < 0:
                self._number(state, self._free_number())
            batch.nexthops[state.number] = content
        else:
            self._number(state, number)
            state.since = None
        if state.written is None:
            self.dirty.update(state.groups)
        state.written, state.reason = content, ""
        if state.lost:
            state.lost = False
            self.back[state] = None

    def _content(self, state: NexthopState) -> Nexthop | None:
        if state.members:
            usable = [(single.number, weight) for single, weight in state.members if single.written is not None]
            state.reason = "" if usable else state.members[0][0].reason
            return Group(tuple(sorted(usable))) if usable else None
        at = self._devices.get(state.device)
        if at is None:
            state.reason = self._why_not(state.device)
            return None
        return One(state.v, at[0], state.gateway, state.labels)

    def _why_not(self, device: str) -> str:
        link = self._links.by_name.get(device)
        if link is None:
            return f"interface {device} does not exist"
        return f"interface {device} is down" if not link.up else f"interface {device} has no carrier"

    def _number(self, state: NexthopState, number: int) -> None:
        state.number = number
        self.by_number[number] = state

    def _free_number(self) -> int:
        while self._next in self._taken or self._next in self.by_number:
            self._next = FIRST if self._next >= LAST else self._next + 1
        number, self._next = self._next, FIRST if self._next >= LAST else self._next + 1
        return number

    # ---- what the kernel did

    def start(self, found: dict[int, Nexthop | None]) -> None:
        self._taken = set(found)
        for number, content in found.items():
            if content is not None:
                if content in self._found:
                    self._unclaimed.append(number)
                else:
                    self._found[content] = number
        for device in self._on_device:
            self._note_device(device)
        self.dirty.update(dict.fromkeys(self._singles.values()))

    def device_changed(self, name: str) -> None:
        """A link is new, changed or gone. What was on it is lost if it was down, without carrier or another one."""
        if self._found:
            self._forget_found()
        if name not in self._on_device:
            return
        before = self._devices.get(name)
        self._note_device(name)
        if before != self._devices.get(name):
            self.changes += 1
            for state in self._on_device[name]:
                self._lose(state)

    def _note_device(self, name: str) -> None:
        link = self._links.by_name.get(name)
        if can_carry(link):
            self._devices[name] = (link.index, link.master)
        else:
            self._devices.pop(name, None)

    def _forget_found(self) -> None:
        """What was found on a device that is down since has gone with its routes."""
        gone = {
            number
            for content, number in self._found.items()
            if isinstance(content, One) and not can_carry(self._links.by_index.get(content.oif))
        }
        for content, number in list(self._found.items()):
            if number in gone or (isinstance(content, Group) and any(member in gone for member, _ in content.members)):
                del self._found[content]
                self._unclaimed.append(number)

    def _lose(self, state: NexthopState) -> None:
        """The kernel has it no longer; its groups go on with what is left."""
        self.dirty[state] = None
        state.lost = state.lost or state.users > 0
        self.missed(state)
        if state.written is not None:
            state.written = None
            for group in state.groups:
                self._lose_member(group, state)
        self._disown(state)

    def _lose_member(self, group: NexthopState, single: NexthopState) -> None:
        self.dirty[group] = None
        if isinstance(group.written, Group):
            left = tuple(member for member in group.written.members if member[0] != single.number)
            group.written = Group(left) if left else None
            if left:
                return
        group.lost = group.lost or group.users > 0
        self.missed(group)
        self._disown(group)

    def missed(self, state: NexthopState) -> None:
        """It cannot be used; since when is told by `heard`."""
        if state.since is None:
            self._missed[state] = None

    def heard(self, now: float) -> None:
        for state in self._missed:
            if state.written is None:
                state.since = now
        self._missed.clear()

    def _disown(self, state: NexthopState) -> None:
        """Routes found at start with its number may have gone with it, so what takes its place has another one."""
        if state.number in self._taken:
            del self.by_number[state.number]
            self._unclaimed.append(state.number)
            state.number = -1

    def event(self, number: int, content: Nexthop | None) -> None:
        """Somebody changed or deleted a nexthop in our range."""
        self.changes += 1
        state = self.by_number.get(number)
        if state is None:
            found = next((found for found, at in self._found.items() if at == number), None)
            if found is not None:
                del self._found[found]
                if content is not None:
                    self._unclaimed.append(number)
            self._taken.add(number)
        elif content is None:
            self._lose(state)
        elif content != state.written:
            state.written = content
            self.dirty[state] = None

    def doubt_all(self) -> None:
        """Events were lost: all are written again, and so are all routes. What was found at start may be gone."""
        self._unclaimed += self._found.values()
        self._found.clear()
        for state in self._singles.values():
            self._lose(state)
        for state in self._groups.values():
            self._lose(state)

    def written(self) -> list[NexthopState]:
        """Those that the kernel should hold now."""
        return [state for state in self.by_number.values() if state.written is not None and state not in self.dirty]

    def judge(self, number: int, expected: Nexthop, found: Nexthop | None) -> bool:
        """What was read back is not what was expected. False: it is another matter since."""
        state = self.by_number.get(number)
        if state is None or state.written != expected or state in self.dirty:
            return False
        self.event(number, found)
        return True

    @property
    def has_lost(self) -> bool:
        """Some that routes use are not in the kernel now."""
        every = (*self._singles.values(), *self._groups.values())
        return any(state.written is None and state.users for state in every)

    # ---- what became of a batch

    def report(self, batch: Batch, results: Results) -> bool:
        """True if something failed."""
        self._reports += 1
        for number in batch.nexthops.keys() - results.nexthops.keys():
            made = self.by_number.get(number)
            if made is not None and made.written is not None and made.since is not None:
                made.mended, made.since = (made.since, self._reports), None
        for number, reason in results.nexthops.items():
            state = self.by_number.get(number)
            if state is not None and number in batch.nexthops:
                fresh = state in self.dirty
                self._lose(state)
                if not fresh:  # else there is news of its device since: it is tried again at once
                    del self.dirty[state]
                    self._failed[state] = None
                state.reason = reason
            elif number not in batch.nexthops:
                self.undeletable[number] = reason
        return bool(results.nexthops)

    def retry(self, doubtful: Iterable[NexthopState] = ()) -> None:
        """Tries again what failed; `doubtful` are those that routes could not be written with."""
        for state in doubtful:
            if state.written is not None and state is not self.unreachable:
                state.written = None
                self._failed[state] = None
        self.dirty.update(self._failed)
        self._failed.clear()
        self._undeleted += self.undeletable
        self.undeletable.clear()

    # ---- what nobody needs

    def prune(self) -> None:
        """What was found at start and is not taken over goes, once routes had the opportunity to."""
        self._pruning = True

    @property
    def has_work(self) -> bool:
        return bool(self.dirty or self.back or self.idle or self._unused())

    def _unused(self) -> list[int]:
        if not self._pruning or not (self._unclaimed or self._found) or self._keeps_found:
            return self._undeleted
        groups = [number for content, number in self._found.items() if isinstance(content, Group)]
        singles = [number for content, number in self._found.items() if isinstance(content, One)]
        return self._undeleted + self._unclaimed + groups + singles

    @property
    def _keeps_found(self) -> bool:
        """What the kernel refused to write anew, or nobody looked at yet, is there as it was found, and would go with
        the nexthop it is on."""
        return bool(self._failed) or self._may_use_found()

    def take_deletes(self, batch: Batch) -> None:
        """Only when no route on its way, or to be deleted, uses them: the kernel deletes routes with their nexthop."""
        idle, self.idle = self.idle, {}
        singles = [state for state in idle if not state.members]
        for group in idle:
            if group.members and not group.users:
                self._drop(group, batch)
                del self._groups[group.members]
                for single, _ in group.members:
                    del single.groups[group]
                    single.users -= 1
                    singles.append(single)
        for single in dict.fromkeys(singles):
            if not single.users:
                self._drop(single, batch)
                self._drop_single(single)
        batch.nexthop_deletes += self._unused()
        self._undeleted.clear()
        if self._pruning and not self._keeps_found:
            self._unclaimed.clear()
            self._found.clear()

    def _drop(self, state: NexthopState, batch: Batch) -> None:
        for name in state.names:
            del self.by_hops[name]
        for states in (self.dirty, self.back, self._failed, self._missed):
            states.pop(state, None)
        if state.number >= 0:
            del self.by_number[state.number]
            if state.number in self._taken and self._keeps_found:
                self._give_back(state)
            else:
                batch.nexthop_deletes.append(state.number)

    def _give_back(self, state: NexthopState) -> None:
        """Routes found at start may be on it: it is as if it had not been taken over."""
        if state.written is None or state.written in self._found:
            self._unclaimed.append(state.number)
        else:
            self._found[state.written] = state.number

    def _drop_single(self, state: NexthopState) -> None:
        del self._singles[(state.v, state.device, state.gateway, state.labels)]
        on_device = self._on_device[state.device]
        del on_device[state]
        if not on_device:
            del self._on_device[state.device]
            self._devices.pop(state.device, None)
