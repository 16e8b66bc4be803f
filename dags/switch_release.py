"""Let another release of a profile be the live one, at once: the one before it, or any that is still kept.

Choose -> look whether its namespace is whole -> switch the row, then the alias. Then sync_index brings it forward by the difference, unless
it is pinned to a past moment. Nothing is embedded, nothing is copied.
"""

from typing import Any

from airflow.sdk import Param, dag

from embedding_lakehouse.assets import INDEX_RELEASES
from embedding_lakehouse.settings import DAG_DEFAULTS, default_profile, profiles
from embedding_lakehouse.task_errors import lakehouse_task

PARAMS = {
    "profile": Param(default_profile(), enum=list(profiles()), description="The embedding profile whose live release changes."),
    "release_id": Param("previous", type="string", minLength=1, description="The release, or `previous` for the one before the live one."),
    "reason": Param("", type="string", description="Why; kept with the release."),
    "keep_days": Param(7, type="number", minimum=0, description="How long the release that is live now is kept."),
}


@dag(schedule=None, max_active_runs=1, params=PARAMS, tags=["index"], doc_md=__doc__, **DAG_DEFAULTS)
def switch_release():
    @lakehouse_task
    def choose_release(params: dict[str, Any] | None = None) -> str:
        from embedding_lakehouse.steps import switch_release

        return switch_release.choose_release(params["profile"], params["release_id"])

    @lakehouse_task(task_id="switch_release", outlets=[INDEX_RELEASES])
    def switch_release(release_id: str, params=None, run_id=None) -> str:
        from embedding_lakehouse.steps import switch_release

        return switch_release.switch_release(release_id, params["keep_days"], params["reason"], run_id)

    switch_release(choose_release())


switch_release()
