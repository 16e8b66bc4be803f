"""The dashboards over a lake in which everything happened: each answers what a plain count over the tables gives."""

import re
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, inspect, text

from dev.stack import Stack
from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.clients.sql import statement, statements
from embedding_lakehouse.core.hashing import content_hash
from embedding_lakehouse.core.index_tables import INDEX_RECONCILIATIONS
from embedding_lakehouse.core.monitoring_tables import ALERTS, DRIFT_MEASURES, DRIFT_VERDICTS, QUALITY_RESULTS
from embedding_lakehouse.core.tables import (
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    EMBEDDING_BATCHES,
    INDEX_RELEASES,
    INDEX_SYNCS,
    SOURCE_DOCUMENTS,
)
from tests.filled_lake import FilledLake
from tests.index_fixtures import API_KEY, declaration
from tests.lake_fixtures import PROFILES, declare

DASHBOARDS = statements("dashboards")
PLACES = {
    "lineage_of_documents": ("a document", "another document"),
    "lineage_of_batches": ("20260131T120000-000000", "20260131T120000-111111"),
}

Row = dict[str, Any]


@pytest.fixture(scope="module")
def filled(module_lake: Lake, module_profiles: Path, faulty_server: str) -> FilledLake:
    name = f"charted-{uuid4().hex[:8]}"
    declare(module_profiles, f"{declaration(name)}usd_per_million_tokens = 1000\n{PROFILES}")
    return FilledLake(module_lake, name, IndexService(API_KEY, faulty_server, patience=20))


def lineage(filled: FilledLake, dashboard: str, *ids: str) -> list[Row]:
    """The rows about these ids, put in place of those in the file."""
    rows = filled.answer(dashboard, dict(zip(PLACES[dashboard], ids, strict=False)))
    return [row for row in rows if ids[0] in row.values() or ids[-1] in row.values()]


