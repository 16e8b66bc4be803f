"""Hostile Params as Airflow hands them on: a real run fails with an error that names the Param, and nothing but its alert is written."""

import json
from pathlib import Path
from typing import Any

import pytest

from dev.stack.component import ROOT
from embedding_lakehouse.core.monitoring_tables import ALERTS
from embedding_lakehouse.errors import quoted
from tests.hostile_params import ENTRIES, PROFILE
from tests.hostile_values import TEMPLATE, TEXTS
from tests.hostile_world import World, is_plain
from tests.index_fixtures import API_KEY

# A Param with the kind of hostile text in it.
RUNS = [
    ("drop_releases", "release_id", "format"),
    ("embed_documents", "accept_checks", "markup"),
    ("hold_documents", "as_of", "template"),
    ("hold_documents", "doc_ids", "sql_condition"),
    ("hold_documents", "name", "path"),
    ("ingest_documents", "conn_id", "null"),
    ("ingest_documents", "source", "encoded_path"),
    ("maintain_tables", "tables", "sql"),
    ("monitor_embeddings", "baseline", "odd_time"),
    ("rebuild_index", "as_of", "unicode_digits"),
    ("rebuild_index", "import_uri", "escape"),
    ("roll_back_embeddings", "to", "huge_number"),
    ("roll_back_embeddings", "without_batch", "bidi"),
    ("switch_release", "release_id", "long"),
]
# What a filter is looks for may say who is to be forgotten, so that no error repeats it.
FILTERS: list[dict[str, str]] = [
    {"doc_id_prefix": TEXTS["sql"]},
    {"source_uri_prefix": TEXTS["sql_condition"]},
    {"metadata_field": TEXTS["markdown"], "metadata_value": TEMPLATE},
]


@pytest.fixture(autouse=True)
def in_airflow(airflow_database: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "generic", "host": world.following.service.host, "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_PINECONE_DEFAULT", json.dumps(connection))


def refusal(world: World, dag: str, **hostile: Any) -> str:
    """Why a run that is meant to act failed at once, as its alert tells; nothing else was written."""
    from airflow.dag_processing.dagbag import DagBag

    good = {name: value for name, value in ENTRIES[dag].params.items() if name != "profile"}
    if "profile" in ENTRIES[dag].params:
        good["profile"] = PROFILE
    acting = {"dry_run": False} if "dry_run" in good else {}
    before = world.state(but=ALERTS.name)
    run = DagBag(ROOT / "dags" / f"{dag}.py").dags[dag].test(run_conf=good | acting | hostile, mark_success_pattern="approve_.*")
    assert str(run.state) == "failed"
    assert world.state(but=ALERTS.name) == before
    (alert,) = [row for row in world.lake.table(ALERTS).scan().to_arrow().to_pylist() if row["run_id"] == run.run_id]
    assert API_KEY not in alert["message"]
    return str(alert["message"]).partition("What: ")[2].partition("\n\n")[0]


@pytest.mark.parametrize(("dag", "name", "kind"), RUNS)
def test_a_run_with_a_hostile_name_fails_by_the_name_of_its_param(world: World, dag: str, name: str, kind: str) -> None:
    text = TEXTS[kind]
    said = refusal(world, dag, **{name: [text] if isinstance(ENTRIES[dag].params.get(name), list) else text})
    assert is_plain(said) and name in said
    assert quoted(text) in said or name == "doc_ids"


@pytest.mark.parametrize("filters", FILTERS)
def test_a_hostile_filter_forgets_nothing_and_is_named_without_what_it_says(world: World, filters: dict[str, str]) -> None:
    said = refusal(world, "forget_documents", doc_ids=[], **filters)
    assert f"no document is meant by {', '.join(filters)}" in said
    assert not any(text in said for text in filters.values())
