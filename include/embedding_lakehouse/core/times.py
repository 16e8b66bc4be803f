"""Moments as people write them: times and snapshot ids."""

import re
from datetime import UTC, datetime

from embedding_lakehouse.errors import InputError

# Nineteen digits hold every id; more of them, or digits of another script, are no id.
SNAPSHOT_ID = re.compile(r"[0-9]{1,19}")


def zoned_time(text: str, otherwise: str, zoneless: str) -> datetime:
    """The ISO time with its zone. Raises InputError: `otherwise` for what is no time at all, `zoneless` for a time without a zone."""
    try:
        time = datetime.fromisoformat(text)
        # A time whose zone leads out of the years 1 to 9999 can be compared with nothing.
        is_zoned = time.tzinfo is not None and bool(time.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise InputError(otherwise) from error
    if not is_zoned:
        raise InputError(zoneless)
    return time


def snapshot_id(text: str) -> int | None:
    """The snapshot id that the text is, None for anything else."""
    return int(text) if SNAPSHOT_ID.fullmatch(text) else None
