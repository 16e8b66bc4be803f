"""Ends whatever a test session started once the session is over, however it ended: it waits for the pipe from there to close.

Usage: python -m tests.last_will HOME, with the session's token in LAKEHOUSE_TESTS.
"""

import os
import shutil
import sys

import psutil

TOKEN = "LAKEHOUSE_TESTS"
TERM_SECONDS = 10


def started_by(token: str) -> list[psutil.Process]:
    """Return the living processes that inherited a session's token, without this one."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.pid != os.getpid() and one.environ().get(TOKEN) == token:
                found.append(one)
        except psutil.Error:
            # Somebody else's, or gone in the meantime.
            continue
    return found


def main() -> None:
    token, home = os.environ[TOKEN], sys.argv[1]
    sys.stdin.read()
    left = started_by(token)
    for one in left:
        one.terminate()
    psutil.wait_procs(left, timeout=TERM_SECONDS)
    while left := started_by(token):
        for one in left:
            one.kill()
        psutil.wait_procs(left, timeout=1)
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
