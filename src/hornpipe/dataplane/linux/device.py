"""Links in the kernel: each function looks what is there and does what is missing, in the kernel thread."""

from __future__ import annotations

import errno
import os

from hornpipe.dataplane.linux import sysctl
from hornpipe.dataplane.linux.closing import Closing
from hornpipe.dataplane.linux.mirror import as_link
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Results
from hornpipe.forwarding.entry import ALIAS, PORT_ALIAS, Bridge, Gateway, NetnsPort, Port, Vxlan
from hornpipe.netlink import link
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.message import messages
from hornpipe.netlink.number import NLM_F_CREATE, NLM_F_EXCL, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK


class Conflict(Failure):
    """Something is in the way that is not ours to change."""

    def __init__(self, text: str) -> None:
        super().__init__(0)
        self.args = (text,)


class Devices:
    """`results` of the batch in hand collects what the links look like afterwards."""

    def __init__(self, sock: RouteSocket) -> None:
        self.sock = sock
        self._closing = Closing(sock)

    def link(self, name: str) -> LinkMessage | None:
        return find_link(self.sock, link.by_name(name))

    def change(self, payload: bytes) -> None:
        self.sock.request(RTM_NEWLINK, 0, payload)

    def create(self, name: str, payload: bytes) -> LinkMessage:
        """A new link, without IPv6 addresses of its own, and with no other router than this host."""
        self.sock.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload + link.made_by_us())
        found = self.link(name)
        if found is None:
            raise Conflict(f"{name} vanished as soon as it was made")
        self.no_link_local(found)
        take_no_advice(name)
        return found

    def no_link_local(self, found: LinkMessage) -> None:
        """A kernel without IPv6, or a link whose MTU is below 1280, has nothing to switch off."""
        self.sock.attempt(RTM_NEWLINK, 0, link.change_addr_gen(found.index), errno.EAFNOSUPPORT, errno.EINVAL)

    def delete(self, found: LinkMessage, results: Results) -> None:
        self.sock.attempt(RTM_DELLINK, 0, link.header(found.index), errno.ENODEV)
        results.gone.append(found.index)

    def make_way(self, found: LinkMessage, results: Results) -> None:
        """Deletes a link that cannot become what is to have its name. `Conflict` if it is not ours."""
        if not found.alias.startswith(ALIAS):
            raise Conflict(f"{found.name} exists, is not what is wanted and not hornpipe's: remove or rename it")
        self.delete(found, results)

    def bridge_of(self, entry: Vxlan | Port | NetnsPort | Gateway) -> LinkMessage:
        found = self.link(entry.bridge)
        if found is None:
            raise Conflict(f"bridge {entry.bridge} does not exist")
        return found

    def vrf_index(self, name: str) -> int:
        """0 for the host's own tables."""
        found = self.link(name) if name else None
        if name and found is None:
            raise Conflict(f"VRF {name} does not exist")
        return found.index if found is not None else 0

    # ---- put

    def put_bridge(self, entry: Bridge, results: Results) -> None:
        if not entry.owned:
            return
        found = self.link(entry.name)
        if found is None:
            found = self.create(entry.name, link.new_bridge(entry.name, entry.mac or random_mac(), entry.mtu))
        elif found.kind != "bridge":
            raise Conflict(f"{entry.name} exists and is not a bridge")
        take_no_advice(entry.name)
        if found.snooping:
            self.change(link.change_bridge(found.index))
        self._closing.set(found, entry.closed, results)
        master = self.vrf_index(entry.vrf)
        if found.master != master and (master or self._is_ours(found.master)):
            self.change(link.change(found.index, master=master))
        self.settle(found, ALIAS + entry.instance, entry.mtu, entry.mac)

    def settle(self, found: LinkMessage, alias: str | None, mtu: int | None, mac: bytes | None = None) -> None:
        """Mark, MTU, MAC and up, as far as they differ."""
        payload = link.change(
            found.index,
            up=None if found.up else True,
            mtu=mtu if mtu != found.mtu else None,
            mac=mac if mac != found.mac else None,
            alias=alias if alias != found.alias else None,
        )
        if payload != link.change(found.index):
            self.change(payload)

    def put_vxlan(self, entry: Vxlan, results: Results) -> None:
        bridge = self.bridge_of(entry)
        found = self.link(entry.name)
        if found is not None and not _can_become(found, entry):
            self.make_way(found, results)
            found = None
        if found is None:
            wanted = link.new_vxlan(entry.name, entry.vni, entry.local, entry.dstport, entry.mtu)
            found = self.create(entry.name, wanted)
        if found.local != entry.local or found.vxlan_learning:
            self.change(link.change_vxlan(found.index, entry.local))
        if found.master != bridge.index:
            self.change(link.change(found.index, master=bridge.index))
        if found.master != bridge.index or found.port_learning is not False or found.suppress is not entry.suppress:
            self.change(link.change_port(found.index, False, entry.suppress))
        self.settle(found, ALIAS + entry.instance, entry.mtu)

    def port(self, entry: Port) -> LinkMessage:
        found = self.link(entry.interface)
        if found is None:
            raise Conflict(f"interface {entry.interface} does not exist")
        return found

    def enslave(self, entry: Port | NetnsPort, found: LinkMessage, mark: str) -> None:
        """Into the bridge."""
        bridge = self.bridge_of(entry)
        if found.master != bridge.index:
            self.take(found, bridge.index)
            self.no_link_local(found)
        if found.master != bridge.index or found.port_learning is not entry.learn:
            self.change(link.change_port(found.index, entry.learn))
        self.settle(found, _mark(found, found.master != bridge.index, mark), entry.mtu)

    def join(self, found: LinkMessage, master: int, mark: str, mtu: int | None, mac: bytes | None = None) -> None:
        """Into a VRF, or (0) into the host's own tables."""
        if found.master != master:
            self.take(found, master)
        self.settle(found, _mark(found, found.master != master or not master, mark), mtu, mac)

    def take(self, found: LinkMessage, master: int) -> None:
        if found.master:
            self._may_take(found)
        self.change(link.change(found.index, master=master))

    def _may_take(self, found: LinkMessage) -> None:
        ours = found.alias.startswith((ALIAS, PORT_ALIAS)) or self._is_ours(found.master)
        master = find_link(self.sock, link.by_index(found.master))
        if master is not None and not ours:
            remedy = f"release it first (ip link set {found.name} nomaster)"
            raise Conflict(f"interface {found.name} is a port of {master.name}: {remedy}")

    def _is_ours(self, index: int) -> bool:
        found = find_link(self.sock, link.by_index(index)) if index else None
        return found is not None and found.alias.startswith(ALIAS)

    # ---- remove

    def remove_device(self, name: str, results: Results) -> None:
        """If it is ours."""
        found = self.link(name)
        if found is not None and found.alias.startswith(ALIAS):
            self.delete(found, results)

    def release(self, found: LinkMessage, expected: str) -> None:
        """Only from where we put it: from a device of ours, or with our mark on it."""
        master = find_link(self.sock, link.by_index(found.master)) if found.master else None
        marked = found.alias.startswith(PORT_ALIAS)
        if master is not None and master.name == expected and (marked or master.alias.startswith(ALIAS)):
            self.change(link.change(found.index, master=0))
        if marked:
            self.change(link.change(found.index, alias=""))

    def read_back(self, name: str, results: Results) -> None:
        found = self.link(name)
        if found is not None:
            results.links.append(as_link(found))


