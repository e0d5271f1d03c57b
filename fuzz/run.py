"""Runs the fuzz targets for a while and says what was found.

    python -m fuzz.run --seconds 60            all targets, a minute together, guided by coverage
    python -m fuzz.run --plain update          without looking at what is reached: ten times as many inputs
    python -m fuzz.run update open --seed 7    two of them
    python -m fuzz.run --atheris update        by atheris, where it is installed

A finding is printed with its input in hexadecimal and makes the exit status 1; `--repeat HEX TARGET` runs one again.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence
from functools import partial

from fuzz.bodies import BODIES
from fuzz.coverage import Coverage
from fuzz.target import Target
from fuzz.targets import TARGETS

ALL = (*TARGETS, *BODIES)
BY_NAME = {target.name: target for target in ALL}

MAX_FINDINGS = 5
"""For each target: more of the same bug do not help."""


def attempt(target: Target, data: bytes) -> str:
    """Empty, or the traceback of an exception the target's documentation does not name."""
    try:
        target.run(data)
    except target.documented:
        return ""
    except Exception:  # finding every other kind is the point
        return traceback.format_exc()
    return ""


def fuzz(
    target: Target, seed: int, seconds: float, limit: int = 0, coverage: Coverage | None = None
) -> tuple[int, list[tuple[bytes, str]]]:
    """Inputs tried, and (input, traceback) of the findings; ends after `seconds`, or `limit` inputs if it is given.

    With `coverage`, an input that reaches something new is one to begin with from then on.
    """
    mutator = target.mutator(seed, target.seeds)
    findings: dict[str, tuple[bytes, str]] = {}
    count = 0
    end = time.monotonic() + seconds
    for known in target.seeds if coverage is not None else ():
        coverage.is_news(partial(attempt, target, known))  # type: ignore[union-attr]  # there are none without it
    while len(findings) < MAX_FINDINGS and not (limit and count >= limit):
        if count % 64 == 0 and time.monotonic() > end:
            break
        data = mutator.next()
        count += 1
        if coverage is None:
            trouble = attempt(target, data)
        else:
            trouble, news = coverage.is_news(partial(attempt, target, data))
            if news:
                mutator.learn(data)
        if trouble:
            findings.setdefault(place_of(trouble), (data, trouble))
    return count, list(findings.values())


def place_of(trouble: str) -> str:
    """Where it was raised: the same finding by another input is one finding."""
    return trouble.rsplit('  File "', 1)[-1].split(", in ", maxsplit=1)[0]


def report(target: Target, findings: Sequence[tuple[bytes, str]]) -> None:
    for data, trouble in findings:
        print(f"\nFINDING in {target.name}, repeat with: --repeat {data.hex() or '-'} {target.name}\n{trouble}")


def guided(target: Target, arguments: list[str]) -> int:
    """Hands the target to atheris, which stops at the first finding."""
    try:
        import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        print("atheris is not installed; run without --atheris", file=sys.stderr)
        return 2

    def once(data: bytes) -> None:
        try:
            target.run(data)
        except target.documented:
            return

    atheris.Setup([sys.argv[0], *arguments], once)
    atheris.Fuzz()
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description="Mutated messages at every decoder.")
    parser.add_argument("words", nargs="*", metavar="TARGET|SECONDS", help=f"of {', '.join(BY_NAME)}; default: all")
    parser.add_argument("--seconds", type=float, default=120.0, help="for all targets together (default 120)")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run; default: a new one each time")
    parser.add_argument("--repeat", metavar="HEX", help="run one input again, with its exception shown")
    parser.add_argument("--plain", action="store_true", help="not guided by coverage")
    parser.add_argument("--atheris", action="store_true", help="one target, by atheris")
    options = parser.parse_args(arguments)
    options.targets = []
    for word in options.words:
        if word in BY_NAME:
            options.targets.append(BY_NAME[word])
        elif word.replace(".", "", 1).isdigit():
            options.seconds = float(word)
        else:
            parser.error(f"{word} is neither a target nor a number of seconds; targets: {', '.join(BY_NAME)}")
    if (options.atheris or options.repeat) and len(options.targets) != 1:
        parser.error("--atheris and --repeat take one target")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.repeat:
        options.targets[0].run(bytes.fromhex(options.repeat.removeprefix("-")))
        return 0
    if options.atheris:
        return guided(options.targets[0], [])
    seed = options.seed if options.seed is not None else time.time_ns() & 0xFFFFFFFF
    targets = options.targets or ALL
    total = found = 0
    for target in targets:
        coverage = None if options.plain else Coverage(seed)
        count, findings = fuzz(target, seed, options.seconds / len(targets), coverage=coverage)
        reached = "" if coverage is None else f" {len(coverage.arcs):>6} arcs"
        print(f"{target.name:26} {count:>10} inputs{reached} {len(findings):>3} findings", flush=True)
        report(target, findings)
        total += count
        found += len(findings)
    print(f"{total} inputs, {found} findings, seed {seed}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
