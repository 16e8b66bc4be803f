"""A namespace's records as committed, and as readers see them so far: the same, unless reads are made to lag behind writes."""

import time
from collections import deque

from dev.pinecone_server.records import Change, Records


class Visibility:
    """How long readers lag behind writers, in seconds; one for the whole server, changed while it runs."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s


class Versions:
    """Both versions of the records, their log sequence numbers, and the writes between them."""

    def __init__(self, records: Records, lsn: int) -> None:
        self.committed = self.visible = records
        self.lsn = self.visible_lsn = lsn
        self._pending: deque[tuple[float, Change]] = deque()

    @property
    def is_settled(self) -> bool:
        """Return whether readers see everything that is committed."""
        return not self._pending

    def commit(self, change: Change, delay_s: float) -> None:
        """Make a change under the next number; readers see it after the delay, and never before an earlier one."""
        self.lsn += 1
        if delay_s <= 0 and self.is_settled:
            self.committed.apply(change)
            self.visible_lsn = self.lsn
            return
        if self.is_settled:
            self.visible = self.committed.copy()
        self.committed.apply(change)
        self._pending.append((time.monotonic() + delay_s, change))

    def settle(self) -> None:
        """Let readers see what has waited long enough."""
        now = time.monotonic()
        while self._pending and self._pending[0][0] <= now:
            _, change = self._pending.popleft()
            self.visible_lsn += 1
            if self.is_settled:
                self.visible = self.committed
            else:
                self.visible.apply(change)