def take_no_advice(name: str) -> None:
    """Router advertisements of stations would give the host a default route."""
    sysctl.write_all({f"ipv6/conf/{name}/accept_ra": 0})


def _mark(found: LinkMessage, taken: bool, mark: str) -> str | None:
    """The alias to set; None: somebody else's words, or a link that was there before, both of which stay."""
    if found.alias.startswith((ALIAS, PORT_ALIAS)) or mark.startswith(ALIAS):
        return mark
    return mark if taken and not found.alias else None


def find_link(sock: RouteSocket, question: bytes) -> LinkMessage | None:
    try:
        data = sock.request(RTM_GETLINK, 0, question)
    except Failure as failure:
        if failure.number == errno.ENODEV:
            return None
        raise
    for kind, _, _, start, end in messages(data):
        if kind == RTM_NEWLINK:
            return LinkMessage(data, start, end)
    return None


def _can_become(found: LinkMessage, entry: Vxlan) -> bool:
    """VNI, port and the address family are fixed when a device is made."""
    return (
        found.kind == "vxlan"
        and found.vni == entry.vni
        and found.dstport == entry.dstport
        and len(found.local) == len(entry.local)
    )


def random_mac() -> bytes:
    """Locally administered, unicast."""
    return b"\x02" + os.urandom(5)
