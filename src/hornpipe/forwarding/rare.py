"""The reconciler's side of rare entries: what is wanted, what is left to do, what failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from hornpipe.forwarding.batch import Batch, Results
from hornpipe.forwarding.entry import (
    ALIAS,
    PORT_ALIAS,
    Bridge,
    Entry,
    EntryKey,
    Gateway,
    InterfaceAddress,
    NetnsPort,
    Port,
    Tunnel,
    Vrf,
    addresses_of,
    alone,
    links_of,
)
from hornpipe.forwarding.link import Links
from hornpipe.forwarding.rule import Rule
from hornpipe.forwarding.verdict import verdict

RETRY_SECONDS = 5.0
"""How long an error rests before it is tried again without a new reason."""
FIGHT_LIMIT = 20
"""Writes of one device within a second after which somebody else is evidently undoing them: rest until the retry."""


class RareEntries:
    def __init__(self, links: Links) -> None:
        self.links = links
        self.wanted: dict[EntryKey, Entry] = {}
        self.todo: dict[EntryKey, None] = {}
        self.removals: dict[EntryKey, Entry] = {}
        self.retry_at = 0.0
        self._unseen: set[EntryKey] = set()
        """New or changed, or possibly damaged, and not all that belongs to them is mirrored: the driver has to look."""
        self._retired: list[Gateway | Rule] = []
        """Addresses, devices of gateways and places of rules that no entry wants any longer."""
        self._retiring: list[Gateway | Rule] = []
        """Those of them that are on their way."""
        self._not_retired: list[Gateway | Rule] = []
        self._failed_removals: dict[EntryKey, Entry] = {}
        self._refusals: dict[EntryKey, str] = {}
        """Why what should be gone is not."""
        self._problems: dict[EntryKey, tuple[str, str]] = {}
        """Not done and not on their way: (pending or error, reason)."""
        self._since: dict[EntryKey, float] = {}
        """When those of them, and what is tried again of them, were first refused or found to have to wait."""
        self._in_batch: dict[EntryKey, int] = {}
        self._users: dict[str, dict[EntryKey, None]] = {}
        """Keys by the link names that the entries mention."""
        self._writes: dict[EntryKey, tuple[float, int]] = {}

    def set(self, entry: Entry) -> bool:
        """False: it is wanted just so already."""
        key = entry.key
        old = self.wanted.get(key)
        if old == entry:
            return False
        if old is not None:
            self._forget_users(old)
        self.wanted[key] = entry
        given_up = self.removals.pop(key, None) or self._failed_removals.pop(key, None)
        self._retire_former(old or given_up, entry)
        for name in links_of(entry):
            self._users.setdefault(name, {})[key] = None
        if is_deep(entry):
            self._unseen.add(key)
        self._problems.pop(key, None)
        self._since.pop(key, None)
        self.todo[key] = None
        return True

    def remove(self, key: EntryKey) -> Entry | None:
        entry = self.wanted.pop(key, None)
        if entry is None:
            return None
        self._forget_users(entry)
        self._unseen.discard(key)
        self.todo.pop(key, None)
        self._problems.pop(key, None)
        self._since.pop(key, None)
        self._writes.pop(key, None)
        self.removals[key] = entry
        return entry

    def _retire_former(self, old: Entry | None, entry: Entry) -> None:
        """Addresses, and a gateway's device, that an entry no longer has; a rule's former place."""
        if isinstance(old, Rule):
            self._retired.append(old)
            return
        wanted = addresses_of(entry)
        for link, held in addresses_of(old).items():
            if isinstance(old, Gateway) and link == old.device and link not in wanted:
                self._retired.append(Gateway(bridge=old.bridge, instance=old.instance, addresses=(), device=link))
            else:
                self.retire(link, entry.instance, held - wanted.get(link, frozenset()))

    def retire(self, link: str, instance: str, addresses: frozenset[InterfaceAddress]) -> None:
        """Addresses that a link should no longer have."""
        if addresses:
            self._retired.append(Gateway(bridge=link, instance=instance, addresses=tuple(sorted(addresses))))

    def retire_unwanted(self) -> None:
        """A link of ours has the addresses of entries and no others (a link-local one is the kernel's).

        On somebody else's interface those that stand alone (/32, /128) are a routed port's gateways.
        """
        keep: dict[str, frozenset[InterfaceAddress]] = {}
        for entry in self.wanted.values():
            for name, addresses in addresses_of(entry).items():
                keep[name] = keep.get(name, frozenset()) | addresses
        for index, held in self.links.addresses.items():
            link = self.links.by_index.get(index)
            if link is None:
                continue
            foreign = link.alias.startswith(PORT_ALIAS)
            ours = link.alias.startswith(ALIAS) and ("bridge", link.name) in self.wanted
            if ours or link.name in keep:
                found = {one for one in held if one[0][:2] != b"\xfe\x80" and (not foreign or one == alone(one[0]))}
                instance = link.alias.partition(":")[2]
                self.retire(link.name, instance, frozenset(found) - keep.get(link.name, frozenset()))

    def retire_rules(self) -> None:
        """Rules of ours that nobody wants, or not at that place."""
        wanted = {entry.rule for entry in self.wanted.values() if isinstance(entry, Rule)}
        self._retired += [Rule(rule=found, instance="") for found in sorted(self.links.rules - wanted)]

    def rules_lost(self, family: int) -> None:
        """Rules of the family may be gone, or not be asked any more."""
        self.links.rules = {found for found in self.links.rules if found.family != family}
        for key, entry in self.wanted.items():
            if isinstance(entry, Rule) and entry.rule.family == family:
                self.todo[key] = None

    def affected(self, link: str, users_too: bool) -> None:
        """A link changed; `users_too`: so that entries which only mention it are to be looked at again."""
        found = self.links.by_name.get(link)
        lost = found is None or not found.up  # and with that, perhaps, what is not mirrored
        for key in self._users.get(link, ()):
            if users_too or key[1] == link:
                self.todo[key] = None
                if lost and is_deep(self.wanted[key]) and key[1] == link and key not in self._in_batch:
                    self._unseen.add(key)

    def look_again(self, key: EntryKey) -> None:
        """Something of the entry that is not mirrored was changed."""
        if key in self.wanted:
            self._unseen.add(key)
            self.todo[key] = None

    def doubt_all(self) -> None:
        """Anything may have happened to any of them."""
        for key, entry in self.wanted.items():
            self.todo[key] = None
            if is_deep(entry):
                self._unseen.add(key)

    def routing_tables(self) -> dict[str, int]:
        """VRF -> number of its table, there or not."""
        return {entry.name: entry.table for entry in self.wanted.values() if isinstance(entry, Vrf)}

    def users_of(self, link: str) -> tuple[EntryKey, ...]:
        return tuple(self._users.get(link, ()))

    @property
    def has_work(self) -> bool:
        return bool(self.todo or self.removals or self._retired)

    def take_removals(self, batch: Batch, is_needed: Callable[[Entry], bool] | None) -> None:
        """What `is_needed` stays until a later batch."""
        later = {key: entry for key, entry in self.removals.items() if is_needed is not None and is_needed(entry)}
        going = [entry for key, entry in self.removals.items() if key not in later]
        retired = [one for one in map(self._still_unwanted, self._retired) if one is not None]
        self._retiring += retired
        batch.removals = sorted((*retired, *going), key=lambda entry: -entry.rank)
        self._retired.clear()
        self.removals = later
        for entry in (*batch.puts, *batch.removals):
            self._in_batch[entry.key] = batch.number

    def _still_unwanted(self, retired: Gateway | Rule) -> Gateway | Rule | None:
        if isinstance(retired, Rule):
            entry = self.wanted.get(retired.key)
            return None if isinstance(entry, Rule) and entry.rule == retired.rule else retired
        wanted: set[InterfaceAddress] = set()
        for key in self._users.get(retired.device or retired.bridge, ()):
            addresses = addresses_of(self.wanted[key])
            if retired.device and retired.device in addresses:
                return None
            wanted |= addresses.get(retired.bridge, frozenset())
        left = tuple(address for address in retired.addresses if address not in wanted)
        return msgspec.structs.replace(retired, addresses=left) if left or retired.device else None

    def take_puts(self, batch: Batch, now: float) -> None:
        coming: set[str] = set()
        entries = [self.wanted[key] for key in self.todo if key in self.wanted and key not in self._in_batch]
        # What the kernel's thread is at looks half made to the mirror: its report, which comes, says what is left.
        self.todo = {key: None for key in self.todo if key in self.wanted and key in self._in_batch}
        for entry in sorted(entries, key=lambda entry: entry.rank):
            what, reason = verdict(entry, self.links, coming)
            if what == "done" and entry.key in self._unseen:
                what = "apply"
            if what == "wait":
                self._problem(entry.key, "pending", reason, now)
            elif what == "apply" and self._is_fought(entry.key, now):
                self._problem(entry.key, "error", f"{entry.name} is changed by somebody else again and again", now)
                self.retry_at = self.retry_at or now + RETRY_SECONDS
            else:
                self._problems.pop(entry.key, None)
                if what == "apply":
                    self._unseen.discard(entry.key)
                    batch.puts.append(entry)
                    if isinstance(entry, Bridge | Vrf):
                        coming.add(entry.name)
                else:
                    self._since.pop(entry.key, None)

    def _is_fought(self, key: EntryKey, now: float) -> bool:
        since, count = self._writes.get(key, (now, 0))
        if now - since > 1.0:
            since, count = now, 0
        self._writes[key] = (since, count + 1)
        return count >= FIGHT_LIMIT

    def report(self, batch: Batch, results: Results, now: float) -> None:
        for entry in (*batch.puts, *batch.removals):
            if self._in_batch.get(entry.key) == batch.number:
                del self._in_batch[entry.key]
            if entry.key not in results.entries:
                self._since.pop(entry.key, None)
        retired = [one for one in self._retiring if any(entry is one for entry in batch.removals)]
        self._retiring = [one for one in self._retiring if not any(one is entry for entry in retired)]
        self._not_retired += [one for one in retired if one.key in results.entries]
        self._refusals.update({one.key: results.entries[one.key] for one in retired if one.key in results.entries})
        removed = {entry.key: entry for entry in batch.removals if not any(entry is one for one in retired)}
        for key, reason in results.entries.items():
            if key in self.wanted:
                self._problem(key, "error", reason, now)
                if is_deep(self.wanted[key]):
                    self._unseen.add(key)
                if key in removed:  # wanted again meanwhile, and perhaps not with all that it had
                    self._retire_former(removed[key], self.wanted[key])
            elif key in removed:
                self._failed_removals[key] = removed[key]
                self._refusals[key] = reason
            self.retry_at = self.retry_at or now + RETRY_SECONDS

    def retry(self) -> None:
        """Tries again what failed or waits."""
        for key in self._problems:
            self.todo[key] = None
        self._retired += self._not_retired
        self._not_retired.clear()
        self.removals.update(self._failed_removals)
        self._failed_removals.clear()
        self._refusals.clear()

    def status(self, key: EntryKey) -> tuple[str, str]:
        if key in self._problems:
            return self._problems[key]
        if key in self.todo or key in self._in_batch:
            return "pending", ""
        return "done", ""

    def going(self) -> frozenset[str]:
        """Names of the links that are on their way out, or will be."""
        retired = (*self._retired, *self._retiring, *self._not_retired)
        names = {one.device for one in retired if isinstance(one, Gateway)}
        names |= {name for _, name in (*self.removals, *self._failed_removals, *self._in_batch)}
        for entry in (*self.removals.values(), *self._failed_removals.values()):
            names |= links_of(entry)
        return frozenset(names)

    def remains(self) -> Iterator[tuple[Entry, str]]:
        """What could not be removed, and why."""
        for entry in (*self._failed_removals.values(), *self._not_retired):
            yield entry, self._refusals.get(entry.key, "")

    def since(self, key: EntryKey) -> float | None:
        """When it began to be refused or to wait; None: it does not."""
        return self._since.get(key)

    def _problem(self, key: EntryKey, status: str, reason: str, now: float) -> None:
        self._problems[key] = (status, reason)
        self._since.setdefault(key, now)

    def _forget_users(self, entry: Entry) -> None:
        for name in links_of(entry):
            users = self._users[name]
            users.pop(entry.key, None)
            if not users:
                del self._users[name]


def is_deep(entry: Entry) -> bool:
    """More belongs to it than the mirror shows: inside a namespace, kernel settings, neighbours, ports of FOU."""
    if isinstance(entry, Port):
        return entry.routed is not None
    if isinstance(entry, Bridge):
        return entry.routed
    return isinstance(entry, NetnsPort | Vrf | Tunnel) or (isinstance(entry, Gateway) and bool(entry.device))
