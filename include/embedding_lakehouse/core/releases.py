"""Releases of the index: which states they go through, which one is live, and what may be switched, retired or dropped."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from embedding_lakehouse.core.checksums import EMPTY
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import ConfigurationError, ConflictError, InputError, quoted

BUILDING, VERIFIED, LIVE, RETIRED, DROPPED = "building", "verified", "live", "retired", "dropped"
# What has a namespace that may hold records.
HELD = (BUILDING, VERIFIED, LIVE, RETIRED)

# A hundred years.
LONGEST_KEPT = 36_500

ReleaseRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IndexShape:
    """An index by its name, with the shape that it must have."""

    name: str
    dimension: int
    metric: str

    @classmethod
    def of_profile(cls, profile: Profile) -> "IndexShape":
        """The index that the profile declares."""
        return cls(profile.index.name, profile.dimensions, profile.index.metric)

    @classmethod
    def of_release(cls, row: ReleaseRow) -> "IndexShape":
        """The index that holds the release, whatever the profile declares by now."""
        return cls(row["index_name"], row["dimension"], row["metric"])


def tag_name(release_id: str) -> str:
    """The tag of ledger and embeddings that keeps what the release holds."""
    return f"release-{release_id}"


def release_named(rows: list[ReleaseRow], release_id: str) -> ReleaseRow:
    """The release of that id. Raises InputError, which names those that exist, where there is none."""
    for row in rows:
        if row["release_id"] == release_id:
            return row
    known = ", ".join(f"{row['release_id']} ({row['state']})" for row in rows) or "none"
    raise InputError(f"there is no release {quoted(release_id)}; there are: {known}")


def live_release(rows: list[ReleaseRow], profile: str) -> ReleaseRow:
    """The profile's live release. Raises ConfigurationError where there is none, or more than one."""
    live = [row for row in rows if row["profile"] == profile and row["state"] == LIVE]
    if not live:
        raise ConfigurationError(f"profile {quoted(profile)} has no live release of an index: run the DAG set_up_lakehouse first")
    if len(live) > 1:
        names = ", ".join(row["release_id"] for row in live)
        raise ConfigurationError(f"profile {quoted(profile)} has {len(live)} live releases ({names}): set all but one to retired")
    return live[0]


def first_release(rows: list[ReleaseRow], profile: Profile, created_by: str, moment: datetime) -> list[ReleaseRow]:
    """The empty live release that a profile begins with; nothing where the profile has had one."""
    if any(row["profile"] == profile.name for row in rows):
        return []
    return [new_release(rows, profile, created_by, "the profile's first release", moment) | {"state": LIVE}]


def new_release(rows: list[ReleaseRow], profile: Profile, created_by: str, reason: str, moment: datetime) -> ReleaseRow:
    """An empty release to be built, under a name and namespace that the profile never had."""
    numbers = [int(row["release_id"].rpartition("-r")[2]) for row in rows if row["profile"] == profile.name]
    name = f"{profile.name}-r{max(numbers, default=0) + 1}"
    return {
        "release_id": name,
        "profile": profile.name,
        "index_name": profile.index.name,
        "namespace": name,
        "state": BUILDING,
        "dimension": profile.dimensions,
        "metric": profile.index.metric,
        "embeddings_snapshot": None,
        "versions_snapshot": None,
        "record_count": 0,
        "id_checksum": EMPTY,
        "is_pinned": False,
        "open_syncs": [],
        "created_by": created_by,
        "reason": reason,
        "created_at": moment,
        "updated_at": moment,
    }


def switched(rows: list[ReleaseRow], release_id: str, keep_until: datetime, moment: datetime) -> list[ReleaseRow]:
    """The rows that make a release the live one and retire the one before it; nothing where it is live already.

    Only a verified or a retired release may become live: both were complete. Raises ConflictError for any other.
    """
    row = release_named(rows, release_id)
    if row["state"] == LIVE:
        return []
    if row["state"] not in (VERIFIED, RETIRED):
        raise ConflictError(f"the release {release_id} is {row['state']}: only a verified or a retired one can become the live one")
    before = live_release(rows, row["profile"])
    return [
        row | {"state": LIVE, "keep_until": None, "updated_at": moment},
        before | {"state": RETIRED, "keep_until": keep_until, "updated_at": moment},
    ]


def moved(rows: list[ReleaseRow], release_id: str, state: str, moment: datetime, **changes: Any) -> list[ReleaseRow]:
    """The release's row in another state; nothing where it is in it already. The live one changes by `switched` alone."""
    row = release_named(rows, release_id)
    if row["state"] == state:
        return []
    if LIVE in (row["state"], state):
        raise ConflictError(f"the release {release_id} is {row['state']} and cannot become {state}: run the DAG switch_release")
    return [row | changes | {"state": state, "updated_at": moment}]


def forgotten(rows: list[ReleaseRow], release_id: str, moment: datetime) -> list[ReleaseRow]:
    """The row of a dropped release whose namespace is gone: it is kept until no moment any more."""
    row = release_named(rows, release_id)
    return [row | {"keep_until": None, "open_syncs": [], "updated_at": moment}] if row["state"] == DROPPED and row["keep_until"] else []


def kept_until(moment: datetime, days: float) -> datetime:
    """When a release that is retired now may be dropped. Raises InputError for days that are no time to keep anything."""
    if not 0 <= days <= LONGEST_KEPT:
        raise InputError(f"keep_days is {quoted(days)}, must be from 0 to {LONGEST_KEPT:,}")
    return moment + timedelta(days=days)


def expired(rows: list[ReleaseRow], profile: str | None, moment: datetime) -> list[ReleaseRow]:
    """The releases whose time is over: retired ones kept long enough, and dropped ones whose namespace may still be there."""
    return [
        row
        for row in rows
        if profile in (None, row["profile"]) and row["state"] in (RETIRED, DROPPED) and row["keep_until"] and row["keep_until"] <= moment
    ]


def release_before(rows: list[ReleaseRow], profile: str) -> ReleaseRow:
    """The release that was live before the live one. Raises InputError where none is kept."""
    retired = [row for row in rows if row["profile"] == profile and row["state"] == RETIRED]
    if not retired:
        raise InputError(f"profile {quoted(profile)} keeps no release to go back to: rebuild_index makes one of an earlier moment")
    return max(retired, key=lambda row: row["updated_at"])
