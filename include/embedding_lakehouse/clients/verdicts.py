"""The history of monitoring: measures and verdicts, each run's once, and the alerts that were raised."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients.iceberg import append_once, scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.core.drift_baselines import VerdictRow
from embedding_lakehouse.core.monitoring_tables import ALERTS, DRIFT_MEASURES, DRIFT_VERDICTS
from embedding_lakehouse.core.tables import Table


def verdicts(lake: Lake, profile: str) -> list[VerdictRow]:
    """Every verdict over a profile."""
    return scan(lake.table(DRIFT_VERDICTS), profile=profile).to_arrow().to_pylist()


def verdict(lake: Lake, monitor_id: str) -> VerdictRow:
    """The verdict of a run."""
    (row,) = scan(lake.table(DRIFT_VERDICTS), monitor_id=monitor_id).to_arrow().to_pylist()
    return row


def record(lake: Lake, monitor_id: str, measures: Sequence[dict[str, Any]], row: VerdictRow) -> None:
    """Append what a run measured and its verdict, once, however often called. The verdict comes last: where it is, all is."""
    _append(lake, DRIFT_MEASURES, monitor_id, measures)
    _append(lake, DRIFT_VERDICTS, monitor_id, [row])


def alerts(lake: Lake, profile: str, kind: str) -> list[dict[str, Any]]:
    """The alerts of a kind that were raised for a profile."""
    return scan(lake.table(ALERTS), profile=profile, kind=kind).to_arrow().to_pylist()


def _append(lake: Lake, declared: Table, monitor_id: str, rows: Sequence[dict[str, Any]]) -> None:
    table = lake.table(declared)
    file = write_part(table, parts_folder(table, monitor_id), pa.Table.from_pylist(list(rows), schema=table.schema().as_arrow()))
    append_once(table, [file], {"batch_id": monitor_id})
