"""The command ``hornpipe``.

``hornpipe [-j] [-p] [-o] [-4|-6] [-c] OBJECT [VERB] [WORD VALUE]...``: objects and verbs may be cut to any unique
beginning, the default verb is show. Exit status: 0 good, 1 a wrong command line or the daemon refused, 2 no daemon.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click

from hornpipe import __version__
from hornpipe.cli.command import Entry, Words
from hornpipe.cli.output import Output
from hornpipe.client import ApiError, Unreachable

COMMANDS: dict[str, Entry] = {
    "attach": Entry("attach:attach_command", "attach a port to a VPN instance"),
    "detach": Entry("attach:detach_command", "detach a port"),
    "show": Entry("show:show_group", "show peers, instances, ports, routes, fdb, status ..."),
    "status": Entry("show:show_command", "gates, counts, alarms"),
    "peers": Entry("verbs:object_group", "BGP sessions: show, reset"),
    "instances": Entry("verbs:object_group", "VPN instances: show, add, delete, clear"),
    "ports": Entry("verbs:object_group", "attached ports: show, add, delete"),
    "routes": Entry("verbs:object_group", "BGP routes: show"),
    "fdb": Entry("verbs:object_group", "remote MACs: show"),
    "neigh": Entry("verbs:object_group", "remote neighbours: show"),
    "flood": Entry("verbs:object_group", "flood lists: show"),
    "fib": Entry("verbs:object_group", "prefixes of routed instances: show"),
    "forwarding": Entry("verbs:object_group", "all the kernel should hold: show"),
    "sources": Entry("verbs:object_group", "desired sets: show, apply, delete"),
    "events": Entry("verbs:object_group", "what happened lately: show"),
    "drain": Entry("host:drain_command", "announce this host as about to go"),
    "undrain": Entry("host:undrain_command", "announce this host as usual again"),
    "flush": Entry("host:flush_command", "delete all that is ours from the kernel"),
    "prune": Entry("host:prune_command", "end the wait after a damaged intent file"),
    "debug": Entry("debug:debug_group", "one archive for a bug report"),
    "trace": Entry("trace:trace_command", "the way of a packet from a port to an address"),
    "monitor": Entry("monitor:monitor_command", "events as they happen"),
    "config": Entry("config:config_group", "check a configuration, import one of BaGPipe"),
    "cni": Entry("cni:cni_group", "containers: install, uninstall the CNI plugin"),
    "demo": Entry("programs:demo_command", "three hosts in namespaces on this machine"),
    "rr": Entry("programs:rr_command", "run a route reflector"),
    "replay": Entry("programs:replay_command", "run a record through an engine, show the tables"),
    "completion": Entry("programs:completion_command", "shell completion: bash, zsh, fish"),
}

OPTIONS = """\
\b
  -j, --json        JSON            -p, --pretty   with indentation
  -o, --oneline     an object a line
  -4, -6            IPv4 or IPv6 only
  -c, --color[=always|auto|never]   colour states
  -S, --socket PATH|http://HOST:PORT  the daemon; default $HORNPIPE_API, or hornpipe.sock in
                    $HORNPIPE_RUNTIME_DIR, or in /run/hornpipe
"""


def command() -> Words:
    from hornpipe.cli.objects import aliases

    def version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            click.echo(f"hornpipe {__version__}")
            ctx.exit()

    show_version = click.Option(
        ["-V", "--version"], is_flag=True, is_eager=True, expose_value=False, callback=version, help="Show the version."
    )
    return Words(
        "hornpipe",
        COMMANDS,
        aliases=aliases(),
        params=[show_version],
        help=f"Plug a port in, reach it from every host.\n\n{OPTIONS}",
        no_args_is_help=True,
        callback=lambda: None,
    )


def run(program: str, call: Callable[[], object]) -> int:
    """Calls, and turns what goes wrong into one line on standard error and an exit status."""
    try:
        status = call()
        sys.stdout.flush()
        if isinstance(status, int):  # click turns Exit(1) into a returned 1 when it does not exit itself
            return status
    except click.exceptions.NoArgsIsHelpError as error:
        error.show(sys.stdout)
    except click.exceptions.Exit as end:
        return int(end.exit_code)
    except click.UsageError as error:
        error.show()
        return 1
    except click.ClickException as error:
        print(f"{program}: {error.format_message()}", file=sys.stderr)
        return 1
    except ApiError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except Unreachable as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:  # `hornpipe show routes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def main(argv: list[str] | None = None) -> None:
    sys.exit(run("hornpipe", lambda: command().main(argv, "hornpipe", standalone_mode=False, obj=Output())))


if __name__ == "__main__":
    main()
