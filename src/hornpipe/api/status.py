"""/v1/status, /healthz and /readyz: is it alive, is it ready, and if not, what does it wait for."""

from __future__ import annotations

import msgspec

from hornpipe.api.operation import Call, Reply
from hornpipe.api.problem import Problem
from hornpipe.engine.rows import StatusRow


class Health(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    version: str


def get_status(call: Call) -> StatusRow:
    return call.context.engine.status()


def health(call: Call) -> Health:
    """Alive: the loop answers. Nothing else is asked, so that a probe restarts only what hangs."""
    return Health(status="alive", version=call.context.version)


def ready(call: Call) -> Reply:
    """Ready: the gates up to peers-synced are open, so what is forwarded is what the network says."""
    status = call.context.engine.status()
    if status.ready:
        return Reply(Health(status="ready", version=call.context.version))
    waiting = [f"{gate.gate}: {gate.reason or 'not open'}" for gate in status.gates if not gate.open]
    raise Problem("busy", "not ready; " + "; ".join(waiting), remedy="see `hornpipe show status`")
