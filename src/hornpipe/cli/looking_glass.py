"""``bagpipe-looking-glass``: BaGPipe's tool, which prints any part of the looking glass's tree.

    bagpipe-looking-glass summary BGP_established_peers
    bagpipe-looking-glass vpns instances
    bagpipe-looking-glass -r bgp

A leaf prints as its bare value, for scripts; ``(...)`` stands for what a longer path, or -r, shows.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from hornpipe.cli.bagpipe_api import api_port
from hornpipe.client import Client, Unreachable, quote

STEP = 2


class Printer:
    """Turns the tree into lines: a member a line, lists with a star, two columns deeper at each level."""

    def __init__(self, client: Client, base: str, recurse: bool) -> None:
        self.client, self.base, self.recurse = client, base, recurse

    def lines(self, value: Any, indent: int, url: str) -> Iterator[str]:
        pad = " " * indent
        if isinstance(value, dict):
            for key, member in value.items():
                yield from self._member(f"{pad}{key}: ", member, indent, url)
        elif isinstance(value, list):
            for member in value:
                yield from self._member(f"{pad}* ", member, indent, url)
        else:
            yield pad + self._leaf(value, indent)

    def _leaf(self, value: Any, indent: int) -> str:
        text = str(value)
        if "\n" not in text:
            return text
        return "".join(f"\n{' ' * (indent + STEP)}{line}" for line in text.strip("\n").split("\n"))

    def _member(self, head: str, value: Any, indent: int, url: str) -> Iterator[str]:
        if isinstance(value, dict) and "href" in value:
            value = dict(value)
            target = value.pop("href")
            head += str(value.pop("id", ""))
            if self.recurse and target.startswith(url):
                yield head.rstrip()
                yield from self.lines(self._follow(target), indent + STEP, target)
                return
            head = f"{head.rstrip()} (...)"
            if not value:
                yield head
                return
        if isinstance(value, dict) and value and head.endswith("* "):
            first, *more = self.lines(value, indent + STEP, url)
            yield head + first[indent + STEP :]
            yield from more
        elif isinstance(value, dict | list):
            yield (head if value else f"{head}-").rstrip()
            yield from self.lines(value, indent + STEP, url)
        else:
            yield head + self._leaf(value, indent)

    def _follow(self, url: str) -> Any:
        return self.client.call("GET", url.removeprefix(self.base))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bagpipe-looking-glass",
        usage="%(prog)s [--server <ip>] path to object in looking-glass\n\ne.g.: %(prog)s vpns instances",
    )
    made.add_argument("--server", default="127.0.0.1", help="address of the daemon (%(default)s)")
    made.add_argument("--port", type=int, default=None, help="its port (8082)")
    made.add_argument("--prefix", default="looking-glass", help="prefix of the URLs (%(default)s)")
    made.add_argument("-r", "--recurse", action="store_true", help="show all there is below")
    made.add_argument("path", nargs="*")
    return made


def main(argv: Sequence[str] | None = None) -> None:
    options = parser().parse_args(argv)
    host = f"[{options.server}]" if ":" in options.server else options.server
    base = f"http://{host}:{options.port or api_port()}"
    path = "".join(f"/{quote(step)}" for step in (options.prefix, *options.path))
    with Client(base) as client:
        try:
            response = client.request("GET", path)
            if response.status == 200:
                value = json.loads(response.body)
                for line in Printer(client, base, options.recurse).lines(value, 0, base + path):
                    print(line)
            elif response.status == 404:
                sys.exit(f"No such looking glass path: {' '.join(options.path)}\n({base}{path})")
            else:
                sys.exit(f"Error code {response.status}: {response.body.decode(errors='replace')}")
            sys.stdout.flush()
        except Unreachable as error:
            sys.exit(f"No server at {base} : {error.reason}")
        except BrokenPipeError:  # `bagpipe-looking-glass -r | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
