"""The life of a batch: planned, priced, committed, published; or blocked by its audit, discarded, and later rejected."""

import secrets
from datetime import datetime
from math import ceil
from typing import Any

from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import ConfigurationError, ConflictError

PLANNED, PRICED, COMMITTED, BLOCKED = "planned", "priced", "committed", "blocked"
PUBLISHED, DISCARDED, REJECTED = "published", "discarded", "rejected"
# The kind of a batch that embeds nothing: it undoes others.
ROLL_BACK = "roll_back"
OPEN_STATES = (PLANNED, PRICED, COMMITTED, BLOCKED)
# So few deletes are never asked about, unless they leave nothing: a corpus of ten documents may lose three.
FEW_DELETES = 5
HASH_SPACE = 16**8
BRANCH_PREFIX = "batch-"

BatchRow = dict[str, Any]


def new_batch_id(moment: datetime) -> str:
    """A batch id that sorts by time and never repeats: `20260131T235959-1f9c04`."""
    return f"{moment:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def branch_name(batch_id: str) -> str:
    """The branch of both tables that holds the batch until it is published."""
    return f"{BRANCH_PREFIX}{batch_id}"


def open_batch(rows: list[BatchRow], profile: str) -> BatchRow | None:
    """The profile's batch that was begun and not finished, if there is one."""
    return next((row for row in rows if row["profile"] == profile and row["state"] in OPEN_STATES), None)


def next_batch_number(rows: list[BatchRow]) -> int:
    """One more than the highest number ever given, whatever became of that batch."""
    return max((row["batch_number"] for row in rows), default=0) + 1


def latest_published(rows: list[BatchRow], profile: str) -> BatchRow | None:
    """The profile's published batch of the highest number, if there is one."""
    published = [row for row in rows if row["profile"] == profile and row["state"] == PUBLISHED]
    return max(published, key=lambda row: row["batch_number"], default=None)


def check_fingerprint(rows: list[BatchRow], profile: Profile) -> None:
    """Raise ConfigurationError where the profile's published vectors were made under other settings."""
    latest = latest_published(rows, profile.name)
    if latest and latest["profile_fingerprint"] != profile.fingerprint:
        raise ConfigurationError(
            f"profile {profile.name!r} has other settings (fingerprint {profile.fingerprint}) than those its vectors were made with "
            f"({latest['profile_fingerprint']}, batch {latest['batch_id']}): undo the change, or declare a new profile with a new "
            "model_version beside it"
        )


def check_resumable(row: BatchRow, profile: Profile) -> None:
    """Raise ConfigurationError where an open batch was begun under other settings of its profile: it cannot be finished under these."""
    if row["profile_fingerprint"] != profile.fingerprint:
        raise ConfigurationError(
            f"batch {row['batch_id']} was begun under other settings of profile {profile.name!r} (fingerprint "
            f"{row['profile_fingerprint']}, now {profile.fingerprint}): undo the change, or give the batch up by triggering "
            "embed_documents with discard_open"
        )


def check_embeds(row: BatchRow) -> None:
    """Raise ConflictError where the open batch is a roll-back: embedding waits for its end."""
    if row.get("kind") == ROLL_BACK:
        raise ConflictError(
            f"the run {row['run_id']} of {row['dag_id']} is rolling profile {row['profile']!r} back (batch {row['batch_id']}): embedding "
            "waits for it; where that run died, trigger roll_back_embeddings, which finishes it"
        )


def shard_count(amount: int, amount_per_shard: int, most: int) -> int:
    """Shards for an amount of work: at least 1, at most `most`."""
    return max(1, min(most, ceil(amount / amount_per_shard)))


def hash_range(shard: int, shards: int) -> tuple[str, str]:
    """The half-open range [low, high) of SHA-256 hex digests that belongs to a shard; every digest belongs to exactly one."""
    low, high = (ceil(position * HASH_SPACE / shards) for position in (shard, shard + 1))
    return f"{low:08x}", f"{high:08x}" if high < HASH_SPACE else "g"
