"""The measures of a comparison as tasks, side by side, each group of measures by its name."""

from typing import Any

from airflow.sdk import task_group

from embedding_lakehouse.task_errors import lakehouse_task


@task_group
def measure(comparison: dict[str, Any]) -> Any:
    """Take every group of measures of a comparison whose sample is drawn: a list of measures for each."""

    @lakehouse_task
    def measure_documents(comparison: dict[str, Any]) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.monitor_embeddings import measuring

        return measuring.measure_documents(comparison)

    @lakehouse_task
    def measure_texts(comparison: dict[str, Any]) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.monitor_embeddings import measuring

        return measuring.measure_texts(comparison)

    @lakehouse_task
    def measure_vectors(comparison: dict[str, Any]) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.monitor_embeddings import measuring

        return measuring.measure_vectors(comparison)

    @lakehouse_task
    def measure_models(comparison: dict[str, Any]) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.monitor_embeddings import controlling

        return controlling.measure_models(comparison)

    @lakehouse_task
    def measure_provider(comparison: dict[str, Any]) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.monitor_embeddings import controlling

        return controlling.measure_provider(comparison)

    @lakehouse_task
    def measure_index(comparison: dict[str, Any]) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.monitor_embeddings import controlling

        return controlling.measure_index(comparison)

    measures = (measure_documents, measure_texts, measure_vectors, measure_models, measure_provider, measure_index)
    return [each(comparison) for each in measures]
