"""``hornpipe trace PORT ADDRESS``: the steps of a packet's way as a table, then where it breaks and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from hornpipe.cli.command import Verb
from hornpipe.cli.output import Output
from hornpipe.cli.table import Column, age
from hornpipe.cli.verbs import output

COLUMNS = (
    Column("#", "number"),
    Column("STEP", "step"),
    Column("STATE", "state"),
    Column("SINCE", lambda row: age(row["since"]) if row["since"] else ""),
    Column("WHAT", lambda row: f"{row['subject']}: {row['reason']}"),
)
"""Subjects are as long as a route and as short as an interface, so they share the last column with the reasons."""


def trace_command(name: str) -> click.Command:
    def run(port: str, address: str) -> None:
        with output().client() as client:
            found = client.trace(port, address)
        show(found, output())
        if found["state"] == "broken":
            raise click.exceptions.Exit(1)

    return Verb(
        name,
        params=[click.Argument(["port"]), click.Argument(["address"])],
        callback=run,
        help="Follow a packet from a port to an IP or MAC address: port, instance, gateway, routes, encapsulation, "
        "kernel entries as they are now, underlay, remote. Exit status 1 if the way is broken.",
    )


def show(found: Mapping[str, Any], to: Output) -> None:
    if to.json or to.oneline:
        to.one(found)
        return
    to.rows(found["steps"], COLUMNS)
    for line in verdict(found):
        click.echo(line)


def verdict(found: Mapping[str, Any]) -> list[str]:
    """``broken at step 7, for 2m10s: ...``, and the remedy."""
    way = f"{found['source']}/{found['port']} to {found['address']}"
    if found["state"] == "broken":
        since = f", for {age(found['since'])}" if found["since"] else ""
        lines = [f"{way}: broken at step {found['broken']}{since}: {found['summary']}"]
        return [*lines, f"what to do: {found['remedy']}"] if found["remedy"] else lines
    if found["state"] == "unknown":
        doubts = [row for row in found["steps"] if row["state"] == "unknown"]
        steps = ", ".join(str(row["number"]) for row in doubts)
        remedies = [f"step {row['number']}: {row['remedy']}" for row in doubts if row["remedy"]]
        return [f"{way}: nothing is broken here; not certain at step {steps}", *remedies]
    return [f"{way}: nothing is broken here"]
