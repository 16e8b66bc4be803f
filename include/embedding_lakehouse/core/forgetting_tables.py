"""The tables of forgetting: which documents may not come back, by their hashes alone, and the erasures with their certificates."""

from embedding_lakehouse.core.tables import JOURNAL_COMMITS, Column, Table

ERASURE_ID = Column("erasure_id", "string", "the erasure")

FORGOTTEN_DOCUMENTS = Table(
    "docs_db.forgotten_documents",
    (
        Column("id_hash", "string", "SHA-256 hex of salt || '||' || doc_id"),
        Column("content_hashes", "list<string>", "SHA-256 hex of salt || '||' || content_hash of each version that no other document has"),
        Column("salt", "string", "the same for every row: it keeps the hashes apart from those of other lakes"),
        ERASURE_ID,
        Column("reason", "string", "why it was forgotten"),
        Column("requested_by", "string", "who asked for it"),
        Column("forgotten_at", "timestamptz", "since when it is refused"),
        Column("lifted_at", "timestamptz", "since when it may be ingested again; null while it is refused"),
        Column("lifted_by", "string", "who allowed it again"),
        Column("lifted_reason", "string", "why it is allowed again"),
    ),
    properties=JOURNAL_COMMITS,
)

ERASURES = Table(
    "docs_db.erasures",
    (
        ERASURE_ID,
        Column("state", "string", "begun, certified, finished"),
        Column("document_count", "long", "documents that are forgotten"),
        Column("requested_by", "string", "who asked for it"),
        Column("approved_by", "string", "who approved the plan"),
        Column("reason", "string", "why"),
        Column("run_id", "string", "the DAG run that began it"),
        Column("started_at", "timestamptz", "when it began"),
        Column("finished_at", "timestamptz", "when nothing was left"),
        Column(
            "certificate", "string", "JSON: what was erased, how it was checked, what could not be reached; no text and no id of a document"
        ),
    ),
    properties=JOURNAL_COMMITS,
)

FORGETTING_TABLES = (FORGOTTEN_DOCUMENTS, ERASURES)
