"""The tables of monitoring: what audits found, what was measured of drift, each verdict, the canaries, and the alerts."""

from embedding_lakehouse.core.tables import BATCH_ID, DOC_ID, PROFILE, Column, Table

MONITOR_ID = Column("monitor_id", "string", "the measurement, one for each run of monitor_embeddings and profile")

QUALITY_RESULTS = Table(
    "embeddings_db.quality_results",
    (
        BATCH_ID,
        PROFILE,
        Column("check_name", "string", "the sentence that must hold"),
        Column("severity", "string", "fail or warn"),
        Column("verdict", "string", "passed, warned, failed, accepted"),
        Column("violation_count", "long", "offending rows found"),
        Column("threshold", "long", "offending rows allowed"),
        Column("sample", "string", "JSON list of the first offending rows, each an object of column and value"),
        Column("engine", "string", "the SQL engine that answered"),
        Column("embeddings_snapshot", "long", "the audited snapshot of document_embeddings"),
        Column("versions_snapshot", "long", "the audited snapshot of document_versions"),
        Column("checked_at", "timestamptz", "when"),
        Column("measured_value", "double", "what the check measured: the offending rows, or the value of a check that measures one"),
        Column("allowed_value", "double", "the largest value that passes"),
        Column("source_snapshot", "long", "the pinned snapshot of source_documents"),
        Column("accepted_by", "string", "who let the batch pass although the check failed"),
        Column("accepted_reason", "string", "why"),
    ),
)

DRIFT_MEASURES = Table(
    "embeddings_db.drift_measures",
    (
        MONITOR_ID,
        PROFILE,
        Column("measure", "string", "what was measured"),
        Column(
            "cause", "string", "the cause that it speaks for: source, chunking, model, provider, index; null where it only says how much"
        ),
        Column("baseline_value", "double", "its value in the baseline, where it has one"),
        Column("current_value", "double", "its value now, where it has one"),
        Column("drift", "double", "how far they are apart, as the measure counts it"),
        Column("threshold", "double", "the drift from which it is exceeded; null for one that is only kept"),
        Column("is_exceeded", "boolean", "whether the drift is beyond the threshold"),
        Column("detail", "string", "what stands behind the figure, in words"),
        Column("measured_at", "timestamptz", "when"),
    ),
)

DRIFT_VERDICTS = Table(
    "embeddings_db.drift_verdicts",
    (
        MONITOR_ID,
        PROFILE,
        Column("model_version", "string", "the profile's model version"),
        Column("baseline_kind", "string", "what was compared with: batch, time, release, or none for a first measurement"),
        Column("baseline_id", "string", "the batch, the time, or the release"),
        Column("baseline_batch_number", "long", "the last batch that the baseline includes"),
        BATCH_ID,
        Column("batch_number", "long", "the last batch that the current state includes"),
        Column("is_drift", "boolean", "whether retrieval can be expected to differ from the baseline"),
        Column("causes", "list<string>", "the causes, the likeliest first: source, chunking, model, provider, index"),
        Column("verdict", "string", "the verdict as a sentence"),
        Column("since_batch_id", "string", "the batch since which the drift is seen; null without drift"),
        Column("since_at", "timestamptz", "when that was first seen"),
        Column("document_count", "long", "current documents"),
        Column("changed_document_count", "long", "of these, documents that are new or have another text than in the baseline"),
        Column("chunk_count", "long", "current chunks"),
        Column("sampled_chunk_count", "long", "chunks whose vectors were measured"),
        Column("canary_cosine", "double", "mean cosine of the canary texts' vectors, embedded again, to the stored ones"),
        Column("fidelity", "double", "share of the index that equals the record, as last compared"),
        Column("recall", "double", "share of the exact nearest neighbours that the index answered"),
        Column("engine", "string", "the SQL engine that measured"),
        Column("dag_id", "string", "the DAG"),
        Column("run_id", "string", "its run"),
        Column("measured_at", "timestamptz", "when"),
        Column("is_watch", "boolean", "whether the rule of the scheduled runs chose the baseline; false for one that somebody asked for"),
        Column(
            "accepted_reason", "string", "why what differs is meant, where somebody said so: it is the state to compare with from then on"
        ),
    ),
)

DRIFT_SAMPLES = Table(
    "embeddings_db.drift_samples",
    (
        Column("sample_id", "string", "the sample, dropped once its measures are concluded"),
        PROFILE,
        Column("is_current", "boolean", "whether the chunk is of the current state; otherwise of the baseline"),
        DOC_ID,
        Column("chunk_id", "string", "the chunk"),
        Column("text_hash", "string", "SHA-256 hex of its text"),
        Column("character_count", "long", "characters of its text"),
        Column("token_count", "int", "tokens of its text as the model counts them"),
        Column("model_name", "string", "the embedding model"),
        Column("model_version", "string", "its version"),
        Column("chunking_strategy", "string", "strategy and settings that cut it"),
        Column("embedding", "list<float>", "its vector"),
    ),
    partitioned_by=("sample_id",),
)

