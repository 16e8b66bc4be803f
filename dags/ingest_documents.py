"""Bring the documents of a folder or an S3 prefix into the lake: new, changed, removed, rejected.

List and compare with the registry of files (Trino) -> read and parse each shard of changed files (mapped) -> compare with the documents
(Trino) -> merge (Trino). Where no file changed, everything after the listing is skipped; the asset changes only if a document did. What
cannot be read is in docs_db.rejected_documents with its reason, and keeps its last good version.

A document's id is its file's path in the source; each row of a CSV or JSON Lines file is a document under its own id.
"""

import os
from typing import Any

from airflow.sdk import Param, dag

from embedding_lakehouse.assets import SOURCE_DOCUMENTS
from embedding_lakehouse.schedules import daily
from embedding_lakehouse.settings import DAG_DEFAULTS
from embedding_lakehouse.task_errors import lakehouse_task

SOURCE = os.environ.get("EMBEDDING_LAKEHOUSE_SOURCE", "")
OPTIONAL = ["null", "string"]
PARAMS = {
    "source": Param(SOURCE, type="string", description="An absolute folder, or s3://bucket/prefix."),
    "conn_id": Param(None, type=OPTIONAL, description="The connection for S3; aws_default if empty."),
    "pattern": Param("*", type="string", minLength=1, description="Which files, by their path in the source: *.md, handbook/*."),
    "id_prefix": Param("", type="string", description="Put before every document id, to tell the same names of two sources apart."),
    "id_column": Param(None, type=OPTIONAL, description="Id column of CSV and JSON Lines; doc_id, id or _id if empty."),
    "text_column": Param(None, type=OPTIONAL, description="Text column; document_text, text, content or body if empty."),
    "title_column": Param(None, type=OPTIONAL, description="Title column; title if empty."),
    "max_document_megabytes": Param(20, type="number", exclusiveMinimum=0, maximum=500, description="Larger documents are rejected."),
    "parse_seconds": Param(60, type="integer", minimum=1, maximum=3600, description="HTML, PDF and DOCX that take longer are rejected."),
    "delete_limit": Param(0.1, type="number", minimum=0, maximum=1, description="Share of the documents that may vanish without consent."),
    "allow_deletes": Param(False, type="boolean", description="Consent to more deletes than delete_limit."),
}


# Scheduled where the deployment names its source; anywhere else it runs by hand.
@dag(schedule=daily(0) if SOURCE else None, max_active_runs=1, params=PARAMS, tags=["documents"], doc_md=__doc__, **DAG_DEFAULTS)
def ingest_documents():
    @lakehouse_task
    def list_files(params: dict[str, Any] | None = None, run_id=None) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.ingest_documents import listing

        return listing.list_files(params, run_id)

    @lakehouse_task
    def parse_files(ingest_id: str, shard: int, params: dict[str, Any] | None = None) -> dict[str, Any]:
        from embedding_lakehouse.steps.ingest_documents import parsing

        return parsing.parse_files(ingest_id, shard, params)

    @lakehouse_task
    def compare_documents(shards: list[dict[str, Any]], params: dict[str, Any] | None = None) -> dict[str, Any]:
        from embedding_lakehouse.steps.ingest_documents import comparing

        return comparing.compare_documents(list(shards), params)

    @lakehouse_task(outlets=[SOURCE_DOCUMENTS])
    def merge_documents(comparison: dict[str, Any], params: dict[str, Any] | None = None) -> dict[str, int]:
        from embedding_lakehouse.steps.ingest_documents import merging

        return merging.merge_documents(comparison, params)

    merge_documents(compare_documents(parse_files.expand_kwargs(list_files())))


ingest_documents()
