"""The tables of the lakehouse, declared once: columns with their meaning, partitioning, and what a commit may do.

Types are Iceberg's own names. A column added here is added to existing tables by `set_up_lakehouse`; a table is never dropped.
"""

from dataclasses import dataclass, field

# Five writers at once: 0 of 255 commits fail with these, 23 of 529 without. Trino obeys them as well as PyIceberg.
PATIENT_COMMITS = {"commit.retry.num-retries": "30", "commit.retry.min-wait-ms": "20", "commit.retry.max-wait-ms": "500"}
# A journal's writer decides from what it read, so a commit on changed rows must fail and be decided anew, never be replayed.
JOURNAL_COMMITS = {"commit.retry.num-retries": "0"}
# Every commit writes one metadata file: keep the last hundred.
BOUNDED_METADATA = {"write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": "100"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: name, Iceberg type (`list<float>`, `list<string>` or a primitive), meaning."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: `schema.name`, columns, partition fields (`column` for identity, `day(column)` for days), commit rules."""

    name: str
    columns: tuple[Column, ...]
    partitioned_by: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=lambda: PATIENT_COMMITS)

    @property
    def schema_name(self) -> str:
        return self.name.split(".")[0]


BATCH_ID = Column("batch_id", "string", "the batch that wrote the row")
DOC_ID = Column("doc_id", "string", "the document")
PROFILE = Column("profile", "string", "the embedding profile")

SOURCE_DOCUMENTS = Table(
    "docs_db.source_documents",
    (
        DOC_ID,
        Column("document_text", "string", "the normalised text"),
        Column("content_hash", "string", "SHA-256 hex of document_text: what `changed` means"),
        Column("title", "string", "the document's title, where it has one"),
        Column("source_uri", "string", "the file or object the document was read from"),
        Column("media_type", "string", "media type of the source, which decides how it is parsed and chunked"),
        Column("metadata", "string", "JSON object of the source's own fields"),
        Column("updated_at", "timestamptz", "when this version of the text was ingested"),
    ),
)

DOCUMENT_EMBEDDINGS = Table(
    "embeddings_db.document_embeddings",
    (
        DOC_ID,
        Column("chunk_id", "string", "SHA-256 hex of doc_id || '||' || chunk_text"),
        Column("chunk_text", "string", "the exact text that was embedded"),
        Column("embedding", "list<float>", "the vector"),
        Column("embedding_dim", "int", "number of dimensions of the vector"),
        Column("model_name", "string", "the embedding model"),
        Column("model_version", "string", "the model's version, one per profile"),
        Column("chunking_strategy", "string", "strategy and settings that cut the chunk"),
        Column("source_snapshot", "long", "snapshot of source_documents that holds the version the chunk was cut from"),
        Column("created_at", "timestamptz", "when the row was staged"),
        BATCH_ID,
        PROFILE,
        Column("profile_fingerprint", "string", "hash of every setting that decides the vector"),
        Column("content_hash", "string", "the version of the document the chunk was cut from"),
        Column("text_hash", "string", "SHA-256 hex of chunk_text: finds the same text in other documents"),
        Column("token_count", "int", "tokens of chunk_text as the model counts them"),
        Column("chunk_index", "int", "the chunk's position in that version, from 0"),
        Column("start_offset", "int", "offset of the chunk's first character in that version's text"),
        Column("copied_from_batch", "string", "the batch that made the vector, where it was copied; null where the text was embedded"),
    ),
    partitioned_by=("model_version", "day(created_at)"),
)

DOCUMENT_VERSIONS = Table(
    "embeddings_db.document_versions",
    (
        DOC_ID,
        PROFILE,
        Column("content_hash", "string", "the version of the document"),
        Column("source_snapshot", "long", "snapshot of source_documents that holds this version"),
        Column("source_sequence_number", "long", "that snapshot's sequence number"),
        Column("batch_number", "long", "rises by one a batch: the latest version of a document is the one of the highest number"),
        Column("chunk_ids", "list<string>", "the version's chunks in reading order"),
        Column("is_deleted", "boolean", "whether the document was found deleted"),
        BATCH_ID,
        Column("recorded_at", "timestamptz", "when the row was staged"),
        Column(
            "restored_from",
            "string",
            "the batch that made this version, or removed the document, where a roll-back put that back; null otherwise",
        ),
    ),
    partitioned_by=("profile",),
)

