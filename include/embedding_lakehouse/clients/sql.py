"""Run the statements of `sql/` on the lake's SQL engine: Trino, or Athena by the type of the Airflow connection `trino_default`.

A statement is named by its path without ending. Values are bound; only what the engine cannot bind (a snapshot id, an identifier)
replaces a `{{ name }}` after it was validated. A tuple is bound as a list: its `?` becomes one for each member, as in `doc_id in (?)`.
A column of the type `json` is answered decoded, as lists and dictionaries: so arrays come the same way from both engines.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import trino.exceptions
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from embedding_lakehouse.clients.airflow_connections import airflow_connection
from embedding_lakehouse.clients.athena_errors import CONFLICTS, EXPIRED, GONE, OUTDATED, StatementFailed
from embedding_lakehouse.core.texts import is_writable
from embedding_lakehouse.errors import ConfigurationError, ConflictError, InputError, LakehouseError, TransientError, quoted
from embedding_lakehouse.settings import sql_folder

PLACEHOLDER = re.compile(r"\{\{ (\w+) \}\}")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}(\.[A-Za-z_][A-Za-z0-9_]{0,127})?")
NEVER_ARRIVED = ("Failed to establish a new connection", "ConnectTimeoutError", "NameResolutionError")
UNTRUSTED = re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|SSLError|SSL: ")
TRINO, ATHENA = "trino", "athena"
ATHENA_TYPES = {"athena", "aws"}
# Errors by which Trino says that the same statement may succeed later: starting up, or out of workers.
NOT_READY = {"SERVER_STARTING_UP", "NO_NODES_AVAILABLE", "SERVER_SHUTTING_DOWN", "CATALOG_UNAVAILABLE"}
# Trino answers each request within about a second, whatever the statement takes; its client asks three times.
SILENT_SECONDS = 5.0

Row = tuple[Any, ...]


@cache
def statement(path: str, engine: str = TRINO) -> str:
    """The text of `sql/<path>.sql` without its comment lines; of `sql/<engine>/<path>.sql` where the engine has a file of its own."""
    own = sql_folder() / engine / f"{path}.sql"
    file = own if own.is_file() else sql_folder() / f"{path}.sql"
    if not file.is_file():
        raise ConfigurationError(f"there is no statement {path!r}: {file} does not exist")
    return "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("--")).strip()


def statements(folder: str) -> list[str]:
    """The paths of all statements in a folder of `sql/`, in the order of their names."""
    return sorted(f"{folder}/{file.stem}" for file in (sql_folder() / folder).glob("*.sql"))


def render(path: str, names: dict[str, int | str], engine: str = TRINO) -> str:
    """The statement with each `{{ name }}` replaced by a validated snapshot id (int) or identifier (str).

    Raises ConfigurationError for a missing name or a value that is neither.
    """

    def replacement(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            raise ConfigurationError(f"sql/{path}.sql needs a value for {{{{ {name} }}}}")
        value = names[name]
        is_snapshot = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
        if not (is_snapshot or (isinstance(value, str) and IDENTIFIER.fullmatch(value))):
            raise ConfigurationError(f"sql/{path}.sql: {name}={quoted(value)} is neither a snapshot id nor an identifier")
        return str(value)

    return PLACEHOLDER.sub(replacement, statement(path, engine))


def bound(path: str, text: str, binds: Sequence[Any]) -> tuple[str, list[Any]]:
    """The statement and its binds with every tuple among them opened. As literals of the statement they choose the files to read before
    it runs, which a subquery over a list does not.

    Raises ConfigurationError for another number of binds than places, and for an empty tuple, which no `in (?)` can hold; InputError for
    a value that no column can hold.
    """
    parts = text.split("?")
    if len(parts) != len(binds) + 1:
        raise ConfigurationError(f"sql/{path}.sql takes {len(parts) - 1} binds, {len(binds)} were given")
    if () in binds:
        raise ConfigurationError(f"sql/{path}.sql: an empty list cannot be bound")
    places = [", ".join("?" * len(bind)) if isinstance(bind, tuple) else "?" for bind in binds]
    opened = "".join(part + place for part, place in zip(parts, [*places, ""], strict=True))
    return opened, [_checked(path, value) for bind in binds for value in (bind if isinstance(bind, tuple) else (bind,))]


def _checked(path: str, value: Any) -> Any:
    """A value as it may be bound. Raises InputError for what no column can hold: the engine would answer with its own words, or never."""
    if isinstance(value, str) and not is_writable(value):
        raise InputError(f"sql/{path}.sql: {quoted(value)} has half a surrogate pair and stands nowhere in the lake")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InputError(f"sql/{path}.sql: {quoted(value)} is larger than any number in the lake")
    return value


@dataclass(frozen=True, slots=True)
class SqlEngine:
    """A SQL engine by its name and a function that opens a DB-API connection to it.

    `patience` is how many seconds a start is awaited, `conn_id` the Airflow connection that errors name, `longest` how long a statement
    may be with its binds: characters in Trino, bytes of UTF-8 in Athena. `statement_seconds` is how long the engine may take for a
    statement, its queue included: by default as long as it needs, as for a task.
    """

    name: str
    connect: Callable[[], Any]
    patience: float = 60
    conn_id: str = "trino_default"
    longest: int = 1_000_000
    statement_seconds: int | None = None

    def rows(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> list[Row]:
        """All rows that the statement answers."""
        return list(self.stream(path, binds, **names))

    def row(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> Row:
        """The one row that the statement answers."""
        (row,) = self.rows(path, binds, **names)
        return row

    def execute(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> int:
        """Run a statement that writes; the number of rows that it wrote, 0 where the engine does not say."""
        answered = self.rows(path, binds, **names)
        return int(answered[0][0]) if answered and isinstance(answered[0][0], int) else 0

    def stream(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> Iterator[Row]:
        """The rows that the statement answers, as they arrive.

        Raises TransientError where the engine did not answer, ConflictError where another writer won, ConfigurationError for a
        refused login, LakehouseError for what the engine rejected.
        """
        return (row for _, row in self._answers(path, binds, names))

    def named(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> Iterator[dict[str, Any]]:
        """The same, each value under its column's name."""
        return (dict(zip(columns, row, strict=True)) for columns, row in self._answers(path, binds, names))

    def _answers(self, path: str, binds: Sequence[Any], names: dict[str, int | str]) -> Iterator[tuple[list[str], Row]]:
        text, values = bound(path, render(path, names, self.name), binds)
        with _NamedErrors(path, self.conn_id), closing(self.connect()) as connection, closing(self._cursor(connection)) as cursor:
            self._retrying(_submit, cursor, text, values)
            while rows := cursor.fetchmany(10_000):
                columns = [column[0] for column in cursor.description]
                coded = {place for place, column in enumerate(cursor.description) if column[1] == "json"}
                for row in rows:
                    yield columns, _decoded(row, coded) if coded else tuple(row)

    def _cursor(self, connection: Any) -> Any:
        """A cursor whose statements end within `statement_seconds`."""
        if self.statement_seconds is None:
            return connection.cursor()
        if self.name == ATHENA:
            return connection.cursor(self.statement_seconds)
        connection.request_timeout = min(SILENT_SECONDS, self.statement_seconds)
        # It travels with the statement; `set session` would be another one.
        session = connection._client_session
        session.properties = {**session.properties, "query_max_run_time": f"{self.statement_seconds}s"}
        return connection.cursor()

    @property
    def _retrying(self) -> Retrying:
        """Waits for a restarting engine, which takes 20 s."""
        stop = stop_after_delay(self.patience)
        return Retrying(retry=retry_if_exception_type(TransientError), stop=stop, wait=wait_exponential(0.5, max=8), reraise=True)


