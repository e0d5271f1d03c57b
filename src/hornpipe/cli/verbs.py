"""``hornpipe OBJECT VERB``: what can be done to an object besides showing it."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from hornpipe.cli.command import Entry, Verb, Words
from hornpipe.cli.instance import instance_options, instance_spec
from hornpipe.cli.objects import named
from hornpipe.cli.output import Output
from hornpipe.client import path_of

VERBS: dict[str, dict[str, Entry]] = {
    "peers": {"reset": Entry("verbs:reset_command", "end a session; it comes back by itself")},
    "instances": {
        "add": Entry("verbs:instance_add_command", "define or change an instance"),
        "delete": Entry("verbs:instance_delete_command", "remove an instance without ports"),
        "clear": Entry("verbs:clear_command", "end duplicate detection's alarm for a MAC"),
    },
    "ports": {
        "add": Entry("attach:attach_command", "the same as hornpipe attach"),
        "delete": Entry("attach:detach_command", "the same as hornpipe detach"),
    },
    "sources": {
        "apply": Entry("verbs:apply_command", "replace a source's whole set by a JSON file"),
        "delete": Entry("verbs:source_delete_command", "withdraw all a source wanted"),
    },
}
ALIASES = {"set": "add", "replace": "add", "list": "show", "del": "delete", "remove": "delete", "put": "apply"}


def object_group(name: str) -> click.Command:
    item = named(name)
    entries = {"show": Entry(f"verbs:show_{name}", f"show {item.help}"), **VERBS.get(name, {})}
    known = {alias: verb for alias, verb in ALIASES.items() if verb in entries}
    return Words(name, entries, aliases=known, default="show", help=f"{item.help.capitalize()}.")


def __getattr__(attribute: str) -> Any:
    """``show_peers`` and its like: the show command of one object."""
    from hornpipe.cli.show import show_command

    if not attribute.startswith("show_"):
        raise AttributeError(attribute)
    return lambda _verb: show_command(attribute.removeprefix("show_"))


def output() -> Output:
    found = click.get_current_context().find_object(Output)
    assert found is not None
    return found


def reset_command(name: str) -> click.Command:
    def run(peer: str) -> None:
        with output().client() as client:
            output().done(client.call("POST", path_of("v1", "peers", peer, "reset")))

    return Verb(name, params=[click.Argument(["peer"])], callback=run, help="End a session; it comes back by itself.")


def instance_add_command(name: str) -> click.Command:
    def run(instance: str, **given: Any) -> None:
        spec = instance_spec(instance, given) or {"name": instance}
        with output().client() as client:
            output().done(client.call("PUT", path_of("v1", "instances", instance), spec))

    params = [click.Argument(["instance"]), *instance_options()]
    return Verb(name, params=params, callback=run, help="Define or change an instance.")


def instance_delete_command(name: str) -> click.Command:
    def run(instance: str) -> None:
        with output().client() as client:
            output().done(client.call("DELETE", path_of("v1", "instances", instance)))

    return Verb(name, params=[click.Argument(["instance"])], callback=run, help="Remove an instance without ports.")


def clear_command(name: str) -> click.Command:
    def run(instance: str, mac: str) -> None:
        path = path_of("v1", "instances", instance, "duplicates", mac, "clear")
        with output().client() as client:
            output().done(client.call("POST", path))

    return Verb(
        name,
        params=[click.Argument(["instance"]), click.Argument(["mac"])],
        callback=run,
        help="End duplicate detection's alarm for a MAC (RFC 7432 section 15.1).",
    )


def apply_command(name: str) -> click.Command:
    def run(source: str, file: str, wait: bool, timeout: float | None) -> None:
        try:
            with sys.stdin if file == "-" else open(file, encoding="utf-8") as stream:
                spec = json.load(stream)
        except (OSError, ValueError) as error:
            raise click.ClickException(f"{file}: {error}") from error
        with output().client() as client:
            output().done(client.put_source(source, spec, wait=wait, timeout=timeout))

    params: list[click.Parameter] = [click.Argument(["source"]), click.Argument(["file"], metavar="FILE|-")]
    return Verb(
        name,
        params=[*params, *wait_options()],
        callback=run,
        help="Replace a source's whole set by a JSON file: {instances: [...], ports: [...]}.",
    )


def wait_options() -> list[click.Parameter]:
    return [
        click.Option(["--wait"], is_flag=True, help="until the kernel holds it"),
        click.Option(["--timeout"], type=float, help="seconds to wait (10)"),
    ]


def source_delete_command(name: str) -> click.Command:
    def run(source: str) -> None:
        with output().client() as client:
            output().done(client.delete_source(source))

    return Verb(name, params=[click.Argument(["source"])], callback=run, help="Withdraw all a source wanted.")
