"""Stand-ins for Athena, at the HTTP level: moto's with what moto lacks (pages, failures, throttling, lost answers), and one that runs
statements on a real Trino within the limits that Athena has."""

import json
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from uuid import uuid4

import requests
import trino.exceptions
from moto.server import ThreadedMotoServer
from trino.dbapi import connect

from dev.stack import Stack

HOST = "127.0.0.1"
START, LOOK, RESULTS, STOP = "StartQueryExecution", "GetQueryExecution", "GetQueryResults", "StopQueryExecution"
OPTIMIZE = re.compile(r"optimize ([\w.]+) rewrite data using bin_pack")
Answer = tuple[int, dict[str, Any]]


def refused(code: str, message: str = "says why", status: int = 400) -> Answer:
    """What AWS answers to a request that it does not take."""
    return status, {"__type": code, "message": message}


class AthenaStandIn:
    """A server that speaks as Athena does: `requests` has what it was asked, `planned` what it answers instead of moto, by operation.

    A planned answer of None hangs up after the request was taken.
    """

    def __init__(self, moto: str = "") -> None:
        self.moto = moto
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.planned: dict[str, deque[Answer | None]] = {}
        # A client token, and the query that it started: moto starts another one each time.
        self.started: dict[str, Answer] = {}
        self.statuses: dict[str, Any] = {}
        self.update_count: int | None = None
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                operation = self.headers["X-Amz-Target"].rpartition(".")[2]
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = stand_in.answer(operation, json.loads(body), dict(self.headers), body)
                if answer is None:
                    self.close_connection = True
                    return
                content = json.dumps(answer[1]).encode()
                self.send_response(answer[0])
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.address = f"http://{HOST}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def connection(self) -> str:
        """An Airflow connection to it, as JSON."""
        extra = {"region_name": "us-east-1", "work_group": "primary", "endpoint_url": self.address}
        return json.dumps({"conn_type": "athena", "login": "testing", "password": "testing", "schema": "embeddings_db", "extra": extra})

    def plan(self, operation: str, *answers: Answer | None) -> None:
        """Answer the next requests for an operation so."""
        self.planned.setdefault(operation, deque()).extend(answers)

    def queue(self, columns: dict[str, str], rows: list[list[str | None]]) -> None:
        """What the next query answers, below the row of its columns' names that Athena puts first."""
        kinds = [
            {"Name": name, "Type": kind, "Label": name, "CatalogName": "hive", "SchemaName": "", "TableName": ""}
            | {"Precision": 0, "Scale": 0, "Nullable": "UNKNOWN", "CaseSensitive": False}
            for name, kind in columns.items()
        ]
        cells = [
            [{} if value is None else {"VarCharValue": value} for value in row] for row in ([list(columns), *rows] if columns else rows)
        ]
        result = {"rows": [{"Data": row} for row in cells], "column_info": kinds}
        url = f"{self.moto}/moto-api/static/athena/query-results"
        requests.post(url, json={"results": [result]}, timeout=10).raise_for_status()

    def ends(self, state: str, reason: str = "", **error: Any) -> None:
        """Let queries end in this state from now on."""
        self.statuses = {"State": state, "StateChangeReason": reason, "AthenaError": error}

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """The requests for an operation."""
        return [body for name, body in self.requests if name == operation]

    def answer(self, operation: str, body: dict[str, Any], headers: dict[str, str], raw: bytes) -> Answer | None:
        self.requests.append((operation, body))
        planned = self.planned.get(operation)
        answer = planned.popleft() if planned else ...
        if isinstance(answer, tuple):
            return answer
        told = self._told(operation, body, headers, raw)
        return None if answer is None else told

    def _told(self, operation: str, body: dict[str, Any], headers: dict[str, str], raw: bytes) -> Answer:
        token = body.get("ClientRequestToken")
        if token in self.started:
            return self.started[token]
        response = requests.post(self.moto, data=raw, headers={**headers, "Host": self.moto.partition("//")[2]}, timeout=10)
        answer: Answer = (response.status_code, response.json() if response.content else {})
        if token and response.ok:
            self.started[token] = answer
        if operation == LOOK and self.statuses and response.ok:
            answer[1]["QueryExecution"]["Status"] |= self.statuses
        return _page(answer, body, self.update_count) if operation == RESULTS else answer


def _page(answer: Answer, body: dict[str, Any], update_count: int | None) -> Answer:
    result = answer[1]["ResultSet"]
    start = int(body.get("NextToken", 0))
    end = start + body.get("MaxResults", 1_000)
    more = {"NextToken": str(end)} if len(result["Rows"]) > end else {}
    counted = {"UpdateCount": update_count} if update_count else {}
    return answer[0], {"ResultSet": {**result, "Rows": result["Rows"][start:end]}, **more, **counted}


