"""The record of alerts in the lake: each is told once, however many processes hear of it."""

import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.iceberg import MissingTable, catalog_from_connection, load_table, never_retry, scan
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.alerts import BLOCKED_BATCH, Alert
from embedding_lakehouse.core.monitoring_tables import ALERTS, QUALITY_RESULTS
from embedding_lakehouse.errors import ConflictError

TRIES = 20


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """The table of alerts in a catalog."""

    catalog: Catalog

    def add(self, alert: Alert) -> Alert | None:
        """Record the alert, with what the lake knows of it; None where it was recorded before.

        Of several processes that add the same one in the same moment, one succeeds.
        """
        for _ in range(TRIES):
            table = self._table()
            if scan(table, alert_id=alert.alert_id).to_arrow().num_rows:
                return None
            known = self._known(alert)
            never_retry(table)
            try:
                table.append(pa.Table.from_pylist([_row(known)], schema=table.schema().as_arrow()))
            except CommitFailedException:
                time.sleep(random.uniform(0.01, 0.2))  # noqa: S311 - spreads the losers of a race, no secret
                continue
            return known
        raise ConflictError(f"{ALERTS.name} changes too often")

    def has_any(self, dag_id: str, run_id: str, since: datetime | None) -> bool:
        """Whether an alert was raised by a run since it began, or was cleared."""
        of_run = And(EqualTo("dag_id", dag_id), EqualTo("run_id", run_id))
        wanted = And(of_run, GreaterThanOrEqual("raised_at", since.isoformat())) if since else of_run
        return bool(self._table().scan(row_filter=wanted).to_arrow().num_rows)

    def _known(self, alert: Alert) -> Alert:
        """The alert with its profile and since when it is so: a blocked batch since its audit first failed."""
        if alert.kind != BLOCKED_BATCH:
            return alert if alert.since_at else replace(alert, since_at=datetime.now(UTC))
        verdicts = scan(load_table(self.catalog, QUALITY_RESULTS), batch_id=alert.subject, verdict="failed").to_arrow().to_pylist()
        if not verdicts:
            return replace(alert, since_at=datetime.now(UTC))
        first = min(verdicts, key=lambda row: row["checked_at"])
        return replace(alert, profile=first["profile"], since_at=first["checked_at"])

    def _table(self) -> IcebergTable:
        """The table, made here where no upgrade was run yet: an alert must not wait for it."""
        try:
            return load_table(self.catalog, ALERTS)
        except MissingTable:
            ensure_table(self.catalog, ALERTS)
            return load_table(self.catalog, ALERTS)


def alert_record() -> AlertRecord:
    """The record behind the Airflow connection `iceberg_default`."""
    return AlertRecord(catalog_from_connection())


def _row(alert: Alert) -> dict[str, object]:
    told = {column.name: getattr(alert, column.name, None) for column in ALERTS.columns}
    return told | {"raised_at": datetime.now(UTC)}
