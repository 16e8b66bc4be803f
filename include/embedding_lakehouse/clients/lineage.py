"""Tell a lineage tool which tables a task read and wrote, where Airflow's OpenLineage provider is installed and switched on.

A table is a dataset by its location, as OpenLineage names Iceberg tables: `s3://bucket` and the path within it.
"""

from functools import cache
from importlib.util import find_spec


def tell(task: str) -> None:
    """Report the tables of a task that has just succeeded. Without somebody who asks for them nothing is imported or looked up."""
    if _is_asked_for():
        _tell(task)


def _tell(task: str) -> None:
    from airflow.sdk import BaseHook
    from airflow.sdk.lineage import get_hook_lineage_collector

    from embedding_lakehouse.clients.iceberg import catalog_from_connection, load_table
    from embedding_lakehouse.core.lineage import FLOWS

    if flow := FLOWS.get(task):
        catalog, collector, hook = catalog_from_connection(), get_hook_lineage_collector(), BaseHook()
        for tables, add in ((flow.reads, collector.add_input_asset), (flow.writes, collector.add_output_asset)):
            for table in tables:
                add(hook, uri=load_table(catalog, table).location(), asset_extra={"table": table.name})


@cache
def _is_asked_for() -> bool:
    if find_spec("airflow.providers.openlineage") is None:
        return False
    from airflow.providers.openlineage.conf import is_disabled

    return not is_disabled()
