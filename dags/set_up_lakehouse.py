"""Create the lakehouse, or bring it up to this version: tables, views, and the index of each profile.

Run it once before the first load and after every upgrade. It can be run at any time: what exists stays as it is, a missing column is
added, nothing is ever dropped. The index is created here and nowhere else.
"""

from airflow.sdk import dag

from embedding_lakehouse.settings import DAG_DEFAULTS
from embedding_lakehouse.task_errors import lakehouse_task


@dag(schedule=None, max_active_runs=1, tags=["embeddings", "set-up"], doc_md=__doc__, **DAG_DEFAULTS)
def set_up_lakehouse():
    @lakehouse_task
    def create_tables() -> list[str]:
        from embedding_lakehouse.steps import set_up

        return set_up.create_tables()

    @lakehouse_task
    def create_views() -> list[str]:
        from embedding_lakehouse.steps import set_up

        return set_up.create_views()

    @lakehouse_task
    def create_indexes() -> list[str]:
        from embedding_lakehouse.steps import set_up_index

        return set_up_index.create_indexes()

    create_tables() >> create_views() >> create_indexes()


set_up_lakehouse()