CANARY_VECTORS = Table(
    "embeddings_db.canary_vectors",
    (
        PROFILE,
        Column("profile_fingerprint", "string", "hash of every setting that decides the vector"),
        Column("model_version", "string", "the model's version"),
        Column("text_hash", "string", "SHA-256 hex of the text"),
        Column("canary_text", "string", "the text"),
        Column("embedding", "list<float>", "its vector when it was first embedded under this fingerprint"),
        Column("stored_at", "timestamptz", "when that was"),
    ),
)

ALERTS = Table(
    "embeddings_db.alerts",
    (
        Column("alert_id", "string", "the alert"),
        Column("kind", "string", "blocked_batch, drift, low_fidelity, missed_freshness, waiting_for_approval, failed_task"),
        PROFILE,
        Column("subject", "string", "what it is about: a batch, a measurement, a comparison, a task"),
        Column("summary", "string", "what is wrong, in one line"),
        Column("message", "string", "what, since when, how bad, what to do"),
        Column("since_at", "timestamptz", "since when it is so"),
        Column("raised_at", "timestamptz", "when it was raised"),
        Column("dag_id", "string", "the DAG"),
        Column("run_id", "string", "its run"),
        Column("task_id", "string", "the task"),
    ),
)

MAINTENANCE_RUNS = Table(
    "embeddings_db.maintenance_runs",
    (
        Column("maintenance_id", "string", "the run of maintain_tables"),
        Column("table_name", "string", "the table, with its schema"),
        Column("is_dry_run", "boolean", "whether it only says what it would do"),
        Column("kept_since", "timestamptz", "since when every state of the table is kept"),
        Column("is_compacted", "boolean", "whether its files were rewritten, or would be"),
        Column("are_manifests_compacted", "boolean", "whether its manifests were rewritten, or would be"),
        Column("finished_keys", "long", "batches, ingestions, syncs and comparisons whose staged rows were removed, or would be"),
        Column("branches_dropped", "long", "branches dropped because their batches ended, or would be"),
        Column("tags_made", "long", "snapshots tagged because somebody needs them"),
        Column("tags_dropped", "long", "tags dropped because nobody needs their snapshots any more"),
        Column("snapshots_expired", "long", "snapshots that were forgotten, or would be"),
        Column("files_removed", "long", "files that nothing needed any more and that are gone, or would be"),
        Column("bytes_removed", "long", "their size"),
        Column("rows_before", "long", "rows before, deleted ones that still lie in a file included"),
        Column("rows_after", "long", "rows after"),
        Column("data_files_before", "long", "data files that reading the table opens, before"),
        Column("data_files_after", "long", "and after"),
        Column("data_bytes_before", "long", "their bytes before"),
        Column("data_bytes_after", "long", "and after"),
        Column("delete_files_before", "long", "files of deleted rows before"),
        Column("delete_files_after", "long", "and after"),
        Column("small_files_before", "long", "data files below the target size before"),
        Column("small_files_after", "long", "and after"),
        Column("manifests_before", "long", "manifests that planning reads, before"),
        Column("manifests_after", "long", "and after"),
        Column("snapshots_before", "long", "snapshots that are kept, before"),
        Column("snapshots_after", "long", "and after"),
        Column("metadata_bytes_before", "long", "bytes of the metadata file that each commit writes anew, before"),
        Column("metadata_bytes_after", "long", "and after"),
        Column("stored_files_before", "long", "files in the table's folder before, of any kind"),
        Column("stored_files_after", "long", "and after"),
        Column("stored_bytes_before", "long", "their bytes before"),
        Column("stored_bytes_after", "long", "and after"),
        Column("planning_seconds_before", "double", "seconds to find the files of a read of everything, before"),
        Column("planning_seconds_after", "double", "and after"),
        Column("message", "string", "what was left for the next run, and why; null where nothing was"),
        Column("dag_id", "string", "the DAG"),
        Column("run_id", "string", "its run"),
        Column("started_at", "timestamptz", "when the table's maintenance began"),
        Column("finished_at", "timestamptz", "when it ended"),
    ),
)

MONITORING_TABLES = (QUALITY_RESULTS, DRIFT_MEASURES, DRIFT_VERDICTS, DRIFT_SAMPLES, CANARY_VECTORS, ALERTS, MAINTENANCE_RUNS)
