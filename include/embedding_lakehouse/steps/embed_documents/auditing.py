"""Run the checks of `sql/checks` against a batch's branches, record the results, and say which rows are wrong."""

import json
import logging
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches, metrics
from embedding_lakehouse.clients.iceberg import MAIN, head_snapshot, is_own_snapshot
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.quality_results import ResultRow, acceptance, latest_results, record, result_row
from embedding_lakehouse.clients.sql import ATHENA
from embedding_lakehouse.core.batches import BLOCKED, PUBLISHED, BatchRow, branch_name
from embedding_lakehouse.core.checks import ACCEPTED, FAILED, WARNED, Check, values_to_bind
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, Table
from embedding_lakehouse.errors import AuditFailed, ConfigurationError

SAMPLE_ROWS = 20
MOST_COUNTED = 10_000
LONGEST_SHOWN = 200
SHOWN_IN_MESSAGE = 3
AUDITED = ("embeddings_snapshot", "versions_snapshot", "source_snapshot")

logger = logging.getLogger(__name__)

Result = dict[str, Any]


def run_check(batch_id: str, name: str, lake: Lake | None = None) -> Result:
    """Run one check against the batch's branches: its verdict (`passed`, `warned`, `failed`, `accepted`), value and offending rows.

    Of a batch that is published already the recorded result counts: what it was planned from is no longer there to compare it with.
    """
    lake = lake or connect()
    row = batches.batch(lake, batch_id)
    if row["state"] == PUBLISHED and (recorded := latest_results(lake, batch_id).get(name)):
        return _recorded(recorded)
    return _run(lake, row, settings.check(name), _audited_snapshots(lake, row))


def require_passed(result: Result) -> Result:
    """The result of a check that holds, or that may fail. Raises AuditFailed, with the first offending rows, for one that must not."""
    if result["verdict"] == FAILED:
        raise AuditFailed(f"{describe(result)}: {settings.check(result['check']).meaning}", result["batch_id"], [result["check"]])
    if result["verdict"] in (WARNED, ACCEPTED):
        logger.warning("%s, %s: %s", result["verdict"], describe(result), settings.check(result["check"]).meaning)
    return result


def conclude_audit(batch_id: str | None, results: list[Result | None], lake: Lake | None = None) -> str:
    """Record the results; the batch id if every check that must hold did, or was accepted by somebody.

    Raises AuditFailed otherwise: the batch becomes blocked, its branches stay for inspection, main is as it was. A check without a
    result could not be run, which blocks as well. A batch that is published already is past its audit: nothing is recorded then.
    """
    if batch_id is None:
        raise AuditFailed("nothing was committed, so nothing was audited: see the tasks before the audit")
    lake = lake or connect()
    row = batches.batch(lake, batch_id)
    if row["state"] == PUBLISHED:
        return batch_id
    found = [result for result in results if result]
    record(lake, [result_row(lake, row, settings.check(result["check"]), result) for result in found])
    missing = sorted(settings.checks().keys() - {result["check"] for result in found})
    failed = [result for result in found if result["verdict"] == FAILED]
    metrics.report(row["profile"], {"batch.checks_failed": len(failed) + len(missing), "batch.is_blocked": int(bool(missing or failed))})
    if missing or failed:
        raise _blocked(lake, batch_id, failed, missing)
    return batch_id


def audit_again(lake: Lake, row: BatchRow) -> None:
    """Run all checks once more, after a rebase. Raises AuditFailed as `conclude_audit` does."""
    names = _audited_snapshots(lake, row)
    conclude_audit(row["batch_id"], [_run(lake, row, check, names) for check in settings.checks().values()], lake)


def describe(result: Result) -> str:
    """What a check found, in one line."""
    check = settings.check(result["check"])
    if check.kind == "value":
        return f"{check.name}: {result['value']:g} measured, {check.threshold:g} allowed ({result['sample'][0]})"
    return f"{check.name}: {result['value']} rows, such as {result['sample'][:SHOWN_IN_MESSAGE]}"


def _run(lake: Lake, row: BatchRow, check: Check, names: dict[str, int]) -> Result:
    values = values_to_bind(row, settings.profile_of(row), datetime.now(UTC))
    answered = lake.sql.named(f"checks/{check.name}", [values[bind] for bind in check.binds], **names)
    value, sample = _value(check, answered) if check.kind == "value" else _offending(check, answered)
    result = {"batch_id": row["batch_id"], "check": check.name, "verdict": check.verdict(value), "value": value, "sample": sample}
    if result["verdict"] == FAILED and (accepted := acceptance(lake, row["batch_id"], check.name)):
        result |= {"verdict": ACCEPTED} | {key: accepted[key] for key in ("accepted_by", "accepted_reason")}
    return result | {key: names[key] for key in AUDITED}


