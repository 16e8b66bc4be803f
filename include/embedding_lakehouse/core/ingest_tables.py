"""The tables of ingestion: which files and runs there were, what is rejected, and what a run stages until it is merged."""

from embedding_lakehouse.core.tables import DOC_ID, JOURNAL_COMMITS, Column, Table

INGEST_ID = Column("ingest_id", "string", "the ingestion, one for each try of list_files")
FILE = (
    Column("path", "string", "path relative to the source, with slashes"),
    Column("size_bytes", "long", "size as listed"),
    Column("modified_at", "timestamptz", "modification time as listed"),
    Column("etag", "string", "what else tells two versions apart: an object's ETag, a local file's change time, or the file's problem"),
)

SOURCE_FILES = Table(
    "docs_db.source_files",
    (
        Column("source", "string", "the folder or prefix that was listed"),
        Column("source_uri", "string", "the file: source, slash, path"),
        *FILE,
        Column("reader", "string", "what it was read with; a file is read again under another one"),
        Column("document_count", "long", "live documents that come from it"),
        Column("rejection_count", "long", "documents of it that are rejected"),
        Column("read_at", "timestamptz", "when it was last read"),
        INGEST_ID,
    ),
)

REJECTED_DOCUMENTS = Table(
    "docs_db.rejected_documents",
    (
        DOC_ID,
        Column("source_uri", "string", "the file"),
        Column("line", "long", "the row's first line in the file; 0 for a whole file"),
        Column("reason_code", "string", "why, as one word"),
        Column("reason", "string", "what is wrong and what to do"),
        Column("keeps_older_version", "boolean", "whether source_documents still has what was read from there before"),
        Column("first_rejected_at", "timestamptz", "since when the document is rejected"),
        Column("last_rejected_at", "timestamptz", "when it was last read and rejected"),
    ),
)

INGEST_RUNS = Table(
    "docs_db.ingest_runs",
    (
        INGEST_ID,
        Column("run_id", "string", "the DAG run"),
        Column("source", "string", "the folder or prefix that was listed"),
        Column("state", "string", "reading, merging, finished, quiet, stopped"),
        Column("is_complete", "boolean", "whether everything could be listed; otherwise nothing is removed"),
        Column("listed_files", "long", "files of a supported format"),
        Column("ignored_files", "long", "files of other formats, hidden ones, and links to folders"),
        Column("unchanged_files", "long", "files that were not read again"),
        Column("read_files", "long", "files that were read"),
        Column("read_bytes", "long", "their size"),
        Column("vanished_files", "long", "files that are gone"),
        Column("new_documents", "long", "documents added"),
        Column("changed_documents", "long", "documents whose text, title or metadata changed"),
        Column("removed_documents", "long", "documents removed"),
        Column("rejected_documents", "long", "documents rejected in this run"),
        Column("message", "string", "why it was stopped"),
        Column("started_at", "timestamptz", "when the listing began"),
        Column("finished_at", "timestamptz", "when it ended"),
    ),
    properties=JOURNAL_COMMITS,
)

LISTED_FILES = Table("docs_db.listed_files", (INGEST_ID, *FILE, Column("problem", "string", "why it cannot be read")), ("ingest_id",))

INGEST_FILES = Table(
    "docs_db.ingest_files",
    (
        INGEST_ID,
        Column("shard", "int", "the task that reads the file; -1 for a vanished one"),
        *FILE,
        Column("problem", "string", "why it cannot be read"),
        Column("change", "string", "new, changed, vanished, or read again: again, waiting"),
    ),
    partitioned_by=("ingest_id", "shard"),
)

STAGED_DOCUMENTS = Table(
    "docs_db.staged_documents",
    (
        INGEST_ID,
        Column("slice", "long", "a piece of bounded size: the unit of a merge"),
        Column("path", "string", "the file"),
        Column("line", "long", "the row's first line in the file; 0 for a file that is one document"),
        DOC_ID,
        Column("document_text", "string", "the normalised text; null for a rejection"),
        Column("content_hash", "string", "SHA-256 hex of document_text"),
        Column("title", "string", "the document's title, where it has one"),
        Column("media_type", "string", "media type of the source"),
        Column("metadata", "string", "JSON object of the source's own fields"),
        Column("reason_code", "string", "why it is rejected, as one word; null for a document"),
        Column("reason", "string", "what is wrong and what to do"),
    ),
    partitioned_by=("ingest_id",),
)

INGEST_CHANGES = Table(
    "docs_db.ingest_changes",
    (
        INGEST_ID,
        Column("comparison_id", "string", "the comparison, one for each try"),
        DOC_ID,
        Column("slice", "long", "where the staged document is; 0 for a removed one"),
        Column("path", "string", "the file"),
        Column("line", "long", "the row's first line in the file"),
        Column("change", "string", "new, changed, removed or duplicate"),
        Column("other_place", "string", "for a duplicate: where the id is used already"),
    ),
    partitioned_by=("ingest_id",),
)

INGEST_TABLES = (
    SOURCE_FILES,
    REJECTED_DOCUMENTS,
    INGEST_RUNS,
    LISTED_FILES,
    INGEST_FILES,
    STAGED_DOCUMENTS,
    INGEST_CHANGES,
)
