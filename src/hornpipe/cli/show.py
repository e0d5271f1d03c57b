"""``hornpipe show OBJECT`` and ``hornpipe OBJECT [show]``: one command, made from the object's row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from hornpipe.cli.command import Entry, Verb, Words
from hornpipe.cli.objects import OBJECTS, Filter, Object, aliases, named
from hornpipe.cli.output import Output
from hornpipe.client import path_of

NAMED = {"ports": "[NAME]", "routes": "[PREFIX|ADDRESS|MAC]"}
"""Objects that are several by one name."""


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
    params += [click.Option([flag.letter, f"--{flag.name}"], is_flag=True, help=flag.help) for flag in item.flags]
    if item.one or item.name in NAMED:
        params.append(click.Argument(["name"], required=False, metavar=NAMED.get(item.name, "[NAME]")))

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
        elif item.name == "routes":
            routes(item, client.rows(item.path, **routes_query(name, given)), given["why"], output)
        else:
            rows = client.rows(item.path, **{**item.fixed, **given})
            if name is not None:  # a port: its name may be that of several sources
                for row in [row for row in rows if row["name"] == name] or [client.get(item.path + path_of(name))]:
                    output.one(row)
            else:
                output.rows(output.of_family(rows, item.address), item.columns)


def routes_query(name: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """`name` is told by its look: ``10.0.0.0/24``, ``2001:db8::5``, ``02:00:00:00:00:05``."""
    query = {**given, "why": given["why"] or None}
    if name is not None:
        groups = name.replace("-", ":").split(":")
        is_mac = (len(groups) == 6 and "" not in groups) or (name.count(".") == 2 and "/" not in name)
        query["mac" if is_mac else "ip"] = name
    return query


def routes(item: Object, rows: Iterable[dict[str, Any]], why: bool, output: Output) -> None:
    """With `why` a paragraph each, with the reasons one a line."""
    chosen = output.of_family(rows, item.address)
    if not why or output.json or output.oneline:
        output.rows(chosen, item.columns)
        return
    for number, row in enumerate(chosen):
        if number:
            print()
        reasons = {name: pairs(row[name], of) for name, of in (("not_imported", "instance"), ("not_sent", "peer"))}
        output.one({**row, **reasons})


def pairs(reasons: Mapping[str, str], of: str) -> list[dict[str, str]]:
    return [{of: name, "reason": reason} for name, reason in reasons.items()]


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
