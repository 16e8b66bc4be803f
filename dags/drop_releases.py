"""Drop retired releases of the index once they were kept as long as was declared, never the live one.

A scheduled run drops them; by hand it is a dry run until told otherwise, and can name one release, a half-built one too. The namespace goes
and its snapshots may expire; the row stays and says `dropped`.
"""

from typing import Any

from airflow.sdk import Param, dag

from embedding_lakehouse.schedules import daily
from embedding_lakehouse.settings import DAG_DEFAULTS, profiles
from embedding_lakehouse.task_errors import lakehouse_task

PARAMS = {
    "profile": Param(None, enum=[None, *profiles()], description="Only releases of this profile; all if empty."),
    "release_id": Param(None, type=["null", "string"], description="Drop this release now, kept long enough or not."),
    "dry_run": Param(True, type="boolean", description="Only say what would be dropped. Scheduled runs do drop."),
}


@dag(schedule=daily(0), max_active_runs=1, params=PARAMS, tags=["index"], doc_md=__doc__, **DAG_DEFAULTS)
def drop_releases():
    @lakehouse_task
    def drop_releases(params: dict[str, Any] | None = None, dag_run=None) -> list[str]:
        from embedding_lakehouse.steps import drop_releases

        return drop_releases.drop_releases(params["profile"], params["release_id"], params["dry_run"] and dag_run.run_type != "scheduled")

    drop_releases()


drop_releases()
