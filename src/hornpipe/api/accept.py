"""The Accept header (RFC 9110 section 12.5.1): which of the offered content types a client likes best."""

from __future__ import annotations

from collections.abc import Sequence


def _ranges(header: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if name:
            found.append((name, quality))
    return found


def quality(header: str, offer: str) -> float:
    """0 if the offer is not acceptable; the most specific range that covers it decides."""
    ranges = _ranges(header)
    major = offer.split("/", 1)[0]
    for name in (offer, f"{major}/*", "*/*"):
        for given, value in ranges:
            if given == name:
                return value
    return 0.0


def best(header: str, offers: Sequence[str]) -> str:
    """The offer the client likes best, the earlier one when it does not care; empty if it takes none."""
    ranked = sorted(offers, key=lambda offer: -quality(header, offer))
    return ranked[0] if ranked and quality(header, ranked[0]) > 0 else ""
