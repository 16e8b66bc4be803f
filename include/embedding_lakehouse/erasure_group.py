"""An erasure that has begun, as tasks: purchases in bulk, tables, records, a look at every file for what is left, the certificate."""

from typing import Any

from airflow.sdk import task_group

from embedding_lakehouse.task_errors import lakehouse_task


@task_group(prefix_group_id=False)
def erase_everywhere(erasure_id: str) -> Any:
    """Erase what the erasure's notes name, wherever it is; the certificate."""

    @lakehouse_task
    def withdraw_purchases(erasure_id: str, is_last: bool = False) -> str:
        from embedding_lakehouse.steps.forget_documents import withdrawing

        return withdrawing.withdraw_purchases(erasure_id, is_last)

    @lakehouse_task
    def erase_tables(erasure_id: str) -> str:
        from embedding_lakehouse.steps.forget_documents import erasing

        return erasing.erase_tables(erasure_id)

    @lakehouse_task
    def erase_index(erasure_id: str) -> str:
        from embedding_lakehouse.steps.forget_documents import erasing

        return erasing.erase_index(erasure_id)

    @lakehouse_task
    def check_erasure(erasure_id: str) -> dict[str, Any]:
        from embedding_lakehouse.steps.forget_documents import checking

        return checking.check_erasure(erasure_id)

    @lakehouse_task
    def certify_erasure(erasure_id: str, evidence: dict[str, Any]) -> dict[str, Any]:
        from embedding_lakehouse.steps.forget_documents import certifying

        return certifying.certify_erasure(erasure_id, evidence)

    erased = erase_index(erase_tables(withdraw_purchases(erasure_id)))
    evidence = check_erasure(erased)
    withdrawn = withdraw_purchases.override(task_id="withdraw_late_purchases")(erased, is_last=True)
    evidence >> withdrawn
    return certify_erasure(withdrawn, evidence)
