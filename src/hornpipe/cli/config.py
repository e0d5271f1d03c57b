"""``hornpipe config``: look at a configuration file without starting anything."""

from __future__ import annotations

from pathlib import Path

import click

from hornpipe.cli.command import Entry, Verb, Words
from hornpipe.cli.verbs import output

DEFAULT = "/etc/hornpipe/hornpipe.toml"


def config_group(name: str) -> click.Command:
    entries = {
        "check": Entry("config:check_command", "say what is wrong with a file"),
        "import": Entry("config:import_command", "turn BaGPipe's INI into TOML"),
    }
    return Words(name, entries, help="Look at a configuration file without starting anything.", no_args_is_help=True)


def check_command(name: str) -> click.Command:
    def run(file: str) -> None:
        from hornpipe.daemon import config
        from hornpipe.daemon.configerror import ConfigError

        try:
            loaded = config.load(file)
        except ConfigError as error:
            raise click.ClickException(str(error)) from error
        for warning in loaded.warnings:
            click.echo(f"warning: {warning}", err=True)
        if output().json:
            output().value({"file": file, "warnings": list(loaded.warnings)})
        else:
            click.echo(f"{file}: good")

    argument = click.Argument(["file"], default=DEFAULT, metavar="[FILE]")
    return Verb(name, params=[argument], callback=run, help="Say what is wrong with FILE: key, reason, remedy.")


def import_command(name: str) -> click.Command:
    def run(file: str) -> None:
        from hornpipe.cli.toml import dumps
        from hornpipe.daemon import config, ini
        from hornpipe.daemon.configerror import ConfigError

        try:
            text = Path(file).read_text(encoding="utf-8")
            if not ini.looks_like(text):
                raise click.ClickException(f"{file}: this is not an INI of BaGPipe")
            converted = ini.convert(text, file)
            toml = dumps(converted.tree)
            config.loads(toml, f"{file} as TOML")
        except (OSError, UnicodeDecodeError) as error:
            raise click.ClickException(f"{file}: {error}") from error
        except ConfigError as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"# made from {file} by hornpipe config import")
        for warning in converted.warnings:
            click.echo(f"# {warning}")
        click.echo()
        click.echo(toml, nl=False)

    return Verb(name, params=[click.Argument(["file"])], callback=run, help="Print BaGPipe's bgp.conf as TOML.")