class AthenaOnTrino(AthenaStandIn):
    """Runs what it is given on a real Trino, refuses what Athena does not take, and answers every value as text, as Athena does.

    An `optimize` rewrites nothing of a table with fewer than `least_files` data files. While there are `rounds`, it rewrites only the
    partitions of which the next of these conditions holds, and then fails as Athena does where more are left.
    """

    MOST_BYTES = 262_144
    LACKING = ("dot_product(", "cosine_similarity(", "cosine_distance(", "euclidean_distance(", "any_value(", "table_changes(", " execute ")
    # Its words, as the adapter dbt-athena met them (its issue 531).
    MORE = (
        "ICEBERG_OPTIMIZE_MORE_RUNS_NEEDED: Processed 100 partitions in this round of optimization, but there are more partitions remaining"
    )

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.place = {"host": HOST, "port": stack.ports["trino"], "user": "airflow", "catalog": "lakehouse", "timezone": "UTC"}
        self.queries: dict[str, dict[str, Any]] = {}
        # As its property optimize_rewrite_data_file_threshold says by default.
        self.least_files = 5
        self.rounds: deque[str] = deque()

    def _told(self, operation: str, body: dict[str, Any], headers: dict[str, str], raw: bytes) -> Answer:
        if operation == START:
            if body["ClientRequestToken"] not in self.started:
                query_id = str(uuid4())
                self.queries[query_id] = self._run(body["QueryString"])
                self.started[body["ClientRequestToken"]] = 200, {"QueryExecutionId": query_id}
            return self.started[body["ClientRequestToken"]]
        query = self.queries[body["QueryExecutionId"]]
        if operation == LOOK:
            return 200, {"QueryExecution": {"QueryExecutionId": body["QueryExecutionId"], "Status": query["status"]}}
        result = {"Rows": query["rows"], "ResultSetMetadata": {"ColumnInfo": query["columns"]}}
        return _page((200, {"ResultSet": result}), body, query["count"])

    def _run(self, text: str) -> dict[str, Any]:
        lacking = [name for name in self.LACKING if name in text]
        if lacking or len(text.encode()) > self.MOST_BYTES:
            return _failed(f"SYNTAX_ERROR: not in Athena: {lacking or len(text)}")
        with closing(connect(**self.place)) as connection, closing(connection.cursor()) as cursor:
            try:
                if optimized := OPTIMIZE.fullmatch(text):
                    return self._optimize(cursor, optimized[1])
                if text.startswith("create or replace view"):
                    self._refuse_zones(cursor, text)
                    # Of a view in Glue the one, of a view in another Iceberg catalog the other is asked.
                    text = text.replace("as timestamp(3))", "as timestamp(6))")
                cursor.execute(text)
                rows, described = cursor.fetchall(), cursor.description or []
            except trino.exceptions.TrinoQueryError as error:
                return _failed(f"{error.error_name}: {error.message}")
            except ValueError as error:
                return _failed(str(error))
            return _succeeded(rows, described, cursor.update_type)

    def _optimize(self, cursor: Any, table: str) -> dict[str, Any]:
        schema, _, name = table.partition(".")
        # Files of content 0 are data files.
        (files,) = cursor.execute(f'select count(*) from {schema}."{name}$files" where content = 0').fetchone()
        part = self.rounds.popleft() if self.rounds else ""
        if files >= self.least_files:
            condition = f" where {part}" if part else ""
            cursor.execute(f"alter table {table} execute optimize(file_size_threshold => '128MB'){condition}").fetchall()
        return _failed(self.MORE) if part else _succeeded([], [], "OPTIMIZE")

    def _refuse_zones(self, cursor: Any, text: str) -> None:
        cursor.execute(f"select * from ({text.partition(' as')[2]}) limit 0").fetchall()
        if any("with time zone" in column.type_code for column in cursor.description):
            raise ValueError("NOT_SUPPORTED: Unsupported Hive type: timestamp(6) with time zone")


def _failed(reason: str) -> dict[str, Any]:
    status = {"State": "FAILED", "StateChangeReason": reason, "AthenaError": {"ErrorCategory": 2, "Retryable": False}}
    return {"status": status, "rows": [], "columns": [], "count": None}


def _succeeded(rows: list[Any], described: list[Any], update_type: str | None) -> dict[str, Any]:
    # Athena's types have no parameters: `varchar(3)` is `varchar`, `timestamp(6) with time zone` `timestamp with time zone`.
    kinds = [(column.name, re.sub(r"\(.*\)", "", column.type_code)) for column in described]
    columns = [{"Name": name, "Type": kind} for name, kind in kinds]
    if update_type:
        count = rows[0][0] if rows and rows[0] else None
        return {"status": {"State": "SUCCEEDED"}, "rows": [], "columns": [], "count": count}
    cells = [[name for name, _ in kinds], *([_text(value, kind) for value, (_, kind) in zip(row, kinds, strict=True)] for row in rows)]
    told = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in cells]
    return {"status": {"State": "SUCCEEDED"}, "rows": told, "columns": columns, "count": None}


def _text(value: Any, kind: str) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case bytes():
            return value.hex(" ")
        case list() | tuple() if kind == "array":
            return f"[{', '.join(map(str, value))}]"
        case datetime():
            zone = " UTC" if value.tzinfo else ""
            return f"{value.replace(tzinfo=None).isoformat(' ', 'microseconds')}{zone}"
    return str(value)


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of moto's server."""
    server = ThreadedMotoServer(ip_address=HOST, port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