EMBEDDING_BATCHES = Table(
    "embeddings_db.embedding_batches",
    (
        BATCH_ID,
        Column("batch_number", "long", "rises by one a batch, never reused"),
        PROFILE,
        Column("profile_fingerprint", "string", "hash of every setting that decides a vector"),
        Column("model_name", "string", "the embedding model"),
        Column("model_version", "string", "the model's version"),
        Column("state", "string", "planned, priced, committed, published; blocked, discarded, rejected"),
        Column("source_snapshot", "long", "the pinned snapshot of source_documents"),
        Column("source_sequence_number", "long", "its sequence number"),
        Column("documents_new", "long", "documents never embedded under the profile"),
        Column("documents_changed", "long", "documents whose text changed"),
        Column("documents_deleted", "long", "documents that left the source"),
        Column("documents_remaining", "long", "documents left for the next batch"),
        Column("document_shards", "int", "tasks over which the documents are spread"),
        Column("embedding_shards", "int", "tasks over which the chunks are spread"),
        Column("chunks_planned", "long", "chunks of the new and changed documents"),
        Column("chunks_kept", "long", "of these, chunks whose row exists already"),
        Column("chunks_copied", "long", "of these, chunks whose vector is copied from the same text elsewhere"),
        Column("chunks_embedded", "long", "of these, chunks whose text is new"),
        Column("texts_embedded", "long", "distinct new texts: what the model is asked for"),
        Column("tokens_estimated", "long", "estimate for the distinct new texts, from their length"),
        Column("price_estimated", "double", "in US dollars, from tokens_estimated and the profile's price"),
        Column("embeddings_snapshot", "long", "the batch's snapshot of document_embeddings"),
        Column("versions_snapshot", "long", "the batch's snapshot of document_versions"),
        Column("dag_id", "string", "the DAG that works on the batch"),
        Column("run_id", "string", "its run"),
        Column("planned_at", "timestamptz", "when the batch was planned"),
        Column("updated_at", "timestamptz", "when the row last changed"),
        Column("message", "string", "why the batch is blocked, discarded or rejected"),
        Column("kind", "string", "roll_back, or null for a batch that embeds"),
        Column("undone_batches", "list<string>", "the batches that a roll-back undoes"),
        Column("published_at", "timestamptz", "when it became current"),
        Column("chunks_rejected", "long", "of the planned chunks, those that the model refused"),
        Column("documents_current", "long", "documents embedded under the profile when the batch was planned"),
        Column("documents_gone", "long", "of these, documents that the source no longer has, in this batch or a later one"),
        Column("tokens_reused", "long", "estimate for the chunks that need no embedding, from their length"),
        Column("price_saved", "double", "in US dollars, from tokens_reused and the profile's price"),
        Column("seconds_estimated", "double", "from plan to publication, after recent batches; null for a profile's first"),
        Column("approval_reasons", "list<string>", "the limits of the profile that the batch is above; null where none"),
        Column("approved_by", "string", "who approved it"),
        Column("approved_at", "timestamptz", "when"),
        Column("priced_at", "timestamptz", "when its chunks were priced"),
        Column("committed_at", "timestamptz", "when its vectors were all there"),
        Column("requests", "long", "requests that the model answered"),
        Column("tokens_embedded", "long", "tokens that were paid for, as the model counts them, of whatever try"),
        Column("price", "double", "in US dollars, from tokens_embedded and the profile's price"),
    ),
    properties=JOURNAL_COMMITS,
)

BATCH_DOCUMENTS = Table(
    "embeddings_db.batch_documents",
    (
        BATCH_ID,
        Column("shard", "int", "the task that chunks the document"),
        DOC_ID,
        Column("change", "string", "new, changed or deleted"),
        Column("content_hash", "string", "the version to embed; for a deleted document the last one embedded"),
        Column("document_text", "string", "the text of that version; null for a deleted document"),
        Column("media_type", "string", "decides how the text is chunked"),
    ),
    partitioned_by=("batch_id", "shard"),
)

BATCH_CHUNKS = Table(
    "embeddings_db.batch_chunks",
    (
        BATCH_ID,
        DOC_ID,
        Column("chunk_id", "string", "SHA-256 hex of doc_id || '||' || chunk_text"),
        Column("text_hash", "string", "SHA-256 hex of chunk_text; rows of a file are sorted by it"),
        Column("chunk_text", "string", "the chunk"),
        Column("content_hash", "string", "the version it was cut from"),
        Column("chunk_index", "int", "position in that version, from 0"),
        Column("start_offset", "int", "offset of its first character in that version's text"),
    ),
    partitioned_by=("batch_id",),
)

BATCH_REUSE = Table(
    "embeddings_db.batch_reuse",
    (
        BATCH_ID,
        Column("chunk_id", "string", "the planned chunk that needs no embedding"),
        Column("text_hash", "string", "its text"),
        Column("is_kept", "boolean", "whether the chunk's own row exists already, so that nothing is written"),
        Column("source_batch", "string", "the batch whose vector is copied"),
        Column("source_file", "string", "the data file that holds the vector"),
    ),
    partitioned_by=("batch_id",),
)

REJECTED_CHUNKS = Table(
    "embeddings_db.rejected_chunks",
    (
        BATCH_ID,
        PROFILE,
        DOC_ID,
        Column("chunk_id", "string", "the chunk, which is no part of its document's version"),
        Column("text_hash", "string", "SHA-256 hex of chunk_text"),
        Column("chunk_text", "string", "the text that was refused"),
        Column("content_hash", "string", "the version it was cut from"),
        Column("chunk_index", "int", "its position in that version, from 0"),
        Column("start_offset", "int", "offset of its first character in that version's text"),
        Column("reason_code", "string", "too_long or refused"),
        Column("reason", "string", "what the model said"),
        Column("rejected_at", "timestamptz", "when"),
    ),
    partitioned_by=("profile",),
)

