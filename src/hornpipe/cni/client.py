"""The executable that container runtimes call: hands everything to the daemon and prints what comes back.

It runs once or twice a container, so it is small: only built-in modules, no parsing. `hornpipe cni install` writes it
to the runtime's directory of plugins with an absolute interpreter, as ``hornpipe`` and ``hornpipe-ipam``; which of the
two it is, its name says.

Request, to a unix stream socket: program, then ``KEY=VALUE`` for each CNI variable, each ended by a zero byte, an empty
one, then standard input as it came; descriptors of standard error and of the namespace go along (SCM_RIGHTS). Answer:
``STATUS LENGTH``, a line feed, and what goes to standard output.

Without the daemon, VERSION works, DEL is recorded for it (a tombstone) and succeeds, so that no container is held for
ever, and the rest fails at once. A tombstone is also left by an ADD whose answer never came, as it is to be undone.
"""

import _socket
import posix
import sys

SOCKET = "/run/hornpipe/cni.sock"
LEFT = "cni-left"
"""Directory of tombstones, beside the socket."""
PATIENCE = 60
"""Seconds without an answer; the daemon's own limits are below."""
VERSIONS = b'["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]'
TRY_AGAIN, NOT_READY = 11, 50


def ask(address: str, request: bytes, descriptors: list[int]) -> tuple[bool, bytes]:
    """(the daemon was reached, its answer); empty: none came."""
    reached, answer = False, b""
    word = 8 if sys.maxsize >> 32 else 4
    patience = PATIENCE.to_bytes(word, sys.byteorder) + bytes(word)
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, patience)
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, patience)
        sock.connect(address)
        reached = True
        rights = b"".join([number.to_bytes(4, sys.byteorder) for number in descriptors])
        sent = sock.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if rights else [])
        sock.sendall(request[sent:])
        sock.shutdown(_socket.SHUT_WR)
        while True:
            piece = sock.recv(65536)
            if not piece:
                break
            answer += piece
    except OSError:
        answer = b""
    finally:
        sock.close()
    return reached, answer


def leave(directory: bytes, name: bytes, request: bytes) -> bool:
    """Records a request for the daemon; False if that is not possible."""
    path = directory + b"/" + name.replace(b"/", b"_")
    try:
        try:  # noqa: SIM105 (contextlib is not built in)
            posix.mkdir(directory, 0o700)
        except FileExistsError:
            pass
        descriptor = posix.open(path + b".new", posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o600)
        try:
            while request:
                request = request[posix.write(descriptor, request) :]
        finally:
            posix.close(descriptor)
        posix.rename(path + b".new", path)
    except OSError:
        return False
    return True


def read_all(descriptor: int) -> bytes:
    text = b""
    while True:
        piece = posix.read(descriptor, 65536)
        if not piece:
            return text
        text += piece


def write_all(descriptor: int, text: bytes) -> None:
    while text:
        text = text[posix.write(descriptor, text) :]


def failure(configuration: bytes, code: int, words: bytes) -> int:
    """An error as CNI wants it: on standard output, in the configuration's version."""
    quoted = configuration.partition(b'"cniVersion"')[2].split(b'"', 2)
    version = quoted[1] if len(quoted) == 3 and quoted[1].replace(b".", b"").isdigit() else b"1.0.0"
    write_all(1, b'{"cniVersion":"%s","code":%d,"msg":"%s"}' % (version, code, words))
    return 1


def main() -> int:
    variables = {key: value for key, value in posix.environ.items() if key[:4] == b"CNI_" or key == b"PATH"}
    command = variables.get(b"CNI_COMMAND", b"")
    program = sys.argv[0].rpartition("/")[2].encode()
    if not command:
        write_all(2, b"%s: a CNI plugin of hornpipe; container runtimes call it with CNI_COMMAND set\n" % program)
        return 0
    if command == b"VERSION":
        write_all(1, b'{"cniVersion":"1.1.0","supportedVersions":' + VERSIONS + b"}")
        return 0
    configuration = read_all(0)
    descriptors: list[int] = []
    given: list[bytes] = []
    try:
        posix.fstat(2)
        descriptors.append(2)
        given.append(b"stderr")
    except OSError:
        pass  # closed by who called
    if variables.get(b"CNI_NETNS"):
        try:
            descriptors.append(posix.open(variables[b"CNI_NETNS"], posix.O_RDONLY | posix.O_CLOEXEC))
            given.append(b"netns")
        except OSError as error:
            variables[b"netns_errno"] = b"%d" % (error.errno or 0)
    variables[b"descriptors"] = b",".join(given)
    head = b"".join([key + b"=" + value + b"\0" for key, value in variables.items()])
    request = program + b"\0" + head + b"\0" + configuration
    reached, answer = ask(SOCKET, request, descriptors)
    first, _, body = answer.partition(b"\n")
    status, _, length = first.partition(b" ")
    if status.isdigit() and length.isdigit() and int(length) == len(body):
        write_all(1, body)
        return int(status)
    return unanswered(command, variables, configuration, request, reached)


def unanswered(
    command: bytes, variables: dict[bytes, bytes], configuration: bytes, request: bytes, reached: bool
) -> int:
    if command == b"DEL" or (command == b"ADD" and reached):
        words = (variables.get(b"CNI_CONTAINERID", b""), variables.get(b"CNI_IFNAME", b""), b"%d" % posix.getpid())
        directory = SOCKET.rpartition("/")[0].encode() + b"/" + LEFT.encode()
        if leave(directory, b"-".join(words), request) and command == b"DEL":
            return 0
    if command == b"STATUS":
        return failure(configuration, NOT_READY, b"hornpiped does not run: start it (systemctl start hornpiped)")
    return failure(configuration, TRY_AGAIN, b"no answer from hornpiped: try again when it runs")


if __name__ == "__main__":
    posix._exit(main())  # nothing is buffered, and taking the interpreter apart takes a millisecond
