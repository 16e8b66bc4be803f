"""Amazon Athena as a DB-API connection, through the Airflow connection that the Amazon provider's AthenaSQLHook reads.

Values become literals here: Athena's execution parameters are texts of at most 1,024 characters that the caller quotes itself, and have a
place only in the `where` of a `select` or an `insert`. A statement is submitted under one token however often the answer is lost, so that
it runs once. Arrays, maps and rows arrive as text that does not say where a value ends: a statement answers them as `json`. All tables keep
times with a zone. Athena's views cannot: they get them in UTC without one, and a time without a zone is taken for UTC.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from functools import cached_property
from itertools import chain, repeat
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from embedding_lakehouse.clients.athena_errors import StatementFailed, failure_of, refusal
from embedding_lakehouse.core.athena_dialect import in_athena, view_body, view_without_zones
from embedding_lakehouse.core.literals import with_literals
from embedding_lakehouse.errors import ConfigurationError, TransientError

# https://docs.aws.amazon.com/athena/latest/ug/service-limits.html: not adjustable, in UTF-8.
MOST_BYTES = 262_144
PAGE_ROWS = 1_000
# Seconds between two looks at a query; a planned insert of this package takes seconds, most selects less than one.
WAITS = (0.1, 0.2, 0.3, 0.5, 1.0)
LONGEST_WAIT = 2.0
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}

log = logging.getLogger(__name__)


def _with_zone(text: str) -> datetime:
    moment, _, zone = text.rpartition(" ")
    if zone[0] in "+-":
        return datetime.fromisoformat(moment + zone)
    return datetime.fromisoformat(moment).replace(tzinfo=UTC if zone == "UTC" else ZoneInfo(zone))


CONVERTED: dict[str, Callable[[str], Any]] = {
    "boolean": "true".__eq__,
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "decimal": Decimal,
    **dict.fromkeys(("varchar", "char", "string", "uuid"), str),
    "varbinary": bytes.fromhex,
    "json": str,
    "date": date.fromisoformat,
    "time": time_of_day.fromisoformat,
    "timestamp": lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
    "timestamp with time zone": _with_zone,
    # The type of a column that is null in every row.
    "unknown": str,
}


@dataclass(frozen=True)
class AthenaService:
    """Athena behind an Airflow connection: the client is made once and serves all threads; its credentials renew themselves.

    `patience` is for how many seconds an answer is asked for again before it counts as lost.
    """

    conn_id: str
    opened: Callable[[], Any]
    patience: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def connection(self) -> Any:
        """PyAthena's connection. Raises ConfigurationError that names what the Airflow connection lacks."""
        return self.opened()

    @property
    def settings(self) -> dict[str, Any]:
        """Where every query runs and leaves its results, as StartQueryExecution takes it."""
        place = {"Catalog": self.connection.catalog_name, "Database": self.connection.schema_name}
        encryption = {"EncryptionOption": self.connection.encryption_option, "KmsKey": self.connection.kms_key}
        results = {"OutputLocation": self.connection.s3_staging_dir, "EncryptionConfiguration": _given(encryption)}
        return _given(
            {
                "WorkGroup": self.connection.work_group,
                "QueryExecutionContext": _given(place),
                "ResultConfiguration": _given(results),
            }
        )

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """One request. Raises TransientError where it may be sent again, StatementFailed where that would change nothing."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self.connection.client, operation)(**request)
        except (ClientError, BotoCoreError) as error:
            raise refusal(error, self.conn_id) from error
        return answer

    def ask_patiently(self, operation: str, **request: Any) -> dict[str, Any]:
        """A request that changes nothing, again and again while Athena is throttled or away."""
        stop, wait = stop_after_delay(self.patience), wait_random_exponential(0.2, max=8)
        retrying = Retrying(retry=retry_if_exception_type(TransientError), stop=stop, wait=wait, reraise=True)
        return retrying(self.ask, operation, **request)

    def cursor(self, seconds: float | None = None) -> "AthenaCursor":
        """A cursor for one statement, which is stopped after so many seconds."""
        return AthenaCursor(self, seconds=seconds)

    def close(self) -> None:
        """Nothing is held open between two statements."""


@dataclass
class AthenaCursor:
    """One statement, as DB-API has it: `execute`, `fetchmany`, `description`, `close`."""

    service: AthenaService
    seconds: float | None = None
    token: str = field(default_factory=lambda: str(uuid4()))
    query_id: str | None = None
    description: list[tuple[str, str]] | None = None
    _rows: Iterator[tuple[Any, ...]] = field(default_factory=lambda: iter(()))

    def execute(self, text: str, binds: list[Any] | None = None) -> "AthenaCursor":
        """Run the statement to its end; one that was not acknowledged may be submitted again, it has arrived at most once.

        Raises TransientError where it was not acknowledged, StatementFailed for one that is too long, was refused or failed. A statement is
        stopped in Athena where this is interrupted.
        """
        query = with_literals(in_athena(self._prepared(text)), binds or [])
        size = len(query.encode())
        if size > MOST_BYTES:
            said = f"is {size:,} bytes long with its values, and Athena takes {MOST_BYTES:,}: give it fewer or shorter ones"
            raise StatementFailed(ConfigurationError, said)
        request = {"QueryString": query, "ClientRequestToken": self.token, **self.service.settings}
        self.query_id = self.service.ask("start_query_execution", **request)["QueryExecutionId"]
        self._rows = self._results(self._ended())
        return self

    def _prepared(self, text: str) -> str:
        """A view as Athena keeps it; which of its columns are times, a query without a row says."""
        if body := view_body(text):
            asked = AthenaCursor(self.service, self.seconds, f"{self.token}-columns").execute(f"select * from ({body}) limit 0")  # noqa: S608
            return view_without_zones(text, _columns(self.service.ask_patiently("get_query_results", QueryExecutionId=asked.query_id)))
        return text

    def fetchmany(self, size: int = PAGE_ROWS) -> list[tuple[Any, ...]]:
        """The next rows, as many as there are up to `size`."""
        return [row for row, _ in zip(self._rows, range(size), strict=False)]

    def close(self) -> None:
        """A query that ended needs no closing, and one that was interrupted is stopped already."""

    def _ended(self) -> dict[str, Any]:
        """What Athena says of the query once it has ended well."""
        waited = 0.0
        with _noting_termination() as terminated:
            try:
                for wait in chain(WAITS, repeat(LONGEST_WAIT)):
                    query: dict[str, Any] = self.service.ask_patiently("get_query_execution", QueryExecutionId=self.query_id)[
                        "QueryExecution"
                    ]
                    if query["Status"]["State"] in ENDED:
                        break
                    if self.seconds is not None and waited >= self.seconds:
                        raise StatementFailed(TransientError, f"took longer than {self.seconds:g} s and was stopped")
                    self.service.sleep(wait)
                    waited += wait
                    if terminated:
                        self._stop()
            except BaseException:
                self._stop()
                raise
        if query["Status"]["State"] != "SUCCEEDED":
            raise failure_of(query, self.service.conn_id)
        scanned = query.get("Statistics", {}).get("DataScannedInBytes", 0)
        log.debug("query %s scanned %s bytes", self.query_id, scanned)
        return query

    def _stop(self) -> None:
        """Whoever waited is gone, and what still runs costs money."""
        with suppress(TransientError, StatementFailed):
            self.service.ask("stop_query_execution", QueryExecutionId=self.query_id)

    def _results(self, query: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
        request = {"QueryExecutionId": self.query_id, "MaxResults": PAGE_ROWS}
        page = self.service.ask_patiently("get_query_results", **request)
        rows = page["ResultSet"].get("Rows", [])
        if page.get("UpdateCount") and not rows:
            self.description = [("rows", "bigint")]
            yield (page["UpdateCount"],)
            return
        self.description = _columns(page)
        convert = [self._converter(name, kind) for name, kind in self.description]
        # The first row of a select is its columns' names, and data only by chance.
        if rows and [value.get("VarCharValue") for value in rows[0]["Data"]] == [name for name, _ in self.description]:
            rows = rows[1:]
        while True:
            for row in rows:
                yield tuple(_converted(value, into) for value, into in zip(row["Data"], convert, strict=True))
            if not (more := page.get("NextToken")):
                return
            page = self.service.ask_patiently("get_query_results", **request, NextToken=more)
            rows = page["ResultSet"].get("Rows", [])

    def _converter(self, name: str, kind: str) -> Callable[[str], Any]:
        if kind not in CONVERTED:
            said = f"answers {name} as {kind}, whose text in Athena's answers is ambiguous: cast it to json (query {self.query_id})"
            raise StatementFailed(ConfigurationError, said)
        return CONVERTED[kind]


@contextmanager
def _noting_termination() -> Iterator[list[int]]:
    """Becomes true once this process is asked to end: Airflow lets a task go on then, and kills it seconds later."""
    noted: list[int] = []
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield noted
        return

    def note(number: int, frame: Any) -> None:
        noted.append(number)
        before(number, frame)

    signal.signal(signal.SIGTERM, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGTERM, before)


def _columns(page: dict[str, Any]) -> list[tuple[str, str]]:
    return [(column["Name"], column["Type"]) for column in page["ResultSet"].get("ResultSetMetadata", {}).get("ColumnInfo", [])]


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _converted(value: dict[str, str], into: Callable[[str], Any]) -> Any:
    return into(value["VarCharValue"]) if "VarCharValue" in value else None
