"""The forms that trigger a DAG: which Params each shows, filled in from the link that led to it.

Airflow's own trigger form takes no values from a link, so the page has forms of its own. They send what was entered to Airflow's public
API in the name of who is logged in: Airflow decides who may trigger, and what a Param may be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MOST_CHARACTERS = 2_000
TRUE = ("true", "True", "1", "on")


@dataclass(frozen=True, slots=True)
class Field:
    """A Param of the DAG as the form shows it; `value` is what it has where the link names none."""

    name: str
    label: str
    kind: Literal["text", "boolean"] = "text"
    value: str = ""

    @property
    def is_on(self) -> bool:
        """Whether a boolean Param is set."""
        return self.value in TRUE


@dataclass(frozen=True, slots=True)
class Form:
    """How a DAG is triggered from the page."""

    dag_id: str
    title: str
    explanation: str
    fields: tuple[Field, ...]

    def filled(self, given: Mapping[str, str]) -> list[Field]:
        """The fields with the values of a link, of those that the form has; each is cut to 2,000 characters."""
        return [Field(each.name, each.label, each.kind, given.get(each.name, each.value)[:MOST_CHARACTERS]) for each in self.fields]


PROFILE = Field("profile", "Profile")
REASON = Field("reason", "Reason")
KEEP_DAYS = Field("keep_days", "Days to keep the release before it", value="7")

FORMS = {
    form.dag_id: form
    for form in (
        Form(
            "embed_documents",
            "Embed documents",
            "Embeds what changed since the last published batch. A blocked batch is audited again, accepted or given up first.",
            (
                PROFILE,
                Field("accept_checks", "Failed checks to accept, by name"),
                Field("accept_reason", "Why they may be accepted"),
                Field("discard_open", "Give the open batch up", "boolean"),
                Field("allow_deletes", "Consent to many deletes", "boolean"),
                Field("dry_run", "Only show the plan", "boolean"),
            ),
        ),
        Form(
            "roll_back_embeddings",
            "Roll back",
            "Takes published batches back. The plan is shown for approval before anything changes, and no text is embedded.",
            (
                PROFILE,
                Field("to", "Back to this batch, snapshot or time"),
                Field("without_batch", "Or: undo this one batch alone"),
                REASON,
                Field("ask", "Wait for approval of the plan", "boolean", "true"),
                Field("dry_run", "Only show the plan", "boolean"),
            ),
        ),
        Form(
            "rebuild_index",
            "Rebuild the index",
            "Fills a fresh namespace from the lake, verifies it, and only then switches to it. No text is embedded.",
            (
                PROFILE,
                Field("as_of", "As of this batch, snapshot or time; empty for now"),
                REASON,
                KEEP_DAYS,
                Field("dry_run", "Only show the plan", "boolean", "true"),
            ),
        ),
        Form(
            "switch_release",
            "Switch the live release",
            "Lets another release be the live one, at once. Nothing is embedded, nothing is copied.",
            (PROFILE, Field("release_id", "Release", value="previous"), REASON, KEEP_DAYS),
        ),
    )
}
