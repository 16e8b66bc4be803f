"""Parse documents in a child process: one that hangs, crashes or eats memory costs its own document and nothing else.

A time limit inside the task could not stop native code, and a fork of a task's process would copy its threads' locks: so the child is a
fresh interpreter, kept for many documents, and replaced when it ended.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from embedding_lakehouse.core.documents import Rejected, check_size

# No credentials: the child reads hostile files.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")
PACKAGE_ROOT = Path(__file__).resolve().parents[3]
# What no document does to its parser, but who runs the machine, and the kernel where memory runs out.
ENDED_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)
ENDING_SECONDS = 5


class Sandbox:
    """A parsing child process, started with the first document that needs it; use it as a context manager."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def parse(self, content: bytes, media_type: str, most_bytes: int) -> tuple[str, str | None]:
        """The document as Markdown of at most `most_bytes`, and its title if it names one.

        Raises Rejected: `too_large` for a longer text, `too_slow` past the time limit, `unparseable` for what the parser refuses or what
        crashes it, `unreadable` where the parser was killed.
        """
        connection = self._connection or self._start()
        try:
            connection.send_bytes(json.dumps({"media_type": media_type, "seconds": self.seconds, "most_bytes": most_bytes}).encode())
            connection.send_bytes(content)
            answer = json.loads(connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._death() from error
        if "error" in answer:
            raise Rejected("unparseable", f"the parser refuses it ({answer['error']}): mend the file, or save it anew")
        check_size(answer.get("size", 0), most_bytes, "its text")
        return answer["text"], answer["title"]

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._folder = TemporaryDirectory(prefix="parsing-", ignore_cleanup_errors=True)
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "embedding_lakehouse.clients.parsing.child", str(theirs.fileno()), self._folder.name],
                env=environment | {"PYTHONPATH": str(PACKAGE_ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._connection = Connection(ours.detach())
        return self._connection

    def _death(self) -> Rejected:
        """Why the child ended, as the rejection of the document that it worked on."""
        status = self._ended()
        self._stop()
        if status == -signal.SIGALRM:
            return Rejected("too_slow", f"it was not parsed within {self.seconds} s: simplify the file, or raise parse_seconds")
        cause = signal.Signals(-status).name if status and status < 0 else f"exit status {status}"
        if status in ENDED_FROM_OUTSIDE:
            return Rejected(
                "unreadable", f"its parser was ended from outside ({cause}), perhaps for want of memory: it is read again next time"
            )
        return Rejected("unparseable", f"it crashes the parser ({cause}): mend the file, or save it anew")

    def _ended(self) -> int | None:
        """What the child ended with, which may come after the end of its connection; None where it goes on."""
        with suppress(subprocess.TimeoutExpired):
            return self._child.wait(ENDING_SECONDS) if self._child else None
        return None

    def _stop(self) -> None:
        if self._connection:
            self._connection.close()
        if self._child:
            self._child.kill()
            self._child.wait()
        if self._folder:
            self._folder.cleanup()
        self._child = self._connection = self._folder = None
