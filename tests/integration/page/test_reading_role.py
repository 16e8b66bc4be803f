"""The Embeddings page through a Trino user who may only select, on a real Trino with the access control of `dev/trino/access-control`."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trino.exceptions
from starlette.testclient import TestClient

from dev.stack import Stack
from dev.stack.component import ROOT
from dev.stack.ports import free_port
from dev.stack.programs import Programs
from dev.stack.trino_server import CATALOGS, CONFIGURATION, trino_component
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.sql import SqlEngine, engine_from_connection
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.page.showing import Sources, sql_engine
from embedding_lakehouse.steps.set_up import create_views
from tests.batches import BatchRun, put_documents, run_batch
from tests.page_fixtures import client, record_alert, record_drift

RULES = CONFIGURATION / "access-control"
START_SECONDS = 300
WRITES = (
    "insert into embeddings_db.alerts (alert_id) values ('mine')",
    "delete from embeddings_db.document_embeddings",
    "update embeddings_db.embedding_batches set state = 'rejected'",
    "truncate table embeddings_db.document_versions",
    "drop table docs_db.source_documents",
    "alter table embeddings_db.alerts add column mine bigint",
    "create table embeddings_db.mine (id bigint)",
    "create schema mine",
    "create or replace view embeddings_db.index_state as select 1 as id",
    "drop view embeddings_db.index_state",
    "alter table embeddings_db.alerts execute optimize",
    "alter table embeddings_db.document_versions execute expire_snapshots(retention_threshold => '30d')",
    "alter table embeddings_db.document_versions execute remove_orphan_files(retention_threshold => '30d')",
    "alter table embeddings_db.document_versions execute rollback_to_snapshot(1)",
    "call lakehouse_read.system.rollback_to_snapshot('embeddings_db', 'document_versions', 1)",
    "insert into lakehouse.embeddings_db.alerts (alert_id) values ('mine')",
    "alter table lakehouse.embeddings_db.alerts execute optimize",
    "select * from lakehouse.embeddings_db.alerts",
)


def catalogs(folder: Path) -> Path:
    """The local stack's catalog, and the same once more to read from, as the documentation says."""
    catalog = (CATALOGS / "lakehouse.properties").read_text()
    (folder / "lakehouse.properties").write_text(catalog)
    (folder / "lakehouse_read.properties").write_text(f"{catalog}\niceberg.security=READ_ONLY\n")
    return folder


@pytest.fixture(scope="module")
def guarded_port(trino_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A second Trino over the session's lake, which obeys the rules."""
    home, port = tmp_path_factory.mktemp("guarded"), free_port(0)
    component = trino_component(home, port, catalogs(tmp_path_factory.mktemp("catalogs")))
    ours = trino_component(trino_stack.home, port).program.environment
    lake = {name: ours[name] for name in ("LAKEHOUSE_CATALOG", "LAKEHOUSE_WAREHOUSE")}
    environment = {**component.program.environment, **lake, "TRINO_ACCESS_RULES": str(RULES / "rules.json")}
    java, *rest = component.program.command
    command = (java, f"-Daccess-control.config-files={RULES / 'access-control.properties'}", *rest)
    programs = Programs(home, ROOT)
    started = programs.start(replace(component.program, command=command, environment=environment))
    try:
        deadline = time.monotonic() + START_SECONDS
        while (trouble := component.probe(started)) and time.monotonic() < deadline and programs.running("trino"):
            time.sleep(0.5)
        assert trouble is None, f"Trino {trouble}: {programs.log('trino').read_text()[-2000:]}"
        yield port
    finally:
        programs.stop(["trino"])


@pytest.fixture(scope="module")
def shown(module_lake: Lake, guarded_port: int) -> Iterator[tuple[TestClient, BatchRun]]:
    """The page with its own connection, over a lake with a batch, drift and an alert."""
    create_views(module_lake)
    put_documents(module_lake, {"a": "Alpha.", "b": "Beta."})
    run = run_batch(module_lake)
    put_documents(module_lake, {"a": "Alpha, edited.", "b": "Beta."})
    run_batch(module_lake)
    record_drift(module_lake, "small")
    record_alert(module_lake, "small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_PAGE_TRINO", connection(guarded_port, "embeddings_page", "lakehouse_read"))
        patch.setenv("AIRFLOW_CONN_OTHER_TRINO", connection(guarded_port, "airflow", "lakehouse"))
        patch.setenv("EMBEDDING_LAKEHOUSE_PAGE_TRINO", "page_trino")
        patch.setenv("EMBEDDING_LAKEHOUSE_PROFILE", "small")
        yield client(Sources()), run


def connection(port: int, login: str, catalog: str) -> str:
    """A connection of Airflow to a catalog of the guarded Trino, as that user."""
    extra = {"catalog": catalog, "protocol": "http"}
    place = {"conn_type": "trino", "host": "127.0.0.1", "port": port, "schema": "embeddings_db"}
    return json.dumps({**place, "login": login, "extra": extra})


def test_every_page_answers_a_user_who_may_only_select(shown: tuple[TestClient, BatchRun]) -> None:
    page, run = shown
    paths: dict[str, tuple[dict[str, str], str]] = {
        "/": ({}, "Retrieval has drifted"),
        "/documents": ({"doc_id": "a"}, "1"),
        "/document": ({"doc_id": "a"}, "Alpha, edited."),
        "/batches": ({}, run.batch_id),
        f"/batches/{run.batch_id}": ({}, "published"),
        "/drift": ({}, "canary distance"),
        "/releases": ({}, "Releases"),
        "/receipt": ({"record_id": chunk_id("a", "Alpha.")}, "text verified"),
    }
    answers = {path: page.get(path, params=values) for path, (values, _) in paths.items()}
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 200)
    assert [path for path, (_, text) in paths.items() if text not in answers[path].text] == []


def test_the_overview_measures_coverage_as_that_user(shown: tuple[TestClient, BatchRun]) -> None:
    page, _ = shown
    deadline = time.monotonic() + 60
    while "2 of 2 documents" not in page.get("/").text:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def refusal(engine: SqlEngine, text: str) -> str | None:
    """By which name Trino refuses a statement; None where it runs it."""
    with closing(engine.connect()) as opened, closing(opened.cursor()) as cursor:
        try:
            cursor.execute(text).fetchall()
        except trino.exceptions.TrinoQueryError as error:
            return str(error.error_name)
    return None


@pytest.mark.parametrize("text", WRITES)
def test_that_user_can_change_nothing(shown: tuple[TestClient, BatchRun], text: str) -> None:
    assert refusal(sql_engine(), text) == "PERMISSION_DENIED"


def test_others_still_write_through_the_same_trino(shown: tuple[TestClient, BatchRun]) -> None:
    assert refusal(engine_from_connection("other_trino"), "delete from embeddings_db.alerts where alert_id = 'of nobody'") is None


def test_the_rules_are_those_that_the_documentation_names() -> None:
    documented = (Path(ROOT) / "docs" / "page.md").read_text()
    rules = json.loads((RULES / "rules.json").read_text())
    users = {rule["user"] for part in rules.values() for rule in part if "user" in rule}
    assert users == {"embeddings_page"}
    assert all(
        text in documented for text in ("embeddings_page", "lakehouse_read", "iceberg.security=READ_ONLY", "dev/trino/access-control")
    )
