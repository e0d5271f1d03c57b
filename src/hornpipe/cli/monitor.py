"""``hornpipe monitor``: events as they happen, one a line, until interrupted."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click

from hornpipe.cli.command import Verb
from hornpipe.cli.output import Output
from hornpipe.cli.verbs import output
from hornpipe.client import Unreachable

AGAIN = 1.0
"""Seconds between tries while the daemon is away, with --follow."""


def monitor_command(name: str) -> click.Command:
    params: list[click.Parameter] = [
        click.Argument(["kind"], required=False, metavar="[KIND]", default=""),
        click.Option(["--since"], type=int, help="begin after this sequence number; 0: all that is kept"),
        click.Option(["--follow"], is_flag=True, help="wait for the daemon when it restarts"),
    ]
    return Verb(name, params=params, callback=monitor, help="Events as they happen: peer, port, mac, entry, gate ...")


def monitor(kind: str, since: int | None, follow: bool) -> None:
    shown = output()
    while True:
        try:
            with shown.client() as client:
                for event in client.events(since, kind):
                    since = event.get("sequence", since)
                    print(line(event, shown))
                    sys.stdout.flush()
        except Unreachable:
            if not follow:
                raise
            time.sleep(AGAIN)


def line(event: dict[str, Any], shown: Output) -> str:
    if shown.json:
        return json.dumps(event, separators=(",", ":"))
    if "at" not in event:
        return f"... {event['text']} events are no longer kept"
    words = f"{event['at']} {event['kind']} {event['subject']} {event['text']}".rstrip()
    color = "31" if event["kind"].endswith((".down", ".error", ".duplicate")) else "32"
    return f"\033[{color}m{words}\033[0m" if shown.colored else words
