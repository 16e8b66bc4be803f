"""Holds: tags by which a person keeps snapshots from expiring until the hold is lifted, for a legal reason for example."""

from dataclasses import dataclass

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from embedding_lakehouse.clients.iceberg import drop_tag, head_snapshot, tag_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.moments import Moment
from embedding_lakehouse.clients.snapshots import kept_snapshot, snapshot_at
from embedding_lakehouse.core.erasures import HOLD_TAG
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS, Table
from embedding_lakehouse.errors import ConfigurationError

HELD_TABLES = (SOURCE_DOCUMENTS, DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS)
MOST_DOCUMENTS = 5_000


@dataclass(frozen=True, slots=True)
class Hold:
    """The hold of a name, in the three tables that have what documents said and what was made of it."""

    lake: Lake
    name: str

    @property
    def tag(self) -> str:
        return f"{HOLD_TAG}{self.name}"

    def tags(self, declared: Table) -> list[str]:
        """The tags of the hold in a table."""
        return sorted(tag for tag in self.lake.table(declared).refs() if tag == self.tag or tag.startswith(f"{self.tag}."))

    def keep_moment(self, moment: Moment) -> list[int]:
        """Keep a moment of the lake with the texts of its versions; the source snapshots that it lacks, since they have expired.

        What the source had by then is kept whole, also what was not embedded yet. Raises ConfigurationError, and keeps nothing, where no
        snapshot of the source is left that is as old as the moment.
        """
        held = self._source_of(moment)
        self._put(DOCUMENT_VERSIONS, self.tag, moment.versions_snapshot)
        self._put(DOCUMENT_EMBEDDINGS, self.tag, moment.embeddings_snapshot)
        self._put(SOURCE_DOCUMENTS, self.tag, held.snapshot_id)
        names = {"versions_snapshot": moment.versions_snapshot, "source_snapshot": held.snapshot_id}
        return self._keep_cited([snapshot for (snapshot,) in self.lake.sql.rows("maintenance/list_cited_snapshots", **names)])

    def _source_of(self, moment: Moment) -> Snapshot:
        source = self.lake.table(SOURCE_DOCUMENTS)
        held = head_snapshot(source) if moment.at_milliseconds is None else snapshot_at(source, moment.at_milliseconds)
        if held is None:
            raise ConfigurationError(
                f"as_of: nothing is left of {SOURCE_DOCUMENTS.name} as of {moment.described}: hold a later moment, or documents by doc_ids"
            )
        return held

    def keep_documents(self, doc_ids: list[str]) -> list[int]:
        """Keep the texts of all versions that documents ever had; the source snapshots that it lacks, since they have expired.

        Passages, vectors and versions stay anyway: their tables only grow.
        """
        parts = [tuple(doc_ids[first : first + MOST_DOCUMENTS]) for first in range(0, len(doc_ids), MOST_DOCUMENTS)]
        cited = {snapshot for part in parts for (snapshot,) in self.lake.sql.rows("maintenance/list_versions_snapshots", [part])}
        return self._keep_cited(sorted(cited))

    def lift(self) -> int:
        """Drop the hold's tags; how many there were."""
        tags = [(self.lake.table(declared), tag) for declared in HELD_TABLES for tag in self.tags(declared)]
        for table, tag in tags:
            drop_tag(table, tag)
        return len(tags)

    def _keep_cited(self, snapshots: list[int]) -> list[int]:
        source: IcebergTable = self.lake.table(SOURCE_DOCUMENTS)
        kept = {snapshot: kept_snapshot(source, snapshot) for snapshot in snapshots}
        for snapshot in {one.snapshot_id for one in kept.values() if one}:
            self._put(SOURCE_DOCUMENTS, f"{self.tag}.{snapshot}", snapshot)
        return [snapshot for snapshot, found in kept.items() if found is None]

    def _put(self, declared: Table, tag: str, snapshot: int) -> None:
        tag_snapshot(self.lake.table(declared), tag, snapshot)
