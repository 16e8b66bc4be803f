"""What a person writes or has not measured is named in the message."""

import json
from pathlib import Path

import pytest

from benchmarks.capacity.measured import measured, read_results
from benchmarks.capacity.scenario import read_plan
from benchmarks.report import JSON_FILE
from dev.stack.component import ROOT
from embedding_lakehouse.errors import ConfigurationError


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[scenario]\ndocuments = 0", "scenario.documents must be more than 0"),
        ('[scenario]\nworker_slots = "many"', "scenario.worker_slots must be a whole number"),
        ("[scenario]\ndaily_share = 1.5", "scenario.daily_share must be from 0 to 1"),
        ('[scenario]\nmodel = "mine"', r"no table \[models.mine\]"),
        ("[index]\nupserts_per_second = nan", "index.upserts_per_second must be 0 or more"),
        ("[index]\nspeed = 2", "index.speed is unknown"),
        ("[batch]\ndocuments = 0", "batch.documents must be more than 0"),
        ("[batch]\nmost_shards = 101", "batch.most_shards must be from 1 to 100"),
        ('[models.mine]\nprovider = "nobody"', "models.mine.provider"),
        ("[models.mine.limits]\ntokens_per_minute = -1", "models.mine.limits.tokens_per_minute"),
        ("[scenario]\ndocuments = 99999999999999", "scenario.documents must be at most 20,000 batches of batch.documents = 50,000"),
        ("[batch]\ndocuments = 1", "not 8,000,000: plan for fewer documents, or raise batch.documents"),
        ("[scenari]\ndocuments = 5", r"unknown table \[scenari\]"),
        ("scenario = 5", "scenario must be a table"),
        ("[scenario", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, toml: str, named: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(toml)
    with pytest.raises(ConfigurationError, match=named):
        read_plan(own)


def test_a_file_of_ones_own_replaces_only_what_it_names(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[models.openai_3_small_tier_4.limits]\ntokens_per_minute = 7")
    model = read_plan(own).models["openai_3_small_tier_4"]
    assert (model.limits.tokens_per_minute, model.limits.requests_per_minute) == (7, 10_000)
    assert model.all_limits.inputs_per_request == 2_048


def test_a_missing_group_is_named_with_the_command_that_measures_it() -> None:
    with pytest.raises(ConfigurationError, match="make bench GROUP=scale"):
        measured({})


@pytest.mark.parametrize(("content", "named"), [(b"{", "cannot be read"), (b"\xff", "cannot be read"), (b"[]", "not what `make bench`")])
def test_a_report_that_is_none_is_named(tmp_path: Path, content: bytes, named: str) -> None:
    file = tmp_path / JSON_FILE
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"{JSON_FILE} .*{named}"):
        read_results(file)


def test_no_report_is_one_without_groups(tmp_path: Path) -> None:
    assert read_results(tmp_path / JSON_FILE) == {}


def test_the_report_in_the_tree_is_read(tmp_path: Path) -> None:
    results = json.loads((ROOT / "benchmarks" / JSON_FILE).read_text())
    phases = dict.fromkeys(("detect", "plan", "chunk", "price", "embed", "commit", "audit", "publish", "sync plan"), 1.0)
    point = {"documents": 1_000, "changed": 100, "texts": 600, "phases": phases, "peaks": {}}
    known = measured(results | {"scale": {"data": {"points": [point]}}})
    assert known.largest_documents >= 2_000
    assert 1 < known.chunks_per_document < 100
    assert 50 < known.tokens_per_chunk < 1_000
    assert known.rows_per_second > known.records_per_second > 100
    assert 4 * 1_536 * 0.5 < known.row_bytes < known.record_bytes
