"""Errors by what a person should do about them: wait and try again, or change something first."""

from collections.abc import Iterable


class LakehouseError(Exception):
    """Base of every error that this package raises on purpose. The message names what is wrong and what to do."""


class TransientError(LakehouseError):
    """An outside system did not answer or asked to slow down: worth trying again."""


class ConfigurationError(LakehouseError):
    """A setting, profile, connection or Param is wrong: trying again changes nothing until a person does."""


class InputError(LakehouseError):
    """A document, row or file cannot be used as it is."""


class ConflictError(LakehouseError):
    """Somebody else changed the same table or batch in between; what was written stays unpublished."""


class ApprovalRequired(LakehouseError):
    """The step would do more than its declared limit allows without a person's consent."""


class AuditFailed(LakehouseError):
    """A check that must hold did not: the batch stays on its branch, main is untouched.

    `batch_id` is the blocked batch where there is one, `checks` are the names of the checks that failed or could not be run.
    """

    def __init__(self, message: str, batch_id: str | None = None, checks: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.batch_id = batch_id
        self.checks = tuple(checks)


class NothingToDo(LakehouseError):
    """The step has nothing to do: its task and what follows it are skipped, and no asset changes."""
