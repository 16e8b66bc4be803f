"""What the demonstration reads from the lake. Airflow takes its settings at import: they must be in the environment before."""

from typing import Any

from embedding_lakehouse.clients.lake import connect
from embedding_lakehouse.core.tables import Table


def newest_row(table: Table, by: str) -> dict[str, Any]:
    """The row of a table with the highest value in a column."""
    return max(connect().table(table).scan().to_arrow().to_pylist(), key=lambda row: row[by])
