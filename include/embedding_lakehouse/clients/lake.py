"""The lake as a step sees it: the Iceberg catalog and the SQL engine over the same tables."""

from dataclasses import dataclass

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.iceberg import MissingTable, catalog_from_connection, load_table
from embedding_lakehouse.clients.sql import SqlEngine, engine_from_connection
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.core.tables import Table


@dataclass(frozen=True, slots=True)
class Lake:
    """One lake through its two doors: PyIceberg writes, SQL decides. For who only reads, nothing is set up."""

    catalog: Catalog
    sql: SqlEngine
    is_only_read: bool = False

    def table(self, table: Table) -> IcebergTable:
        """The Iceberg table as it is now. A lakehouse that was never set up gets all its tables here.

        Raises MissingTable where the lake is only read.
        """
        try:
            return load_table(self.catalog, table)
        except MissingTable:
            if self.is_only_read:
                raise
            for declared in ALL_TABLES:
                ensure_table(self.catalog, declared)
            return load_table(self.catalog, table)


def connect() -> Lake:
    """The lake behind the Airflow connections `iceberg_default` and `trino_default`."""
    return Lake(catalog_from_connection(), engine_from_connection())
