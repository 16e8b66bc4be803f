"""What a rebuild asks the lake: what a release will hold, which sync fills it, which ids and neighbours are right."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from embedding_lakehouse.clients.iceberg import scan, tag_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.moments import Moment
from embedding_lakehouse.clients.sync_plans import slices
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.rebuilds import Measured
from embedding_lakehouse.core.releases import ReleaseRow, tag_name
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, INDEX_SYNCS
from embedding_lakehouse.errors import ConflictError


@dataclass(frozen=True, slots=True)
class Basis:
    """The lake of a release that is built: its tags say from which snapshots, from before its plan is written."""

    lake: Lake
    release: ReleaseRow

    @property
    def _tag(self) -> str:
        return tag_name(self.release["release_id"])

    def keep(self, moment: Moment) -> None:
        """Tag the snapshots from which the release is to be built. Raises ConfigurationError where one has expired meanwhile."""
        tag_snapshot(self.lake.table(DOCUMENT_EMBEDDINGS), self._tag, moment.embeddings_snapshot)
        tag_snapshot(self.lake.table(DOCUMENT_VERSIONS), self._tag, moment.versions_snapshot)

    def snapshots(self) -> tuple[int, int] | None:
        """The snapshots of document_versions and document_embeddings from which it is built; None where none were chosen yet."""
        tags = [self.lake.table(table).refs().get(self._tag) for table in (DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS)]
        versions, embeddings = tags
        return (versions.snapshot_id, embeddings.snapshot_id) if versions and embeddings else None

    def fill_sync(self) -> Sync | None:
        """The sync that fills the release, as it was planned; None where its plan was never finished.

        Raises ConflictError where the snapshots of a finished plan are not known any more.
        """
        sync_id = self._recorded_sync() or next(iter(self.release["open_syncs"] or []), None)
        if sync_id is None:
            return None
        basis = self.snapshots()
        if basis is None:
            name = self.release["release_id"]
            raise ConflictError(f"the tags of the half-built release {name} are gone: trigger rebuild_index with discard_building")
        return Sync(
            sync_id=sync_id,
            **{key: self.release[key] for key in ("profile", "release_id", "index_name", "dimension", "metric", "namespace")},
            versions_before=None,
            versions_after=basis[0],
            embeddings_after=basis[1],
            covers=[],
            document_count=0,
            record_count=self._record_count(basis[0]),
            dag_id="rebuild_index",
            run_id=self.release["created_by"],
            started_at=self.release["created_at"].isoformat(),
        )

    def _record_count(self, versions_snapshot: int) -> int:
        is_recorded = self.release["versions_snapshot"] is not None
        return self.release["record_count"] if is_recorded else measure(self.lake, self.release["profile"], versions_snapshot)[1]

    def _recorded_sync(self) -> str | None:
        rows = scan(self.lake.table(INDEX_SYNCS), release_id=self.release["release_id"]).to_arrow().to_pylist()
        return next((row["sync_id"] for row in rows if row["from_versions_snapshot"] is None), None)


def measure(lake: Lake, profile: str, versions_snapshot: int) -> tuple[int, int]:
    """Documents and records of a release of the profile at a state of the ledger."""
    documents, records = lake.sql.row("releases/measure_release", [profile], versions=versions_snapshot)
    return documents, records


def measured_syncs(lake: Lake, profile: str) -> Measured:
    """What the profile's last syncs took."""
    records, size, seconds = lake.sql.row("releases/measure_syncs", [profile])
    return Measured(records, size, float(seconds))


def release_ids(lake: Lake, release: ReleaseRow, prefix: str = "") -> Iterator[str]:
    """The ids that the release should hold, rising, of those that begin with a prefix of hex digits."""
    stop = f"{prefix}g" if prefix else "g"
    binds = [release["profile"], release["profile"], prefix, stop]
    return (record_id for (record_id,) in lake.sql.stream("releases/list_release_ids", binds, versions=release["versions_snapshot"]))


def exact_neighbours(lake: Lake, profile: Profile, metric: str, sync: Sync, probes: dict[str, np.ndarray]) -> dict[str, set[str]]:
    """The ten nearest records of each probe among all that the sync wrote, with those that tie with the tenth."""
    nearest = dict[str, list[tuple[float, str]]]({probe: [] for probe in probes})
    of_profile = [profile.model_version, profile.name]
    for bounds in slices(sync.record_count):
        binds = [*of_profile, sync.sync_id, ",".join(probes), sync.sync_id, *bounds, *of_profile, metric, metric]
        for probe, record_id, similarity in lake.sql.stream("releases/exact_neighbours", binds, embeddings=sync.embeddings_after):
            nearest[probe].append((similarity, record_id))
    return {probe: best_neighbours(found) for probe, found in nearest.items()}


def best_neighbours(found: list[tuple[float, str]]) -> set[str]:
    """The ids of the ten most similar of (similarity, id), and of those that tie with the tenth."""
    if not found:
        return set()
    ranked = sorted((similarity for similarity, _ in found), reverse=True)
    tenth = ranked[:10][-1]
    return {record_id for similarity, record_id in found if similarity >= tenth}
