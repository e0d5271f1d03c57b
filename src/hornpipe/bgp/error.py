"""The two reactions to a peer's mistake that end something, as exceptions (RFC 4271 section 6, RFC 7606 section 2).

A decoder raises `SessionReset` where the session must end with a NOTIFICATION, `TreatAsWithdraw` where the routes of
the UPDATE count as withdrawn. The third, attribute discard, ends nothing: it is recorded in `Attributes.discarded`.
"""

from __future__ import annotations


class SessionReset(Exception):
    """The session ends; `code`, `subcode` and `data` are those of the NOTIFICATION, `text` is for people."""

    def __init__(self, code: int, subcode: int, data: bytes = b"", text: str = "") -> None:
        super().__init__(f"{code}/{subcode} {text}".rstrip())
        self.code = code
        self.subcode = subcode
        self.data = data
        self.text = text


class TreatAsWithdraw(Exception):
    """The UPDATE's routes count as withdrawn; `attribute` is the type code of the one at fault.

    `subcode` and `data` are for a NOTIFICATION, should the session have to end after all (RFC 7606 section 5.2).
    """

    def __init__(self, attribute: int, text: str, subcode: int = 1, data: bytes = b"") -> None:
        super().__init__(f"attribute {attribute}: {text}")
        self.attribute = attribute
        self.text = text
        self.subcode = subcode
        self.data = data


class TooLong(Exception):
    """Local: these attributes leave no room for a single NLRI in a message (RFC 8654 section 4: do not send it)."""
