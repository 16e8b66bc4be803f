"""A person's approval in the Airflow UI, asked for only where a plan needs it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator


class PlanApproval(ApprovalOperator):
    """Shows a plan and waits for its approval where `is_needed` renders to "True"; otherwise goes on at once.

    Refused, everything after it is skipped: nothing happened. An answer in the very moment in which the task begins to wait can fail
    the try, so there are several.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "is_needed")

    def __init__(self, *, is_needed: str = "True", **options: Any) -> None:
        super().__init__(**{"retries": 3, "retry_delay": timedelta(seconds=1)} | options)
        self.is_needed = is_needed

    def execute(self, context: Any) -> Any:
        """Ask, or go on."""
        if self.is_needed != "True":
            self.log.info("No approval is needed.")
            return None
        return super().execute(context)
