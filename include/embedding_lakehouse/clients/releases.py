"""The releases of the index in the lake: which namespace is live, what it holds, and which sync may write to it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients.iceberg import delete_rows, drop_tag, scan, tag_snapshot
from embedding_lakehouse.clients.journal import Journal
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.sync_changes import id_checksum
from embedding_lakehouse.core import releases as rules
from embedding_lakehouse.core import syncs
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.releases import ReleaseRow
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, INDEX_RELEASES, INDEX_SYNCS
from embedding_lakehouse.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Releases:
    """The tables `index_releases` and `index_syncs` of a lake."""

    lake: Lake

    @property
    def _journal(self) -> Journal:
        return Journal(self.lake.catalog, INDEX_RELEASES, "release_id")

    def rows(self) -> list[ReleaseRow]:
        """Every release as it is now."""
        return self._journal.rows()

    def live(self, profile: str) -> ReleaseRow:
        """The profile's live release: the one place that says where to read. Raises ConfigurationError where there is none."""
        return rules.live_release(self.rows(), profile)

    def named(self, release_id: str) -> ReleaseRow:
        """The release of that id. Raises InputError where there is none."""
        return rules.release_named(self.rows(), release_id)

    def begin(self, profile: Profile, created_by: str) -> bool:
        """Make the profile's first release; False where it has had one."""
        return bool(self._journal.change(lambda rows: rules.first_release(rows, profile, created_by, datetime.now(UTC))))

    def change(self, decide: Callable[[list[ReleaseRow]], list[ReleaseRow]]) -> list[ReleaseRow]:
        """Put the rows that a rule makes of the current ones, by compare-and-set, and return them."""
        return self._journal.change(decide)

    def move(self, release_id: str, state: str, **changes: Any) -> ReleaseRow:
        """Put a release that is not live into another state. Raises ConflictError for the live one."""
        self._journal.change(lambda rows: rules.moved(rows, release_id, state, datetime.now(UTC), **changes))
        return self.named(release_id)

    def open_sync(self, sync: Sync) -> None:
        """Note that the sync may write from now on. Raises ConflictError where another one came first."""
        self._journal.change(lambda rows: syncs.open_sync(rows, sync, datetime.now(UTC)))

    def check_open(self, sync: Sync) -> None:
        """Raise ConflictError where the sync may not write any more, since another one came later."""
        syncs.check_open(self.rows(), sync)

    def keep_snapshots(self, release_id: str) -> None:
        """Tag the snapshots that the release holds, so that expiry keeps them; a dropped release lets them go.

        Raises ConfigurationError where one has expired already.
        """
        row = self.named(release_id)
        try:
            self._tag(row)
        except ConfigurationError:
            # An erasure may have led the release on in this moment.
            now = self.named(release_id)
            if now["versions_snapshot"] == row["versions_snapshot"] and now["embeddings_snapshot"] == row["embeddings_snapshot"]:
                raise
            self._tag(now)

    def _tag(self, row: ReleaseRow) -> None:
        tag, lost = rules.tag_name(row["release_id"]), list[ConfigurationError]()
        for declared, column in ((DOCUMENT_EMBEDDINGS, "embeddings_snapshot"), (DOCUMENT_VERSIONS, "versions_snapshot")):
            if row["state"] == rules.DROPPED or row[column] is None:
                drop_tag(self.lake.table(declared), tag)
                continue
            try:
                tag_snapshot(self.lake.table(declared), tag, row[column])
            except ConfigurationError as error:
                lost.append(error)
        if lost:
            raise lost[0]

    def record_sync(self, sync: Sync, **figures: Any) -> None:
        """Append the sync to `index_syncs`, move the release's watermark and checksum, and tag what it holds; once, however often called.

        Raises ConflictError, and moves nothing, where another sync moved the watermark or was planned later, or where the state to which
        this one leads has expired.
        """
        written = self._is_written(sync)
        before: ReleaseRow | None = None
        rows = self.rows()
        if not (written and syncs.is_recorded(rows, sync)):
            syncs.check_open(rows, sync)
            if not self._is_there(sync):
                raise syncs.expired(sync)
            if not written:
                self._append(sync, figures)
            before = self._close(sync)
        try:
            self.keep_snapshots(sync.release_id)
        except ConfigurationError as error:
            if before is None:
                raise
            # An erasure came between the look and the tags, which still keep what the release held before.
            self._reopen(sync, before)
            raise syncs.expired(sync) from error

    def _is_there(self, sync: Sync) -> bool:
        """Whether the state to which the sync leads can still be read."""
        leads_to = ((DOCUMENT_VERSIONS, sync.versions_after), (DOCUMENT_EMBEDDINGS, sync.embeddings_after))
        return all(self.lake.table(declared).snapshot_by_id(snapshot) for declared, snapshot in leads_to)

    def _close(self, sync: Sync) -> ReleaseRow:
        """Move the release's watermark; its row as it was before."""
        changed, before = id_checksum(self.lake, sync.sync_id), dict[str, ReleaseRow]()

        def decide(rows: list[ReleaseRow]) -> list[ReleaseRow]:
            before.update({row["release_id"]: row for row in rows})
            return syncs.close_sync(rows, sync, changed, datetime.now(UTC))

        self._journal.change(decide)
        return before[sync.release_id]

    def _reopen(self, sync: Sync, before: ReleaseRow) -> None:
        """Take back that the sync was recorded."""
        self._journal.change(lambda rows: syncs.reopen_sync(rows, sync, before, datetime.now(UTC)))
        delete_rows(self.lake.table(INDEX_SYNCS), sync_id=sync.sync_id)
        # The tags of a release that is being filled say from what.
        if before["versions_snapshot"] is not None:
            self.keep_snapshots(sync.release_id)

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
