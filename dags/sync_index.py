"""Let the index follow the lake: only what changed since the last recorded sync is written or removed.

Difference (Trino) -> upsert each shard (mapped, vectors from the lake's files) -> verify -> delete what is gone (mapped) -> record.
An index that is up to date plans no shards, and everything after the plan is skipped without a call to it. Whatever is killed, the next
run makes good for it: the watermark moves last. After a rollback of the lake the same difference leads back.
"""

from typing import Any

from airflow.sdk import Param

from embedding_lakehouse.assets import DOCUMENT_EMBEDDINGS, INDEX_RELEASES
from embedding_lakehouse.profile_dags import profile_dag
from embedding_lakehouse.schedules import daily
from embedding_lakehouse.settings import DAG_DEFAULTS, default_profile, profiles
from embedding_lakehouse.sync_group import apply_sync
from embedding_lakehouse.task_errors import lakehouse_task

# Once a day too, before the index is compared with the record: no asset tells of a sync that failed for good, or of a publish that died.
DAILY = daily(3, assets=DOCUMENT_EMBEDDINGS | INDEX_RELEASES)
PARAMS = {"profile": Param(default_profile(), enum=list(profiles()), description="The embedding profile whose live release follows.")}


@profile_dag(params=PARAMS, schedule=DAILY, max_active_runs=1, tags=["index"], doc_md=__doc__, **DAG_DEFAULTS)
def sync_index():
    @lakehouse_task
    def plan_sync(params=None, dag=None, run_id=None) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.sync_index import planning

        return planning.plan_sync(params["profile"], dag.dag_id, run_id)

    apply_sync.override(prefix_group_id=False)(plan_sync())


sync_index()
