"""Commands that are programs of their own: demo, route reflector, replay, completion; loaded when asked for."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from hornpipe.cli.command import Verb


def demo_command(name: str) -> click.Command:
    def run(arguments: tuple[str, ...]) -> None:
        from hornpipe.demo.main import main

        raise click.exceptions.Exit(main(list(arguments)) or 0)

    return Verb(
        name,
        params=[click.Argument(["arguments"], nargs=-1)],
        callback=run,
        help="Three hosts and a reflector in namespaces of this machine (as root); with --l3 routed VPNs and FRR.",
        context_settings={"ignore_unknown_options": True},
    )


def rr_tree(address: str, given: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a daemon that only reflects."""
    password = {"password": given["password"]} if given["password"] else {}
    return {
        "bgp": {
            "local_as": given["local_as"],
            "local_address": address,
            **({"router_id": given["router_id"]} if given["router_id"] else {}),
            "listen_address": address,
            "listen_port": given["port"],
        },
        "reflector": {
            **({"cluster_id": given["cluster_id"]} if given["cluster_id"] else {}),
            "clients": [{"prefix": prefix, "limit": given["limit"], **password} for prefix in given["client"]],
        },
        "dataplane": {"driver": "dummy"},
    }


def rr_command(name: str) -> click.Command:
    params: list[click.Parameter] = [
        click.Argument(["address"]),
        click.Option(["--as", "local_as"], type=int, default=64512, show_default=True, help="AS number"),
        click.Option(["--client"], multiple=True, required=True, metavar="PREFIX", help="who may connect: 10.0.0.0/24"),
        click.Option(["--router-id"], metavar="ID", help="needed when ADDRESS is IPv6"),
        click.Option(["--cluster-id"], metavar="ID", help="default: the router id"),
        click.Option(["--port"], type=int, default=179, show_default=True),
        click.Option(["--limit"], type=int, default=1000, show_default=True, help="sessions a prefix may have"),
        click.Option(["--password"], help="TCP MD5"),
        click.Option(["--print", "printed"], is_flag=True, help="print the configuration and end"),
        click.Option(["--runtime-dir"], metavar="DIR", envvar="HORNPIPE_RUNTIME_DIR"),
    ]
    return Verb(
        name,
        params=params,
        callback=rr,
        help="Run a route reflector at ADDRESS, in the foreground, without a configuration file.",
    )


def rr(address: str, printed: bool, runtime_dir: str | None, **given: Any) -> None:
    from hornpipe.cli.toml import dumps

    text = dumps(rr_tree(address, given))
    if printed:
        click.echo(text, nl=False)
        return
    from hornpipe.daemon.main import main

    with tempfile.TemporaryDirectory(prefix="hornpipe-rr-") as directory:
        file = Path(directory) / "rr.toml"
        file.touch(0o600)
        file.write_text(text)
        arguments = ["--config", str(file), *(["--runtime-dir", runtime_dir] if runtime_dir else [])]
        main.main(arguments, "hornpipe rr", standalone_mode=False)


def replay_command(name: str) -> click.Command:
    def run(file: str, upto: int | None) -> None:
        from hornpipe.daemon import replay

        try:
            click.echo(replay.report(replay.rebuild(file, upto)))
        except replay.NotARecord as error:
            raise click.ClickException(str(error)) from error

    params: list[click.Parameter] = [
        click.Argument(["file"]),
        click.Option(["--upto"], type=int, metavar="N", help="only the first N inputs"),
    ]
    return Verb(
        name, params=params, callback=run, help="Run a record (recorder.file) through an engine, show its tables."
    )


def completion_command(name: str) -> click.Command:
    def run(shell: str | None) -> None:
        chosen = shell or os.path.basename(os.environ.get("SHELL", "bash"))
        click.echo(completion(chosen), nl=False)

    argument = click.Argument(["shell"], required=False, type=click.Choice(["bash", "zsh", "fish"]))
    return Verb(name, params=[argument], callback=run, help="Print the completion script of a shell.")


def completion(shell: str) -> str:
    from click.shell_completion import get_completion_class

    from hornpipe.cli.main import command

    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"no completion for {shell}: bash, zsh or fish")
    script = found(command(), {}, "hornpipe", "_HORNPIPE_COMPLETE").source()
    return script.rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(completion(sys.argv[1]))