def _recorded(row: ResultRow) -> Result:
    """A result as it was recorded."""
    result = {"batch_id": row["batch_id"], "check": row["check_name"], "verdict": row["verdict"], "value": row["measured_value"]}
    return result | {"sample": json.loads(row["sample"])} | {key: row[key] for key in AUDITED}


def _offending(check: Check, answered: Iterator[dict[str, Any]]) -> tuple[int, list[Result]]:
    """How many rows a statement answered, and the first ones; counting ends where it changes nothing any more."""
    count = 0
    sample: list[Result] = []
    for row in islice(answered, max(MOST_COUNTED, int(check.threshold) + 1)):
        count += 1
        if count <= SAMPLE_ROWS:
            sample.append(_shown(row))
    return count, sample


def _value(check: Check, answered: Iterator[dict[str, Any]]) -> tuple[float | None, list[Result]]:
    """The first column of a statement's only row, and the row."""
    rows = list(islice(answered, 2))
    if len(rows) != 1:
        raise ConfigurationError(
            f"sql/checks/{check.name}.sql answered {len(rows) or 'no'} rows: a check of kind value answers exactly one"
        )
    measured = next(iter(rows[0].values()))
    try:
        return (None if measured is None else float(measured)), [_shown(rows[0])]
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"sql/checks/{check.name}.sql measured {measured!r}, which is no number") from error


def _shown(value: Any) -> Any:
    """A value as JSON can hold it, of bounded length."""
    match value:
        case dict():
            return {key: _shown(each) for key, each in value.items()}
        case list() | tuple():
            return [_shown(each) for each in value[:SAMPLE_ROWS]]
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
    text = str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _audited_snapshots(lake: Lake, row: BatchRow) -> dict[str, int]:
    """The snapshots that the checks read, by the names under which statements have them."""
    embeddings = lake.table(DOCUMENT_EMBEDDINGS)
    audited = _audited_snapshot(embeddings, row)
    own = embeddings.snapshot_by_id(audited)
    base = own.parent_snapshot_id if is_own_snapshot(own, row["batch_id"]) else None
    return {
        "embeddings_snapshot": audited,
        "versions_snapshot": _audited_snapshot(lake.table(DOCUMENT_VERSIONS), row),
        "source_snapshot": row["source_snapshot"],
        # A batch without vectors has no snapshot of its own, and of main's past whatever has expired cannot be read.
        "embeddings_base": base if base and embeddings.snapshot_by_id(base) else audited,
    }


def _audited_snapshot(table: Any, row: BatchRow) -> int:
    """The branch's snapshot; main's where the branch was published already and the publishing was then interrupted."""
    branch = branch_name(row["batch_id"])
    return head_snapshot(table, branch if branch in table.refs() else MAIN).snapshot_id


def _blocked(lake: Lake, batch_id: str, failed: list[Result], missing: list[str]) -> AuditFailed:
    names = [result["check"] for result in failed]
    message = "; ".join([describe(result) for result in failed] + [f"{name}: did not run" for name in missing])
    batches.move(lake, batch_id, BLOCKED, message=message)
    ways_on = [
        f"look at what failed: {_select_failed(batch_id)}",
        f"look at the rows: {_select_branch(lake, DOCUMENT_EMBEDDINGS, batch_id)}; {_select_branch(lake, DOCUMENT_VERSIONS, batch_id)}",
        "audit the batch again, once mended: trigger embed_documents",
        "give the batch up: trigger embed_documents with discard_open",
    ]
    if failed and not missing:
        quoted = ", ".join(f'"{name}"' for name in names)
        ways_on.append(f"accept it as it is: trigger embed_documents with accept_checks [{quoted}] and an accept_reason")
    return AuditFailed(f"batch {batch_id} is blocked, main is as it was. {message}", batch_id, [*names, *missing], ways_on)


# People paste these; the batch id is our own.
def _select_failed(batch_id: str) -> str:
    columns = "check_name, measured_value, allowed_value, sample"
    return f"select {columns} from {QUALITY_RESULTS.name} where batch_id = '{batch_id}' and verdict = 'failed' order by checked_at desc"  # noqa: S608


def _select_branch(lake: Lake, declared: Table, batch_id: str) -> str:
    branch = branch_name(batch_id)
    # Athena knows snapshots only by their ids.
    head = lake.table(declared).refs().get(branch) if lake.sql.name == ATHENA else None
    version = head.snapshot_id if head else f"'{branch}'"
    return f"select * from {declared.name} for version as of {version} where batch_id = '{batch_id}'"  # noqa: S608