def _submit(cursor: Any, text: str, binds: list[Any]) -> None:
    """Submit the statement. Raises TransientError only where it cannot have arrived, so that it is never run twice."""
    try:
        cursor.execute(text, binds or None)
    except trino.exceptions.TrinoQueryError as error:
        if error.error_name in NOT_READY:
            raise TransientError(f"Trino is not ready: {error.error_name}: {error.message}") from error
        raise
    except trino.exceptions.TrinoConnectionError as error:
        if not any(reason in str(error) for reason in NEVER_ARRIVED):
            raise
        raise TransientError(f"Trino does not answer: {error}") from error


def _decoded(row: Sequence[Any], coded: set[int]) -> Row:
    return tuple(json.loads(value) if place in coded and value is not None else value for place, value in enumerate(row))


class _NamedErrors:
    """Turn the engine's errors into this package's, with the statement's name."""

    def __init__(self, path: str, conn_id: str) -> None:
        self.path, self.conn_id = path, conn_id

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        place = f"sql/{self.path}.sql"
        match error:
            case StatementFailed():
                raise error.kind(f"{place}: {error}") from error
            case trino.exceptions.TrinoQueryError() if error.error_name in CONFLICTS:
                raise ConflictError(f"{place}: another writer changed the table: {error.message}") from error
            case trino.exceptions.TrinoQueryError() if EXPIRED.search(error.message):
                raise ConflictError(f"{place}: {GONE} ({error.message})") from error
            case trino.exceptions.TrinoQueryError() if error.error_name in OUTDATED:
                raise ConfigurationError(
                    f"{place}: {error.message}: run the DAG set_up_lakehouse, which brings the tables up to date"
                ) from error
            case trino.exceptions.TrinoQueryError():
                raise LakehouseError(f"{place}: {error.error_name}: {error.message} (query {error.query_id})") from error
            case trino.exceptions.HttpError() if str(error).startswith(("error 401", "error 403")):
                raise ConfigurationError(
                    f"{place}: Trino refuses the login of the connection {self.conn_id}: check its user, its password or token, "
                    f"and TLS ({error})"
                ) from error
            case trino.exceptions.TrinoAuthError():
                raise ConfigurationError(f"{place}: the connection {self.conn_id} cannot be used for Trino: {error}") from error
            case trino.exceptions.TrinoConnectionError() if UNTRUSTED.search(str(error)):
                raise ConfigurationError(
                    f"{place}: no TLS connection that can be trusted: check host, port and protocol of {self.conn_id}, and give its extra "
                    f"verify the file of the certificate authority, which REQUESTS_CA_BUNDLE would overrule ({error})"
                ) from error
            case trino.exceptions.TrinoConnectionError() | trino.exceptions.HttpError():
                raise TransientError(f"{place}: lost the connection to Trino: {error}") from error


def engine_from_connection(conn_id: str = "trino_default") -> SqlEngine:
    """The engine behind an Airflow connection: Athena where it is of type `athena` or `aws`, else Trino."""
    if airflow_connection(conn_id, "trino or athena").conn_type in ATHENA_TYPES:
        from embedding_lakehouse.clients.athena import MOST_BYTES
        from embedding_lakehouse.clients.athena_connection import athena_service

        service = athena_service(conn_id)
        return SqlEngine(ATHENA, lambda: service, conn_id=conn_id, longest=MOST_BYTES)
    return SqlEngine(TRINO, lambda: _trino_connection(conn_id), conn_id=conn_id)


def _trino_connection(conn_id: str) -> Any:
    """Raises ConfigurationError for a connection that contradicts itself or names a token's file that is not there."""
    from airflow.providers.trino.hooks.trino import AirflowException, TrinoHook

    try:
        connection = TrinoHook(trino_conn_id=conn_id, log_sql=False).get_conn()
    except (AirflowException, ValueError, OSError) as error:
        raise ConfigurationError(f"the connection {conn_id} cannot be used for Trino: {error}") from error
    # Unasked, every task's first bind costs one more statement, which tries whether Trino is newer than 417.
    connection.legacy_prepared_statements = False
    return connection
