"""An engine that is down, starts, refuses the login, breaks off or refuses a statement: each a typed error that says what to do."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trino

from dev.stack import Stack
from dev.stack.ports import HOST, free_port
from embedding_lakehouse.clients import sql
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS
from embedding_lakehouse.errors import ConfigurationError, ConflictError, LakehouseError, TransientError
from tests.lake_fixtures import empty_lake, lake, profiles

__all__ = ["empty_lake", "lake", "profiles"]


def engine(port: int, patience: float = 0.2) -> SqlEngine:
    """An engine at a port of this machine, whose start is not awaited for long."""
    return SqlEngine(
        "trino", lambda: trino.dbapi.connect(host=HOST, port=port, user="airflow", catalog="lakehouse", max_attempts=1), patience
    )


@pytest.fixture(autouse=True)
def statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of statements of the test's own, with one that any engine can answer."""
    monkeypatch.setenv("EMBEDDING_LAKEHOUSE_SQL", str(tmp_path))
    sql.statement.cache_clear()
    (tmp_path / "one.sql").write_text("select 1")
    yield tmp_path
    sql.statement.cache_clear()


class Stub:
    """An HTTP server that speaks as Trino does: answers each request in turn, and hangs up where it has no answer."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                stub.asked.append(self.command)
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer()

            def do_GET(self) -> None:
                stub.asked.append(self.command)
                self.answer()

            def answer(self) -> None:
                if not stub.answers:
                    self.close_connection = True
                    return
                status, body = stub.answers.pop(0)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def stub(request: pytest.FixtureRequest) -> Iterator[Stub]:
    served = Stub(*request.param)
    yield served
    served.server.shutdown()
    served.server.server_close()


def reply(state: str, **parts: object) -> tuple[int, object]:
    """An answer of Trino's with these parts."""
    return 200, {"id": "q1", "infoUri": "http://nowhere", "stats": {"state": state}, "warnings": [], **parts}


def failed(name: str) -> tuple[int, object]:
    """What Trino answers for a query that failed."""
    return reply("FAILED", error={"errorName": name, "errorType": "EXTERNAL", "message": "says why", "errorCode": 1})


def running(port: int) -> tuple[int, object]:
    """What Trino answers while a query runs."""
    return reply("RUNNING", nextUri=f"http://{HOST}:{port}/v1/statement/q1/1")


INTEGER = {"name": "a", "type": "integer", "typeSignature": {"rawType": "integer", "arguments": []}}
ANSWERED = reply("FINISHED", columns=[INTEGER], data=[[1]])


def test_an_engine_that_is_down_is_worth_another_try() -> None:
    with pytest.raises(TransientError, match="Trino does not answer"):
        engine(free_port(0)).rows("one")


@pytest.mark.parametrize("stub", [[(401, "who are you?")], [(403, "not you")]], indirect=True, ids=["401", "403"])
def test_a_refused_login_names_the_connection(stub: Stub) -> None:
    with pytest.raises(ConfigurationError, match=r"sql/one\.sql: Trino refuses the login of the connection trino_default: check its user"):
        engine(stub.port).rows("one")
    assert len(stub.asked) == 1


@pytest.mark.parametrize("stub", [[failed("SERVER_STARTING_UP"), failed("NO_NODES_AVAILABLE"), ANSWERED]], indirect=True, ids=["starting"])
def test_an_engine_that_starts_is_waited_for(stub: Stub) -> None:
    assert engine(stub.port, patience=30).rows("one") == [(1,)]


@pytest.mark.parametrize("stub", [[failed("SERVER_STARTING_UP")] * 9], indirect=True, ids=["starting"])
def test_an_engine_that_starts_for_too_long_is_worth_another_try(stub: Stub) -> None:
    with pytest.raises(TransientError, match="Trino is not ready: SERVER_STARTING_UP: says why"):
        engine(stub.port).rows("one")


@pytest.mark.parametrize("stub", [[]], indirect=True, ids=["silent"])
def test_a_statement_that_may_have_arrived_is_not_submitted_again(stub: Stub) -> None:
    with pytest.raises(TransientError, match=r"sql/one\.sql: lost the connection to Trino"):
        engine(stub.port, patience=30).rows("one")
    assert stub.asked == ["POST"]


@pytest.mark.parametrize("stub", [[]], indirect=True, ids=["broken"])
def test_an_answer_that_breaks_off_is_worth_another_try(stub: Stub) -> None:
    stub.answers.append(running(stub.port))
    with pytest.raises(TransientError, match=r"sql/one\.sql: lost the connection to Trino"):
        engine(stub.port).rows("one")


@pytest.mark.parametrize("stub", [[(500, "broken")]], indirect=True, ids=["500"])
def test_a_broken_engine_is_worth_another_try(stub: Stub) -> None:
    with pytest.raises(TransientError, match="error 500"):
        engine(stub.port).rows("one")


@pytest.mark.parametrize("stub", [[failed("ICEBERG_COMMIT_ERROR")], [failed("TRANSACTION_CONFLICT")]], indirect=True)
def test_a_commit_that_another_writer_won_is_a_conflict(stub: Stub) -> None:
    with pytest.raises(ConflictError, match=r"sql/one\.sql: another writer changed the table: says why"):
        engine(stub.port).rows("one")


def test_a_statement_that_is_wrong_is_named_with_the_engine_s_words(statements: Path, trino_stack: Stack) -> None:
    (statements / "wrong.sql").write_text("select 1 +")
    with pytest.raises(LakehouseError, match=r"sql/wrong\.sql: SYNTAX_ERROR: .*mismatched input.*query 20"):
        connect().sql.rows("wrong")


def test_a_table_that_is_missing_says_what_to_run(statements: Path, trino_stack: Stack) -> None:
    (statements / "missing.sql").write_text("select 1 from embeddings_db.no_such_table")
    with pytest.raises(ConfigurationError, match=r"does not exist: run the DAG set_up_lakehouse"):
        connect().sql.rows("missing")


def test_a_snapshot_that_expired_since_it_was_looked_up_is_a_conflict(statements: Path, lake: Lake) -> None:
    (statements / "late.sql").write_text("select 1 from embeddings_db.document_versions for version as of {{ snapshot }}")
    assert lake.sql.rows("late", snapshot=head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id) == []
    with pytest.raises(ConflictError, match=r"sql/late\.sql: a snapshot expired since it was looked up.*run the task again"):
        lake.sql.rows("late", snapshot=2**62)


def test_many_rows_arrive_in_order(statements: Path, trino_stack: Stack) -> None:
    (statements / "many.sql").write_text(
        "select n from unnest(sequence(1, 10000)) as t (n) cross join unnest(array[?]) as u (m) order by n"
    )
    assert [number for (number,) in connect().sql.stream("many", ("x",))] == list(range(1, 10_001))


def test_a_stream_may_be_left_before_its_end(statements: Path, trino_stack: Stack) -> None:
    (statements / "many.sql").write_text("select n from unnest(sequence(1, 10000)) as t (n)")
    rows = connect().sql.stream("many")
    next(rows)
    assert rows.close() is None
