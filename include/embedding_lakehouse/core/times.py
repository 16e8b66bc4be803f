"""Times as people write them."""

from datetime import datetime

from embedding_lakehouse.errors import InputError


def zoned_time(text: str, otherwise: str, zoneless: str) -> datetime:
    """The ISO time with its zone. Raises InputError: `otherwise` for what is no time at all, `zoneless` for a time without a zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(otherwise) from error
    if time.tzinfo is None:
        raise InputError(zoneless)
    return time
