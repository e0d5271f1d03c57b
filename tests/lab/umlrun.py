"""Run a command in a User-Mode Linux guest on this machine's own root file system.

    python -m tests.lab.umlrun [options] [--] COMMAND [ARGUMENT...]

The guest is a whole Linux kernel (Debian's package user-mode-linux), with VRF, MPLS, GRE, VLAN filtering and what else
the machine's own kernel may lack, started in about two seconds without root. It sees the machine's files (hostfs) under
a copy-on-write overlay; only the directories of --rw (default: the git checkout) are really written. /run, /tmp and
/dev/shm are new. stdout and stderr come out live and apart: they are files on hostfs, whose writes go straight through
to the machine, so nothing is lost even in a panic.

Exit status: the command's (128 + N if signal N ended it);
    124        the time limit was reached
    125        no boot, kernel panic, hang, or (--strict-kernel) a kernel warning
    126, 127   as with sh: the command cannot be run, or is not there
"""

from __future__ import annotations

import argparse
import os
import re
import select
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType

from tests.lab.guest import Guest, console_command, free_cpu, memory_directory

HERE = Path(__file__).resolve().parent
KERNEL = os.environ.get("UMLRUN_KERNEL", "/usr/bin/linux.uml")
MODULES = (
    "ipv6 dummy veth bridge 8021q vxlan vrf tun macvlan mpls_router mpls_iptunnel mpls_gso gre ip_gre fou nf_tables "
    "sch_netem af_packet_diag unix_diag"
)
NOT_HANDED_IN = re.compile(r"^(LD_PRELOAD|LD_LIBRARY_PATH|DBUS_|XDG_|SSH_|DISPLAY|_$|SHLVL|OLDPWD)")
COMPLAINT = re.compile(
    r"Kernel panic|BUG:|Oops|WARNING: CPU|unregister_netdevice: waiting|Out of memory|general protection|segfault at|"
    r"page allocation failure|refcount_t"
)
TIME_LIMIT, FAILED = 124, 125
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)


def say(text: str) -> None:
    print(f"umlrun: {text}", file=sys.stderr, flush=True)


def bytes_of(text: str) -> int:
    """``1G`` -> 1073741824."""
    return int(text[:-1]) << {"K": 10, "M": 20, "G": 30}[text[-1].upper()] if text[-1].isalpha() else int(text)


def checkout_of(path: Path) -> Path:
    """The git checkout around `path`, else `path`."""
    return next((p for p in (path, *path.parents) if (p / ".git").exists()), path)


