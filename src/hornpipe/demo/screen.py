"""What the demonstration shows: steps, the commands as they are typed, their output, and what was found."""

from __future__ import annotations

import os
import sys
import time


class Screen:
    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._colour = sys.stdout.isatty() or "CLICOLOR_FORCE" in os.environ
        self.failures: list[str] = []

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._begun

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def step(self, text: str) -> None:
        print(f"\n{self._paint('1', f'[{self.elapsed:5.1f} s] {text}')}", flush=True)

    def command(self, host: str, line: str) -> None:
        print(f"  {self._paint('36', f'{host}# {line}')}", flush=True)

    def output(self, text: str, most: int = 20) -> None:
        lines = text.rstrip().splitlines()
        for line in lines[:most]:
            print(f"    {line}", flush=True)
        if len(lines) > most:
            print(f"    ... {len(lines) - most} more", flush=True)

    def say(self, text: str) -> None:
        print(f"  {text}", flush=True)

    def found(self, what: str, good: bool, detail: str = "") -> None:
        """A fact that the demonstration promises."""
        mark = self._paint("32", "ok  ") if good else self._paint("31;1", "FAIL")
        print(f"  {mark} {what}{f': {detail}' if detail else ''}", flush=True)
        if not good:
            self.failures.append(what)
