"""What makes a release served, and what ends it: the alias of its profile, and its namespace."""

from datetime import UTC, datetime

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core import releases as rules
from embedding_lakehouse.core.releases import IndexShape, ReleaseRow


def point_alias(lake: Lake, service: IndexService, profile: str) -> bool:
    """Let the profile's alias lead to its live release; False where the service has no aliases, so that the row alone decides.

    A live release that holds nothing yet has no namespace to lead to.
    """
    live = Releases(lake).live(profile)
    index = service.open(IndexShape.of_release(live))
    return bool(live["record_count"]) and index.point_alias(profile, live["namespace"])


def drop_release(lake: Lake, service: IndexService, release_id: str) -> ReleaseRow:
    """Delete the release's namespace and let its snapshots go; its row stays, as dropped. Run again, it goes on where it was killed.

    Raises ConflictError for the live release.
    """
    releases = Releases(lake)
    now = datetime.now(UTC)
    # First the state, after which nobody writes to it or switches to it.
    row = releases.move(release_id, rules.DROPPED, keep_until=now)
    point_alias(lake, service, row["profile"])
    index = service.open(IndexShape.of_release(row))
    if row["import_id"]:
        index.cancel_import(row["import_id"])
    # Where the live release is in another index, or holds nothing yet, the alias still leads here.
    index.release_alias(row["profile"], row["namespace"])
    index.delete_namespace(row["namespace"])
    releases.keep_snapshots(release_id)
    releases.change(lambda rows: rules.forgotten(rows, release_id, datetime.now(UTC)))
    return releases.named(release_id)
