"""Click, with iproute2's manners.

Groups load a command's module when it is asked for, resolve unique prefixes and aliases, and have a default verb.
Commands take their options with or without dashes (``attach tap0 instance red rt 64512:80``), and the global ones
(``-j``, ``-p``, ``-o`` ...) before or after the object.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hornpipe.cli.output import Output
from hornpipe.cli.words import Ambiguous, resolve

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    where: str
    """``module:function``, below hornpipe.cli; the function, called with the name, makes the command."""
    help: str


def _set(member: str, fixed: Any = None) -> Callable[[click.Context, click.Parameter, Any], None]:
    def store(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.find_object(Output), member, value if fixed is None else fixed)

    return store


def global_options() -> list[click.Parameter]:
    """Fresh ones for each command: they only write into the invocation's `Output`."""

    def flag(*names: str, member: str, fixed: Any = None, help: str) -> click.Option:
        return click.Option(
            names, is_flag=True, expose_value=False, callback=_set(member, fixed), help=help, hidden=True
        )

    return [
        flag("-j", "--json", member="json", help="JSON"),
        flag("-p", "--pretty", member="pretty", help="JSON with indentation"),
        flag("-o", "--oneline", member="oneline", help="all of an object on one line"),
        flag("-4", "ipv4", member="family", fixed=4, help="IPv4 only"),
        flag("-6", "ipv6", member="family", fixed=6, help="IPv6 only"),
        click.Option(
            ["--color"],
            type=click.Choice(["auto", "always", "never"]),
            expose_value=False,
            callback=_set("color"),
            help="colour states",
            hidden=True,
        ),
        click.Option(
            ["-S", "--socket"],
            expose_value=False,
            callback=_set("address"),
            help="the daemon's socket, or http://HOST:PORT",
            hidden=True,
        ),
    ]


def with_color(args: list[str]) -> list[str]:
    """``-c`` alone means always, and takes its word only after ``=``, as iproute2's does."""
    done: list[str] = []
    for word in args:
        name, equals, value = word.partition("=")
        done.append(f"--color={value if equals else 'always'}" if name in ("-c", "-color", "--color") else word)
    return done


class Verb(click.Command):
    """A command whose options may be written as bare words."""

    def __init__(self, name: str | None, **more: Any) -> None:
        more["params"] = [*more.get("params", ()), *global_options()]
        more.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(name, **more)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self.dashed(with_color(args)))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Options are offered as the bare words they may be."""
        from click.shell_completion import CompletionItem

        found = super().shell_complete(ctx, incomplete)
        for option in self.params:
            if isinstance(option, click.Option) and not option.hidden and not incomplete.startswith("-"):
                words = (name.removeprefix("--") for name in option.opts if name.startswith("--"))
                found += [CompletionItem(word, help=option.help) for word in words if word.startswith(incomplete)]
        return found

    def dashed(self, args: list[str]) -> list[str]:
        """`args` with dashes added to bare option names; what fills an argument or an option's value stays as it is."""
        flags: dict[str, bool] = {}
        for option in self.params:
            if isinstance(option, click.Option):
                flags |= {name: not option.is_flag for name in option.opts if name.startswith("-")}
        needed = sum(isinstance(parameter, click.Argument) and parameter.required for parameter in self.params)
        done: list[str] = []
        rest = iter(args)
        for word in rest:
            if word == "--":
                return [*done, word, *rest]
            if not word.startswith("-") and needed > 0:
                needed -= 1
            elif not word.startswith("-") and f"--{word}" in flags:
                word = f"--{word}"
            done.append(word)
            if flags.get(word, False):
                done += [value for _, value in zip(range(1), rest, strict=False)]
        return done


class Words(click.Group):
    """A group of lazily loaded commands."""

    def __init__(
        self,
        name: str,
        entries: Mapping[str, Entry],
        *,
        aliases: Mapping[str, str] | None = None,
        default: str | None = None,
        **more: Any,
    ) -> None:
        more["params"] = [*more.get("params", ()), *global_options()]
        more.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(name, invoke_without_command=default is not None, **more)
        self.entries, self.aliases, self.default = dict(entries), dict(aliases or {}), default

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        try:
            name = resolve(cmd_name, self.entries, self.aliases)
        except Ambiguous as error:
            raise click.UsageError(str(error), ctx) from error
        if name is None:
            return None
        module, _, function = self.entries[name].where.partition(":")
        make = getattr(importlib.import_module(f"hornpipe.cli.{module}"), function)
        command: click.Command = make(name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """With a default verb, `args` that begin with none are its own."""
        args = with_color(args)
        if self.default is not None and not ctx.resilient_parsing:
            first = next((word for word in args if not word.startswith("-")), None)
            asked_help = any(word in ("-h", "--help") for word in args)
            if (first is None or resolve_or_none(first, self)) is None or (first is None and not asked_help):
                args = [self.default, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        _, command, rest = super().resolve_command(ctx, args)
        return command.name if command else None, command, rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = super().shell_complete(ctx, incomplete)
        default = self.get_command(ctx, self.default) if self.default is not None else None
        return found + (default.shell_complete(ctx, incomplete) if default is not None else [])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table: help does not load what it lists."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.entries.items()])


def resolve_or_none(word: str, group: Words) -> str | None:
    try:
        return resolve(word, group.entries, group.aliases)
    except Ambiguous as error:
        raise click.UsageError(str(error)) from error
