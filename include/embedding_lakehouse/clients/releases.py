"""The releases of the index in the lake: which namespace is live, what it holds, and which sync may write to it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.journal import Journal
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core import releases as rules
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.releases import ReleaseRow, Sync
from embedding_lakehouse.core.tables import INDEX_RELEASES, INDEX_SYNCS


@dataclass(frozen=True, slots=True)
class Releases:
    """The tables `index_releases` and `index_syncs` of a lake."""

    lake: Lake

    @property
    def _journal(self) -> Journal:
        return Journal(self.lake.catalog, INDEX_RELEASES, "release_id")

    def live(self, profile: str) -> ReleaseRow:
        """The profile's live release. Raises ConfigurationError where there is none."""
        return rules.live_release(self._journal.rows(), profile)

    def begin(self, profile: Profile, created_by: str) -> bool:
        """Make the profile's first release; False where it has had one."""
        return bool(self._journal.change(lambda rows: rules.first_release(rows, profile, created_by, datetime.now(UTC))))

    def open_sync(self, sync: Sync) -> None:
        """Note that the sync may write from now on. Raises ConflictError where another one came first."""
        self._journal.change(lambda rows: rules.open_sync(rows, sync, datetime.now(UTC)))

    def check_open(self, sync: Sync) -> None:
        """Raise ConflictError where the sync may not write any more, since another one came later."""
        rules.check_open(self._journal.rows(), sync)

    def record_sync(self, sync: Sync, **figures: Any) -> None:
        """Append the sync to `index_syncs` and then move the release's watermark; both once, however often it is called.

        Raises ConflictError, and moves nothing, where another sync moved the watermark or was planned later.
        """
        written = self._is_written(sync)
        rows = self._journal.rows()
        if written and rules.is_recorded(rows, sync):
            return
        rules.check_open(rows, sync)
        if not written:
            self._append(sync, figures)
        self._journal.change(lambda rows: rules.close_sync(rows, sync, datetime.now(UTC)))

    def _is_written(self, sync: Sync) -> bool:
        return scan(self.lake.table(INDEX_SYNCS), sync_id=sync.sync_id).count() > 0

    def _append(self, sync: Sync, figures: dict[str, Any]) -> None:
        table = self.lake.table(INDEX_SYNCS)
        row = {
            "sync_id": sync.sync_id,
            "release_id": sync.release_id,
            "profile": sync.profile,
            "from_versions_snapshot": sync.versions_before,
            "to_versions_snapshot": sync.versions_after,
            "to_embeddings_snapshot": sync.embeddings_after,
            "dag_id": sync.dag_id,
            "run_id": sync.run_id,
            "started_at": datetime.fromisoformat(sync.started_at),
            "finished_at": datetime.now(UTC),
            **figures,
        }
        table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))
