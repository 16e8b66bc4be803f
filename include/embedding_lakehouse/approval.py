"""A person's approval in the Airflow UI, asked for only where a plan needs it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from airflow.configuration import conf
from airflow.providers.standard.operators.hitl import ApprovalOperator

Answered = Callable[[Any, str], None]


class PlanApproval(ApprovalOperator):
    """Shows a plan and waits for its approval where `is_needed` renders to "True"; otherwise goes on at once.

    That somebody is waited for is told as an alert. Refused, everything after it is skipped. `when_approved` and `when_refused` get the
    context and the name of who answered, before the run goes on. An answer in the very moment in which the task begins to wait can fail
    the try, so there are several.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "is_needed")

    def __init__(
        self, *, is_needed: str = "True", when_approved: Answered | None = None, when_refused: Answered | None = None, **options: Any
    ) -> None:
        super().__init__(**{"retries": 3, "retry_delay": timedelta(seconds=1)} | options)
        self.is_needed = is_needed
        self.when_approved = when_approved
        self.when_refused = when_refused

    def execute(self, context: Any) -> Any:
        """Ask, or go on."""
        if self.is_needed != "True":
            self.log.info("No approval is needed.")
            return None
        self._tell(context)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Write down what was answered, then go on or skip the rest."""
        if "error" not in event:
            answered = self.when_approved if self.APPROVE in event["chosen_options"] else self.when_refused
            if answered:
                answered(context, _name(event["responded_by_user"]))
        return super().execute_complete(context, event)

    def _tell(self, context: Any) -> None:
        from embedding_lakehouse.alerting import raise_alert
        from embedding_lakehouse.core.alerts import waiting_alert

        instance = context["ti"]
        address = self.generate_link_to_ui_from_context(context=context) if conf.get("api", "base_url", fallback="") else ""
        raise_alert(waiting_alert(instance.dag_id, instance.run_id, instance.task_id, str(self.subject), str(self.body), address))


def _name(user: Any) -> str:
    return str((user or {}).get("name") or (user or {}).get("id") or "somebody")
