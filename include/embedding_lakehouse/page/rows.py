"""What the statements of `sql/page` answer, row by row, and what follows from a row."""

from datetime import datetime, timedelta
from typing import NamedTuple

from embedding_lakehouse.core.batches import BLOCKED, COMMITTED, OPEN_STATES, PLANNED, PRICED, PUBLISHED, ROLL_BACK
from embedding_lakehouse.core.releases import LIVE, RETIRED, VERIFIED

# An open batch has this much of its way behind it.
STAGES_DONE = {PLANNED: 1, PRICED: 2, COMMITTED: 3, BLOCKED: 3, PUBLISHED: 4}
STAGES = 4


def is_in_work(state: str) -> bool:
    """Whether a batch in that state moves on by itself."""
    return state in OPEN_STATES and state != BLOCKED


def stages_done(state: str) -> int:
    """Of planned, priced, committed and published, how many are behind a batch in that state."""
    return STAGES_DONE.get(state, STAGES)


class Batch(NamedTuple):
    """A batch in a list, with how many of its checks held when it was last audited."""

    batch_id: str
    batch_number: int
    kind: str
    state: str
    documents_new: int | None
    documents_changed: int | None
    documents_deleted: int | None
    documents_remaining: int | None
    chunks_planned: int | None
    chunks_kept: int | None
    chunks_copied: int | None
    chunks_embedded: int | None
    tokens: int | None
    price: float | None
    dag_id: str | None
    run_id: str | None
    planned_at: datetime | None
    updated_at: datetime | None
    published_at: datetime | None
    message: str | None
    passed_count: int
    warned_count: int
    failed_count: int
    accepted_count: int

    @property
    def documents(self) -> int:
        return (self.documents_new or 0) + (self.documents_changed or 0) + (self.documents_deleted or 0)

    @property
    def chunks_reused(self) -> int:
        return (self.chunks_kept or 0) + (self.chunks_copied or 0)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def is_published(self) -> bool:
        return self.state == PUBLISHED

    @property
    def is_roll_back(self) -> bool:
        return self.kind == ROLL_BACK

    @property
    def is_in_work(self) -> bool:
        """Whether a run works on it, or a next one will: not once somebody has to decide."""
        return is_in_work(self.state)

    @property
    def is_audited(self) -> bool:
        return bool(self.passed_count or self.warned_count or self.failed_count or self.accepted_count)

    @property
    def stages_done(self) -> int:
        """Of planned, priced, committed and published, how many are behind it."""
        return stages_done(self.state)

    @property
    def took(self) -> timedelta | None:
        return self.published_at - self.planned_at if self.published_at and self.planned_at else None


class BatchDetails(NamedTuple):
    """A batch with everything that the journal says of it."""

    batch_id: str
    batch_number: int
    profile: str
    kind: str
    state: str
    model_name: str | None
    model_version: str | None
    profile_fingerprint: str | None
    source_snapshot: int | None
    embeddings_snapshot: int | None
    versions_snapshot: int | None
    documents_new: int | None
    documents_changed: int | None
    documents_deleted: int | None
    documents_remaining: int | None
    chunks_planned: int | None
    chunks_kept: int | None
    chunks_copied: int | None
    chunks_embedded: int | None
    texts_embedded: int | None
    tokens_estimated: int | None
    price_estimated: float | None
    seconds_estimated: float | None
    requests: int | None
    tokens_embedded: int | None
    price: float | None
    price_saved: float | None
    approval_reasons: list[str] | None
    approved_by: str | None
    dag_id: str | None
    run_id: str | None
    planned_at: datetime | None
    updated_at: datetime | None
    published_at: datetime | None
    message: str | None
    undone_batches: list[str] | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def is_in_work(self) -> bool:
        return is_in_work(self.state)

    @property
    def stages_done(self) -> int:
        return stages_done(self.state)

    @property
    def waits_for_approval(self) -> bool:
        return self.state == PRICED and bool(self.approval_reasons) and not self.approved_by

    @property
    def is_blocked(self) -> bool:
        return self.state == BLOCKED

    @property
    def is_published(self) -> bool:
        return self.state == PUBLISHED

    @property
    def is_roll_back(self) -> bool:
        return self.kind == ROLL_BACK


class CheckResult(NamedTuple):
    """A check of a batch as it last ran; `sample` is the JSON of its first offending rows."""

    check_name: str
    severity: str
    verdict: str
    violation_count: int | None
    measured_value: float | None
    allowed_value: float | None
    sample: str | None
    engine: str | None
    checked_at: datetime
    accepted_by: str | None
    accepted_reason: str | None


class Release(NamedTuple):
    """A release of the index with its last sync."""

    release_id: str
    index_name: str
    namespace: str
    state: str
    is_pinned: bool | None
    record_count: int | None
    versions_snapshot: int | None
    created_by: str | None
    reason: str | None
    created_at: datetime | None
    verified_at: datetime | None
    probe_recall: float | None
    keep_until: datetime | None
    synced_at: datetime | None
    last_upserted_count: int | None
    last_deleted_count: int | None

    @property
    def is_live(self) -> bool:
        return self.state == LIVE

    @property
    def may_become_live(self) -> bool:
        return self.state in (VERIFIED, RETIRED)


class Coverage(NamedTuple):
    """How much of the source is embedded, and since when the oldest document that is not has waited."""

    source_count: int
    covered_count: int
    outdated_count: int
    missing_count: int
    orphaned_count: int
    waiting_since: datetime | None

    @property
    def share(self) -> float:
        return self.covered_count / self.source_count if self.source_count else 1.0

    def is_fresh(self, now: datetime, hours: float) -> bool:
        """Whether nothing has waited for longer than the profile allows."""
        return self.waiting_since is None or now - self.waiting_since <= timedelta(hours=hours)


class Costs(NamedTuple):
    """What batches asked of the model, in all and lately."""

    tokens: int
    price: float
    chunks_planned: int
    chunks_embedded: int
    recent_tokens: int
    recent_price: float
    recent_chunks_planned: int
    recent_chunks_embedded: int

    @property
    def reused_share(self) -> float:
        return 1 - self.chunks_embedded / self.chunks_planned if self.chunks_planned else 0.0


class Verdict(NamedTuple):
    """A verdict on drift."""

    monitor_id: str
    baseline_kind: str | None
    baseline_id: str | None
    batch_id: str | None
    is_drift: bool
    causes: list[str] | None
    verdict: str
    since_batch_id: str | None
    since_at: datetime | None
    document_count: int | None
    changed_document_count: int | None
    canary_cosine: float | None
    fidelity: float | None
    recall: float | None
    measured_at: datetime


class Measure(NamedTuple):
    """One measure of one measurement of drift."""

    monitor_id: str
    measure: str
    cause: str | None
    baseline_value: float | None
    current_value: float | None
    drift: float | None
    threshold: float | None
    is_exceeded: bool | None
    detail: str | None
    measured_at: datetime


class Comparison(NamedTuple):
    """A comparison of the index with the record."""

    reconciliation_id: str
    release_id: str
    compared_at: datetime | None
    fidelity: float | None
    expected_count: int | None
    compared_count: int | None
    missing_count: int | None
    orphaned_count: int | None
    stale_count: int | None
    wrong_profile_count: int | None
    is_complete: bool | None
    repaired_at: datetime | None


class Alert(NamedTuple):
    """An alert that was raised."""

    alert_id: str
    kind: str
    subject: str | None
    summary: str | None
    message: str | None
    since_at: datetime | None
    raised_at: datetime | None
    dag_id: str | None
    run_id: str | None
