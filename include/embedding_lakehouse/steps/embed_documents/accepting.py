"""Let a blocked batch pass although checks of it failed: by name, with a reason, recorded beside the results."""

import logging
from collections.abc import Iterable

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.quality_results import latest_results, record
from embedding_lakehouse.core.batches import BLOCKED, BatchRow
from embedding_lakehouse.core.checks import ACCEPTED, FAILED
from embedding_lakehouse.core.texts import one_line
from embedding_lakehouse.errors import InputError, quoted

logger = logging.getLogger(__name__)


def accept_checks(lake: Lake, batch: BatchRow | None, checks: Iterable[str], reason: str, by: str) -> None:
    """Record that these checks may fail for this batch, why, and who decided it.

    It holds for this batch and these checks only, however often they run. Raises InputError without a reason or a blocked batch, for an
    unknown check, and for one that the batch did not fail.
    """
    names = sorted(set(checks))
    why = one_line("accept_reason", reason)
    if not why:
        raise InputError("accept_checks needs accept_reason, which is recorded with the batch")
    if unknown := [name for name in names if name not in settings.checks()]:
        raise InputError(f"accept_checks names {quoted(unknown[0])}, which no check is called; there are {', '.join(settings.checks())}")
    if batch is None or batch["state"] != BLOCKED:
        state = f"its open batch {batch['batch_id']} is {batch['state']}" if batch else "it has no open batch"
        raise InputError(f"accept_checks is for a batch that its audit blocked, and the profile has none: {state}")
    latest = latest_results(lake, batch["batch_id"])
    if passed := [name for name in names if name not in latest or latest[name]["verdict"] not in (FAILED, ACCEPTED)]:
        failed = ", ".join(name for name, row in latest.items() if row["verdict"] == FAILED) or "none that could be run"
        raise InputError(f"batch {batch['batch_id']} did not fail {', '.join(passed)}; it failed {failed}")
    accepted = {"verdict": ACCEPTED, "accepted_by": by, "accepted_reason": why}
    record(lake, [latest[name] | accepted for name in names if latest[name]["verdict"] == FAILED])
    logger.warning("batch %s: %s accepted by %s: %s", batch["batch_id"], ", ".join(names), by, why)