def picked(rows: list[Row], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


@pytest.mark.parametrize("path", DASHBOARDS)
def test_a_dashboard_runs_as_it_stands(filled: FilledLake, path: str) -> None:
    assert filled.answer(path.partition("/")[2])


@pytest.mark.parametrize("path", [*DASHBOARDS, *statements("views")])
def test_no_statement_reads_a_vector_but_the_view_of_vectors(path: str) -> None:
    reads_it = re.search(r"\bembedding\b|select \*", statement(path))
    assert bool(reads_it) == (path == "views/current_embeddings")


def test_counts_by_model_version_are_those_of_the_tables(filled: FilledLake) -> None:
    expected = []
    for profile in sorted({filled.profile, "other"}):
        vectors, current = filled.rows(DOCUMENT_EMBEDDINGS, profile=profile), filled.current(profile)
        rejected = [row for row in vectors if {row["batch_id"], row["copied_from_batch"]} & filled.rejected]
        copied = [row for row in vectors if row["copied_from_batch"]]
        chunks = sum(len(row["chunk_ids"]) for row in current.values())
        expected.append((f"{profile}-v1", len(current), chunks, len(vectors), len(copied), len(rejected)))
    columns = ("model_version", "document_count", "chunk_count", "vector_count", "copied_vector_count", "rejected_vector_count")
    assert picked(filled.answer("counts_by_model_version"), *columns) == expected
    assert (expected[0][-2], expected[0][-1]) == (1, 3)


def test_documents_by_source_snapshot_are_those_of_the_ledger(filled: FilledLake) -> None:
    ledger = filled.rows(DOCUMENT_VERSIONS)
    versions = Counter((row["profile"], row["source_snapshot"]) for row in ledger if not row["is_deleted"])
    deletions = Counter((row["profile"], row["source_snapshot"]) for row in ledger if row["is_deleted"])
    current = Counter(
        (profile, row["source_snapshot"]) for profile in (filled.profile, "other") for row in filled.current(profile).values()
    )
    answered = {(row["profile"], row["source_snapshot"]): row for row in filled.answer("documents_by_source_snapshot")}
    assert answered.keys() == versions.keys() | deletions.keys()
    assert {key: row["document_count"] for key, row in answered.items()} == {key: current[key] for key in answered}
    assert {key: row["version_count"] for key, row in answered.items()} == {key: versions[key] for key in answered}
    assert {key: row["deletion_count"] for key, row in answered.items()} == {key: deletions[key] for key in answered}
    shares = [row["document_share"] for row in answered.values() if row["profile"] == filled.profile]
    assert sum(shares) == pytest.approx(1)


def test_coverage_compares_the_source_of_now_with_what_is_current(filled: FilledLake) -> None:
    sources = {row["doc_id"]: row for row in filled.rows(SOURCE_DOCUMENTS)}
    for row in filled.answer("coverage_and_freshness"):
        current = {doc_id: version["content_hash"] for doc_id, version in filled.current(row["profile"]).items()}
        covered = [doc_id for doc_id, source in sources.items() if current.get(doc_id) == source["content_hash"]]
        outdated = [doc_id for doc_id in sources.keys() & current.keys() if doc_id not in covered]
        counts = (len(sources), len(covered), len(outdated), len(sources.keys() - current.keys()), len(current.keys() - sources.keys()))
        assert picked([row], "source_count", "covered_count", "outdated_count", "missing_count", "orphaned_count") == [counts]
        assert row["waiting_since_at"] == min(source["updated_at"] for doc_id, source in sources.items() if doc_id not in covered)


def test_freshness_names_the_last_published_batch_and_the_last_sync(filled: FilledLake) -> None:
    answered = {row["profile"]: row for row in filled.answer("coverage_and_freshness")}
    assert {profile: row["last_batch_id"] for profile, row in answered.items()} == {filled.profile: filled.roll_back, "other": filled.other}
    assert answered[filled.profile]["synced_at"] == max(row["finished_at"] for row in filled.rows(INDEX_SYNCS))
    assert answered["other"]["synced_at"] is None
    # The roll-back came last and reads no source.
    assert answered[filled.profile]["source_snapshot"] == filled.batches[filled.third]["source_snapshot"]


def test_every_batch_shows_its_state_cost_and_duration(filled: FilledLake) -> None:
    answered = filled.answer("batches_with_cost_and_duration")
    journal = sorted(filled.rows(EMBEDDING_BATCHES), key=lambda row: -row["batch_number"])
    shown = ("batch_id", "state", "chunks_planned", "texts_embedded", "tokens_estimated", "tokens_embedded", "requests")
    shown += ("price_estimated", "price", "price_saved", "seconds_estimated")
    assert picked(answered, *shown) == picked(journal, *shown)
    for row, batch in zip(answered, journal, strict=True):
        ended = batch["published_at"] or batch["updated_at"]
        assert row["duration_seconds"] == pytest.approx((ended - batch["planned_at"]).total_seconds(), abs=0.002)
        assert row["document_count"] == sum(batch[f"documents_{change}"] or 0 for change in ("new", "changed", "deleted"))


def test_open_batches_are_those_that_wait_for_their_end(filled: FilledLake) -> None:
    answered = filled.answer("batches_with_cost_and_duration")
    assert {row["batch_id"]: row["stage_number"] for row in answered if row["is_open"]} == {filled.blocked: 3, filled.open: 3}
    assert {row["kind"] for row in answered if row["batch_id"] == filled.roll_back} == {"roll_back"}


def test_a_price_adds_up_within_its_profile(filled: FilledLake) -> None:
    spent: Counter[str] = Counter()
    for row in reversed(filled.answer("batches_with_cost_and_duration")):
        spent[row["profile"]] += row["price_estimated" if row["price"] is None else "price"] or 0
        assert row["price_so_far"] == pytest.approx(spent[row["profile"]])
    assert spent[filled.profile] > 0


def test_costs_of_a_day_are_those_of_its_batches(filled: FilledLake) -> None:
    embedding = [batch for batch in filled.batches.values() if batch["kind"] is None]
    for row in filled.answer("cost_by_profile_and_day"):
        of_day = [batch for batch in embedding if (batch["profile"], batch["planned_at"].date()) == (row["profile"], row["planned_on"])]
        assert row["batch_count"] == len(of_day) > 0
        for column in ("texts_embedded", "requests", "tokens_embedded", "tokens_reused", "price_estimated", "price_saved"):
            assert row[column] == pytest.approx(sum(batch[column] or 0 for batch in of_day)), column
        paid = [batch["price_estimated"] if batch["price"] is None else batch["price"] for batch in of_day]
        assert row["price"] == pytest.approx(sum(paid))
    costs = filled.answer("cost_by_profile_and_day")
    assert sum(row["batch_count"] for row in costs) == len(embedding)
    latest = {row["profile"]: row for row in costs}
    for profile, row in latest.items():
        own = [day for day in costs if day["profile"] == profile]
        assert (row["price_in_all"], row["saved_in_all"]) == pytest.approx(
            (sum(d["price"] for d in own), sum(d["price_saved"] for d in own))
        )
    assert latest[filled.profile]["price_in_all"] > 0


def test_reuse_is_what_a_batch_did_not_ask_the_model_for(filled: FilledLake) -> None:
    planned, embedded = Counter[str](), Counter[str]()
    answered = filled.answer("reuse_by_batch")
    assert {row["batch_id"] for row in answered} == filled.batches.keys() - {filled.roll_back}
    for row in answered:
        batch = filled.batches[row["batch_id"]]
        planned[row["profile"]] += batch["chunks_planned"]
        embedded[row["profile"]] += batch["texts_embedded"]
        saved = row["chunks_kept"] + row["chunks_copied"] + row["chunks_shared"]
        assert saved == batch["chunks_planned"] - batch["texts_embedded"]
        assert row["saved_share"] == pytest.approx(saved / batch["chunks_planned"])
        assert row["saved_share_so_far"] == pytest.approx(1 - embedded[row["profile"]] / planned[row["profile"]])
    kept, copied, shared = (sum(row[f"chunks_{how}"] for row in answered) for how in ("kept", "copied", "shared"))
    assert min(kept, copied, shared) > 0


def test_quality_shows_the_last_verdict_of_each_check_what_failed_first(filled: FilledLake) -> None:
    recorded = filled.rows(QUALITY_RESULTS)
    last = {(row["batch_id"], row["check_name"]): row for row in sorted(recorded, key=lambda row: row["checked_at"])}
    answered = filled.answer("quality_over_time")
    shown = ("batch_id", "check_name", "verdict", "violation_count", "checked_at")
    assert sorted(picked(answered, *shown)) == sorted(picked(list(last.values()), *shown))
    assert picked(answered[:1], "batch_id", "batch_state", "check_name") == [(filled.blocked, "blocked", "no_vector_is_zero")]


def test_quality_by_check_counts_audits_and_batches(filled: FilledLake) -> None:
    recorded = filled.rows(QUALITY_RESULTS)
    answered = {row["check_name"]: row for row in filled.answer("quality_by_check")}
    assert answered.keys() == settings.checks().keys()
    for name, row in answered.items():
        verdicts = Counter(result["verdict"] for result in recorded if result["check_name"] == name)
        assert picked([row], "passed_count", "warned_count", "failed_count") == [
            tuple(verdicts[verdict] for verdict in ("passed", "warned", "failed"))
        ]
    zero = answered["no_vector_is_zero"]
    assert picked([zero], "batch_count", "audit_count", "failed_count", "last_verdict") == [(3, 4, 2, "failed")]
    assert zero["last_not_passed_at"] == max(row["checked_at"] for row in recorded if row["verdict"] == "failed")


def test_refused_chunks_are_counted_by_reason_with_the_last_of_them(filled: FilledLake) -> None:
    columns = ("profile", "reason_code", "chunk_count", "text_count", "document_count", "last_doc_id", "last_reason")
    assert picked(filled.answer("rejected_chunks_by_reason"), *columns) == [
        (filled.profile, "too_long", 2, 1, 2, "b", "500 tokens"),
        (filled.profile, "refused", 1, 1, 1, "b", "not wanted"),
    ]


def test_drift_shows_each_verdict_with_the_measures_beyond_their_threshold(filled: FilledLake) -> None:
    newest, before = filled.answer("drift_over_time")
    assert picked([newest], "monitor_id", "is_drift", "causes", "exceeded_measures", "canary_cosine", "since_batch_id") == [
        ("m2", True, "provider, index", "canary, centroid", 0.953, filled.second)
    ]
    assert picked([before], "monitor_id", "is_drift", "causes", "exceeded_measures") == [("m1", False, "", None)]
    assert len(filled.rows(DRIFT_VERDICTS)) == 2


def test_a_drift_measure_stands_beside_the_one_before(filled: FilledLake) -> None:
    answered = filled.answer("drift_measures_over_time")
    assert picked(answered, "measure", "monitor_id", "drift", "drift_before") == [
        ("canary", "m1", 0.0, None),
        ("canary", "m2", 0.047, 0.0),
        ("centroid", "m1", 0.001, None),
        ("centroid", "m2", 0.002, 0.001),
    ]
    assert len(answered) == len(filled.rows(DRIFT_MEASURES))


def test_releases_show_what_their_last_comparison_found(filled: FilledLake) -> None:
    live, retired = filled.answer("index_releases_and_fidelity")
    releases = {row["release_id"]: row for row in filled.rows(INDEX_RELEASES)}
    syncs = [row for row in filled.rows(INDEX_SYNCS) if row["release_id"] == filled.release]
    compared = sorted(filled.rows(INDEX_RECONCILIATIONS), key=lambda row: row["finished_at"])
    assert (live["release_id"], live["state"], retired["state"], retired["comparison_count"]) == (filled.release, "live", "retired", 0)
    assert picked([live, retired], "record_count") == picked([releases[row["release_id"]] for row in (live, retired)], "record_count")
    assert live["synced_at"] == max(row["finished_at"] for row in syncs)
    assert (live["comparison_count"], live["fidelity"], live["missing_count"]) == (2, compared[-1]["fidelity"], 0)
    assert live["lowest_fidelity"] == compared[0]["fidelity"] < 1
    assert live["repaired_at"] is None


def test_a_document_shows_every_version_and_what_became_of_it(filled: FilledLake) -> None:
    edited, copied = (
        [row for row in lineage(filled, "lineage_of_documents", doc_id) if row["profile"] == filled.profile] for doc_id in ("b", "e")
    )
    columns = ("change", "batch_id", "batch_state", "restored_from", "written_chunk_count", "copied_chunk_count", "is_current")
    assert picked(edited, *columns) == [
        ("new", filled.first, "published", None, 1, 0, False),
        ("changed", filled.second, "rejected", None, 1, 0, False),
        ("restored", filled.roll_back, "published", filled.first, 0, 0, True),
    ]
    assert picked(copied, *columns) == [
        ("new", filled.second, "rejected", None, 1, 1, False),
        ("deleted", filled.roll_back, "published", None, 0, 0, False),
    ]
    assert [row["valid_until"] for row in edited] == [*(row["valid_from"] for row in edited[1:]), None]
    assert edited[0]["valid_from"] == filled.batches[filled.first]["published_at"]


def test_the_statement_of_a_version_reads_its_text(filled: FilledLake) -> None:
    for row in lineage(filled, "lineage_of_documents", "b"):
        ((document,),) = filled.run(row["text_statement"])
        assert content_hash(document) == row["content_hash"]


def test_a_batch_shows_what_it_did_to_each_document(filled: FilledLake) -> None:
    rows = lineage(filled, "lineage_of_batches", filled.second, filled.roll_back)
    columns = ("batch_id", "kind", "state", "doc_id", "change", "chunk_count", "written_chunk_count", "is_current", "superseded_by")
    embeds = [("b", "changed", 1), ("d", "deleted", 0), ("e", "new", 1), ("f", "new", 1)]
    undone = [("b", "restored", 1), ("d", "restored", 1), ("e", "deleted", 0), ("f", "deleted", 0)]
    assert picked(rows, *columns) == [
        *((filled.second, "embed", "rejected", doc, change, chunks, chunks, False, filled.roll_back) for doc, change, chunks in embeds),
        *((filled.roll_back, "roll_back", "published", doc, change, chunks, 0, chunks > 0, None) for doc, change, chunks in undone),
    ]


def test_a_blocked_batch_has_one_line_that_says_why(filled: FilledLake) -> None:
    (row,) = lineage(filled, "lineage_of_batches", filled.blocked)
    assert (row["state"], row["doc_id"]) == ("blocked", None)
    assert row["message"].startswith("no_vector_is_zero")


def test_a_bi_tool_finds_every_view_with_its_columns_over_sqlalchemy(filled: FilledLake, trino_stack: Stack) -> None:
    engine = create_engine(f"trino://airflow@127.0.0.1:{trino_stack.ports['trino']}/lakehouse/embeddings_db")
    views = {path.partition("/")[2] for path in statements("views")}
    assert views <= set(inspect(engine).get_view_names("embeddings_db"))
    assert {"chunks_planned", "duration_seconds"} <= {
        column["name"] for column in inspect(engine).get_columns("batch_progress", "embeddings_db")
    }
    with engine.connect() as connection:
        found = connection.execute(text("select batch_id, state from batch_progress")).all()
    assert {row.batch_id: row.state for row in found} == {batch_id: row["state"] for batch_id, row in filled.batches.items()}


def test_alerts_say_how_often_the_same_was_raised(filled: FilledLake) -> None:
    answered = filled.answer("alerts_over_time")
    assert picked(answered, "alert_id", "kind", "subject", "raise_number") == [
        ("alert-3", "blocked_batch", filled.blocked, 2),
        ("alert-2", "blocked_batch", filled.blocked, 1),
        ("alert-1", "drift", "m2", 1),
    ]
    assert answered[0]["first_raised_at"] == answered[1]["raised_at"]
    assert len(answered) == len(filled.rows(ALERTS))
