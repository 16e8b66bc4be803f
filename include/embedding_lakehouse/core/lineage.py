"""Which tables each task reads and writes, for people's lineage tools: what lasts, not what only travels between tasks."""

from typing import NamedTuple

from embedding_lakehouse.core.forgetting_tables import ERASURES, FORGOTTEN_DOCUMENTS
from embedding_lakehouse.core.index_tables import INDEX_FINDINGS, INDEX_RECONCILIATIONS
from embedding_lakehouse.core.ingest_tables import REJECTED_DOCUMENTS
from embedding_lakehouse.core.monitoring_tables import DRIFT_MEASURES, DRIFT_VERDICTS, MAINTENANCE_RUNS, QUALITY_RESULTS
from embedding_lakehouse.core.tables import (
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    EMBEDDING_BATCHES,
    INDEX_RELEASES,
    INDEX_SYNCS,
    REJECTED_CHUNKS,
    SOURCE_DOCUMENTS,
    Table,
)


class Flow(NamedTuple):
    """What a task reads and what it writes."""

    reads: tuple[Table, ...] = ()
    writes: tuple[Table, ...] = ()


RECORD = (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)

# By the name of the task, without its group.
FLOWS: dict[str, Flow] = {
    "merge_documents": Flow(writes=(SOURCE_DOCUMENTS, REJECTED_DOCUMENTS)),
    "detect_changes": Flow((SOURCE_DOCUMENTS, DOCUMENT_VERSIONS)),
    "plan_batch": Flow((SOURCE_DOCUMENTS, DOCUMENT_VERSIONS), (EMBEDDING_BATCHES,)),
    "chunk_documents": Flow((SOURCE_DOCUMENTS,)),
    "price_batch": Flow(RECORD, (EMBEDDING_BATCHES,)),
    "embed_chunks": Flow((DOCUMENT_EMBEDDINGS,)),
    "commit_embeddings": Flow((SOURCE_DOCUMENTS,), (DOCUMENT_EMBEDDINGS, REJECTED_CHUNKS, EMBEDDING_BATCHES)),
    "conclude": Flow((SOURCE_DOCUMENTS, *RECORD), (QUALITY_RESULTS,)),
    "publish_batch": Flow((SOURCE_DOCUMENTS,), (*RECORD, EMBEDDING_BATCHES)),
    "plan_sync": Flow((*RECORD, INDEX_RELEASES)),
    "upsert_records": Flow((DOCUMENT_EMBEDDINGS,)),
    "verify_records": Flow((DOCUMENT_EMBEDDINGS,)),
    "record_sync": Flow(RECORD, (INDEX_SYNCS, INDEX_RELEASES)),
    "plan_rebuild": Flow(RECORD),
    "begin_rebuild": Flow(RECORD, (INDEX_RELEASES,)),
    "fill_shard": Flow((DOCUMENT_EMBEDDINGS,)),
    "start_import": Flow((DOCUMENT_EMBEDDINGS,)),
    "record_fill": Flow((DOCUMENT_EMBEDDINGS,), (INDEX_RELEASES,)),
    "verify_release": Flow((DOCUMENT_EMBEDDINGS,), (INDEX_RELEASES,)),
    "choose_release": Flow((INDEX_RELEASES,)),
    "switch_release": Flow((INDEX_RELEASES,), (INDEX_RELEASES,)),
    "drop_releases": Flow((INDEX_RELEASES,), (INDEX_RELEASES,)),
    "plan_roll_back": Flow(RECORD),
    "apply_roll_back": Flow(RECORD, (DOCUMENT_VERSIONS, EMBEDDING_BATCHES)),
    "plan_reconciliation": Flow((*RECORD, INDEX_RELEASES)),
    "compare_part": Flow((DOCUMENT_EMBEDDINGS,)),
    "conclude_reconciliation": Flow((DOCUMENT_EMBEDDINGS,), (INDEX_RECONCILIATIONS, INDEX_FINDINGS, INDEX_RELEASES)),
    "propose_repair": Flow((INDEX_FINDINGS,)),
    "plan_repair": Flow((INDEX_FINDINGS, *RECORD)),
    "plan_comparison": Flow((*RECORD, DRIFT_VERDICTS)),
    "sample_states": Flow(RECORD),
    "measure_documents": Flow((SOURCE_DOCUMENTS, DOCUMENT_VERSIONS)),
    "measure_texts": Flow((SOURCE_DOCUMENTS, DOCUMENT_EMBEDDINGS)),
    "measure_vectors": Flow((DOCUMENT_EMBEDDINGS,)),
    "measure_models": Flow((DOCUMENT_EMBEDDINGS,)),
    "measure_provider": Flow((DOCUMENT_EMBEDDINGS,)),
    "measure_index": Flow((INDEX_RECONCILIATIONS, INDEX_RELEASES)),
    "conclude_comparison": Flow((SOURCE_DOCUMENTS, *RECORD), (DRIFT_MEASURES, DRIFT_VERDICTS)),
    "retrieval_has_not_drifted": Flow((DRIFT_VERDICTS,)),
    "index_equals_the_record": Flow((INDEX_RECONCILIATIONS,)),
    "documents_are_fresh": Flow((SOURCE_DOCUMENTS, DOCUMENT_VERSIONS)),
    "plan_erasure": Flow((SOURCE_DOCUMENTS, *RECORD)),
    "begin_erasure": Flow((SOURCE_DOCUMENTS, *RECORD), (FORGOTTEN_DOCUMENTS, ERASURES)),
    "erase_tables": Flow((SOURCE_DOCUMENTS, *RECORD), (SOURCE_DOCUMENTS, *RECORD)),
    "check_erasure": Flow((SOURCE_DOCUMENTS, *RECORD)),
    "certify_erasure": Flow((FORGOTTEN_DOCUMENTS,), (ERASURES,)),
    "conclude_maintenance": Flow((MAINTENANCE_RUNS,)),
}
