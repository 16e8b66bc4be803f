"""Raise what must be looked at: drift, an index that is not the record, documents that waited too long. The same once a day at most."""

from datetime import UTC, datetime, timedelta

from embedding_lakehouse import settings
from embedding_lakehouse.clients import metrics
from embedding_lakehouse.clients.drift import waiting_documents
from embedding_lakehouse.clients.drift_index import Fidelity
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.verdicts import alerts, verdict
from embedding_lakehouse.core import alarms as rules
from embedding_lakehouse.core.drift_baselines import is_drifting
from embedding_lakehouse.core.drift_measures import INDEX
from embedding_lakehouse.core.releases import LIVE
from embedding_lakehouse.errors import AlarmRaised


def retrieval_has_not_drifted(monitor_id: str, lake: Lake | None = None, now: datetime | None = None) -> None:
    """Raise AlarmRaised where the verdict is drift that nobody accepted; an index that is not the record has an alarm of its own."""
    lake = lake or connect()
    row = verdict(lake, monitor_id)
    if not is_drifting(row):
        return
    fidelity = row["fidelity"]
    if row["causes"] == [INDEX] and fidelity is not None and fidelity < rules.LEAST_FIDELITY:
        return
    action = "; ".join(rules.TO_DO[cause] for cause in row["causes"])
    _raise(lake, AlarmRaised(rules.DRIFT, row["profile"], monitor_id, row["since_at"], row["verdict"], action), now)


def index_equals_the_record(profile_name: str, lake: Lake | None = None, now: datetime | None = None) -> None:
    """Raise AlarmRaised where the live release fell short of the record at its newest comparison, and was not repaired."""
    lake = lake or connect()
    live = next((row for row in Releases(lake).rows() if row["profile"] == profile_name and row["state"] == LIVE), None)
    known = Fidelity.of(lake, live["release_id"]) if live else None
    newest = known.newest if known else None
    since_at = rules.unrepaired_since(known.reconciliations, known.repaired) if known else None
    if newest is None or since_at is None:
        return
    counts = ", ".join(f"{newest[f'{kind}_count']} {kind}" for kind in ("missing", "orphaned", "stale", "wrong_profile"))
    summary = f"{newest['fidelity']:.4%} of release {newest['release_id']} equals the record ({counts}); nothing was repaired"
    action = "trigger reconcile_index, look at embeddings_db.index_findings of this comparison, and approve the repair"
    _raise(lake, AlarmRaised(rules.LOW_FIDELITY, profile_name, newest["reconciliation_id"], since_at, summary, action), now)


def documents_are_fresh(profile_name: str, lake: Lake | None = None, now: datetime | None = None) -> None:
    """Raise AlarmRaised where a document of the source has waited longer than the profile allows for a current version."""
    lake, now = lake or connect(), now or datetime.now(UTC)
    hours = settings.profile(profile_name).freshness_hours
    allowed = timedelta(hours=hours)
    count, waiting_since, doc_id = waiting_documents(lake, profile_name, now - allowed)
    metrics.report(profile_name, {"documents.overdue": count})
    if not count or waiting_since is None:
        return
    longest = f"{doc_id} since {waiting_since:%Y-%m-%d %H:%M} UTC"
    summary = f"{count} documents have waited longer than {hours:g} hours for a current version, {longest}"
    action = "look at the last runs of embed_documents: a blocked batch, an approval that nobody gave, or a provider that refuses"
    _raise(lake, AlarmRaised(rules.MISSED_FRESHNESS, profile_name, str(doc_id), waiting_since + allowed, summary, action), now)


def _raise(lake: Lake, alarm: AlarmRaised, now: datetime | None) -> None:
    raised = alerts(lake, alarm.profile, alarm.kind)
    if not rules.is_repeat(raised, alarm.kind, alarm.profile, alarm.since_at, now or datetime.now(UTC)):
        raise alarm
