"""Errors by what a person should do about them: wait and try again, or change something first."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

# Of a value that somebody gave, what an error repeats.
LONGEST_QUOTED = 80


def quoted(value: object) -> str:
    """The value as an error names it: one line of at most 80 characters, in which nothing is invisible."""
    try:
        text = repr(value[:LONGEST_QUOTED] if isinstance(value, str) else value)
    except ValueError:
        # Python writes no number of more than 4,300 digits.
        return "a number of thousands of digits"
    is_cut = len(text) > LONGEST_QUOTED or (isinstance(value, str) and len(value) > LONGEST_QUOTED)
    return f"{text[: LONGEST_QUOTED - 3]}..." if is_cut else text


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


class MoreRoundsNeeded(LakehouseError):
    """The engine did a part of a statement, which stays done: the same statement again goes on with the rest."""


class PlanOvertaken(ConflictError):
    """A batch of the profile was published since the changes were counted: count them again."""


class ApprovalRequired(LakehouseError):
    """The step would do more than its declared limit allows without a person's consent."""


class BudgetExceeded(LakehouseError):
    """The next batch would cost more than the profile may still spend this day or month."""


class AuditFailed(LakehouseError):
    """A check that must hold did not: the batch stays on its branch, main is untouched.

    `batch_id` is the blocked batch where there is one, `checks` are the names of the checks that failed or could not be run, `found` is
    what was found without `ways_on`, which say what to do. The message has both.
    """

    def __init__(self, found: str, batch_id: str | None = None, checks: Iterable[str] = (), ways_on: Iterable[str] = ()) -> None:
        self.found, self.batch_id = found, batch_id
        self.checks, self.ways_on = tuple(checks), tuple(ways_on)
        super().__init__("\n".join([found, *(f"- {way}" for way in self.ways_on)]))


class NothingToDo(LakehouseError):
    """The step has nothing to do: its task and what follows it are skipped, and no asset changes."""


class AlarmRaised(LakehouseError):
    """Something must be looked at: nothing broke, and trying again changes nothing. The message says what, since when, how bad, what to do.

    `kind` is `drift`, `low_fidelity` or `missed_freshness`; `subject` what was looked at: a measurement, a comparison, a batch.
    """

    def __init__(self, kind: str, profile: str, subject: str, since_at: datetime | None, summary: str, action: str) -> None:
        self.kind, self.profile, self.subject, self.since_at = kind, profile, subject, since_at
        self.summary, self.action = summary, action
        since = f" since {since_at:%Y-%m-%d %H:%M} UTC" if since_at else ""
        super().__init__(f"{kind.replace('_', ' ')} of profile {profile!r}{since} ({subject}): {summary}. What to do: {action}")


@contextmanager
def naming(param: str) -> Iterator[None]:
    """What is refused meanwhile is refused under the name of the Param that asked for it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{param}: {error}") from error
