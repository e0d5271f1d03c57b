"""How long things may take, as it follows from what every daemon of the fleet is configured with.

Nothing here is measured: a daemon that takes longer than this is wrong.
"""

from __future__ import annotations

from hornpipe.bgp.session import backoff
from hornpipe.engine import startup
from hornpipe.sim.fleet import settings_of

FLEET = settings_of("10.0.0.1", ("10.0.0.2",))
"""As `World` makes them."""
PEER = FLEET.peers[0]

HOLD = float(PEER.hold_time)
"""A connection that has gone without a word is lost at the latest after this."""
STALE = max(FLEET.stale_time, float(PEER.graceful_restart_time))
"""Paths of a lost session are kept for this long: a host keeps the reflector's, a reflector its client's."""
RETRY = PEER.connect_retry
"""The longest pause between two attempts to connect."""
TALK = 1.0
"""To connect, to open and to say everything: some round trips of milliseconds."""
CALM = backoff.LASTING
"""A session that lasts this long has said all it has, and earlier offences are forgotten."""

PATIENCE = STALE - RETRY - TALK
"""What is broken for no longer than this must not be felt, even if the session goes at once: it has come back, and
everything has been said again, before what is stale goes."""
AFTERMATH = HOLD + STALE + RETRY + TALK
"""What was lost in a fault that lasted longer goes so long after it at the latest: a session may be found dead
only now, and what it brought is stale after that."""
WAITS = startup.PATIENCE + RETRY + TALK
"""A reflector that begins to run hears of what there is for this long, until a client that is late has connected."""
HOP = HOLD + 2 * STALE
"""News that one session does not pass on: it is dead for `HOLD`, then stale, which one new session may extend."""
SETTLED = STALE
"""A station that has moved is nowhere else for anybody after this: what kept its former host from saying so
was over by then, or excuses (`Troubles`)."""
LATE = 2 * HOP
"""News from a host to a reflector and on to a host. What a station has left may be pointed at for so long."""
