"""Plan a sync: the difference between the state that the live release holds and the state of the lake now, cut into shards."""

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sync_plans import Shard, open_plan, pin, plan_changes


def plan_sync(
    profile_name: str, dag_id: str = "", run_id: str = "", lake: Lake | None = None, release_id: str | None = None
) -> list[Shard]:
    """Write the changes that lead the live release to the lake's state into `sync_changes`; one dict of keys a shard, none for none.

    A release that is pinned stays where it is. With `release_id` it is that release which follows, a verified one for example.
    Raises ConfigurationError where the release's snapshots are gone, ConflictError where the lake moved in this very moment.
    """
    lake = lake or connect()
    profile = settings.profile(profile_name)
    releases = Releases(lake)
    release = releases.named(release_id) if release_id else releases.live(profile.name)
    if release["is_pinned"]:
        return []
    sync = plan_changes(lake, profile, release, pin(lake, release), dag_id, run_id)
    return open_plan(lake, sync) if sync else []
