"""Every statement as it goes to Athena, on a real Trino: documents ingested, embedded, synced, rolled back and watched through it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dev.stack import Stack
from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.clients.sql import ATHENA, PLACEHOLDER, Row, SqlEngine, engine_from_connection, sql_folder, statement, statements
from embedding_lakehouse.core.athena_dialect import in_athena
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.receipts import explain
from embedding_lakehouse.steps.set_up import create_views
from embedding_lakehouse.steps.set_up_index import create_index
from tests.athena_stand_in import START, AthenaOnTrino
from tests.drift_fixtures import Monitoring
from tests.filled_lake import FIRST, SECOND, FilledLake
from tests.index_fixtures import API_KEY, Following, declaration
from tests.ingest_runner import Ingestion, counts
from tests.lake_fixtures import PROFILES, SAVED, declare
from tests.release_fixtures import Rebuilding
from tests.roll_back_fixtures import RollingBack

# Each statement of these is run or, where what was done did not need it, at least analysed.
FOLDERS = ("changes", "drift", "ingest", "page", "plans", "receipts", "reconcile", "releases", "rollback")
DONE = ("changes", "checks", "dashboards", "drift", "ingest", "plans", "receipts", "reconcile", "releases", "rollback", "views")


@dataclass(frozen=True)
class Noting(SqlEngine):
    """An engine that notes the paths of the statements it runs."""

    def _answers(self, path: str, binds: Sequence[Any], names: dict[str, int | str]) -> Iterator[tuple[list[str], Row]]:
        NOTED.add(path)
        return super()._answers(path, binds, names)


NOTED: set[str] = set()


class ThroughAthena(FilledLake):
    """A profile with a batch, a second one that was rolled back, a release beside the live one, a comparison with its repair, and drift."""

    def __init__(self, lake: Lake, trino: SqlEngine, profile: str, service: IndexService, folder: Path) -> None:
        self.lake, self.trino, self.profile = lake, trino, profile
        create_views(lake)
        create_index(profile, lake=lake, service=service)
        self.index = Following(lake, settings.profile(profile), service)
        self.first = self._embed(FIRST, is_audited=True)
        self.index.sync()
        self.second = self._embed(SECOND)
        self.index.sync()
        self.release = Rebuilding(lake, self.index.profile, service).rebuild()
        monitoring = Monitoring(lake, profile, service=service)
        self.verdict = monitoring.monitor(baseline=self.first)
        self.measures = monitoring.measures(self.verdict)
        self.roll_back = RollingBack(self.index).roll_back(without_batch=self.second)["batch_id"]
        self.index.sync()
        self._reconcile()
        (folder / "it's new.md").write_text("# New\n\nIs it? It's \\ \x0b new.")
        self.ingestion = Ingestion(lake, str(folder))
        self.ingested = self.ingestion.run()


@pytest.fixture(scope="module")
def stand_in(trino_stack: Stack) -> Iterator[AthenaOnTrino]:
    """Athena, on the session's Trino."""
    with AthenaOnTrino(trino_stack) as server:
        yield server


@pytest.fixture(scope="module")
def through(
    module_lake: Lake, module_profiles: Path, faulty_server: str, stand_in: AthenaOnTrino, tmp_path_factory: pytest.TempPathFactory
) -> ThroughAthena:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ATHENA", stand_in.connection)
        engine = engine_from_connection("athena")
        athena = Noting(engine.name, engine.connect, conn_id=engine.conn_id, longest=engine.longest)
        athena.rows("page/list_batch_states")
    name = f"athena-{uuid4().hex[:8]}"
    declare(module_profiles, f"{declaration(name)}usd_per_million_tokens = 1000\n{PROFILES}")
    service = IndexService(API_KEY, faulty_server, patience=20)
    return ThroughAthena(Lake(module_lake.catalog, athena), module_lake.sql, name, service, tmp_path_factory.mktemp("documents"))


def without_zone(value: Any) -> Any:
    """A time in UTC as Athena's views have it; anything else as it is."""
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return [without_zone(each) for each in value] if isinstance(value, list | tuple) else value


def test_documents_are_ingested_embedded_and_rolled_back(through: ThroughAthena) -> None:
    states = {batch_id: row["state"] for batch_id, row in through.batches.items()}
    assert (states[through.first], states[through.second]) == ("published", "rejected")
    assert counts(through.ingested)[0] == 1
    assert "Is it? It's \\" in through.ingestion.texts()["it's new.md"]


def test_the_index_is_found_to_lack_a_record_and_repaired(through: ThroughAthena) -> None:
    rows = through.lake.sql.rows("page/list_comparisons", [through.profile, 2])
    assert sorted(row[3] for row in rows)[1] == 1.0
    assert all(row[2].tzinfo for row in rows)


def test_drift_is_measured(through: ThroughAthena) -> None:
    assert {"centroid_distance", "projections", "near_duplicates"} <= through.measures.keys()


def test_a_receipt_leads_to_the_text(through: ThroughAthena) -> None:
    record = chunk_id("a", "Alpha.")
    (receipt,) = explain([record], through.profile, lake=through.lake).receipts
    assert (receipt.record_id, receipt.doc_id) == (record, "a")


def test_dashboards_answer_the_same_through_both_engines(through: ThroughAthena) -> None:
    for path in statements("dashboards"):
        assert without_zone(through.lake.sql.rows(path)) == without_zone(through.trino.rows(path)), path


def test_every_kind_of_statement_was_run(through: ThroughAthena) -> None:
    assert set(DONE) - {path.partition("/")[0] for path in NOTED} == set()


def test_no_view_has_a_time_with_a_zone(through: ThroughAthena, stand_in: AthenaOnTrino) -> None:
    created = [body["QueryString"] for body in stand_in.asked(START) if body["QueryString"].startswith("create or replace view")]
    assert len(created) >= len(statements("views"))
    assert any("as timestamp(3)) as" in text for text in created)


def test_no_statement_answers_what_athena_tells_ambiguously(through: ThroughAthena) -> None:
    paths = {path for folder in FOLDERS for path in statements(folder)} - NOTED
    snapshots = {table.name: through.lake.table(table).metadata.current_snapshot_id for table in SAVED}
    ambiguous = {path: kinds for path in sorted(paths) if (kinds := _ambiguous(through.trino, path, snapshots))}
    assert ambiguous == {}


def _ambiguous(trino: SqlEngine, path: str, snapshots: dict[str, int]) -> list[str]:
    """The types of a statement's columns that are made of others, by Trino's analysis of its text for Athena."""
    text = in_athena(statement(path, ATHENA))
    tables = {name: table for table, name in re.findall(r"(\w+\.\w+) for version as of \{\{ (\w+) \}\}", text)}
    text = PLACEHOLDER.sub(lambda place: str(snapshots[tables[place[1]]]), text)
    with closing(trino.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"prepare described from {text}").fetchall()
        columns = cursor.execute("describe output described").fetchall()
    return [row[4] for row in columns if re.match(r"array|map|row", row[4])]


def test_no_statement_for_athena_needs_what_only_trino_has() -> None:
    only_trino = re.compile(
        r"table_changes|for version as of '\w|alter table \S+ execute|^call |\bdot_product\(|cosine_\w+\(|euclidean_", re.MULTILINE
    )
    paths = [file.relative_to(sql_folder()).with_suffix("").as_posix() for file in sql_folder().rglob("*.sql")]
    assert [
        path for path in paths if not path.startswith("maintenance/trino/") and only_trino.search(in_athena(statement(path, ATHENA)))
    ] == []
