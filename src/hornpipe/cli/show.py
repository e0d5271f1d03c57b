"""``hornpipe show OBJECT`` and ``hornpipe OBJECT [show]``: one command, made from the object's row."""

from __future__ import annotations

from typing import Any

import click

from hornpipe.cli.command import Entry, Verb, Words
from hornpipe.cli.objects import OBJECTS, Filter, Object, aliases, named
from hornpipe.cli.output import Output
from hornpipe.client import path_of


def show_group(name: str) -> click.Command:
    entries = {item.name: Entry("show:show_command", item.help) for item in OBJECTS}
    return Words(name, entries, aliases=aliases(), default="status", help="Show what the daemon knows.")


def _option(item: Filter) -> click.Option:
    kind: Any = click.Choice(item.choices) if item.choices else str
    return click.Option([f"--{item.name}"], type=kind, help=item.help)


def show_command(name: str) -> click.Command:
    """`name` is the object's, or ``show`` below the object's own group."""
    item = named(name)
    params: list[click.Parameter] = [_option(narrowed) for narrowed in item.filters]
    if item.one or item.name == "ports":
        params.append(click.Argument(["name"], required=False, metavar="[NAME]"))

    def run(**given: Any) -> None:
        output = click.get_current_context().find_object(Output)
        assert output is not None
        show(item, given.pop("name", None), given, output)

    return Verb(name, params=params, callback=run, help=f"Show {item.help}.", short_help=item.help)


def show(item: Object, name: str | None, given: dict[str, Any], output: Output) -> None:
    with output.client() as client:
        if item.path == "/v1/status":
            status(client.get(item.path), output)
        elif name is not None and item.one:
            output.one(client.get(item.path + path_of(name)))
        else:
            rows = client.rows(item.path, **{**item.fixed, **given})
            if name is not None:  # a port: its name may be that of several sources
                for row in [row for row in rows if row["name"] == name] or [client.get(item.path + path_of(name))]:
                    output.one(row)
            else:
                output.rows(output.of_family(rows, item.address), item.columns)


def status(row: dict[str, Any], output: Output) -> None:
    """The gates and what they wait for; what this kernel lacks and what would give it."""
    if output.json or output.oneline:
        return output.one(row)
    gates = row.pop("gates")
    needs = (text.partition(": ") for text in row.pop("missing_features", ()))
    row["missing_features"] = [{"feature": feature, "needs": what} for feature, _, what in needs]
    row["entries"] = {state: count for state, count in row["entries"].items() if count}
    row["gates"] = [
        {"gate": gate["gate"], "state": "open" if gate["open"] else "closed", "reason": gate["reason"]}
        for gate in gates
    ]
    return output.one(row)
