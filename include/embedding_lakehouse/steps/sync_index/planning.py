"""Plan a sync: the difference between the state that the live release holds and the state of the lake now, cut into shards."""

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sync_plans import Shard, open_plan, pin, plan_changes
from embedding_lakehouse.core.syncs import Sync


def plan_sync(
    profile_name: str, dag_id: str = "", run_id: str = "", lake: Lake | None = None, release_id: str | None = None
) -> list[Shard]:
    """Write the changes that lead the live release to the lake's state into `sync_changes`; one dict of keys a shard, none for none.

    A release that is pinned stays at its moment: it gets only what a sync or a repair that was never recorded may have left half done.
    With `release_id` it is that release which follows, a verified one for example. Raises ConfigurationError where the release's
    snapshots are gone, ConflictError where the lake moved in this very moment.
    """
    lake = lake or connect()
    profile = settings.profile(profile_name)
    releases = Releases(lake)
    release = releases.named(release_id) if release_id else releases.live(profile.name)
    if release["is_pinned"] and not release["open_syncs"]:
        return []
    sync = plan_changes(lake, profile, release, pin(lake, release), dag_id, run_id)
    if sync is None:
        return []
    shards = open_plan(lake, sync)
    if not shards and sync.covers:
        _record_unchanged(releases, sync)
    return shards


def _record_unchanged(releases: Releases, sync: Sync) -> None:
    """Record a sync that has nothing to write, so that those it makes good for hold nothing up any more.

    A repair that was to remove foreign records alone leaves nothing to make good: the next comparison finds them again.
    """
    releases.open_sync(sync)
    releases.record_sync(sync, documents_changed=0, records_upserted=0, records_deleted=0, requests=0, bytes_sent=0)