ROLL_BACK_VERSIONS = Table(
    "embeddings_db.roll_back_versions",
    (
        BATCH_ID,
        DOC_ID,
        Column("content_hash", "string", "the version that becomes current; for a removed document the last one"),
        Column("source_snapshot", "long", "snapshot of source_documents that holds this version"),
        Column("source_sequence_number", "long", "that snapshot's sequence number"),
        Column("chunk_ids", "list<string>", "the version's chunks in reading order"),
        Column("is_deleted", "boolean", "whether no version of the document is left"),
        Column("restored_from", "string", "the batch that made the version, or removed the document; null where no version is left"),
        Column("is_changed", "boolean", "whether another version than now becomes current"),
        Column("upsert_count", "long", "records of the document that are written"),
        Column("delete_count", "long", "records of the document that are removed"),
    ),
    partitioned_by=("batch_id",),
)

INDEX_RELEASES = Table(
    "embeddings_db.index_releases",
    (
        Column("release_id", "string", "the release"),
        PROFILE,
        Column("index_name", "string", "the index that holds it"),
        Column("namespace", "string", "the namespace that is the release"),
        Column("state", "string", "building, verified, live, retired, dropped"),
        Column("dimension", "int", "dimensions of its vectors"),
        Column("metric", "string", "cosine, dotproduct or euclidean"),
        Column("embeddings_snapshot", "long", "the snapshot of document_embeddings it holds"),
        Column("versions_snapshot", "long", "the snapshot of document_versions it holds: the watermark of the sync"),
        Column("record_count", "long", "records it should hold"),
        Column("id_checksum", "string", "sum of the first 64 bits of their ids modulo 2^64, as 16 hex digits"),
        Column("is_pinned", "boolean", "whether it stays at its snapshots: no sync leads a pinned release on"),
        Column("open_syncs", "list<string>", "syncs that may have written to it and were not recorded: the next one makes good for them"),
        Column("created_by", "string", "the DAG run or person who made it"),
        Column("reason", "string", "why"),
        Column("created_at", "timestamptz", "when it was made"),
        Column("updated_at", "timestamptz", "when the row last changed"),
        Column("verified_at", "timestamptz", "when its ids, vectors and answers were last found to be those of the lake"),
        Column("probe_recall", "double", "share of the exact ten nearest neighbours that its answers to the probes held then"),
        Column("method", "string", "how it was filled: upserts or import"),
        Column("import_id", "string", "the service's bulk import that fills it, or filled it"),
        Column("keep_until", "timestamptz", "a retired release is kept until then, to be switched back to"),
    ),
    properties=JOURNAL_COMMITS,
)

INDEX_SYNCS = Table(
    "embeddings_db.index_syncs",
    (
        Column("sync_id", "string", "the sync"),
        Column("release_id", "string", "the release it wrote to"),
        PROFILE,
        Column("from_versions_snapshot", "long", "the watermark before; null for a first sync"),
        Column("to_versions_snapshot", "long", "the watermark after"),
        Column("to_embeddings_snapshot", "long", "the pinned snapshot of document_embeddings"),
        Column("documents_changed", "long", "documents whose chunks differ"),
        Column("records_upserted", "long", "records written"),
        Column("records_deleted", "long", "records removed"),
        Column("requests", "long", "requests that wrote or removed records"),
        Column("bytes_sent", "long", "bytes of their bodies"),
        Column("dag_id", "string", "the DAG"),
        Column("run_id", "string", "its run"),
        Column("started_at", "timestamptz", "when the sync was planned"),
        Column("finished_at", "timestamptz", "when it was recorded"),
    ),
)

SYNC_CHANGES = Table(
    "embeddings_db.sync_changes",
    (
        Column("sync_id", "string", "the sync"),
        Column("shard", "int", "the task that applies the change"),
        DOC_ID,
        Column("chunk_id", "string", "the record"),
        Column("is_upsert", "boolean", "whether the record is written; otherwise it is removed"),
        Column("was_current", "boolean", "whether the record is part of the state from which the sync leads"),
        Column("source_batch", "string", "the batch whose row is written"),
        Column("source_file", "string", "the data file that holds the row"),
        Column("title", "string", "the document's title, where it has one"),
    ),
    partitioned_by=("sync_id", "shard"),
)

TABLES = (
    SOURCE_DOCUMENTS,
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    EMBEDDING_BATCHES,
    BATCH_DOCUMENTS,
    BATCH_CHUNKS,
    BATCH_REUSE,
    REJECTED_CHUNKS,
    ROLL_BACK_VERSIONS,
    INDEX_RELEASES,
    INDEX_SYNCS,
    SYNC_CHANGES,
)
