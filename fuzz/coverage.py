"""Which input reached something new: arcs between lines of hornpipe's own code, by the interpreter's trace hook.

Plain Python, so that it runs wherever the tests do; atheris is faster, but is built for a few interpreters only. Of a
function whose arcs have been the same for `STEADY` calls nothing is recorded but every `AGAIN`-th call, so that what is
known costs little and the rest of the time goes to what is not.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeAlias

STEADY = 2000
AGAIN = 4

Arc: TypeAlias = tuple[CodeType, int, int]


class Coverage:
    def __init__(self, seed: int = 0) -> None:
        self.arcs: set[Arc] = set()
        self._steady: dict[CodeType, int] = {}
        """Calls since something new was seen in the function; -1: it is not ours."""
        self._new = False
        self._random = random.Random(seed).random

    def is_news(self, call: Callable[[], Any]) -> tuple[Any, bool]:
        """(what it returns, it went where nothing has been)"""
        self._new = False
        sys.settrace(self._enter)
        try:
            result = call()
        finally:
            sys.settrace(None)
        return result, self._new

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        steady = self._steady.get(code)
        if steady is None:
            steady = self._steady[code] = 0 if "/hornpipe/" in code.co_filename else -1
        if steady < 0:
            return None
        self._steady[code] = steady + 1
        if steady > STEADY and self._random() * AGAIN > 1:
            return None
        arcs, last = self.arcs, 0

        def line(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            arc = (code, last, frame.f_lineno)
            last = frame.f_lineno
            if arc not in arcs:
                arcs.add(arc)
                self._steady[code] = 0
                self._new = True
            return line

        return line
