"""The two states of a comparison as the SQL engine measures them. Vectors stay in the lake: what is answered are counts and figures."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from math import ceil
from uuid import uuid4

from embedding_lakehouse.clients.iceberg import delete_rows, head_snapshot, scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.batches import hash_range
from embedding_lakehouse.core.drift_baselines import Baseline, Comparison
from embedding_lakehouse.core.monitoring_tables import DRIFT_SAMPLES
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, SOURCE_DOCUMENTS

# Chunks of each state whose vectors are measured: of a million rows of 256 dimensions, five of 256 million numbers are opened.
SAMPLE_CHUNKS = 20_000
# Chunks of each state that are compared with each other.
PAIRED_CHUNKS = 4_000
COUNTS = ("documents_before", "documents_after", "added", "removed", "edited", "unchanged", "rechunked", "chunks_before", "chunks_after")
SAMPLED = ("chunks_before", "chunks_after", "documents_before", "documents_after")

Bins = dict[str, list[tuple[int, int]]]


def batch_number_at(lake: Lake, profile: str, versions_snapshot: int) -> int | None:
    """The last batch of the profile that a state of the ledger includes."""
    (number,) = lake.sql.row("drift/find_batch_number", [profile], versions=versions_snapshot)
    return number


def count_documents(lake: Lake, baseline: Baseline, profile: str, batch_number: int, versions_snapshot: int) -> dict[str, int]:
    """Documents and chunks of both states, and what became of the documents in between."""
    binds = [baseline.profile, baseline.batch_number, profile, batch_number]
    return dict(zip(COUNTS, lake.sql.row("drift/compare_documents", binds, versions=versions_snapshot), strict=True))


def draw_sample(lake: Lake, comparison: Comparison) -> Comparison:
    """The comparison with a sample of both states, written to `drift_samples`. Each call draws one of its own, so that two tries never mix.

    What earlier runs of the profile left is dropped.
    """
    table = lake.table(DRIFT_SAMPLES)
    if any(scan(table, profile=comparison.profile).plan_files()):
        delete_rows(table, profile=comparison.profile)
    sample_id = f"{comparison.monitor_id}-{uuid4().hex[:8]}"
    stop = _stop(comparison, SAMPLE_CHUNKS)
    states = [comparison.baseline_profile, comparison.baseline_number, comparison.profile, comparison.batch_number]
    binds = [*states, stop, stop, sample_id, comparison.profile]
    lake.sql.execute("drift/sample_chunks", binds, versions=comparison.versions_snapshot, embeddings=comparison.embeddings_snapshot)
    counted = lake.sql.row("drift/sum_up_sample", [sample_id])
    return replace(comparison, sample_id=sample_id, sampled=dict(zip(SAMPLED, counted, strict=True)))


def drop_sample(lake: Lake, comparison: Comparison) -> None:
    """Drop the sample of a comparison, by its whole partition."""
    table = lake.table(DRIFT_SAMPLES)
    if any(scan(table, sample_id=comparison.sample_id).plan_files()):
        delete_rows(table, sample_id=comparison.sample_id)


def bin_chunk_counts(lake: Lake, comparison: Comparison) -> Bins:
    """Documents by their number of chunks."""
    binds = [comparison.baseline_profile, comparison.baseline_number, comparison.profile, comparison.batch_number]
    return _bins(lake.sql.rows("drift/bin_chunk_counts", binds, versions=comparison.versions_snapshot))


def bin_texts(lake: Lake, comparison: Comparison) -> Bins:
    """Sampled chunks by their length and by their tokens."""
    return _bins(lake.sql.rows("drift/bin_texts", [comparison.sample_id, comparison.sample_id]))


def bin_distances(lake: Lake, comparison: Comparison) -> Bins:
    """Sampled chunks by their distance to the baseline's centroid."""
    return _bins(lake.sql.rows("drift/bin_distances", [comparison.sample_id, comparison.dimensions]))


def bin_projections(lake: Lake, comparison: Comparison) -> Bins:
    """Sampled chunks by each of eight directions."""
    return _bins(lake.sql.rows("drift/bin_projections", [comparison.sample_id, comparison.dimensions, comparison.dimensions]))


def compare_centroids(lake: Lake, comparison: Comparison) -> tuple[float | None, ...]:
    """Cosine distance of the centroids, their lengths, mean norms and spreads: each before and after."""
    return lake.sql.row("drift/compare_centroids", [comparison.sample_id, comparison.dimensions])


def count_near_duplicates(lake: Lake, comparison: Comparison) -> tuple[int, int, int, int]:
    """Compared chunks before and after, and of these the near duplicates before and after."""
    binds = [comparison.sample_id, comparison.dimensions, _stop(comparison, PAIRED_CHUNKS), comparison.dimensions]
    before, after, twins_before, twins_after = lake.sql.row("drift/count_near_duplicates", binds)
    return before, after, twins_before, twins_after


def count_models(lake: Lake, comparison: Comparison) -> list[tuple[str, str, str, int, int]]:
    """Sampled chunks by model name, model version and chunking strategy: before and after."""
    rows = lake.sql.rows("drift/count_models", [comparison.sample_id])
    return [(name, version, strategy, before, after) for name, version, strategy, before, after in rows]


def compare_twice_embedded(lake: Lake, comparison: Comparison) -> tuple[int, float | None, float | None]:
    """Texts that were embedded since the baseline and before it, and the mean and least cosine of their two vectors.

    Under another profile's baseline these are all texts of both, of which a sample is compared.
    """
    is_same = comparison.baseline_profile == comparison.profile
    since, older = (comparison.baseline_number, comparison.batch_number) if is_same else (0, comparison.baseline_number)
    stop = "g" if is_same else _stop(comparison, SAMPLE_CHUNKS)
    binds = [comparison.profile, since, comparison.batch_number, stop, comparison.baseline_profile, older, stop]
    count, mean, least = lake.sql.row("drift/compare_twice_embedded", binds, embeddings=comparison.embeddings_snapshot)
    return count, mean, least


def waiting_documents(lake: Lake, profile: str, deadline: datetime) -> tuple[int, datetime | None, str | None]:
    """How many documents have waited for a current version since before a moment, since when the longest, and which one that is."""
    names = {
        "versions": head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id,
        "source": head_snapshot(lake.table(SOURCE_DOCUMENTS)).snapshot_id,
    }
    count, waiting_since, doc_id = lake.sql.row("drift/count_waiting_documents", [profile, deadline], **names)
    return count, waiting_since, doc_id


def _stop(comparison: Comparison, most: int) -> str:
    """The chunk id to stop before, so that about `most` chunks of the larger state lie below it."""
    larger = max(comparison.counts["chunks_before"], comparison.counts["chunks_after"])
    return hash_range(0, max(1, ceil(larger / most)))[1]


def _bins(rows: list[tuple]) -> Bins:
    bins: Bins = defaultdict(list)
    for measure, _, before, after in rows:
        bins[measure].append((before, after))
    return bins
