"""Forwarding between interfaces, which a gateway needs. Switched on, never off: others may need it, too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hornpipe.cni import failure
from hornpipe.cni.failure import CniFailure

SWITCHES = {4: Path("/proc/sys/net/ipv4/ip_forward"), 6: Path("/proc/sys/net/ipv6/conf/all/forwarding")}


def enable_forwarding(families: Iterable[int]) -> None:
    """Writes only where it is off, as writing resets what interfaces have of their own."""
    for family in families:
        switch = SWITCHES[family]
        try:
            if switch.read_text().strip() == "0":
                switch.write_text("1\n")
        except OSError as error:
            raise CniFailure(failure.IO, f"{switch} cannot be set", error.strerror or str(error)) from error
