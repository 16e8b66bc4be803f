"""Apply an approved roll-back: mark the batches, put the versions that count again into the ledger, make the roll-back part of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.forgetting.tombstones import in_force
from embedding_lakehouse.clients.iceberg import append_once, delete_rows, head_snapshot, scan
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.core.batches import PLANNED, BatchRow
from embedding_lakehouse.core.forgetting import Tombstones
from embedding_lakehouse.core.roll_backs import RollBack
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, ROLL_BACK_VERSIONS

Plan = dict[str, Any]


def apply_roll_back(plan: Plan, dag_id: str = "", run_id: str = "", lake: Lake | None = None) -> str:
    """Bring an approved plan into force; the roll-back's batch id. Running it again finishes what was begun and repeats nothing.

    First the batches are marked, then the ledger moves, in one commit: in between, a sync or a plan that needs a vector of a rejected
    batch stops and says so. Raises ConflictError, and changes nothing, where the lake moved since the plan was made.
    """
    lake = lake or connect()
    planned = RollBack.of_keys(plan)
    row = batches.begin_roll_back(lake, settings.profile(planned.profile), planned, {"dag_id": dag_id, "run_id": run_id})
    if row["state"] == PLANNED:
        versions = lake.table(DOCUMENT_VERSIONS)
        files = [_write_versions(lake, row, rows) for rows in _planned_versions(lake, row["batch_id"])]
        row = batches.publish(
            lake,
            row["batch_id"],
            versions_snapshot=append_once(versions, files, {"batch_id": row["batch_id"]}),
            embeddings_snapshot=head_snapshot(lake.table(DOCUMENT_EMBEDDINGS)).snapshot_id,
        )
    delete_rows(lake.table(ROLL_BACK_VERSIONS), batch_id=row["batch_id"])
    return str(row["batch_id"])


def _planned_versions(lake: Lake, batch_id: str) -> Iterator[pa.Table]:
    for rows in scan(lake.table(ROLL_BACK_VERSIONS), batch_id=batch_id).to_arrow_batch_reader():
        if rows.num_rows:
            yield pa.Table.from_batches([rows])


def _without_forgotten(planned: pa.Table, tombstones: Tombstones) -> pa.Table:
    """The planned versions without those of forgotten documents: no roll-back brings one back."""
    if not tombstones:
        return planned
    return planned.filter(pa.array([tombstones.of(doc_id) is None for doc_id in planned["doc_id"].to_pylist()], pa.bool_()))


def _write_versions(lake: Lake, row: BatchRow, planned: pa.Table) -> str:
    """The planned versions as a staged part of the ledger, under the roll-back's number."""
    table = lake.table(DOCUMENT_VERSIONS)
    planned = _without_forgotten(planned, in_force(lake))
    same = {"profile": row["profile"], "batch_number": row["batch_number"], "recorded_at": datetime.now(UTC)}
    for name, value in same.items():
        planned = planned.append_column(name, pa.repeat(pa.scalar(value), planned.num_rows))
    return write_part(table, parts_folder(table, f"batch_id={row['batch_id']}"), planned)
