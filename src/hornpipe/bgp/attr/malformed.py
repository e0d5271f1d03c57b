"""What a decoder of one attribute raises; the attribute table knows the reaction."""

from __future__ import annotations

from typing import Final

LENGTH_ERROR: Final = 5
INVALID_ORIGIN: Final = 6
OPTIONAL_ERROR: Final = 9
MALFORMED_AS_PATH: Final = 11


class Malformed(Exception):
    """The value of an attribute is not what its RFC says.

    `subcode` is that of RFC 4271 section 6.3; it is sent only if the session has to end for it (RFC 7606 section 5.2).
    """

    def __init__(self, text: str, subcode: int = LENGTH_ERROR) -> None:
        super().__init__(text)
        self.text = text
        self.subcode = subcode
