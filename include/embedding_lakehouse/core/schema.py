"""Every table of the lakehouse, in the order in which they are set up."""

from embedding_lakehouse.core.forgetting_tables import FORGETTING_TABLES
from embedding_lakehouse.core.index_tables import INDEX_TABLES
from embedding_lakehouse.core.ingest_tables import INGEST_TABLES
from embedding_lakehouse.core.monitoring_tables import MONITORING_TABLES
from embedding_lakehouse.core.tables import TABLES

ALL_TABLES = (*TABLES, *INDEX_TABLES, *MONITORING_TABLES, *INGEST_TABLES, *FORGETTING_TABLES)
