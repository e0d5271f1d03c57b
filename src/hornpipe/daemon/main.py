"""The command ``hornpiped``: arguments, configuration, one daemon, an exit status that tells the truth.

0 after SIGTERM or SIGINT, 1 when it could not start or was ended by a fault, 2 for a wrong command line. Why goes to
standard error in one line, with the file, the key and the remedy where there are such.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys

import click

from hornpipe import __version__
from hornpipe.daemon import config as configuration
from hornpipe.daemon import garbage, log, settings, token
from hornpipe.daemon.configerror import ConfigError
from hornpipe.daemon.intent import IntentUnreadable
from hornpipe.daemon.runtime import DEFAULT, VARIABLE, RuntimeDir, RuntimeDirError
from hornpipe.daemon.wire import Daemon


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "--config-file",
    "path",
    metavar="FILE",
    default=configuration.DEFAULT_PATH,
    show_default=True,
    help="hornpipe.toml, or an INI of BaGPipe as it is.",
)
@click.option(
    "--runtime-dir",
    metavar="DIR",
    envvar=VARIABLE,
    default=DEFAULT,
    show_default=True,
    show_envvar=True,
    help="Socket, intent file and lock; several daemons on one machine each need their own.",
)
@click.option("--check", is_flag=True, help="Read the configuration, say what is wrong with it, and end.")
@click.option("--flush-on-stop", is_flag=True, help="Take everything of ours out of the kernel at the end.")
@click.option("--debug", is_flag=True, help="Log everything.")
@click.version_option(__version__, "-V", "--version", message="hornpiped %(version)s")
def main(path: str, runtime_dir: str, check: bool, flush_on_stop: bool, debug: bool) -> None:
    """Makes this host a BGP VPN provider edge."""
    try:
        loaded = configuration.load(path)
        wanted = settings.build(loaded.config, path)
        if check:
            token.read(loaded.config.api, path)
            for warning in loaded.warnings:
                click.echo(f"warning: {warning}", err=True)
            click.echo(f"{path}: good")
            return
        log_config = loaded.config.log
        stream = log.for_daemon("debug" if debug else log_config.level, log_config.format, os.environ)
        with RuntimeDir(runtime_dir) as runtime:
            gc.set_threshold(*garbage.THRESHOLDS)
            asyncio.run(Daemon(path, loaded, wanted, runtime, stream, flush_on_stop).run())
    except (ConfigError, RuntimeDirError, IntentUnreadable) as error:
        click.echo(f"hornpiped: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
