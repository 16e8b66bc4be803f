"""The scarcest resource decides: it moves when its limit moves. Batches and shards are those that the settings make."""

from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest

from benchmarks.capacity import report
from benchmarks.capacity.measured import PHASES, Measured
from benchmarks.capacity.scenario import Plan, read_plan
from benchmarks.capacity.simulator import ENGINE, IN_BULK, LISTING, RUNS, TOKENS, WORKERS, WRITES, Simulator
from benchmarks.capacity.slopes import Slope

MEASURED = Measured(
    slopes=dict.fromkeys(PHASES, Slope(0.5, 1e-7, 1e-4)),
    checks=[],
    largest_documents=1_000_000,
    largest_changed=20_000,
    texts_per_changed=6.0,
    model_seconds_per_text=1e-4,
    chunks_per_document=6.0,
    tokens_per_chunk=250.0,
    chunk_share_per_edit=0.07,
    row_bytes=5_600.0,
    rows_per_second=40_000.0,
    record_bytes=19_500.0,
    records_per_second=10_000.0,
    verify_seconds_per_record=1e-5,
    task_bytes=0.4e9,
    runs={},
)


def planned(tmp_path: Path, toml: str, documents: int = 1_000_000) -> Plan:
    own = tmp_path / "own.toml"
    own.write_text(toml)
    return read_plan(own, documents=documents)


def simulated(tmp_path: Path, toml: str = "", name: str = "first load", documents: int = 1_000_000):
    return Simulator(planned(tmp_path, toml, documents), MEASURED).run(name)


def test_the_bottleneck_moves_when_a_limit_moves(tmp_path: Path) -> None:
    fast_model = "[models.openai_3_small_tier_4.limits]\ntokens_per_minute = 5_000_000_000\n"
    fast_index = "[index]\nupsert_bytes_per_second = 0\nupserts_per_second = 0\nseconds_per_upsert = 0\n"
    assert simulated(tmp_path).bottleneck == TOKENS
    assert simulated(tmp_path, fast_model).bottleneck == WRITES
    assert simulated(tmp_path, fast_model + fast_index + "[engine]\nspeed = 0.01").bottleneck == ENGINE
    assert (
        simulated(tmp_path, fast_index + '[airflow]\nseconds_per_task = 0\n[scenario]\nmodel = "wordllama"\nworker_slots = 1').bottleneck
        == WORKERS
    )


def test_twice_the_rate_is_half_the_time_while_the_rate_decides(tmp_path: Path) -> None:
    slow, fast = (
        simulated(tmp_path, f"[models.openai_3_small_tier_4.limits]\ntokens_per_minute = {rate}").stages["embed"][0]
        for rate in (500_000, 1_000_000)
    )
    assert slow == pytest.approx(2 * fast)
    assert fast == pytest.approx(1_000_000 * 6 * 250 / (1_000_000 / 60 * 0.95))


def test_what_is_lifted_decides_nothing_any_more(tmp_path: Path) -> None:
    plan = planned(tmp_path, "")
    for run in Simulator(plan, MEASURED).runs():
        after = Simulator(plan, MEASURED, {run.bottleneck}).run(run.name)
        assert after.seconds < run.seconds
        assert after.bottleneck != run.bottleneck
        assert run.bottleneck not in after.used


def test_batches_and_shards_are_those_of_the_settings(tmp_path: Path) -> None:
    run = simulated(tmp_path, "[batch]\ndocuments = 7_000\nshard_documents = 250\nmost_shards = 50", documents=20_001)
    assert len(run.batches) == ceil(20_001 / 7_000)
    # 7,000 documents at 250 a shard; 7,000 x 6 x 250 tokens at 250,000 a shard; 42,000 records at 20,000 a shard.
    assert run.shards == {"documents": 28, "embedding": 42, "index": 3}
    assert simulated(tmp_path).shards == {"documents": 64, "embedding": 64, "index": 15}


def test_only_new_texts_of_edited_documents_are_embedded_and_sent(tmp_path: Path) -> None:
    run = simulated(tmp_path, "[scenario]\ndaily_share = 0.02", "a day of edits")
    assert (run.amounts.documents, run.amounts.texts) == (20_000, pytest.approx(20_000 * 6 * 0.07))
    assert run.amounts.model_usd == pytest.approx(run.amounts.tokens / 1e6 * 0.02)


def test_a_rebuild_embeds_nothing_and_an_import_is_held_against_its_limits(tmp_path: Path) -> None:
    fine, large = (simulated(tmp_path, "", "index rebuilt by import", documents) for documents in (1_000_000, 50_000_000))
    assert (fine.amounts.texts, fine.amounts.model_usd, fine.warnings) == (0, 0, [])
    assert "TB" in large.warnings[-1]
    assert fine.bottleneck == LISTING
    assert simulated(tmp_path, "", "index rebuilt by upserts").amounts.index_requests > fine.amounts.index_requests


def test_a_batch_in_bulk_waits_once_for_each_time_that_it_fills_the_queue(tmp_path: Path) -> None:
    queue = "[scenario]\nbulk_hours = 2.0\n[models.openai_3_small_tier_4]\nbulk_tokens_enqueued = 30_000_000"
    seconds, _ = simulated(tmp_path, queue, IN_BULK, documents=50_000).stages["embed"]
    assert seconds == ceil(50_000 * 6 * 250 / 30_000_000) * 2 * 3_600


def test_the_page_has_every_run_of_every_size(tmp_path: Path) -> None:
    page = report.page(read_plan(), replace(MEASURED, runs={"scale": "today, abc"}))
    for size in report.SIZES:
        assert f"## {size:,} documents" in page
    assert all(page.count(f"| {name} |") == 2 * len(report.SIZES) for name in RUNS)
    assert "`batch.documents` of 333,333" in page
