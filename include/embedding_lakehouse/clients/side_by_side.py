"""Ask several things at the same time: a statement waits for its engine most of the time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

AT_ONCE = 8


def side_by_side(**reads: Callable[[], Any]) -> dict[str, Any]:
    """What each of the reads answers, by its name; at most eight run at once. Raises what the first of them, in their order, raises."""
    with ThreadPoolExecutor(min(len(reads), AT_ONCE)) as pool:
        asked = {name: pool.submit(read) for name, read in reads.items()}
        return {name: answer.result() for name, answer in asked.items()}
