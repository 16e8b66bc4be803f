"""Plan a comparison: the records that the live release should hold at its watermark, cut into shards by the files of their rows."""

from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.reconciliations import Reconciliations
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sync_plans import Shard, Span, measure, new_sync, plan_changes, require_held, written_shards
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.reconciliation import Comparison, id_groups
from embedding_lakehouse.core.releases import ReleaseRow
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS
from embedding_lakehouse.errors import ConflictError, NothingToDo

Part = dict[str, Any]


def plan_reconciliation(
    profile_name: str, compare: str = "all", sample_share: float = 1.0, dag_id: str = "", run_id: str = "", lake: Lake | None = None
) -> list[Part]:
    """Write the records that the live release should hold under a new comparison; one dict of keys for each of its parts.

    A part is a shard of the expected records, or a group of ids by their first characters. With `compare` = sample, a share of the
    records is fetched. Raises NothingToDo for a release that was never synced, ConflictError where a sync is at work or was never
    recorded, ConfigurationError where the snapshots that the release holds have expired.
    """
    lake = lake or connect()
    profile = settings.profile(profile_name)
    syncs_snapshot = Reconciliations(lake).syncs_snapshot()
    release = Releases(lake).live(profile.name)
    _require_settled(lake, release)
    sync, shards = _expected(lake, profile, release, dag_id, run_id)
    comparison = Comparison(
        expected=sync,
        expected_count=sum(shard["upserts"] for shard in shards),
        syncs_snapshot=syncs_snapshot,
        sample_share=sample_share if compare == "sample" else 1.0,
        chunks_behind=_behind(lake, profile, release),
    )
    parts: list[Part] = [{"shard": shard["shard"]} for shard in shards]
    parts += [{"ids": prefixes} for prefixes in id_groups(comparison.expected_count)]
    return [part | {"comparison": comparison.as_keys()} for part in parts]


def _require_settled(lake: Lake, release: ReleaseRow) -> None:
    if release["open_syncs"]:
        raise ConflictError(
            f"the sync {', '.join(release['open_syncs'])} of release {release['release_id']} is at work, or was never recorded: "
            "nothing was compared; where no run of sync_index is at work, run it, it makes good for what that one wrote"
        )
    if release["versions_snapshot"] is None:
        raise NothingToDo(
            f"the release {release['release_id']} was never synced, there is nothing to compare it with: run sync_index first"
        )
    require_held(lake, release)


def _expected(lake: Lake, profile: Profile, release: ReleaseRow, dag_id: str, run_id: str) -> tuple[Sync, list[Shard]]:
    """The records of the release at its watermark, as changes of a sync from nothing that is never opened."""
    span = Span(None, release["versions_snapshot"], None, release["embeddings_snapshot"], False)
    sync = plan_changes(lake, profile, release, span, dag_id, run_id)
    if sync is None:
        return new_sync(release, span, 0, dag_id, run_id), []
    try:
        return sync, written_shards(lake, sync)
    except ConflictError:
        Reconciliations(lake).forget_expected(sync.sync_id)
        raise


def _behind(lake: Lake, profile: Profile, release: ReleaseRow) -> int:
    """Chunks of the documents that were published since the last sync: the index is behind by them, which is no difference."""
    now, embeddings = head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id, release["embeddings_snapshot"]
    if now == release["versions_snapshot"]:
        return 0
    chunks, _ = measure(lake, profile, Span(release["versions_snapshot"], now, embeddings, embeddings, False), [])
    return chunks
