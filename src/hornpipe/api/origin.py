"""Who may ask a change of an API without passwords: programs, and pages of this daemon. Never a page of another site.

A browser names the page's origin with every request that changes something. That it equals the Host header is not
enough: a name of an attacker's may be made to resolve to 127.0.0.1 (DNS rebinding), so the host must also be an address
or ``localhost``, which nobody else can have.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from hornpipe.net.ip import Address

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""


def may_change(method: str, origin: str | None, host: str) -> bool:
    if method in SAFE or origin is None:
        return True
    page = urlsplit(origin)
    return page.netloc == host and _is_local_name(page.hostname or "")


def _is_local_name(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        Address.parse(name)
    except ValueError:
        return False
    return True
