"""The wait for a purchase in bulk, in Airflow's triggerer."""

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class BulkTrigger(BaseTrigger):
    """Fires when one of the provider's jobs has ended, at the latest `until` (seconds since the epoch).

    It asks without blocking the other triggers, and goes on through whatever passes by itself, for a day if need be.
    """

    def __init__(self, connection: str, job_ids: list[str], poll_seconds: float, until: float) -> None:
        super().__init__()
        self.connection = connection
        self.job_ids = job_ids
        self.poll_seconds = poll_seconds
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as Airflow keeps them: no key is among them."""
        names = ("connection", "job_ids", "poll_seconds", "until")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The one event."""
        from embedding_lakehouse.clients.models.openai_bulk import until_ended

        await until_ended(self.connection, self.job_ids, self.poll_seconds, self.until)
        yield TriggerEvent({})
