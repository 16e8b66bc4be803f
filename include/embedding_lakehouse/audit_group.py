"""The audit of a batch as tasks: one for each check, by its name, and one that concludes."""

from typing import Any

from airflow.sdk import TriggerRule, task_group

from embedding_lakehouse.settings import checks
from embedding_lakehouse.task_errors import lakehouse_task


@task_group
def audit(batch_id: str) -> Any:
    """Run every declared check against the batch's branches, then conclude; the batch id for whoever publishes it.

    A check that does not hold fails its own task; the conclusion then records all verdicts and blocks the batch.
    """

    @lakehouse_task(trigger_rule=TriggerRule.NONE_SKIPPED)
    def conclude(batch_id: str, results: list[dict[str, Any] | None]) -> str:
        from embedding_lakehouse.steps.embed_documents import auditing

        return auditing.conclude_audit(batch_id, results)

    return conclude(batch_id, [_check_task(name)(batch_id) for name in checks()])


def _check_task(name: str) -> Any:
    @lakehouse_task(task_id=name)
    def run(batch_id: str, ti: Any = None) -> dict[str, Any]:
        from embedding_lakehouse.steps.embed_documents import auditing

        result = auditing.run_check(batch_id, name)
        ti.xcom_push("return_value", result)
        return auditing.require_passed(result)

    return run
