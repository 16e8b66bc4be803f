"""Ports on 127.0.0.1: the preferred one, or the next that is free."""

import socket

from dev.stack.errors import StackError

HOST = "127.0.0.1"
PORTS_TRIED = 200


def is_free(port: int) -> bool:
    """Return whether a server could listen on a port now: nobody answers there, and binding it works."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as probe:
        # Without it a port that was closed a minute ago counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(preferred: int, taken: frozenset[int] = frozenset()) -> int:
    """Return the preferred port, or the next free one above it that is not in `taken`; 0 means any free port.

    Raises StackError if none of the next 200 is free.
    """
    if preferred == 0:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            return int(probe.getsockname()[1])
    for port in range(preferred, min(preferred + PORTS_TRIED, 65536)):
        if port not in taken and is_free(port):
            return port
    raise StackError(f"No free port from {preferred} on: set another one in .env (see .env.example).")
