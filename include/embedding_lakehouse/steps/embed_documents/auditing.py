"""Run the checks of `sql/checks` against a batch's branches, record the results, and say which rows are wrong."""

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import MAIN, head_snapshot
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.core.batches import BLOCKED, BatchRow, branch_name
from embedding_lakehouse.core.checks import CHECKS, Check, check_named
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, QUALITY_RESULTS, Table
from embedding_lakehouse.errors import AuditFailed

SAMPLE_ROWS = 20
MOST_COUNTED = 10_000

Result = dict[str, Any]


def run_check(batch_id: str, name: str, lake: Lake | None = None) -> Result:
    """Run one check against the batch's branches; its verdict (`passed`, `warned`, `failed`) with a sample of offending rows."""
    lake = lake or connect()
    return _run(lake, batches.batch(lake, batch_id), check_named(name))


def require_passed(result: Result) -> Result:
    """The result of a check that holds. Raises AuditFailed, with the first offending rows, for one that does not."""
    if result["verdict"] == "failed":
        raise AuditFailed(f"{result['check']}: {result['violations']} rows do not hold, such as {result['sample'][:3]}")
    return result


def conclude_audit(batch_id: str | None, results: list[Result | None], lake: Lake | None = None) -> str:
    """Record the results; the batch id if every check that must hold did.

    Raises AuditFailed otherwise: the batch becomes blocked, its branches stay for inspection, main is as it was. A check without a
    result could not be run, which blocks as well.
    """
    if batch_id is None:
        raise AuditFailed("nothing was committed, so nothing was audited: see the tasks before the audit")
    lake = lake or connect()
    found = [result for result in results if result]
    _record(lake, batches.batch(lake, batch_id), found)
    missing = sorted({check.name for check in CHECKS} - {result["check"] for result in found})
    failed = [result for result in found if result["verdict"] == "failed"]
    if missing or failed:
        raise _blocked(lake, batch_id, failed, missing)
    return batch_id


def audit_again(lake: Lake, row: BatchRow) -> None:
    """Run all checks once more, after a rebase. Raises AuditFailed as `conclude_audit` does."""
    conclude_audit(row["batch_id"], [_run(lake, row, check) for check in CHECKS], lake)


def _run(lake: Lake, row: BatchRow, check: Check) -> Result:
    profile = settings.profile_of(row)
    values = row | {"dimensions": profile.dimensions}
    names = {
        "embeddings_snapshot": _audited_snapshot(lake, row, DOCUMENT_EMBEDDINGS),
        "versions_snapshot": _audited_snapshot(lake, row, DOCUMENT_VERSIONS),
        "source_snapshot": row["source_snapshot"],
    }
    count = 0
    sample: list[list[str]] = []
    for offending in lake.sql.stream(f"checks/{check.name}", [values[bind] for bind in check.binds], **names):
        count += 1
        if len(sample) < SAMPLE_ROWS:
            sample.append([str(value) for value in offending])
        if count == MOST_COUNTED:
            break
    verdict = "passed" if count <= check.threshold else {"fail": "failed", "warn": "warned"}[check.severity]
    return {"check": check.name, "verdict": verdict, "violations": count, "sample": sample} | {
        key: names[key] for key in ("embeddings_snapshot", "versions_snapshot")
    }


def _audited_snapshot(lake: Lake, row: BatchRow, declared: Table) -> int:
    """The branch's snapshot; main's where the branch was published already and the publishing was then interrupted."""
    table = lake.table(declared)
    branch = branch_name(row["batch_id"])
    return head_snapshot(table, branch if branch in table.refs() else MAIN).snapshot_id


def _record(lake: Lake, row: BatchRow, results: list[Result]) -> None:
    now = datetime.now(UTC)
    rows = [
        {
            "batch_id": row["batch_id"],
            "profile": row["profile"],
            "check_name": result["check"],
            "severity": check_named(result["check"]).severity,
            "verdict": result["verdict"],
            "violation_count": result["violations"],
            "threshold": check_named(result["check"]).threshold,
            "sample": json.dumps(result["sample"], ensure_ascii=False),
            "engine": lake.sql.name,
            "embeddings_snapshot": result["embeddings_snapshot"],
            "versions_snapshot": result["versions_snapshot"],
            "checked_at": now,
        }
        for result in results
    ]
    table = lake.table(QUALITY_RESULTS)
    if rows:
        table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))


def _blocked(lake: Lake, batch_id: str, failed: list[Result], missing: list[str]) -> AuditFailed:
    reasons = [f"{result['check']}: {result['violations']} rows, such as {result['sample'][:3]}" for result in failed]
    reasons += [f"{name}: did not run" for name in missing]
    message = "; ".join(reasons)
    batches.move(lake, batch_id, BLOCKED, message=message)
    return AuditFailed(
        f"batch {batch_id} is blocked, main is as it was. {message}. Look at its rows on the branch {branch_name(batch_id)} of "
        f"{DOCUMENT_EMBEDDINGS.name} and at {QUALITY_RESULTS.name}; trigger embed_documents with discard_open to give the batch up, "
        "or run it again to audit it again"
    )
