"""What is wrong with a configuration: the file, the key and the remedy, in one line a person can act on."""

from __future__ import annotations


class ConfigError(Exception):
    """`key` is a dotted TOML path (``bgp.local_as``) or an INI one (``[BGP] my_as``); empty if it is the whole file."""

    def __init__(self, file: str, key: str, reason: str, remedy: str) -> None:
        super().__init__(": ".join(part for part in (file, key, f"{reason} ({remedy})" if remedy else reason) if part))
        self.file, self.key, self.reason, self.remedy = file, key, reason, remedy
