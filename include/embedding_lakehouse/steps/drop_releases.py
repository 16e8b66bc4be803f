"""Drop the releases whose time is over: their namespaces go, their rows stay and say so."""

import logging
from datetime import UTC, datetime

from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, service_from_connection
from embedding_lakehouse.clients.release_serving import drop_release
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core import releases as rules
from embedding_lakehouse.core.releases import ReleaseRow
from embedding_lakehouse.errors import InputError, LakehouseError, NothingToDo, naming

log = logging.getLogger(__name__)


def drop_releases(
    profile: str | None = None,
    release_id: str | None = None,
    dry_run: bool = True,
    lake: Lake | None = None,
    service: IndexService | None = None,
) -> list[str]:
    """Drop the named release, or all retired ones that were kept long enough; the ids of those dropped.

    One that cannot be dropped holds up no other: the first error is raised after the last release. Raises NothingToDo, which says what
    would be dropped, for a dry run and where nothing is; InputError for the live release.
    """
    lake = lake or connect()
    rows = Releases(lake).rows()
    ended = [_named(rows, release_id)] if release_id else rules.expired(rows, profile, datetime.now(UTC))
    described = ", ".join(f"{row['release_id']} ({row['state']}, {row['record_count']:,} records)" for row in ended)
    if not ended:
        raise NothingToDo("no release was kept long enough to be dropped")
    if dry_run:
        raise NothingToDo(f"dry run: would drop {described}; trigger drop_releases without dry_run to do it")
    service = service or service_from_connection()
    log.info("dropping %s", described)
    dropped, errors = list[str](), list[LakehouseError]()
    for row in ended:
        try:
            dropped.append(drop_release(lake, service, row["release_id"])["release_id"])
        except LakehouseError as error:
            log.warning("release %s is not dropped: %s", row["release_id"], error)
            errors.append(error)
    if errors:
        raise errors[0]
    return dropped


def _named(rows: list[ReleaseRow], release_id: str) -> ReleaseRow:
    with naming("release_id"):
        row = rules.release_named(rows, release_id)
        if row["state"] == rules.LIVE:
            raise InputError(f"the release {release_id} is the live one: switch to another one first (DAG switch_release)")
    return row