def options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="umlrun", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("-t", "--timeout", type=float, default=600, metavar="S")
    add("--boot-timeout", type=float, default=180, metavar="S")
    add("--grace", type=float, default=10, metavar="S", help="from the time limit's SIGTERM to SIGKILL")
    add("-m", "--memory", default=os.environ.get("UMLRUN_MEM", "1G"))
    add("--max-output", type=int, default=1024, metavar="MB", help="a runaway command must not fill the disk")
    add("--cpu", default="auto", help="the CPU to pin the guest to, or `none`")
    add("--rw", action="append", default=[], metavar="DIR", help="written through to the machine (repeatable)")
    add("--ro", action="append", default=[], metavar="DIR", help="under /tmp or /run, to be shown (repeatable)")
    add("-C", "--directory", default=os.getcwd())
    add("-e", "--env", action="append", default=[], metavar="NAME=VALUE")
    add("-M", "--module", action="append", default=[], help="one more kernel module")
    add("-k", "--kernel-argument", action="append", default=[])
    add("--console", metavar="FILE", help="keep the guest's kernel log")
    add("--strict-kernel", action="store_true", help="a kernel warning makes the run fail with 125")
    add("-i", "--interactive", action="store_true", help="on the terminal, by default a shell")
    add("-v", "--verbose", action="store_true")
    add("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(argv)
    if chosen.command[:1] == ["--"]:
        del chosen.command[0]
    if not chosen.command:
        if not chosen.interactive:
            parser.error("no command")
        chosen.command = ["bash"]
    return chosen


def main(argv: list[str] | None = None) -> int:
    chosen = options(sys.argv[1:] if argv is None else argv)
    if not os.access(KERNEL, os.X_OK):
        say(f"FATAL: {KERNEL} is missing (apt-get install user-mode-linux)")
        return FAILED
    job = Path(tempfile.mkdtemp(prefix="umlrun-"))
    try:
        return Run(chosen, job).to_the_end()
    finally:
        shutil.rmtree(job, ignore_errors=True)


class Run:
    """One guest from boot to exit status."""

    def __init__(self, chosen: argparse.Namespace, job: Path) -> None:
        self.chosen, self.job = chosen, job
        self.begun = time.monotonic()
        self.started: float | None = None
        self.timed_out = False
        self.stop_at: float | None = None
        """When what was asked to stop is killed."""
        self.fatal = ""
        self.wanted: list[int] = []
        """Signals to hand in."""
        self.kernel_log: list[bytes] = []
        self.position = {"out": 0, "err": 0}
        self.broken: set[str] = set()
        self._write_job()
        self.files = {name: os.open(job / name, os.O_RDONLY) for name in self.position}
        self.guest = self._boot()

    def _write_job(self) -> None:
        chosen, job = self.chosen, self.job
        env = {name: value for name, value in os.environ.items() if not NOT_HANDED_IN.match(name)}
        env.update(pair.partition("=")[::2] for pair in chosen.env)
        env.update(UMLRUN="1", TMPDIR="/tmp")  # UMLRUN tells a test where it is
        env["PATH"] = env.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        script = [f"export {k}={shlex.quote(v)}" for k, v in sorted(env.items()) if k.isidentifier()]
        script += [
            f"cd {shlex.quote(chosen.directory)} || exit 125",
            f"unset UMLJOB; exec {shlex.join(chosen.command)}",
        ]
        (job / "cmd").write_text("\n".join(script) + "\n")
        rw = [os.path.realpath(d) for d in chosen.rw] or [str(checkout_of(Path(chosen.directory).resolve()))]
        shown = [os.path.realpath(d) for d in [*chosen.ro, sys.prefix] if os.path.isdir(d)]
        hidden = [d for d in shown if d.startswith(("/tmp/", "/run/", "/dev/shm/"))]
        conf = {
            "OVERLAY": "1",
            "RW": " ".join(rw),
            "RO": " ".join(d for d in hidden if not any(f"{d}/".startswith(f"{w}/") for w in rw)),
            "NAME": "uml",
            "MODULES": " ".join([MODULES, *chosen.module]),
            "INTERACTIVE": "1" if chosen.interactive else "0",
        }
        (job / "conf").write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in conf.items()))
        for name in ("out", "err"):
            (job / name).touch()

    def _boot(self) -> Guest:
        chosen, job = self.chosen, self.job
        read, write = os.pipe()
        console = f"con0=fd:0,fd:1 con1=null,fd:{write}" if chosen.interactive else f"con0=null,fd:{write}"
        argv = [KERNEL, "rootfstype=hostfs", "rootflags=/", "ro", f"mem={chosen.memory}", f"init={HERE}/umlinit"]
        argv += ["umid=guest", f"uml_dir={job}/", "con=null", *console.split(), "ssl=null", "panic=-1", "noreboot"]
        argv += ["oops=panic", "random.trust_cpu=on", *chosen.kernel_argument, f"UMLJOB={job}"]
        if chosen.cpu != "none":
            argv = ["taskset", "-c", str(free_cpu()) if chosen.cpu == "auto" else chosen.cpu, *argv]
        if chosen.verbose:
            say(f"job {job}: {shlex.join(argv)}")
        env = dict(os.environ, TMPDIR=memory_directory(bytes_of(chosen.memory)))
        guest = Guest(argv, output=None if chosen.interactive else write, pass_fds=(write,), env=env)
        os.close(write)
        self.reader = threading.Thread(target=self._read_console, args=(read,), daemon=True)
        self.reader.start()
        return guest

    def _read_console(self, source: int) -> None:
        with open(self.chosen.console or os.devnull, "wb", buffering=0) as kept, os.fdopen(source, "rb", 0) as console:
            while data := console.read(65536):
                self.kernel_log.append(data)
                kept.write(data)

    def to_the_end(self) -> int:
        def note(number: int, _frame: FrameType | None) -> None:
            self.wanted.append(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT):
            signal.signal(number, note)
        nap = 0.005
        while not self._over():
            nap = 0.005 if self._pump() else min(nap * 1.5, 0.05)
            time.sleep(nap)
        self.guest.kill()
        self._pump()
        self.reader.join(1)
        return self._status()

    def _over(self) -> bool:
        now = time.monotonic()
        alive = self.guest.poll() is None
        if self.started is None and (self.job / "started").exists():
            self.started = now
            if self.chosen.verbose:
                say(f"booted in {now - self.begun:.2f} s")
        if not alive:
            return True
        if (self.job / "rc").exists():  # all is synced; the power-off is a formality
            self.guest.wait(2)
            return True
        self._check_limits(now)
        while self.wanted and not self.fatal:
            self._hand_in(self.wanted.pop(0), now)
        if self.fatal:
            for command in ("sysrq l", "sysrq w"):  # who runs, who is blocked: into the kernel log
                console_command(self.job / "guest/mconsole", command, 0.5)
        return bool(self.fatal)

    def _check_limits(self, now: float) -> None:
        chosen = self.chosen
        if sum(self.position.values()) > chosen.max_output << 20:
            self.fatal = f"more than {chosen.max_output} MB of output"
        elif self.started is None and now - self.begun > chosen.boot_timeout:
            self.fatal = f"no boot in {chosen.boot_timeout:g} s"
        elif self.stop_at is not None and now > self.stop_at:
            self.fatal = "the command (or the guest) does not stop: killed"
        elif self.started and not self.timed_out and now - self.started > chosen.timeout and not chosen.interactive:
            self.timed_out = True
            say(f"TIME LIMIT of {chosen.timeout:g} s reached: SIGTERM to the command")
            self.wanted.append(signal.SIGTERM)

    def _hand_in(self, number: int, now: float) -> None:
        if self.started is None:
            self.fatal = "interrupted during boot"
            return
        name = "TERM" if number == signal.SIGPIPE else signal.Signals(number).name[3:]
        (self.job / "sig.tmp").write_text(name)
        (self.job / "sig.tmp").rename(self.job / "sig")
        error, reason = console_command(self.job / "guest/mconsole", "cad")
        if error:
            self.fatal = f"the guest does not answer ({reason})"
        if number in STOPPING and self.stop_at is None:
            self.stop_at = now + self.chosen.grace

    def _pump(self) -> int:
        """Hand on what the command has written; the number of bytes."""
        moved = 0
        for name, target in (("out", 1), ("err", 2)):
            while data := os.pread(self.files[name], 1 << 16, self.position[name]):
                self.position[name] += len(data)
                moved += len(data)
                if name not in self.broken:
                    self._write(name, target, data)
        return moved

    def _write(self, name: str, target: int, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(target, data) :]
            except BlockingIOError:
                select.select([], [target], [])
            except BrokenPipeError:
                self.broken.add(name)
                if name == "out":
                    self.wanted.append(signal.SIGPIPE)
                return

    def _status(self) -> int:
        log = b"".join(self.kernel_log).decode(errors="replace").replace("\r", "")
        told = self.job / "rc"
        if self.fatal or self.timed_out or not told.exists():
            why = self.fatal or ("time limit" if self.timed_out else "")
            if not why:
                ended = "the guest died before the command ended" if self.started else "the guest did not boot"
                why = "kernel panic" if "Kernel panic" in log else ended
            say(f"FATAL: {why}; the last lines of the guest's console:")
            sys.stderr.write("".join(f"umlrun|  {line}\n" for line in log.splitlines()[-40:]))
            return TIME_LIMIT if self.timed_out else FAILED
        complaints = [line for line in log.splitlines() if COMPLAINT.search(line)]
        if complaints:
            say("WARNING: the guest's kernel complained: " + "; ".join(complaints[:5]))
            if self.chosen.strict_kernel:
                return FAILED
        return int(told.read_text())


if __name__ == "__main__":
    sys.exit(main())
