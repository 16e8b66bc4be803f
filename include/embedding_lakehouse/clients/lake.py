"""The lake as a step sees it: the Iceberg catalog and the SQL engine over the same tables."""

from dataclasses import dataclass

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.iceberg import catalog_from_connection, load_table
from embedding_lakehouse.clients.sql import SqlEngine, engine_from_connection
from embedding_lakehouse.core.tables import Table


@dataclass(frozen=True, slots=True)
class Lake:
    """One lake through its two doors: PyIceberg writes, SQL decides."""

    catalog: Catalog
    sql: SqlEngine

    def table(self, table: Table) -> IcebergTable:
        """The Iceberg table as it is now; raises ConfigurationError where it was never set up."""
        return load_table(self.catalog, table)


def connect() -> Lake:
    """The lake behind the Airflow connections `iceberg_default` and `trino_default`."""
    return Lake(catalog_from_connection(), engine_from_connection())
