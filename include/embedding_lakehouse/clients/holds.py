"""Holds: tags by which a person keeps snapshots from expiring until the hold is lifted, for a legal reason for example."""

from dataclasses import dataclass

from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.iceberg import drop_tag, tag_snapshot
from embedding_lakehouse.clients.keeping import HOLD_TAG
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.moments import Moment
from embedding_lakehouse.clients.snapshots import kept_snapshot
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS, Table

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
        """Keep a moment of the lake with the texts of its versions; the source snapshots that it lacks, since they have expired."""
        self._put(DOCUMENT_VERSIONS, self.tag, moment.versions_snapshot)
        self._put(DOCUMENT_EMBEDDINGS, self.tag, moment.embeddings_snapshot)
        ledger, source = self.lake.table(DOCUMENT_VERSIONS), self.lake.table(SOURCE_DOCUMENTS)
        then = ledger.snapshot_by_id(moment.versions_snapshot)
        until = then.timestamp_ms if then else 0
        (held,) = [one for one in sorted(source.snapshots(), key=lambda one: one.timestamp_ms) if one.timestamp_ms <= until][-1:]
        self._put(SOURCE_DOCUMENTS, self.tag, held.snapshot_id)
        names = {"versions_snapshot": moment.versions_snapshot, "source_snapshot": held.snapshot_id}
        return self._keep_cited([snapshot for (snapshot,) in self.lake.sql.rows("maintenance/list_cited_snapshots", **names)])

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
