"""Choose the two states that are compared, pin them, count their documents, and draw the sample of their chunks."""

import logging
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients import drift
from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.moments import find_moment
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.verdicts import verdicts
from embedding_lakehouse.core.batches import BatchRow, latest_published, new_batch_id
from embedding_lakehouse.core.drift_baselines import BATCH, RELEASE, TIME, Baseline, Comparison, watched_baseline
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.roll_backs import moment_of
from embedding_lakehouse.core.texts import one_line
from embedding_lakehouse.errors import ConfigurationError, InputError, NothingToDo, naming, quoted

logger = logging.getLogger(__name__)


def plan_comparison(
    profile_name: str,
    baseline: str = BATCH,
    accept: str = "",
    is_daily: bool = False,
    lake: Lake | None = None,
    now: datetime | None = None,
) -> dict[str, Any]:
    """The comparison of the profile's current state with a baseline, as keys.

    Raises NothingToDo where nothing was ever embedded, InputError for a baseline that never was.
    """
    lake, now = lake or connect(), now or datetime.now(UTC)
    profile = settings.profile(profile_name)
    moment = find_moment(lake, profile.name, "")
    rows = journal(lake).rows()
    current = latest_published(rows, profile.name)
    if current is None:
        raise NothingToDo(f"nothing was ever embedded under profile {profile.name!r}: there is nothing to monitor")
    with naming("baseline"):
        chosen = _baseline(lake, profile, rows, current, baseline, is_daily, now)
    planned = Comparison(
        monitor_id=new_batch_id(now),
        profile=profile.name,
        model_version=profile.model_version,
        dimensions=profile.dimensions,
        batch_id=current["batch_id"],
        batch_number=current["batch_number"],
        baseline_kind=chosen.kind,
        baseline_id=chosen.name,
        baseline_profile=chosen.profile,
        baseline_number=chosen.batch_number,
        is_watch=chosen.is_watch,
        is_comparable=_is_comparable(profile, chosen.profile),
        versions_snapshot=moment.versions_snapshot,
        embeddings_snapshot=moment.embeddings_snapshot,
        counts=drift.count_documents(lake, chosen, profile.name, current["batch_number"], moment.versions_snapshot),
        accepted_reason=one_line("accept", accept),
    )
    logger.info("batch %s of profile %s is compared with %s", current["batch_id"], profile.name, planned.described)
    return planned.as_keys()


def sample_states(comparison: dict[str, Any], lake: Lake | None = None) -> dict[str, Any]:
    """The comparison with its sample drawn, which the measures read."""
    return drift.draw_sample(lake or connect(), Comparison(**comparison)).as_keys()


def _baseline(
    lake: Lake, profile: Profile, rows: list[BatchRow], current: BatchRow, wanted: str, is_daily: bool, now: datetime
) -> Baseline:
    if wanted in ("", BATCH):
        return watched_baseline(rows, verdicts(lake, profile.name), current, is_daily, now)
    if release := next((row for row in Releases(lake).rows() if row["release_id"] == wanted), None):
        if release["versions_snapshot"] is None:
            raise InputError(f"the release {wanted} was never filled: there is nothing to compare with")
        number = drift.batch_number_at(lake, release["profile"], release["versions_snapshot"])
        if number is None:
            raise InputError(f"the release {wanted} holds no batch of profile {release['profile']!r}: there is nothing to compare with")
        return Baseline(RELEASE, wanted, number, release["profile"], is_watch=False)
    batch = moment_of(rows, profile.name, wanted)
    if batch is None:
        raise InputError(f"{quoted(wanted)} is no batch, time or release of profile {profile.name!r}")
    kind = BATCH if batch["batch_id"] == wanted else TIME
    return Baseline(kind, wanted, batch["batch_number"], profile.name, is_watch=False)


def _is_comparable(profile: Profile, baseline_profile: str) -> bool:
    """Whether the vectors of both profiles lie in one space, as far as their settings say."""
    if baseline_profile in ("", profile.name):
        return True
    try:
        other = settings.profile(baseline_profile)
    except ConfigurationError:
        return False
    deciding = ("provider", "model_name", "dimensions", "normalise", "text_normalisation")
    return all(getattr(profile, name) == getattr(other, name) for name in deciding)
