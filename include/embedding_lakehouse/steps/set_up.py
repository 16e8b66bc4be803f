"""Create the tables and views of the lakehouse, or bring existing ones up to this version."""

from collections.abc import Iterable

from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.sql import statements
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.core.tables import Table


def create_tables(tables: Iterable[Table] = ALL_TABLES, lake: Lake | None = None) -> list[str]:
    """Create missing tables and add missing columns; the names of the tables that changed. Nothing is ever dropped.

    Raises ConfigurationError for a column that has another type than this version needs.
    """
    lake = lake or connect()
    return [table.name for table in tables if ensure_table(lake.catalog, table)]


def create_views(lake: Lake | None = None) -> list[str]:
    """Create or replace every view of `sql/views`, in the order of their file names; their names."""
    lake = lake or connect()
    views = statements("views")
    for view in views:
        lake.sql.execute(view)
    return views
