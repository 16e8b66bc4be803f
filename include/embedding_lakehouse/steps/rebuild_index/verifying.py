"""Verify a filled release before anybody reads from it: its ids, some vectors and receipts, and its answers."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter

from embedding_lakehouse import settings
from embedding_lakehouse.clients.fills import Fills
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, VectorIndex, service_from_connection
from embedding_lakehouse.clients.rebuilds import Basis, exact_neighbours, release_ids
from embedding_lakehouse.clients.record_checks import NotVisible, require_equal, require_reached, sample_rows, wait_until_visible
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sync_changes import EmbeddingRow
from embedding_lakehouse.clients.sync_plans import written_shards
from embedding_lakehouse.core.checksums import checksum, combined
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.rebuilds import NEIGHBOURS, differences, probe_count, recall
from embedding_lakehouse.core.releases import BUILDING, VERIFIED, IndexShape, ReleaseRow
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.errors import AuditFailed, ConflictError

log = logging.getLogger(__name__)

LEAST_RECALL = 0.95
# Up to so many records are listed in one go; more by the first digit of their ids, several listings at a time.
LISTED_AT_ONCE = 10_000
LISTINGS = 4
DIGITS = "0123456789abcdef"
SHOWN = 3
CHECKSUM_IDS = 10_000


def verify_release(release_id: str, lake: Lake | None = None, service: IndexService | None = None) -> str:
    """Compare the filled release with the lake and note that it may be switched to; its id. One that was verified is left as it is.

    Raises AuditFailed, which names what differs, where an id, a sampled vector or receipt, or too many answers are not those of the lake.
    """
    lake = lake or connect()
    releases = Releases(lake)
    release = releases.named(release_id)
    sync = Basis(lake, release).fill_sync()
    if release["state"] != BUILDING:
        return release_id
    if sync is None or release["versions_snapshot"] is None:
        raise ConflictError(f"the release {release_id} was never filled: run the DAG rebuild_index again")
    index = (service or service_from_connection()).open(IndexShape.of_release(release))
    profile = settings.profile(release["profile"])
    rows = sample_rows(lake, sync.sync_id, written_shards(lake, sync))
    try:
        _require_visible(lake, index, sync, profile, rows)
        wait_until_visible(index, lambda: _require_same_ids(lake, index, release))
    except NotVisible as error:
        raise AuditFailed(str(error)) from error
    found = _recall(lake, index, profile, sync, rows)
    if found < LEAST_RECALL:
        raise AuditFailed(
            f"the answers of release {release_id} hold {found:.1%} of the exact nearest neighbours, less than {LEAST_RECALL:.0%}: nothing "
            "was switched; see that the index has the metric of the profile, then trigger rebuild_index with discard_building"
        )
    releases.move(release_id, VERIFIED, verified_at=datetime.now(UTC), probe_recall=found)
    log.info("release %s holds %s records, all of the lake; recall@10 %.3f", release_id, release["record_count"], found)
    return release_id


def _require_visible(lake: Lake, index: VectorIndex, sync: Sync, profile: Profile, rows: list[EmbeddingRow]) -> None:
    wait_until_visible(index, lambda: _require_namespace(index, sync.namespace))
    lsn = Fills(lake, sync.sync_id).total()["lsn"]
    if lsn is not None:
        wait_until_visible(index, lambda: require_reached(index, sync.namespace, rows[0].vector, lsn))
    wait_until_visible(index, lambda: require_equal(index, sync.namespace, profile, rows))


def _require_namespace(index: VectorIndex, namespace: str) -> None:
    if not index.namespace_exists(namespace):
        raise NotVisible(f"the namespace {namespace} was filled and is not there{_way_out()}")


def _require_same_ids(lake: Lake, index: VectorIndex, release: ReleaseRow) -> None:
    """Raise NotVisible where the namespace holds other ids than the ledger, AuditFailed where the ledger is not what was planned."""
    prefixes = list(DIGITS) if release["record_count"] > LISTED_AT_ONCE else [""]
    with ThreadPoolExecutor(LISTINGS) as pool:
        compared = list(pool.map(lambda prefix: _compare_ids(lake, index, release, prefix), prefixes))
    expected, checksums = sum(count for count, _ in compared), [each for _, each in compared]
    if (expected, combined(*checksums)) != (release["record_count"], release["id_checksum"]):
        raise AuditFailed(
            f"the ledger names {expected} records for release {release['release_id']}, its fill planned {release['record_count']}: nothing "
            "was switched; trigger rebuild_index with discard_building"
        )
    # Listed by their first digits, ids that are none of ours are seen by their number alone.
    if (held := index.record_count(release["namespace"])) != expected:
        raise NotVisible(f"the namespace {release['namespace']} says that it holds {held} records instead of {expected}{_way_out()}")


def _compare_ids(lake: Lake, index: VectorIndex, release: ReleaseRow, prefix: str) -> tuple[int, str]:
    """How many records begin with the prefix, and the checksum of their ids. Raises NotVisible, which names ids that differ."""
    expected = _Tally(release_ids(lake, release, prefix))
    wrong: dict[str, list[str]] = {"missing": [], "foreign": []}
    for kind, record_id in differences(expected, index.list_ids(release["namespace"], prefix)):
        wrong[kind].append(record_id)
    if any(wrong.values()):
        named = ", ".join(f"{len(ids)} {kind} such as {', '.join(ids[:SHOWN])}" for kind, ids in wrong.items() if ids)
        raise NotVisible(f"the namespace {release['namespace']} differs from the lake: {named}{_way_out()}")
    return expected.count, expected.checksum


def _way_out() -> str:
    return "; nothing was switched. If it stays so, trigger rebuild_index with discard_building"


class _Tally:
    """Ids that are counted and summed up as they pass."""

    def __init__(self, record_ids: Iterable[str]) -> None:
        self._record_ids = iter(record_ids)
        self.count = 0
        self.checksum = checksum([])

    def __iter__(self) -> Iterator[str]:
        while passed := list(islice(self._record_ids, CHECKSUM_IDS)):
            self.count += len(passed)
            self.checksum = combined(self.checksum, checksum(passed))
            yield from passed


def _recall(lake: Lake, index: VectorIndex, profile: Profile, sync: Sync, rows: list[EmbeddingRow]) -> float:
    """The share of the exact nearest neighbours of some records that the index answers when it is asked for their vectors."""
    chosen = sorted(rows, key=attrgetter("planned.chunk_id"))[: probe_count(sync.record_count, sync.dimension)]
    probes = {row.planned.chunk_id: row.vector for row in chosen}
    exact = exact_neighbours(lake, profile, sync.metric, sync, probes)
    answered = {
        probe: [record.record_id for record in index.search(sync.namespace, vector, NEIGHBOURS)] for probe, vector in probes.items()
    }
    return recall(exact, answered, sync.record_count)
