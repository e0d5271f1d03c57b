"""``hornpipe drain``, ``undrain``, ``prune`` and ``flush``: what concerns the host as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hornpipe.cli.command import Verb
from hornpipe.cli.verbs import output


def drain_command(name: str) -> click.Command:
    return Verb(name, callback=lambda: _ask("POST", "/v1/drain"), help="Announce this host's routes as about to go.")


def undrain_command(name: str) -> click.Command:
    return Verb(name, callback=lambda: _ask("DELETE", "/v1/drain"), help="Announce this host's routes as usual again.")


def prune_command(name: str) -> click.Command:
    return Verb(
        name,
        callback=lambda: _ask("POST", "/v1/prune"),
        help="After a damaged intent file: clients have asked again for all they want, the rest may go.",
    )


def _ask(method: str, path: str) -> None:
    with output().client() as client:
        output().done(client.call(method, path))


def flush_command(name: str) -> click.Command:
    def run(runtime_dir: str, yes: bool) -> None:
        import asyncio

        from hornpipe.daemon.flush import flush

        if not yes:
            click.confirm("Delete all that hornpipe made in this kernel: traffic of its ports ends", abort=True)
        _refuse_while_running(runtime_dir)
        try:
            click.echo(f"{asyncio.run(flush())} devices deleted")
        except OSError as error:
            raise click.ClickException(f"{error.strerror or error} (as root?)") from error

    params: list[click.Parameter] = [
        click.Option(["--runtime-dir"], metavar="DIR", envvar="HORNPIPE_RUNTIME_DIR", default="/run/hornpipe"),
        click.Option(["--yes"], is_flag=True, help="do not ask"),
    ]
    return Verb(name, params=params, callback=run, help="Delete what is marked ours in the kernel; the daemon is down.")


def _refuse_while_running(runtime_dir: str) -> None:
    """A daemon that runs would write all of it again."""
    from hornpipe.daemon.runtime import RuntimeDir, RuntimeDirError

    if not Path(runtime_dir).is_dir() or not os.access(runtime_dir, os.W_OK):
        return
    try:
        with RuntimeDir(runtime_dir):
            return
    except RuntimeDirError as error:
        raise click.ClickException(f"{error}; stop it first, or detach what is not wanted") from error
