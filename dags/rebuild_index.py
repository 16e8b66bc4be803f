"""Fill a fresh namespace from the lake as it is, or as it was at a moment, verify it, and only then switch to it. No text is embedded.

Plan and price (Trino) -> begin the release -> fill each shard (mapped; or export, import, wait without a worker) -> record -> verify ids,
vectors and answers -> catch up with what was published meanwhile -> switch. A dry run, the default, ends with the plan in the log and the
XCom of plan_rebuild. What a killed run left is gone on with; until the switch nobody reads from the new release. A release of a past
moment stays at that moment until another rebuild.
"""

from typing import Any

from airflow.sdk import Param, dag

from embedding_lakehouse.assets import INDEX_RELEASES
from embedding_lakehouse.fill_group import ONE_WAY, fill_release
from embedding_lakehouse.settings import DAG_DEFAULTS, default_profile, profiles
from embedding_lakehouse.sync_group import apply_sync
from embedding_lakehouse.task_errors import lakehouse_task

PARAMS = {
    "profile": Param(default_profile(), enum=list(profiles()), description="The embedding profile whose index is rebuilt."),
    "as_of": Param("", type="string", description="Empty for now; a snapshot id, a time such as 2026-01-31T12:00:00Z, or a batch id."),
    "method": Param("auto", enum=["auto", "upserts", "import"], description="How the namespace is filled; auto chooses by size."),
    "dry_run": Param(True, type="boolean", description="Only say what would be done and what it would cost."),
    "keep_days": Param(7, type="number", minimum=0, description="How long the release before it is kept, to be switched back to."),
    "reason": Param("", type="string", description="Why; kept with the release."),
    "import_uri": Param("", type="string", description="Folder or s3:// prefix for an import's files; empty for one beside the tables."),
    "discard_building": Param(False, type="boolean", description="Drop the release that an earlier run left half-built."),
}


@dag(schedule=None, max_active_runs=1, params=PARAMS, tags=["index"], doc_md=__doc__, **DAG_DEFAULTS)
def rebuild_index():
    @lakehouse_task
    def plan_rebuild(params: dict[str, Any] | None = None) -> dict[str, Any]:
        from embedding_lakehouse.steps.rebuild_index import planning

        return planning.plan_rebuild(params)

    @lakehouse_task
    def begin_rebuild(plan: dict[str, Any], params=None, run_id=None) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.rebuild_index import planning

        return planning.begin_rebuild(plan, params, run_id)

    @lakehouse_task
    def verify_release(release_id: str) -> str:
        from embedding_lakehouse.steps.rebuild_index import verifying

        return verifying.verify_release(release_id)

    @lakehouse_task
    def plan_sync(release_id: str, params=None, dag=None, run_id=None) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.sync_index import planning

        return planning.plan_sync(params["profile"], dag.dag_id, run_id, release_id=release_id)

    @lakehouse_task(trigger_rule=ONE_WAY, outlets=[INDEX_RELEASES])
    def switch_release(release_id: str, params=None, run_id=None) -> str:
        from embedding_lakehouse.steps import switch_release

        return switch_release.switch_release(release_id, params["keep_days"], params["reason"], run_id)

    verified = verify_release(fill_release(begin_rebuild(plan_rebuild())))
    caught_up = apply_sync.override(group_id="catch_up")(plan_sync(verified))
    caught_up >> switch_release(verified)


rebuild_index()
