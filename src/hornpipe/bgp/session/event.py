"""What a session tells the layer above, in order, through `Session.next_event`."""

from __future__ import annotations

import msgspec

from hornpipe.bgp.session.negotiation import Negotiated
from hornpipe.bgp.session.table import State


class StateChanged(msgspec.Struct, frozen=True):
    state: State
    previous: State
    reason: str


class Established(msgspec.Struct, frozen=True):
    conn: int
    negotiated: Negotiated


class UpdateReceived(msgspec.Struct, frozen=True):
    """Only without `Session.on_update`, or for an UPDATE that arrived behind an event not yet taken."""

    body: bytes


class RefreshReceived(msgspec.Struct, frozen=True):
    """ROUTE-REFRESH for a negotiated family; subtype 0 is a request, 1 and 2 are RFC 7313's BoRR and EoRR."""

    family: int
    subtype: int


class SessionDown(msgspec.Struct, frozen=True):
    """An established session ended. `code` and `subcode` are those of the NOTIFICATION sent or received, else 0."""

    reason: str
    code: int
    subcode: int
    graceful: bool
    """The peer's forwarding may be presumed intact: graceful restart was negotiated and covers this end (RFC 4724
    section 4.2, RFC 8538 section 4)."""


class CloseConnection(msgspec.Struct, frozen=True):
    """Close this TCP connection once what `data_to_send` still gives for it is written."""

    conn: int


Event = StateChanged | Established | UpdateReceived | RefreshReceived | SessionDown | CloseConnection
