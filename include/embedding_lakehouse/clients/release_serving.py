"""What makes a release served, and what ends it: the alias of its profile, and its namespace."""

import logging
from datetime import UTC, datetime

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService, MissingIndex
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core import releases as rules
from embedding_lakehouse.core.releases import IndexShape, ReleaseRow

log = logging.getLogger(__name__)


def point_alias(lake: Lake, service: IndexService, profile: str) -> bool:
    """Let the profile's alias lead to its live release; False where the service has no aliases, so that the row alone decides.

    A live release that holds nothing yet has no namespace to lead to.
    """
    live = Releases(lake).live(profile)
    index = service.open(IndexShape.of_release(live))
    return bool(live["record_count"]) and index.point_alias(profile, live["namespace"])


def is_led_elsewhere(service: IndexService, live: ReleaseRow) -> bool:
    """Whether the profile's alias leads to another namespace than its live release: the switch to it was begun and never finished.

    Never where the service has no aliases, where the release holds nothing to lead to, or where its index is gone.
    """
    if not live["record_count"]:
        return False
    try:
        target = service.open(IndexShape.of_release(live)).alias_target(live["profile"])
    except MissingIndex:
        return False
    return target not in (None, live["namespace"])


def drop_release(lake: Lake, service: IndexService, release_id: str) -> ReleaseRow:
    """Delete the release's namespace and let its snapshots go; its row stays, as dropped. Run again, it goes on where it was killed.

    Where its index is gone, its namespace went with it. Raises ConflictError for the live release.
    """
    releases = Releases(lake)
    now = datetime.now(UTC)
    # First the state, after which nobody writes to it or switches to it.
    row = releases.move(release_id, rules.DROPPED, keep_until=now)
    _lead_away(lake, service, row)
    _delete_namespace(service, row)
    releases.keep_snapshots(release_id)
    releases.change(lambda rows: rules.forgotten(rows, release_id, datetime.now(UTC)))
    return releases.named(release_id)


def _lead_away(lake: Lake, service: IndexService, row: ReleaseRow) -> None:
    """Let readers through the alias follow to the live release, where that one's index is there."""
    try:
        point_alias(lake, service, row["profile"])
    except MissingIndex as error:
        log.warning("no alias leads to the live release of profile %s: %s", row["profile"], error)


def _delete_namespace(service: IndexService, row: ReleaseRow) -> None:
    try:
        index = service.open(IndexShape.of_release(row))
    except MissingIndex:
        log.warning("the index %s is gone, and with it the namespace of release %s", row["index_name"], row["release_id"])
        return
    if row["import_id"]:
        index.cancel_import(row["import_id"])
    # Where the live release is in another index, or holds nothing yet, the alias still leads here.
    index.release_alias(row["profile"], row["namespace"])
    index.delete_namespace(row["namespace"])
