"""The tables that follow what is done to an index beside its syncs: fills of a release, and comparisons with the record."""

from embedding_lakehouse.core.tables import DOC_ID, PROFILE, Column, Table

INDEX_FILLS = Table(
    "embeddings_db.index_fills",
    (
        Column("sync_id", "string", "the sync that fills a release"),
        Column("shard", "int", "the finished shard: it is not written again where the fill resumes"),
        Column("records", "long", "records written, or exported for an import"),
        Column("requests", "long", "requests that wrote them"),
        Column("bytes", "long", "bytes of their bodies, or of the exported file"),
        Column("lsn", "long", "log position of the last write, where the service tells it"),
        Column("finished_at", "timestamptz", "when"),
    ),
)

INDEX_RECONCILIATIONS = Table(
    "embeddings_db.index_reconciliations",
    (
        Column("reconciliation_id", "string", "the comparison"),
        Column("release_id", "string", "the release that was compared"),
        PROFILE,
        Column("versions_snapshot", "long", "the snapshot of document_versions with which it was compared"),
        Column("embeddings_snapshot", "long", "the snapshot of document_embeddings"),
        Column("expected_count", "long", "records that the release should hold"),
        Column("listed_count", "long", "records that the index listed"),
        Column("compared_count", "long", "records whose vector and metadata were compared"),
        Column("missing_count", "long", "records that the index lacks"),
        Column("orphaned_count", "long", "records that are not, or no longer, part of the record"),
        Column("stale_count", "long", "records with another vector or other metadata than their row"),
        Column("wrong_profile_count", "long", "records of another model version"),
        Column("newer_count", "long", "differences left alone, since a sync wrote there meanwhile"),
        Column("fidelity", "double", "share of the expected and listed records that are equal, from 0 to 1"),
        Column("is_complete", "boolean", "whether the whole listing was read; otherwise nothing is removed"),
        Column("repair_sync_id", "string", "the sync that repairs what was found; null for none"),
        Column("dag_id", "string", "the DAG"),
        Column("run_id", "string", "its run"),
        Column("started_at", "timestamptz", "when the comparison began"),
        Column("finished_at", "timestamptz", "when it was recorded"),
    ),
)

INDEX_FINDINGS = Table(
    "embeddings_db.index_findings",
    (
        Column("reconciliation_id", "string", "the comparison"),
        Column("record_id", "string", "the record"),
        DOC_ID,
        Column("finding", "string", "missing, orphaned, stale or wrong_profile"),
        Column("detail", "string", "how it differs"),
        Column("source_batch", "string", "the batch of the row that it should equal; null for an orphaned one"),
        Column("source_file", "string", "the data file that holds the row"),
        Column("title", "string", "the document's title, where it has one"),
        Column("found_at", "timestamptz", "when"),
    ),
    partitioned_by=("reconciliation_id",),
)

INDEX_TABLES = (INDEX_FILLS, INDEX_RECONCILIATIONS, INDEX_FINDINGS)
