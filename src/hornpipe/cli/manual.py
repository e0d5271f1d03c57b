"""hornpipe(8), made from the commands themselves: ``python -m hornpipe.cli.manual > packaging/man/hornpipe.8``.

The prose is here, everything else (commands, words, objects) is read from the tables, so that the page cannot be wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from hornpipe.cli.command import Words
from hornpipe.cli.main import command
from hornpipe.cli.output import Output

DESCRIPTION = """\
.B hornpipe
talks to
.BR hornpiped (8),
which makes this host a provider edge of BGP VPNs: a port (a tap, a veth, a network namespace, a container) is attached
to a VPN instance, and is reachable from every host that has an instance with the same route targets.
.PP
Objects and verbs may be cut to any unique beginning, and the verb left out:
.B hornpipe ro
is
.BR "hornpipe routes show" .
Words and values follow as in
.BR ip (8);
dashes before a word are allowed and never needed.
"""

GLOBAL = (
    ("-j, --json", "JSON. Keys are those of the API."),
    ("-p, --pretty", "JSON with indentation."),
    ("-o, --oneline", "All there is to an object, on one line."),
    ("-4, -6", "Only rows with an IPv4, or IPv6, address."),
    ("-c, --color[=always|auto|never]", "Colour states. Without a value: always. NO_COLOR is respected."),
    ("-S, --socket PATH|http://HOST:PORT", "The daemon."),
    ("-V, --version", "The version."),
    ("-h, --help", "Help; of a command, too."),
)

EXAMPLES = (
    ("A tap of a virtual machine", "hornpipe attach tap0 instance red rt 64512:80 mac 02:00:00:00:00:05 ip 10.1.0.5"),
    ("A namespace, wait for the kernel", "hornpipe attach netns web instance red rt 64512:80 ip 10.1.0.6/24 wait"),
    ("A container", "hornpipe attach container web instance red rt 64512:80 ip 10.1.0.7/24 via 10.1.0.1"),
    ("Who sends what", "hornpipe routes instance red type macadv"),
    ("What the kernel does not take", "hornpipe forwarding status error"),
    ("What happens", "hornpipe monitor port"),
    ("A route reflector", "hornpipe rr 10.0.0.254 as 64512 client 10.0.0.0/24"),
    ("An old configuration", "hornpipe config import /etc/bagpipe-bgp/bgp.conf > hornpipe.toml"),
)

STATUS = (
    ("0", "Good."),
    ("1", "The command line is wrong, or the daemon refused; standard error says which member and what to do."),
    ("2", "No daemon answers."),
)

ENVIRONMENT = (
    ("HORNPIPE_API", "The daemon: the path of a socket, or http://HOST:PORT."),
    ("HORNPIPE_TOKEN_FILE", "The file with the token that the daemon asks for over TCP."),
    ("HORNPIPE_RUNTIME_DIR", "Else the socket is hornpipe.sock in this directory; default /run/hornpipe."),
)


def escape(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("\n.", "\n\\&.")


def entries(rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, what in rows:
        yield f".TP\n.B {escape(name)}\n{escape(what)}"


def commands(group: Words, ctx: click.Context, path: str) -> Iterator[str]:
    """A paragraph a command, verbs below their object."""
    for name, entry in group.entries.items():
        made = group.get_command(ctx, name)
        assert made is not None
        if isinstance(made, Words):
            inner = click.Context(made, info_name=name, parent=ctx)
            yield f".SS {escape(f'{path} {name}')}\n{escape(entry.help.capitalize())}."
            yield from commands(made, inner, f"{path} {name}")
        else:
            yield ".TP\n" + synopsis(made, f"{path} {name}")
            yield escape(entry.help[0].upper() + entry.help[1:]) + "."
            yield from words(made)


def synopsis(made: click.Command, path: str) -> str:
    arguments = [p.make_metavar(click.Context(made)) for p in made.params if isinstance(p, click.Argument)]
    rest = " [WORD VALUE]..." if any(isinstance(p, click.Option) and not p.hidden for p in made.params) else ""
    return f".B {escape(' '.join([path, *arguments]) + rest)}"


def words(made: click.Command) -> Iterator[str]:
    shown = [p for p in made.params if isinstance(p, click.Option) and not p.hidden and p.opts[0] != "--help"]
    if shown:
        yield ".RS"
    for option in shown:
        value = "" if option.is_flag else f" {option.make_metavar(click.Context(made))}"
        word = escape(option.opts[0].removeprefix("--") + value).replace("|", "|\\:")  # where a line may end
        yield f".TP\n.B {word}\n{escape(option.help or '')}"
    if shown:
        yield ".RE"


def page() -> str:
    root = command()
    with click.Context(root, info_name="hornpipe", obj=Output()) as ctx:
        parts = [
            '.\\" made by python -m hornpipe.cli.manual',
            '.TH HORNPIPE 8 "" hornpipe "System administration"',
            ".SH NAME\nhornpipe \\- attach ports to BGP VPNs, and see why they reach each other",
            ".SH SYNOPSIS\n.B hornpipe\n[OPTIONS] OBJECT [VERB] [WORD VALUE]...",
            f".SH DESCRIPTION\n{DESCRIPTION.rstrip()}",
            ".SH OPTIONS\nThey may stand before or after the object.",
            *entries(GLOBAL),
            ".SH COMMANDS",
            *commands(root, ctx, "hornpipe"),
            ".SH EXAMPLES",
            *(f".TP\n{escape(what)}\n.B {escape(line)}" for what, line in EXAMPLES),
            ".SH EXIT STATUS",
            *entries(STATUS),
            ".SH ENVIRONMENT",
            *entries(ENVIRONMENT),
            ".SH FILES\n.TP\n.I /run/hornpipe/hornpipe.sock\nThe daemon's socket.",
            ".TP\n.I /etc/hornpipe/hornpipe.toml\nThe daemon's configuration.",
            ".SH SEE ALSO\n.BR hornpiped (8),\n.BR hornpipe.toml (5),\n.BR bridge (8),\n.BR ip (8)",
        ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
