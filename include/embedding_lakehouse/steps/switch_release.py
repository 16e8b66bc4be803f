"""Let another release be the live one: by its row at once, then by the profile's alias. The one before it is kept for a while."""

import logging
from datetime import UTC, datetime

from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, service_from_connection
from embedding_lakehouse.clients.record_checks import NotVisible, wait_until_visible
from embedding_lakehouse.clients.release_serving import is_led_elsewhere, point_alias
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core import releases as rules
from embedding_lakehouse.core.releases import IndexShape, ReleaseRow
from embedding_lakehouse.core.texts import one_line
from embedding_lakehouse.errors import AuditFailed, ConflictError, InputError, naming, quoted

log = logging.getLogger(__name__)

PREVIOUS = "previous"


def choose_release(profile: str, release_id: str = PREVIOUS, lake: Lake | None = None, service: IndexService | None = None) -> str:
    """The release to switch to: of that id, or with `previous` the one that was live before.

    Chosen once, before anything is switched: a second try must not go back again. Nor does another run: where the alias does not lead to
    the live release yet, `previous` is that one, whose switch it finishes. Raises InputError for one that cannot become live.
    """
    rows = Releases(lake or connect()).rows()
    with naming("release_id"):
        chosen = _chosen(rows, profile, release_id)
    if release_id == PREVIOUS:
        live = rules.live_release(rows, profile)
        if is_led_elsewhere(service or service_from_connection(), live):
            log.warning("the switch to release %s was begun, but the alias leads elsewhere: that is finished first", live["release_id"])
            return str(live["release_id"])
    return str(chosen["release_id"])


def _chosen(rows: list[ReleaseRow], profile: str, release_id: str) -> ReleaseRow:
    row = rules.release_before(rows, profile) if release_id == PREVIOUS else rules.release_named(rows, release_id)
    if row["profile"] != profile:
        raise InputError(f"the release {row['release_id']} belongs to profile {row['profile']!r}, not to {quoted(profile)}")
    if row["state"] not in (rules.VERIFIED, rules.RETIRED, rules.LIVE):
        raise InputError(f"the release {row['release_id']} is {row['state']}: only a verified or a retired one can become the live one")
    return row


def switch_release(
    release_id: str,
    keep_days: float,
    reason: str = "",
    run_id: str = "",
    lake: Lake | None = None,
    service: IndexService | None = None,
) -> str:
    """Make the release the live one; its id. The one before it is kept for `keep_days`. Repeated, nothing changes.

    Raises AuditFailed, and switches nothing, where its namespace is gone or holds another number of records than it should.
    """
    now = datetime.now(UTC)
    keep_until, why = rules.kept_until(now, keep_days), one_line("reason", reason) or "no reason given"
    lake, service = lake or connect(), service or service_from_connection()
    releases = Releases(lake)
    row = releases.named(release_id)
    if row["state"] != rules.LIVE:
        _require_whole(service, row)

    def decide(rows: list[ReleaseRow]) -> list[ReleaseRow]:
        changed = rules.switched(rows, release_id, keep_until, now)
        since = f"live since {now:%Y-%m-%d %H:%M} by {run_id or 'hand'}: {why}"
        return [one | {"reason": f"{one['reason']}; {since}"} if one["release_id"] == release_id else one for one in changed]

    changed = releases.change(decide)
    has_alias = point_alias(lake, service, row["profile"])
    for one in changed:
        releases.keep_snapshots(one["release_id"])
    log.info("release %s is live, %s", release_id, "and the alias leads to it" if has_alias else "by its row alone")
    return release_id


def _require_whole(service: IndexService, row: ReleaseRow) -> None:
    index = service.open(IndexShape.of_release(row))
    try:
        wait_until_visible(index, lambda: _compare_count(index.record_count(row["namespace"]), row))
    except NotVisible as error:
        raise AuditFailed(str(error)) from error
    if not row["record_count"] and row["versions_snapshot"] is None:
        raise ConflictError(f"the release {row['release_id']} was never filled: run the DAG rebuild_index")


def _compare_count(held: int, row: ReleaseRow) -> None:
    # What a sync that was never recorded did to it, the next sync makes good.
    is_unsure = bool(row["open_syncs"]) and held > 0
    if held != row["record_count"] and not is_unsure:
        raise NotVisible(
            f"the namespace {row['namespace']} of release {row['release_id']} holds {held} records instead of {row['record_count']}: it "
            "was changed or deleted from outside, nothing was switched; run the DAG rebuild_index, which fills a fresh one"
        )
