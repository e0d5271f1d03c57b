"""Runs the fuzz targets for a while and says what was found.

    python -m fuzz.run --seconds 60            all targets, a minute together
    python -m fuzz.run update open --seed 7    two of them
    python -m fuzz.run --atheris update        coverage-guided, where atheris is installed

A finding is printed with its input in hexadecimal and makes the exit status 1; `--repeat HEX TARGET` runs one again.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence

from fuzz.mutate import Mutator
from fuzz.targets import BY_NAME, TARGETS, Target

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


def fuzz(target: Target, seed: int, seconds: float, limit: int = 0) -> tuple[int, list[tuple[bytes, str]]]:
    """Inputs tried, and (input, traceback) of the findings; ends after `seconds`, or `limit` inputs if it is given."""
    mutator = Mutator(seed, target.seeds)
    findings: list[tuple[bytes, str]] = []
    count = 0
    end = time.monotonic() + seconds
    while len(findings) < MAX_FINDINGS and not (limit and count >= limit):
        if count % 256 == 0 and time.monotonic() > end:
            break
        data = mutator.next()
        count += 1
        trouble = attempt(target, data)
        if trouble:
            findings.append((data, trouble))
    return count, findings


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
    parser.add_argument("--atheris", action="store_true", help="coverage-guided, one target")
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
    targets = options.targets or TARGETS
    total = found = 0
    for target in targets:
        count, findings = fuzz(target, seed, options.seconds / len(targets))
        print(f"{target.name:26} {count:>10} inputs {len(findings):>3} findings", flush=True)
        report(target, findings)
        total += count
        found += len(findings)
    print(f"{total} inputs, {found} findings, seed {seed}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
