"""The engine behind a connection of type `athena`: what it submits, how it waits and reads, and what its errors say."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from embedding_lakehouse.clients import athena as client
from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.errors import ConfigurationError, ConflictError, LakehouseError, MoreRoundsNeeded, TransientError
from tests.athena_stand_in import LOOK, RESULTS, START, STOP, AthenaStandIn, refused

THROTTLED = refused("TooManyRequestsException", "Rate exceeded")


def waiting(engine: SqlEngine, sleep: Callable[[float], None]) -> SqlEngine:
    """The engine, which sleeps so between two looks at a query."""
    service = replace(engine.connect(), sleep=sleep)
    return replace(engine, connect=lambda: service)


def test_a_statement_runs_where_the_connection_says(engine: SqlEngine, athena: AthenaStandIn) -> None:
    athena.queue({"one": "integer"}, [["1"]])
    assert (engine.name, engine.rows("one")) == ("athena", [(1,)])
    (asked,) = athena.asked(START)
    assert len(asked.pop("ClientRequestToken")) >= 32
    assert asked == {
        "QueryString": "select 1 as one",
        "WorkGroup": "primary",
        "QueryExecutionContext": {"Catalog": "awsdatacatalog", "Database": "embeddings_db"},
        "ResultConfiguration": {"OutputLocation": "s3://lake/athena/"},
    }


def test_binds_are_part_of_the_statement_and_end_nothing(engine: SqlEngine, athena: AthenaStandIn) -> None:
    athena.queue({"a": "varchar", "b": "varchar"}, [])
    assert engine.rows("find", ["it's ?", ("x'; drop table t --", "ü")]) == []
    (asked,) = athena.asked(START)
    assert asked["QueryString"] == "select a, b from t where a = 'it''s ?' and b in ('x''; drop table t --', 'ü')"
    assert "ExecutionParameters" not in asked


def test_more_rows_than_a_page_come_in_order(engine: SqlEngine, athena: AthenaStandIn) -> None:
    athena.queue({"one": "bigint"}, [[str(number)] for number in range(2_500)])
    assert [number for (number,) in engine.stream("one")] == list(range(2_500))
    assert [asked.get("NextToken") for asked in athena.asked(RESULTS)] == [None, "1000", "2000"]


def test_values_have_the_types_that_trino_gives_them(engine: SqlEngine, athena: AthenaStandIn) -> None:
    kinds = ["boolean", "bigint", "double", "decimal", "varchar", "json", "varbinary", "date", "timestamp"]
    texts: list[str | None] = ["true", "-7", "NaN", "1.50", "", '["a, b", null]', "00 ff", "2026-01-02", "2026-01-02 03:04:05.678"]
    zones = {"utc": "UTC", "offset": "+05:30", "named": "America/New_York"}
    columns = {f"c_{kind}": kind for kind in kinds} | dict.fromkeys(zones, "timestamp with time zone") | {"empty": "varchar"}
    athena.queue(columns, [[*texts, *(f"2026-01-02 03:04:05.678901 {zone}" for zone in zones.values()), None]])
    (row,) = engine.named("one")
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    assert repr(row["c_double"]) == "nan"
    assert [row[f"c_{kind}"] for kind in kinds if kind != "double"] == [
        *(True, -7, Decimal("1.50"), "", ["a, b", None], b"\x00\xff", moment.date(), moment.replace(microsecond=678000)),
    ]
    assert [row[zone] for zone in zones] == [
        moment,
        moment.replace(tzinfo=timezone(timedelta(hours=5.5))),
        moment + timedelta(hours=5),
    ]
    assert row["empty"] is None


def test_an_array_that_is_not_json_is_refused(engine: SqlEngine, athena: AthenaStandIn) -> None:
    athena.queue({"ids": "array"}, [["[a, b]"]])
    with pytest.raises(ConfigurationError, match=r"sql/one\.sql: answers ids as array, .* cast it to json \(query "):
        engine.rows("one")


def test_a_write_says_how_many_rows_it_wrote(engine: SqlEngine, athena: AthenaStandIn) -> None:
    athena.update_count = 7
    assert engine.execute("one") == 7


def test_a_view_keeps_its_times_without_a_zone(engine: SqlEngine, athena: AthenaStandIn, statements: Path) -> None:
    (statements / "view.sql").write_text("create or replace view v as\n\nselect id, made_at\nfrom t")
    athena.queue({"id": "varchar", "made_at": "timestamp with time zone"}, [])
    assert engine.execute("view") == 0
    columns, view = (asked["QueryString"] for asked in athena.asked(START))
    assert columns == "select * from (select id, made_at\nfrom t) limit 0"
    assert view.startswith(
        "create or replace view v as\n\nselect\n    id,\n    cast(made_at at time zone 'UTC' as timestamp(3)) as made_at\nfrom ("
    )


def test_an_engine_s_own_file_of_a_statement_comes_first(engine: SqlEngine, athena: AthenaStandIn, statements: Path) -> None:
    (statements / "athena").mkdir()
    (statements / "athena" / "one.sql").write_text("-- Athena's.\nselect 2 as one")
    engine.rows("one")
    assert athena.asked(START)[0]["QueryString"] == "select 2 as one"


def test_a_statement_that_is_too_long_never_leaves(engine: SqlEngine, athena: AthenaStandIn) -> None:
    with pytest.raises(ConfigurationError, match=r"sql/find\.sql: is 300,\d+ bytes long with its values, and Athena takes 262,144"):
        engine.rows("find", ["ü" * 150_000, ("x",)])
    assert athena.requests == []


def test_a_throttled_statement_is_submitted_again_under_its_token(engine: SqlEngine, athena: AthenaStandIn) -> None:
    athena.plan(START, THROTTLED, refused("InternalServerException", status=500))
    athena.queue({"one": "integer"}, [["1"]])
    assert engine.rows("one") == [(1,)]
    assert len({asked["ClientRequestToken"] for asked in athena.asked(START)}) == 1


def test_a_statement_whose_answer_is_lost_runs_once(engine: SqlEngine, athena: AthenaStandIn) -> None:
    athena.plan(START, None)
    athena.queue({"one": "integer"}, [["1"]])
    assert engine.rows("one") == [(1,)]
    assert len(athena.asked(START)) == 2
    assert len({asked["QueryExecutionId"] for asked in athena.asked(LOOK)}) == len(athena.started) == 1


def test_two_statements_have_two_tokens(engine: SqlEngine, athena: AthenaStandIn) -> None:
    engine.rows("one")
    engine.rows("one")
    assert len({asked["ClientRequestToken"] for asked in athena.asked(START)}) == 2


def test_throttling_that_lasts_is_worth_another_try(connected: Callable[..., SqlEngine], athena: AthenaStandIn) -> None:
    athena.plan(START, *[THROTTLED] * 9)
    with pytest.raises(TransientError, match=r"Athena asks to slow down: .*Rate exceeded"):
        connected(patience=0).rows("one")


def test_looks_and_pages_that_are_throttled_are_asked_for_again(engine: SqlEngine, athena: AthenaStandIn) -> None:
    athena.plan(LOOK, THROTTLED, None)
    athena.plan(RESULTS, refused("ThrottlingException"), None)
    athena.queue({"one": "integer"}, [["1"]])
    assert engine.rows("one") == [(1,)]
    assert len(athena.asked(START)) == 1


@pytest.mark.parametrize(
    ("reason", "error", "kind", "said"),
    [
        ("ICEBERG_COMMIT_ERROR: Failed to commit", {}, ConflictError, "another writer changed the table: ICEBERG_COMMIT_ERROR"),
        ("ICEBERG_OPTIMIZE_MORE_RUNS_NEEDED: Processed 100 partitions", {}, MoreRoundsNeeded, "did a part of it: ICEBERG_OPTIMIZE_MORE"),
        (
            "INVALID_ARGUMENTS: Iceberg snapshot ID does not exists: 7",
            {"ErrorCategory": 2},
            ConflictError,
            "expired since it was looked up",
        ),
        ("TABLE_NOT_FOUND: line 1:1: Table 't' does not exist", {}, ConfigurationError, "run the DAG set_up_lakehouse"),
        ("SCHEMA_NOT_FOUND: line 1:1: no", {}, ConfigurationError, "run the DAG set_up_lakehouse"),
        ("PERMISSION_DENIED: Access Denied (Service: Amazon S3; Status Code: 403)", {}, ConfigurationError, "the connection trino_default"),
        ("Query exhausted resources at this scale factor", {"ErrorCategory": 2}, TransientError, "Athena could not finish it"),
        ("GENERIC_INTERNAL_ERROR: oh", {"ErrorCategory": 1}, TransientError, "Athena could not finish it"),
        ("", {"ErrorMessage": "no reason", "Retryable": True, "ErrorCategory": 3}, TransientError, "no reason"),
        ("TYPE_MISMATCH: line 1:8: no", {"ErrorCategory": 2, "Retryable": False}, LakehouseError, "TYPE_MISMATCH: line 1:8"),
    ],
)
def test_a_query_that_failed_says_what_to_do_and_its_id(
    engine: SqlEngine, athena: AthenaStandIn, reason: str, error: dict[str, object], kind: type[LakehouseError], said: str
) -> None:
    athena.ends("FAILED", reason, **error)
    with pytest.raises(LakehouseError, match=rf"sql/one\.sql: .*\(query {'[0-9a-f-]{36}'}\)") as raised:
        engine.rows("one")
    assert (type(raised.value), said in str(raised.value), len(athena.asked(START))) == (kind, True, 1)


def test_a_query_that_somebody_cancelled_is_not_run_again(engine: SqlEngine, athena: AthenaStandIn) -> None:
    athena.ends("CANCELLED", "Bytes scanned limit was exceeded")
    with pytest.raises(ConfigurationError, match="by a limit of its workgroup: Bytes scanned limit was exceeded"):
        engine.rows("one")


def test_whoever_stops_waiting_stops_the_query(engine: SqlEngine, athena: AthenaStandIn) -> None:
    def timed_out(seconds: float) -> None:
        raise TimeoutError(f"the task's time ended during {seconds} s")

    athena.ends("RUNNING")
    with pytest.raises(TimeoutError):
        waiting(engine, timed_out).rows("one")
    assert [asked["QueryExecutionId"] for asked in athena.asked(STOP)] == [athena.asked(LOOK)[0]["QueryExecutionId"]]


def test_a_task_that_is_told_to_end_stops_its_query(engine: SqlEngine, athena: AthenaStandIn) -> None:
    told: list[int] = []

    def ask_to_end(seconds: float) -> None:
        athena.ends("CANCELLED")
        os.kill(os.getpid(), signal.SIGTERM)

    athena.ends("RUNNING")
    before = signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    try:
        with pytest.raises(ConfigurationError, match="was cancelled"):
            waiting(engine, ask_to_end).rows("one")
        assert (told, len(athena.asked(STOP))) == ([signal.SIGTERM], 1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert told == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, before)


def test_looks_at_a_query_become_rarer(engine: SqlEngine, athena: AthenaStandIn) -> None:
    waits: list[float] = []

    def waited(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 7:
            athena.ends("SUCCEEDED")

    athena.ends("RUNNING")
    waiting(engine, waited).rows("one")
    assert waits == [*client.WAITS, client.LONGEST_WAIT, client.LONGEST_WAIT]
